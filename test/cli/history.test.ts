// Tests the command `history`: snapshots and gaps in their order, counts against DuckDB, and periods.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import {
  manifestKey,
  snapshotName,
  snapshotTimeMs,
  tombstoneKey,
} from '../../lib/core/object-keys.ts';
import { openDuck } from '../formats/readers.ts';
import { projects, seedPeople, targetOf } from '../support/people-history.ts';
import { listHistory } from '../support/sealed-history.ts';
import { copyToFolder } from '../support/seeded-store.ts';
import { call, createFolder } from './test-runtime.ts';

async function openPeople() {
  const { store, timeOf, endMs } = await seedPeople();
  const cwd = createFolder();
  copyToFolder(store, join(cwd, 'lake'));
  const history = (...args: string[]) =>
    call(['history', '--store', 'file:./lake', ...args], { cwd });
  const nameOf = (day: number) => snapshotName(timeOf(day));
  const isoOf = (day: number) => new Date(timeOf(day)).toISOString();
  const put = (key: string, text: string) => {
    mkdirSync(dirname(join(cwd, 'lake', key)), { recursive: true });
    writeFileSync(join(cwd, 'lake', key), text);
  };
  return { cwd, history, nameOf, isoOf, endMs, put };
}

test('--json lists snapshots and gaps of each target', async () => {
  const { history, nameOf, isoOf, endMs, put } = await openPeople();
  put(tombstoneKey(targetOf(projects[0]), nameOf(1)), '{}\n');
  const { code, runtime } = await history('--json');
  expect(code).toBe(0);
  const { status, targets, errors } = runtime.json() as {
    status: string;
    targets: object[];
    errors: [];
  };
  expect([status, errors]).toEqual(['ok', []]);
  const snapshot = (name: string, verdict: string, rows: number, pruned = false) => {
    const startedAt = new Date(snapshotTimeMs(name) ?? 0).toISOString();
    const read = { startedAt, sealedAt: expect.any(String) };
    return { snapshot: name, ...read, verdict, rows, values: expect.any(Object), pruned };
  };
  expect(targets).toEqual([
    {
      ...{
        account: 'prod',
        table: 'container_nodes',
        region: 'cn-south-4',
        projectId: projects[0],
      },
      snapshots: [
        snapshot(nameOf(0), 'complete', 3),
        snapshot(nameOf(1), 'complete', 3, true),
        snapshot(nameOf(4), 'complete', 5),
        snapshot(nameOf(5), 'complete', 3),
        snapshot(nameOf(6), 'complete', 4),
        snapshot(snapshotName(endMs), 'drifted', 1),
      ],
      gaps: [{ from: isoOf(2), to: isoOf(3), slots: 2 }],
    },
    expect.objectContaining({
      projectId: projects[1],
      snapshots: [snapshot(nameOf(5), 'complete', 1), snapshot(nameOf(6), 'complete', 0)],
    }),
  ]);
});

test('the counts are those that DuckDB finds in the rows', async () => {
  const { cwd, history } = await openPeople();
  const { runtime } = await history('--format', 'ndjson', '--project', projects[0]);
  const lines = runtime
    .out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const duck = await openDuck();
  try {
    const glob = join(cwd, `lake/container_nodes/**/prj=${projects[0]}/*.parquet`);
    const found = await duck.query(
      `SELECT snapshot_at, count(*), count(*) FILTER (WHERE protect_status IS DISTINCT FROM 'opened'), count(*) FILTER (WHERE agent_status = 'offline'), any_value(verdict) FROM read_parquet('${glob}', hive_partitioning = false) GROUP BY 1 ORDER BY 1`,
    );
    const snapshots = lines.filter(({ snapshot }) => snapshot !== null);
    expect(
      snapshots.map((one) => [
        Date.parse(one.snapshot_at),
        one.rows,
        one.unprotected,
        one.offline,
        one.verdict,
      ]),
    ).toEqual(found);
    expect(JSON.parse(snapshots[0].values)).toMatchObject({
      protect_status: { opened: 2, closed: 1 },
    });
  } finally {
    duck.close();
  }
  // A gap is where the snapshots would be.
  expect(lines.map(({ missed_slots }) => missed_slots)).toEqual([
    null,
    null,
    2,
    null,
    null,
    null,
    null,
  ]);
});

test('the table has gaps at their place, ages and counts', async () => {
  const { history, nameOf, put } = await openPeople();
  put(tombstoneKey(targetOf(projects[0]), nameOf(0)), '{}\n');
  const { runtime } = await history('--project', projects[0]);
  const lines = runtime
    .out()
    .split('\n')
    .map((line) => line.trim().replace(/ +/g, ' '));
  expect(lines[0]).toBe(`prod container_nodes cn-south-4 ${projects[0]}`);
  expect(lines[1]).toBe('snapshot age verdict rows unprotected offline values');
  expect(lines[2]).toMatch(
    new RegExp(`^${nameOf(0)} 7 d .* complete, pruned 3 1 0 agent_status: online 3;`),
  );
  expect(lines[4]).toMatch(
    new RegExp(`^${nameOf(2)} 5 d .* missed 2 missed slots, to ${nameOf(3)}$`),
  );
  expect(lines.at(-2)).toBe('5 complete, 1 drifted, 2 missed slots, 1 pruned');
});

test('--since and --until are inclusive; a date means its first and its last second', async () => {
  const { history, nameOf, isoOf } = await openPeople();
  const namesOf = async (...args: string[]) => {
    const { runtime } = await history('--json', '--project', projects[0], ...args);
    const [target] = runtime.json().targets as { snapshots: { snapshot: string }[] }[];
    return target?.snapshots.map(({ snapshot }) => snapshot);
  };
  const dateOf = (day: number) => isoOf(day).slice(0, 10);
  expect(await namesOf('--since', dateOf(4), '--until', dateOf(5))).toEqual([nameOf(4), nameOf(5)]);
  expect(await namesOf('--since', isoOf(4), '--until', isoOf(4))).toEqual([nameOf(4)]);
  expect(await namesOf('--until', dateOf(0))).toEqual([nameOf(0)]);
  const { code, runtime } = await history('--since', dateOf(5), '--until', dateOf(4), '--json');
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    { message: `--since: "${dateOf(5)}" is after --until` },
  ]);
});

test('--since in the future is refused', async () => {
  const { history } = await openPeople();
  const { code, runtime } = await history('--since', '2999-01-01', '--json');
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    { message: '--since: "2999-01-01" is in the future' },
  ]);
});

test('a manifest that cannot be read: exit 5, the others are listed', async () => {
  const { history, nameOf, put } = await openPeople();
  const key = manifestKey(targetOf(projects[0]), nameOf(4));
  put(key, '{');
  const { code, runtime } = await history('--json');
  expect(code).toBe(5);
  const { status, targets, errors } = runtime.json() as {
    status: string;
    targets: { snapshots: object[] }[];
    errors: { message: string }[];
  };
  expect(status).toBe('failed');
  expect(targets[0]?.snapshots).toHaveLength(5);
  expect(errors).toMatchObject([{ code: 'CORRUPT', message: expect.stringContaining(key) }]);
  const { runtime: text } = await history();
  expect(text.out()).toContain('1 not readable');
  expect(text.err()).toContain(key);
});

test('another dataset has no counts of nodes', async () => {
  const cwd = createFolder();
  const target = { table: 'container_clusters', region: 'cn-south-4', projectId: 'p' };
  const newestMs = Date.now() - 3_600_000;
  for (const { key, bytes } of listHistory({
    target,
    count: 2,
    newestMs,
    dataset: 'container_clusters',
  })) {
    mkdirSync(dirname(join(cwd, key)), { recursive: true });
    writeFileSync(join(cwd, key), bytes);
  }
  const history = (...args: string[]) =>
    call(['history', '--store', `file:${cwd}`, ...args], { cwd });
  const { runtime } = await history();
  expect(runtime.out()).not.toContain('unprotected');
  const { runtime: lines } = await history('--format', 'ndjson');
  expect(JSON.parse(lines.out().split('\n')[0] ?? '')).toMatchObject({
    rows: 4_321,
    unprotected: null,
  });
  for (const command of ['nodes', 'node']) {
    const { code, runtime: refused } = await call(
      [command, 'x', '--store', `file:${cwd}`].filter((one) => command === 'node' || one !== 'x'),
      { cwd },
    );
    expect(code).toBe(2);
    expect(refused.err()).toContain('no picked table has container nodes');
  }
});
