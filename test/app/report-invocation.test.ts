// Tests what an invocation of the function `report` stores, returns and throws, also as its time runs out.

import { expect, test } from 'vitest';
import type { Connection } from '../../lib/app/connect.ts';
import { openReportInvocation } from '../../lib/app/report-invocation.ts';
import type { ServiceTarget } from '../../lib/app/target.ts';
import type { ProcessScratch } from '../../lib/platform/scratch.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { createReportWorld, type ReportWorld, worldTargets } from '../reports/report-world.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createTestScratch } from '../support/test-scratch.ts';

async function invoke({ store }: Pick<ReportWorld, 'store'>, timeLeftMs = () => 600_000) {
  const lines: unknown[] = [];
  const left = createTestScratch();
  const scratch: ProcessScratch = {
    ...{ ...left, parent: '', freeBytes: async () => null },
    ...{ findFault: async () => null, removeLeft: async () => {} },
  };
  const connection: Partial<Connection> = {
    ...{ store, scratch, rowCheck: { scratch, datasets: [], decoders: [] }, pins: null },
    targets: worldTargets as unknown as ServiceTarget[],
    verify: { pins: null, publicKeys: [], since: null },
    limit: (_timeLeftMs, work) => work(),
  };
  const outcome = await openReportInvocation().run({
    ...{ connect: async () => connection as Connection, timeLeftMs, memoryMb: 256 },
    ...{ log: (...line) => void lines.push(line), scrubber: createScrubber() },
  });
  expect(left.left()).toBe(0);
  return { ...outcome, lines };
}

const reportKeys = (world: ReportWorld) =>
  [...world.store.dump().keys()].filter((key) => key.startsWith('_reports/')).sort();

test('stores the report of the day, whose files verify knows; a second run replaces them', async () => {
  const world = await createReportWorld({ seed: 2, slots: 5 });
  const { json, alert } = await invoke(world);
  expect(alert).toBeNull();
  expect(json).toMatchObject({ status: 'written', targets: 2, integrity: 'verified', errors: [] });
  const names = ['changes.csv', 'report.html', 'report.json', 'snapshots.csv', 'unprotected.csv'];
  const keys = names.map((name) => `_reports/2026-10-02/${name}`);
  expect(reportKeys(world)).toEqual(keys);
  expect(json.page).toBe('_reports/2026-10-02/report.html');
  await world.store.put('_reports/other', Buffer.from('x'));
  expect(await verifyStore(world.store, () => {})).toMatchObject({
    ...{ faults: [], unnamed: [], foreign: ['_reports/other'] },
  });
  world.advance(60_000);
  const first = Buffer.from((await world.store.get(keys[2] ?? '')) ?? []).toString();
  await invoke(world);
  const second = Buffer.from((await world.store.get(keys[2] ?? '')) ?? []).toString();
  expect(JSON.parse(first).madeAt).not.toBe(JSON.parse(second).madeAt);
  expect(reportKeys(world)).toEqual([...keys, '_reports/other']);
});

test('throws the faults, and the report has them', async () => {
  const world = await createReportWorld({ seed: 2, slots: 5 });
  const key = world.sealed[3]?.manifest.parts[0]?.key ?? '';
  await world.store.put(key, Buffer.from('other bytes'));
  const { json, alert } = await invoke(world);
  expect(alert).toMatchObject({ code: 'CORRUPT' });
  expect(alert?.message).toContain(`${key}: has 11 bytes`);
  expect(alert?.message).toContain('The report _reports/2026-10-02/report.html says so.');
  expect(json).toMatchObject({ status: 'failed', integrity: 'failed' });
  const figures = JSON.parse(
    Buffer.from((await world.store.get('_reports/2026-10-02/report.json')) ?? []).toString(),
  );
  expect(figures.integrity.faults).toMatchObject({ total: 1, shown: [{ key }] });
});

test('stops hashing in time to store the report, and lists what was not hashed', async () => {
  const world = await createReportWorld({ seed: 2, slots: 5 });
  // Parts in NDJSON are read by the verification only.
  let reads = 0;
  const store = {
    ...world.store,
    read: (key: string) => {
      if (key.includes('_ndjson/')) reads += 1;
      return world.store.read(key);
    },
  };
  const { json, alert, lines } = await invoke({ store }, () => (reads < 2 ? 600_000 : 20_000));
  expect([json.status, alert]).toEqual(['written', null]);
  const figures = JSON.parse(
    Buffer.from((await world.store.get('_reports/2026-10-02/report.json')) ?? []).toString(),
  );
  expect(figures.integrity.notReached.length).toBeGreaterThan(3);
  expect(figures.integrity.notProven).toContain('There was not enough time');
  expect(lines).toContainEqual([
    'warn',
    expect.stringContaining('there was not enough time'),
    expect.anything(),
  ]);
});

test('stores nothing and throws if the time does not even suffice to read the snapshots', async () => {
  const world = await createReportWorld({ seed: 2, slots: 5 });
  await expect(invoke(world, () => 20_000)).rejects.toMatchObject({ code: 'TIME_TOO_SHORT' });
  expect(reportKeys(world)).toEqual([]);
});

test('throws if the store has no snapshot, or none of its targets', async () => {
  const store = createMemoryStore({ nowMs: () => 0 });
  await expect(invoke({ store })).rejects.toMatchObject({ code: 'CONFIG' });
  const other = [{ account: 'x', table: 'container_nodes', region: 'r', projectId: 'p9' }];
  const world = await createReportWorld({ seed: 2, slots: 2, targets: other, oddShare: 0 });
  await expect(invoke(world)).rejects.toThrow('no target with container nodes has a snapshot');
});
