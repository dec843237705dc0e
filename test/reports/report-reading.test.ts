// Tests that every figure and every file of a report equals SQL over the store, on seeded histories.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { snapshotName } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { createCsvFormatter } from '../../lib/formats/csv.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { readReport } from '../../lib/reports/report-reading.ts';
import { createRandom } from '../../lib/simulator/random.ts';
import { useDuck } from '../formats/duck.ts';
import { someCases } from '../support/cases.ts';
import { createTestScratch } from '../support/test-scratch.ts';
import { openOracle } from './report-oracle.ts';
import { createReportWorld, slotMs, startMs, worldTargets } from './report-world.ts';

const { temp, duck } = useDuck();

function read(
  store: Store,
  scratch = createTestScratch(),
  period = { sinceMs: startMs, untilMs: store.nowMs() },
) {
  const formats = { decoder: parquetDecoder, openFormat: createCsvFormatter };
  const ports = { store, scratch, dataset: containerNodes, ...formats, onProgress: () => {} };
  return readReport(ports, worldTargets, period);
}

/** The cells of a file of the report, without its header. */
async function readCsv(path: string): Promise<unknown[][]> {
  return duck.query(
    `SELECT * FROM read_csv('${path}', all_varchar = true, nullstr = '\u0001', header = true, quote = '"')`,
  );
}

const seeds = someCases([1, 2, 3, 4]);

test.each(seeds)('equals SQL over the store: seed %i', async (seed) => {
  const random = createRandom(seed * 1_000);
  const world = await createReportWorld({ seed });
  const whole = temp.path(`whole-${seed}`);
  world.dump(whole);
  // The newest of each target is kept.
  const newest = worldTargets.map(({ projectId }) =>
    world.sealed.findLast(({ manifest }) => manifest.scope.projectId === projectId),
  );
  for (const sealed of world.sealed) {
    if (!newest.includes(sealed) && random() < 0.3) await world.prune(sealed);
  }
  const path = temp.path(`store-${seed}`);
  world.dump(path);
  const period = {
    sinceMs: startMs + (seed % 3) * slotMs,
    untilMs: world.store.nowMs() - (seed % 2) * slotMs,
  };
  const scratch = createTestScratch();
  const report = await read(world.store, scratch, period);
  for (const file of report.files) {
    await file.put(world.store, `out/${file.name}`);
    const bytes = world.store.dump().get(`out/${file.name}`)?.bytes ?? new Uint8Array();
    expect(bytes.length).toBe(file.bytes);
    writeFileSync(join(path, file.name), bytes);
    await file.remove();
  }
  expect(scratch.left()).toBe(0);
  const oracle = await openOracle(duck, {
    ...{
      store: path,
      whole,
      untilMs: period.untilMs,
      nowMs: world.store.nowMs(),
      slotSeconds: slotMs / 1_000,
    },
    since: snapshotName(period.sinceMs),
    until: snapshotName(period.untilMs),
  });
  const { targets, days, nodes, hostKinds, changes, quality } = report;
  expect(targets.map((one) => [one.projectId, one.knownFrom])).toEqual(await oracle.knownFrom());
  const csv = await readCsv(join(path, 'unprotected.csv'));
  expect(csv.map((row) => row.with(8, Number(row[8])))).toEqual(await oracle.intervals());
  expect(
    targets.flatMap((target) =>
      target.days.map(({ date, state, complete, drifted, missed, counts }) => [
        ...[target.projectId, date, state, complete, drifted, missed],
        ...[counts?.nodes ?? null, counts?.unprotected ?? null, counts?.offline ?? null],
      ]),
    ),
  ).toEqual(await oracle.days());
  expect(
    days.map((one) => [
      ...[one.date, one.nodes, one.unprotected, one.offline],
      ...[one.current, one.carried, one.unknown],
    ]),
  ).toEqual(await oracle.totals());
  const expected = await oracle.nodes();
  expect(nodes.total).toBe(expected.length);
  expect(nodes.unprotected).toBe(expected.filter((row) => row[5] !== null).length);
  expect(nodes.offline).toBe(expected.filter((row) => row[6] !== null).length);
  expect([hostKinds.all, hostKinds.unprotected].map((one) => Object.values(one))).toEqual(
    await oracle.hostKinds(),
  );
  const byId = (a: unknown[], b: unknown[]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  expect(
    nodes.shown
      .map((one) => [
        ...[one.projectId, one.hostId, one.hostName, one.protectStatus, one.agentStatus],
        ...[one.unprotected?.since ?? null, one.offline?.since ?? null],
      ])
      .sort(byId),
  ).toEqual(expected.sort(byId));
  const { shown, ...sums } = changes;
  expect([Object.values(sums)]).toEqual(await oracle.changes());
  const changed = await oracle.changeRows('ASC');
  expect(
    (await readCsv(join(path, 'changes.csv'))).map((row) => [
      ...[row[4], String(row[0]).replace('.000Z', 'Z'), row[5], row[7]],
    ]),
  ).toEqual(changed);
  expect(shown.map((one) => [one.projectId, one.snapshotAt, one.hostId, one.change])).toEqual(
    (await oracle.changeRows('DESC')).slice(0, 500),
  );
  expect([
    [
      ...[quality.snapshots, quality.rejects, quality.repeats, quality.requests],
      ...[quality.unknownValues.protect_status?.odd_value ?? 0],
    ],
  ]).toEqual((await oracle.quality()).map((row) => row.slice(0, 5)));
  expect(report.faults).toEqual([]);
});

/** A world whose snapshots of the first target all follow from each other, and the report of it. */
async function createLine() {
  const targets = worldTargets.slice(0, 1);
  const world = await createReportWorld({ seed: 8, slots: 6, nodes: 30, oddShare: 0, targets });
  const damage = async (index: number, role: 'rows' | 'changes') => {
    const part = world.sealed[index]?.manifest.parts.find((one) => one.role === role);
    const bytes = (await world.store.get(part?.key ?? '')) as Uint8Array;
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    await world.store.put(part?.key ?? '', bytes);
    return part?.key;
  };
  const report = async () => {
    const found = await read(world.store);
    for (const file of found.files) await file.put(world.store, `out/${file.name}`);
    const textOf = async (name: string) =>
      Buffer.from((await world.store.get(`out/${name}`)) ?? []).toString();
    return { ...found, textOf };
  };
  return { world, damage, report, names: world.sealed.map(({ manifest }) => manifest.snapshot) };
}

test('reads the rows before where changes were altered: no state is lost', async () => {
  const { damage, report } = await createLine();
  const before = await report();
  const [intervals, changes] = [
    await before.textOf('unprotected.csv'),
    await before.textOf('changes.csv'),
  ];
  const key = await damage(3, 'changes');
  const after = await report();
  expect(after.faults.map((fault) => fault.key)).toEqual([key]);
  expect(await after.textOf('unprotected.csv')).toBe(intervals);
  expect(after.targets[0]?.knownFrom).toBe(before.targets[0]?.knownFrom);
  // Of the altered part there are no rows. The counts are those of the manifests.
  const lost = (await after.textOf('changes.csv')).split('\r\n');
  expect(lost.length).toBeLessThan(changes.split('\r\n').length);
  expect(lost.every((line) => changes.includes(line))).toBe(true);
  expect(after.changes.added).toBe(before.changes.added);
});

test('knows the states only after a snapshot whose rows are pruned and whose changes were altered', async () => {
  const { world, damage, report, names } = await createLine();
  await damage(3, 'changes');
  await world.prune(world.sealed[2] as (typeof world.sealed)[number]);
  const found = await report();
  expect(found.targets[0]?.knownFrom).toBe(names[3]);
  const starts = [
    ...(await found.textOf('unprotected.csv')).matchAll(
      /,(?:unprotected|offline),([^,]*),([^,]*),/g,
    ),
  ];
  const from = `${names[3]?.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d).*/, '$1-$2-$3T$4:00:00Z')}`;
  expect(starts.length).toBeGreaterThan(0);
  expect(
    starts.every(([, start = '', end = '']) => start >= from && (end === '' || end > start)),
  ).toBe(true);
});

test('uses rows that exist in spite of a tombstone, and reports them if they were altered', async () => {
  const { world, damage, report, names } = await createLine();
  await damage(3, 'changes');
  const before = world.sealed[2] as (typeof world.sealed)[number];
  const rows = before.manifest.parts.find(({ role }) => role === 'rows')?.key ?? '';
  const bytes = (await world.store.get(rows)) as Uint8Array;
  await world.prune(before);
  await world.store.put(rows, bytes);
  const found = await report();
  expect(found.targets[0]).toMatchObject({ knownFrom: names[0], snapshots: { pruned: 1 } });
  await damage(2, 'rows');
  const altered = await report();
  expect(altered.targets[0]?.knownFrom).toBe(names[3]);
  expect(altered.faults.map(({ key }) => key)).toContain(rows);
});

test('knows no state if the newest rows were altered, and still has the changes', async () => {
  const { damage, report } = await createLine();
  const key = await damage(5, 'rows');
  const found = await report();
  expect(found.faults.map((fault) => fault.key)).toEqual([key]);
  expect(found.targets[0]?.knownFrom).toBe(null);
  expect(found.nodes).toEqual({ total: 0, unprotected: 0, offline: 0, shown: [] });
  expect((await found.textOf('unprotected.csv')).trimEnd().split('\r\n')).toHaveLength(1);
  expect((await found.textOf('changes.csv')).split('\r\n').length).toBeGreaterThan(5);
});

test('a manifest that cannot be read is a fault and a row of snapshots.csv', async () => {
  const { world, report, names } = await createLine();
  const key = world.sealed[2]?.manifestKey ?? '';
  await world.store.put(key, Buffer.from('{}\n'));
  const found = await report();
  expect(found.faults.map((fault) => fault.key)).toEqual([key]);
  expect(await found.textOf('snapshots.csv')).toContain(
    `${names[2]},,,unreadable,,,,,,,,,${key},,`,
  );
  // The next one has its changes since that snapshot, so the rows of the one before it are read.
  expect(found.targets[0]?.knownFrom).toBe(names[0]);
});

test('leaves no temporary file if the store fails', async () => {
  const { world } = await createLine();
  const scratch = createTestScratch();
  const failing: Store = {
    ...world.store,
    read: (key) =>
      key.includes('_changes') ? Promise.reject(new Error('gone')) : world.store.read(key),
  };
  await expect(read(failing, scratch)).rejects.toThrow('gone');
  expect(scratch.left()).toBe(0);
});
