// Tests the counts in a manifest. Each test seals a run, because the counts must describe the sealed rows.

import { expect, test } from 'vitest';
import { manifestKey, objectBytesMax } from '../../lib/core/object-keys.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { othersName } from '../../lib/sealing/statistics.ts';
import type { Manifest } from '../../lib/snapshots/manifest.ts';
import { first, seal } from '../support/sealed-run.ts';
import { nodeText, someTarget } from '../support/stored-run.ts';

test('counts values, unknown values, unknown fields and mistyped fields, each sorted', async () => {
  const records = [
    nodeText('a', { agent_status: 'not_register', host_status: 'ACTIVE' }),
    nodeText('b', { agent_status: 'not_installed', detect_result: 'odd' }),
    nodeText('c', { agent_status: 'zzz', protect_status: null, newer: 1, asset: 'many' }),
    nodeText('d', { agent_status: 'aaa', protect_status: 'opened', asset: 1.5 }),
    nodeText('e', { agent_status: 'zzz', private_ip: 7, newer: 2, Älter: null, '😀': 1 }),
    '{"host_id":"f","agent_status":"__proto__","vulnerability":1.0,"constructor":2.50}',
    nodeText('g', { agent_status: '' }),
  ];
  const { manifest, store } = await seal({ snapshot: first, pages: [{ records }] });
  // Parsed from the stored bytes: the manifest's decoder drops names such as __proto__.
  const written = JSON.parse(
    Buffer.from(store.dump().get(manifestKey(someTarget, first))?.bytes ?? []).toString(),
  ) as Manifest;
  const statuses = Object.entries(written.values.agent_status ?? {});
  expect(statuses).toEqual([
    ['', 1],
    ['__proto__', 1],
    ['aaa', 1],
    ['not_installed', 2],
    ['zzz', 2],
  ]);
  expect(written.values).toMatchObject({
    protect_status: { opened: 1 },
    host_status: { ACTIVE: 1 },
  });
  expect(Object.keys(written.values)).toEqual([...containerNodes.countedColumns]);
  expect(Object.entries(written.unknownValues.agent_status ?? {})).toEqual([
    ['', 1],
    ['__proto__', 1],
    ['aaa', 1],
    ['zzz', 2],
  ]);
  expect(written.unknownValues.detect_result).toEqual({ odd: 1 });
  expect(Object.keys(written.unknownValues)).toHaveLength(2);
  expect(manifest.unknownFields).toEqual(['constructor', 'newer', 'Älter', '😀']);
  expect(manifest.mistyped).toEqual({ asset: 2, private_ip: 1 });
});

test('counts true, false and unknown editions, but neither nulls nor values of the wrong type', async () => {
  const records = [
    nodeText('a', { is_container_node: true, version: 'hss.version.container.enterprise' }),
    nodeText('b', { is_container_node: true, version: 'hss.version.null' }),
    nodeText('c', { is_container_node: false, version: 'hss.version.quantum' }),
    nodeText('d', { is_container_node: null, version: null }),
    nodeText('e', { is_container_node: 'true', version: 5 }),
    nodeText('f'),
  ];
  const { manifest } = await seal({ snapshot: first, pages: [{ records }] });
  expect(manifest.values.is_container_node).toEqual({ false: 1, true: 2 });
  expect(manifest.unknownValues).toEqual({ version: { 'hss.version.quantum': 1 } });
  expect(manifest.mistyped).toEqual({ is_container_node: 1, version: 1 });
});

test('counts sealed rows, not the records that were read', async () => {
  const { manifest } = await seal({
    snapshot: first,
    pages: [
      { records: [nodeText('a', { agent_status: 'odd' }), nodeText('b')] },
      { records: [nodeText('b'), nodeText('a', { agent_status: 'offline' })], pass: 2 },
    ],
  });
  expect(manifest.rows).toBe(2);
  expect(manifest.values.agent_status).toEqual({ offline: 1, online: 1 });
  expect(manifest.unknownValues).toEqual({});
});

test('has bounded room for names: the rest is counted together, and known values always have room', async () => {
  const long = 'ü'.repeat(20_000);
  const unknown = Array.from({ length: 12 }, (_, index) =>
    nodeText(`a${String(index).padStart(2, '0')}`, {
      agent_status: `${long}${index}`,
      [`${long}${index}`]: 1,
    }),
  );
  const records = [...unknown, nodeText('b', { agent_status: 'online', protect_status: 'opened' })];
  const { manifest, store } = await seal({ snapshot: first, pages: [{ records }] });
  const counts = Object.entries(manifest.values.agent_status ?? {});
  expect(counts.reduce((sum, [, count]) => sum + count, 0)).toBe(13);
  expect(manifest.values.agent_status).toMatchObject({ [othersName]: 7, online: 1 });
  expect(manifest.unknownValues.agent_status).toMatchObject({ [othersName]: 7 });
  expect(manifest.values.protect_status).toEqual({ opened: 1 });
  expect(manifest.unknownFields).toContain(othersName);
  const key = manifestKey(someTarget, first);
  expect(store.dump().get(key)?.bytes.length).toBeLessThan(objectBytesMax(key));
});
