// Tests promises 3, 4 and 6 for sealing: every sealer writes the same bytes, also after a kill; parts exist before the manifest
// names them; each manifest names its predecessor. Stored runs are sealed under a virtual clock, and every write is recorded:
// no immutable key is ever written with other bytes.

import { describe, expect, test } from 'vitest';
import { CorruptError, ExportError, ProtocolError } from '../../lib/core/errors.ts';
import {
  checkpointKey,
  headKey,
  latestKey,
  manifestKey,
  manifestPrefix,
  publicKeyKey,
  sealRecordKey,
  segmentKey,
  signatureKey,
} from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { encodeState, sha256 } from '../../lib/core/state.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { decodeSealRecord, encodeSealRecord, endSeal } from '../../lib/sealing/seal-record.ts';
import { listSnapshots, readManifest } from '../../lib/snapshots/catalog.ts';
import { decodePointer, type Manifest } from '../../lib/snapshots/manifest.ts';
import { readPublicKey } from '../../lib/snapshots/signature.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import {
  createRecordedStore,
  first,
  many,
  pages,
  readerKeys,
  seal,
  second,
  third,
} from '../support/sealed-run.ts';
import { createSigningKey } from '../support/signing-keys.ts';
import {
  createSealPorts,
  nodeText,
  sealStored,
  sealWithFaults,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';

/** A seal that was killed right after it stored its seal record `key`. */
async function killAfterRecord(snapshot: string) {
  const { clock, store, recorded } = createRecordedStore();
  const ports = createSealPorts(recorded, clock);
  const run = await storeRun(recorded, { snapshot, pages: [many] });
  let breaths = 0;
  const keepAlive = async () => {
    breaths += 1;
    if (breaths > 1) throw new Error('killed');
  };
  await clock.run(sealStored({ ...ports, keepAlive }, run).catch(() => {}));
  const key = sealRecordKey(someTarget, snapshot, run.checkpoint.run);
  return { clock, store, recorded, ports, run, key };
}

describe('the manifest', () => {
  test('describes what was sealed, based on the seal record', async () => {
    const { store, manifest, sealed, stored } = await seal({
      snapshot: first,
      pages: [many, ...pages],
    });
    const [part, ndjson, rejects] = manifest.parts;
    const emptyCounts = Object.fromEntries(containerNodes.countedColumns.map((name) => [name, {}]));
    expect(manifest).toEqual({
      manifestVersion: 1,
      dataset: 'container_nodes',
      table: 'container_nodes',
      schemaVersion: 1,
      snapshot: first,
      run: stored.checkpoint.run,
      scheduleSeconds: 86_400,
      scope: stored.checkpoint.scope,
      startedAt: '2026-11-24T06:00:00.000Z',
      sealedAt: '2026-11-24T06:00:00.000Z',
      verdict: 'complete',
      rows: 303,
      rejects: 1,
      evidence: { ...stored.checkpoint.evidence, repeats: 0 },
      values: { ...emptyCounts, agent_status: { online: 303 } },
      unknownValues: {},
      unknownFields: [],
      mistyped: {},
      parts: [part, ndjson, rejects],
      changes: null,
      changesNone: 'first',
      previous: null,
      signing: null,
      writer: 'cgs-export/test',
    });
    expect(manifest.parts.map(({ role, format }) => [role, format])).toEqual([
      ['rows', 'parquet'],
      ['rows', 'ndjson'],
      ['rejects', 'ndjson'],
    ]);
    for (const { key, bytes, sha256: hash, rows, role } of manifest.parts) {
      const object = store.dump().get(key)?.bytes ?? new Uint8Array();
      expect([object.length, sha256(object)]).toEqual([bytes, hash]);
      expect(key).toContain(`/${first}-${hash.slice(0, 12)}.`);
      expect(rows).toBe(role === 'rejects' ? 1 : 303);
    }
    expect(sealed.manifestKey).toBe(manifestKey(someTarget, first));
    const manifestBytes = store.dump().get(sealed.manifestKey)?.bytes ?? new Uint8Array();
    expect(sealed.manifestSha256).toBe(sha256(manifestBytes));
    for (const key of [headKey(someTarget), latestKey(someTarget)]) {
      expect(
        decodePointer(someTarget, key, store.dump().get(key)?.bytes ?? new Uint8Array()),
      ).toEqual({
        snapshot: first,
        manifest: sealed.manifestKey,
        manifestSha256: sealed.manifestSha256,
        ...someTarget,
        account: 'prod',
        verdict: 'complete',
        parts: manifest.parts.map((one) => one.key),
      });
    }
  });
});

describe('rejects', () => {
  test('accepts one reject in a hundred records, and fails with one in ninety-nine', async () => {
    const nodes = (count: number) =>
      Array.from({ length: count }, (_, index) => nodeText(`n${index}`));
    const { manifest } = await seal({
      snapshot: first,
      pages: [{ records: [...nodes(99), '{}'] }],
    });
    expect(manifest).toMatchObject({ rows: 99, rejects: 1 });
    const { clock, store, recorded } = createRecordedStore();
    const run = await storeRun(recorded, {
      snapshot: first,
      pages: [{ records: [...nodes(98), '{}'] }],
    });
    const failed = clock.run(sealStored(createSealPorts(recorded, clock), run));
    await expect(failed).rejects.toThrow(ProtocolError);
    await expect(failed).rejects.toThrow(/1 of 99 records have no usable host_id.*is missing/);
    expect(readerKeys(store)).toEqual([]);
    // The seal record is deleted too: the next attempt reads the list again.
    expect(store.dump().has(sealRecordKey(someTarget, first, run.checkpoint.run))).toBe(false);
    expect(store.dump().has(checkpointKey(run.prefix))).toBe(true);
  });
});

describe('sealing again', () => {
  test('writes the same bytes by another version, hours later, after manifest and pointers were lost', async () => {
    const { clock, store, recorded, stored, ports } = await seal(
      { snapshot: first, pages: [many, ...pages] },
      { encoders: [parquetEncoder, ndjsonEncoder] },
    );
    const before = store.dump();
    for (const key of [...before.keys()]) {
      if (key.startsWith('_manifests/') || /^_(head|latest)\//.test(key)) await store.delete(key);
    }
    clock.advance(3 * 3_600_000);
    await clock.run(sealStored({ ...ports, store: recorded, writer: 'cgs-export/later' }, stored));
    const after = store.dump();
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [key, { bytes }] of before) expect(after.get(key)?.bytes, key).toEqual(bytes);
  });

  test('writes nothing if the snapshot is sealed and the pointers name it', async () => {
    const { clock, stored, ports, store } = await seal({ snapshot: first, pages: [many] });
    const before = store.dump();
    clock.advance(60_000);
    await clock.run(sealStored(ports, stored));
    expect(store.dump()).toEqual(before);
  });

  test('names an altered page and publishes nothing', async () => {
    const { clock, store, recorded } = createRecordedStore();
    const run = await storeRun(recorded, { snapshot: first, pages: Array(12).fill(many) });
    const [segment = ''] = run.checkpoint.segments;
    const key = segmentKey(run.prefix, segment);
    await store.put(key, Buffer.from('other'));
    const failed = clock.run(sealStored(createSealPorts(recorded, clock), run));
    await expect(failed).rejects.toThrow(CorruptError);
    await expect(failed).rejects.toMatchObject({ key });
    expect(readerKeys(store)).toEqual([]);
  });
});

describe('the chain', () => {
  test('each manifest names the one before, of any verdict; _latest names the newest complete one', async () => {
    const { clock, store, recorded } = createRecordedStore();
    const ports = createSealPorts(recorded, clock);
    const sealed = [];
    for (const [snapshot, verdict] of [
      [first, 'complete'],
      [second, 'drifted'],
      [third, 'complete'],
    ] as const) {
      const run = await storeRun(recorded, { snapshot, pages: [many], verdict });
      sealed.push(await clock.run(sealStored(ports, run)));
      const pointed = (key: string) =>
        decodePointer(someTarget, key, store.dump().get(key)?.bytes ?? new Uint8Array()).snapshot;
      expect(pointed(headKey(someTarget))).toBe(snapshot);
      expect(pointed(latestKey(someTarget))).toBe(verdict === 'drifted' ? first : snapshot);
    }
    const [one, two, three] = sealed;
    expect(one?.manifest.previous).toBeNull();
    expect(two?.manifest.previous).toEqual({
      snapshot: first,
      manifestSha256: one?.manifestSha256,
    });
    expect(three?.manifest.previous).toEqual({
      snapshot: second,
      manifestSha256: two?.manifestSha256,
    });
    expect(await listSnapshots(store, someTarget)).toEqual([first, second, third]);
    expect((await readManifest(store, someTarget, second))?.manifest.verdict).toBe('drifted');
    expect(await readManifest(store, someTarget, '20261125T000000Z')).toBeNull();
  });

  test('seals a run without a verdict as drifted', async () => {
    const { clock, store, recorded } = createRecordedStore();
    const run = await storeRun(recorded, { snapshot: first, pages: [many] });
    const undecided = { ...run, checkpoint: { ...run.checkpoint, verdict: null } };
    const { manifest } = await clock.run(sealStored(createSealPorts(recorded, clock), undecided));
    expect(manifest.verdict).toBe('drifted');
    expect(store.dump().has(latestKey(someTarget))).toBe(false);
  });

  test('writes nothing if a newer snapshot of the target is sealed', async () => {
    const { clock, store, recorded, ports } = await seal({ snapshot: second, pages: [many] });
    const run = await storeRun(recorded, { snapshot: first, pages: [many] });
    const before = store.dump();
    const failed = clock.run(sealStored(ports, run));
    await expect(failed).rejects.toThrow(ExportError);
    await expect(failed).rejects.toMatchObject({ code: 'OVERTAKEN' });
    expect(store.dump()).toEqual(before);
  });

  test("is not overtaken by another target's newer snapshot", async () => {
    const { clock, recorded, ports } = await seal({ snapshot: second, pages: [many] });
    const target = { ...someTarget, projectId: 'p12' };
    const run = await storeRun(recorded, { snapshot: first, pages: [many], target });
    const { manifest } = await clock.run(sealStored(ports, run));
    expect(manifest.previous).toBeNull();
  });

  test('does not move the pointers back when an older snapshot is sealed again', async () => {
    const { clock, store, recorded, stored, ports } = await seal({
      snapshot: first,
      pages: [many],
    });
    const newer = await storeRun(recorded, { snapshot: second, pages: [many] });
    await clock.run(sealStored(ports, newer));
    const before = store.dump();
    await clock.run(sealStored(ports, stored));
    expect(store.dump()).toEqual(before);
  });

  test('does not fork the chain with a seal record from before another snapshot was sealed', async () => {
    const { clock, store, recorded, ports, run, key } = await killAfterRecord(second);
    const record = store.dump().get(key)?.bytes ?? new Uint8Array();
    expect(decodeSealRecord(key, record).previous).toBeNull();
    const older = await storeRun(recorded, { snapshot: first, pages: [many] });
    const one = await clock.run(sealStored(ports, older));
    const two = await clock.run(sealStored(ports, run));
    expect(two.manifest.previous?.manifestSha256).toBe(one.manifestSha256);
    expect((await verifyStore(store, () => {})).faults).toEqual([]);
  });
});

describe('a seal record that cannot be read', () => {
  async function sealAgain(change: (record: Buffer) => Uint8Array) {
    const { clock, store, ports, run, key } = await killAfterRecord(first);
    await store.put(key, change(Buffer.from(store.dump().get(key)?.bytes ?? '')));
    return { key, store, outcome: await clock.run(sealWithFaults(ports, run)) };
  }

  test.each([
    ['is empty', () => Buffer.alloc(0)],
    ['was truncated', (record: Buffer) => record.subarray(0, -9)],
    [
      'has another byte',
      (record: Buffer) => Buffer.from(String(record).replace('writer', 'writes')),
    ],
  ])('because it %s is written again, and reported as a fault', async (_name, change) => {
    const { key, store, outcome } = await sealAgain(change);
    expect(outcome.sealed.manifest).toMatchObject({ snapshot: first });
    expect(outcome.faults).toMatchObject([
      { key, message: expect.stringMatching(/truncated or changed. It was written again$/) },
    ]);
    expect((await verifyStore(store, () => {})).faults).toEqual([]);
  });

  test('because another version wrote it is written again, without a fault', async () => {
    const { store, outcome } = await sealAgain((record) => {
      const { value } = JSON.parse(String(record)) as { value: object };
      return encodeState('seal record', 1, value);
    });
    expect(outcome.sealed.manifest).toMatchObject({ snapshot: first });
    expect(outcome.faults).toEqual([]);
    expect((await verifyStore(store, () => {})).faults).toEqual([]);
  });
});

describe('a sealer that must stop', () => {
  test('stops between any two steps before the manifest', async () => {
    for (let allowed = 0; ; allowed += 1) {
      const { clock, store, recorded } = createRecordedStore();
      const run = await storeRun(recorded, { snapshot: first, pages: [many, ...pages] });
      let left = allowed;
      const keepAlive = async () => {
        if (left-- === 0) throw new Error('stop');
      };
      const ended = await clock.run(
        sealStored(createSealPorts(recorded, clock, { keepAlive }), run).then(
          () => true,
          () => false,
        ),
      );
      if (ended) {
        expect(allowed).toBeGreaterThan(5);
        return;
      }
      const manifests = [...store.dump().keys()].filter((key) => key.startsWith('_manifests/'));
      const pointers = [...store.dump().keys()].filter((key) => /^_(head|latest)\//.test(key));
      // Only the last renewal happens after the manifest exists.
      expect(pointers).toEqual([]);
      expect(manifests.length).toBeLessThanOrEqual(1);
    }
  });

  test('reports a manifest that disappears after it was written', async () => {
    const { clock, recorded } = createRecordedStore();
    const run = await storeRun(recorded, { snapshot: first, pages: [many] });
    const forgetful: Store = {
      ...recorded,
      put: async (key, bytes) => {
        if (!key.startsWith(manifestPrefix(someTarget))) await recorded.put(key, bytes);
      },
    };
    const failed = clock.run(sealStored(createSealPorts(forgetful, clock), run));
    await expect(failed).rejects.toMatchObject({ code: 'MANIFEST_LOST' });
  });
});

describe('signatures', () => {
  const [one, other] = [createSigningKey(), createSigningKey()];
  const signature = signatureKey(someTarget, first);

  /** Checks the signature of a snapshot with the public key in the store. Returns the key id in its manifest; null: not signed. */
  function checkSignature({ dump }: MemoryStore, snapshot: string): string | null {
    const objects = dump();
    const bytes = objects.get(manifestKey(someTarget, snapshot))?.bytes ?? new Uint8Array();
    const stored = objects.get(signatureKey(someTarget, snapshot))?.bytes;
    const { signing } = JSON.parse(Buffer.from(bytes).toString()) as Manifest;
    if (signing === null) {
      expect(stored).toBeUndefined();
      return null;
    }
    const pem = objects.get(publicKeyKey(signing.keyId))?.bytes ?? new Uint8Array();
    const key = readPublicKey(Buffer.from(pem).toString());
    expect(key?.keyId).toBe(signing.keyId);
    expect(stored).toHaveLength(64);
    expect(key?.isSignatureOf(bytes, stored ?? new Uint8Array())).toBe(true);
    return signing.keyId;
  }

  test('each manifest is signed by the key that it names, and all public keys stay', async () => {
    const { clock, store, recorded, ports } = await seal(
      { snapshot: first, pages: [many, ...pages] },
      { signing: one },
    );
    for (const [snapshot, signing] of [
      [second, other],
      [third, null],
    ] as const) {
      const run = await storeRun(recorded, { snapshot, pages: [many] });
      await clock.run(sealStored({ ...ports, signing }, run));
    }
    const ids = [first, second, third].map((snapshot) => checkSignature(store, snapshot));
    expect(ids).toEqual([one.keyId, other.keyId, null]);
    const keys = readerKeys(store).filter((key) => key.startsWith('_keys/'));
    expect(keys.sort()).toEqual([one, other].map(({ keyId }) => publicKeyKey(keyId)).sort());
    const { faults, foreign } = await verifyStore(store, () => {});
    expect({ faults, foreign }).toEqual({ faults: [], foreign: [] });
  });

  test('the parts, the public key and the signature are stored before the manifest', async () => {
    const order: string[] = [];
    const { clock, recorded } = createRecordedStore({
      onCall: ({ op, key, phase }) => {
        if (op === 'put' && phase === 'after') order.push(key);
      },
    });
    const run = await storeRun(recorded, { snapshot: first, pages: [many, ...pages] });
    await clock.run(sealStored(createSealPorts(recorded, clock, { signing: one }), run));
    const kinds = order.map((key) => key.split('/')[0]).filter((kind) => kind !== '_runs');
    expect(kinds).toEqual([
      ...['_keys', 'container_nodes', 'container_nodes_ndjson', 'container_nodes_rejects'],
      ...['_signatures', '_manifests', '_latest', '_head'],
    ]);
  });

  test('another object in place of the public key is reported once, and stays', async () => {
    const { clock, store, recorded } = createRecordedStore();
    const key = publicKeyKey(one.keyId);
    await store.put(key, Buffer.from('another key'));
    const run = await storeRun(recorded, { snapshot: first, pages: [many, ...pages] });
    const ports = createSealPorts(recorded, clock, { signing: one });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const { sealed, faults } = await clock.run(sealWithFaults(ports, run));
      expect(sealed.manifest.signing).toEqual({ keyId: one.keyId });
      expect(faults.map((fault) => fault.key)).toEqual([key]);
    }
    const object = store.dump().get(key)?.bytes ?? new Uint8Array();
    expect(Buffer.from(object).toString()).toBe('another key');
  });

  /** A seal with the key `one` that is killed before the call of `op` whose key matches. */
  async function killBefore(op: 'put' | 'delete', pattern: RegExp) {
    let isArmed = true;
    const { clock, store, recorded } = createRecordedStore({
      onCall: (call) => {
        if (isArmed && call.op === op && pattern.test(call.key)) throw new Error('killed');
      },
    });
    const run = await storeRun(recorded, { snapshot: first, pages: [many, ...pages] });
    const ports = createSealPorts(recorded, clock, { signing: one });
    await expect(clock.run(sealStored(ports, run))).rejects.toThrow('killed');
    isArmed = false;
    return { clock, store, recorded, ports, run };
  }

  test.each([
    ['the same key', one],
    ['another key', other],
    ['no key', null],
  ])('a seal that was killed before the manifest is finished with %s', async (_what, signing) => {
    const { clock, store, ports, run } = await killBefore('put', /^_manifests/);
    const left = store.dump().get(signature)?.bytes;
    expect(left).toHaveLength(64);
    await clock.run(sealStored({ ...ports, signing }, run));
    expect(checkSignature(store, first)).toBe(signing?.keyId ?? null);
    if (signing === one) expect(store.dump().get(signature)?.bytes).toEqual(left);
    expect((await verifyStore(store, () => {})).faults).toEqual([]);
  });

  test('a run without a key does not delete the signature that it may have left once its manifest exists', async () => {
    const { clock, store, recorded, run } = await killBefore('put', /^_latest/);
    const ports = createSealPorts(recorded, clock);
    await clock.run(sealStored(ports, run));
    expect(checkSignature(store, first)).toBe(one.keyId);
    expect(await endSeal(store, someTarget, run.checkpoint)).toBe(true);
    expect(checkSignature(store, first)).toBe(one.keyId);
  });

  test('ending the seal of a run without a manifest deletes its signature, and before that its record stays', async () => {
    const { store, run } = await killBefore('put', /^_manifests/);
    const recordKey = sealRecordKey(someTarget, first, run.checkpoint.run);
    const failing: Store = {
      ...store,
      delete: async (key) => {
        if (key === signature) throw new Error('killed');
        await store.delete(key);
      },
    };
    await expect(endSeal(failing, someTarget, run.checkpoint)).rejects.toThrow('killed');
    expect(store.dump().has(recordKey)).toBe(true);
    expect(await endSeal(store, someTarget, run.checkpoint)).toBe(true);
    expect(readerKeys(store)).toEqual([publicKeyKey(one.keyId)]);
    expect(store.dump().has(recordKey)).toBe(false);
  });

  test('ending the seal of a run whose manifest was lost keeps the signature', async () => {
    const { store, stored } = await seal(
      { snapshot: first, pages: [many, ...pages] },
      { signing: one },
    );
    await store.delete(manifestKey(someTarget, first));
    expect(await endSeal(store, someTarget, stored.checkpoint)).toBe(false);
    expect(store.dump().has(signature)).toBe(true);
  });

  test('a damaged seal record may hide a signature: without a key no signature is left', async () => {
    const { clock, store, ports, run } = await killBefore('put', /^_manifests/);
    const recordKey = sealRecordKey(someTarget, first, run.checkpoint.run);
    await store.put(recordKey, Buffer.from('damaged'));
    await clock.run(sealStored({ ...ports, signing: null }, run));
    expect(checkSignature(store, first)).toBeNull();
  });

  test('an exporter whose record was replaced by one with another key does not put its manifest', async () => {
    const { clock, store, recorded } = createRecordedStore();
    const run = await storeRun(recorded, { snapshot: first, pages: [many, ...pages] });
    const recordKey = sealRecordKey(someTarget, first, run.checkpoint.run);
    let isReplaced = false;
    const late: Store = {
      ...recorded,
      put: async (key, bytes) => {
        await recorded.put(key, bytes);
        if (isReplaced || !key.startsWith('container_nodes_rejects/')) return;
        isReplaced = true;
        const record = decodeSealRecord(recordKey, (await store.get(recordKey)) ?? bytes);
        await store.put(recordKey, encodeSealRecord({ ...record, keyId: other.keyId }));
      },
    };
    // The recorded store fails if a manifest is written again with other bytes.
    await clock.run(sealStored(createSealPorts(late, clock, { signing: one }), run));
    expect(isReplaced).toBe(true);
    expect(checkSignature(store, first)).toBe(one.keyId);
  });
});
