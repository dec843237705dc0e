// Tests the part that holds rejects, and how parts are encoded and written.

import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sealRecordKey } from '../../lib/core/object-keys.ts';
import type { EncodingOptions, Store } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { openParts, putParts } from '../../lib/sealing/parts.ts';
import { decodeSealRecord } from '../../lib/sealing/seal-record.ts';
import { createRecordedStore, first, many, pages, seal } from '../support/sealed-run.ts';
import {
  createSealPorts,
  pageTimeMs,
  sealStored,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createTestScratch } from '../support/test-scratch.ts';

test('keeps each distinct reject once and verbatim, whatever pages and passes contain it', async () => {
  const nameless = '{"host_name":"x","n":1.0}';
  const { store, manifest } = await seal({
    snapshot: first,
    pages: [
      many,
      { records: [nameless, '{"host_id":5}', nameless] },
      { records: [nameless, '{"host_name":"x","n":1.00}'], pass: 2 },
    ],
  });
  expect(manifest).toMatchObject({ rows: 300, rejects: 3 });
  const key = manifest.parts.find(({ role }) => role === 'rejects')?.key ?? '';
  const text = gunzipSync(store.dump().get(key)?.bytes ?? new Uint8Array()).toString();
  const at = (index: number) => new Date(pageTimeMs + index * 1_000).toISOString();
  expect(text.split('\n')).toEqual([
    `{"reason":"host_id is missing","fetched_at":"${at(1)}","record":${nameless}}`,
    `{"reason":"host_id is a number, not a string","fetched_at":"${at(1)}","record":{"host_id":5}}`,
    `{"reason":"host_id is missing","fetched_at":"${at(2)}","record":{"host_name":"x","n":1.00}}`,
    '',
  ]);
});

describe('parts', () => {
  const mebibyte = 2 ** 20;

  async function encodeTwo(mebibytes: number) {
    const calls: string[] = [];
    const encoders = (['parquet', 'ndjson'] as const).map((format, index) => ({
      format,
      open({ sink }: EncodingOptions) {
        calls.push(format);
        return {
          async write() {},
          end: async () => sink(new Uint8Array(mebibytes * mebibyte).fill(index + 1)),
        };
      },
    }));
    const { store, recorded } = createRecordedStore();
    const scratch = createTestScratch();
    const keepAlive = async () => {};
    const shared = { store: recorded, scratch, dataset: containerNodes, keepAlive };
    const ports = { ...shared, encoders, changesEncoder: parquetEncoder };
    const run = await storeRun(createRecordedStore().store, { snapshot: first, pages });
    const record = { writer: 'w', checkpoint: run.checkpoint };
    const writer = openParts(ports, someTarget, record);
    await writer.writeRows([[]]);
    return { store, ports, scratch, calls, writer };
  }

  test('that are small are encoded once, without a temporary file', async () => {
    const { store, ports, scratch, calls, writer } = await encodeTwo(2);
    const encoded = await writer.finish();
    expect(store.dump().size).toBe(0);
    await putParts(ports, encoded);
    await writer.remove();
    expect(calls).toEqual(['parquet', 'ndjson']);
    expect(scratch.opened()).toBe(0);
    expect([...store.dump().keys()].sort()).toEqual(encoded.map(({ part }) => part.key).sort());
  });

  test('have no NDJSON if there are no rows', async () => {
    const { clock, store } = createRecordedStore();
    const run = await storeRun(store, { snapshot: first, pages: [{ records: [] }] });
    const ports = createSealPorts(store, clock, { encoders: [parquetEncoder, ndjsonEncoder] });
    const writer = openParts(ports, someTarget, { writer: 'w', checkpoint: run.checkpoint });
    const encoded = await writer.finish();
    await writer.remove();
    expect(encoded.map(({ part }) => [part.format, part.rows])).toEqual([['parquet', 0]]);
  });

  test('that are large are encoded once too, into temporary files', async () => {
    const { store, ports, scratch, calls, writer } = await encodeTwo(3);
    const encoded = await writer.finish();
    await putParts(ports, encoded);
    expect(scratch.left()).toBe(2);
    await writer.remove();
    expect(scratch.left()).toBe(0);
    expect(calls).toEqual(['parquet', 'ndjson']);
    for (const { part } of encoded) {
      expect(sha256(store.dump().get(part.key)?.bytes ?? '')).toBe(part.sha256);
    }
  });

  test('leave no temporary file if their encoding is given up', async () => {
    const { scratch, writer } = await encodeTwo(3);
    const finished = writer.finish();
    await Promise.all([finished.catch(() => {}), writer.remove()]);
    expect(scratch.left()).toBe(0);
  });

  test('are all listed in the seal record before the first is written', async () => {
    const { clock, store, recorded } = createRecordedStore();
    const run = await storeRun(recorded, { snapshot: first, pages: [many, ...pages] });
    const recordKey = sealRecordKey(someTarget, first, run.checkpoint.run);
    const listed: (readonly string[])[] = [];
    const watched: Store = {
      ...recorded,
      put(key, bytes, options) {
        const record = store.dump().get(recordKey);
        if (!key.startsWith('_')) {
          listed.push(decodeSealRecord(recordKey, record?.bytes ?? new Uint8Array()).parts);
        }
        return recorded.put(key, bytes, options);
      },
    };
    const encoders = [parquetEncoder, ndjsonEncoder];
    const { manifest } = await clock.run(
      sealStored(createSealPorts(watched, clock, { encoders }), run),
    );
    const keys = manifest.parts.map(({ key }) => key);
    expect(keys).toHaveLength(3);
    expect(listed).toEqual([keys, keys, keys]);
  });
});
