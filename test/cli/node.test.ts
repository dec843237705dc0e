// Tests the command `node`: the life of a node against DuckDB over the stored rows, and how it is printed.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { snapshotName } from '../../lib/core/object-keys.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { changeColumns } from '../../lib/snapshots/changes.ts';
import { openDuck } from '../formats/readers.ts';
import { projects, seedPeople, targetOf } from '../support/people-history.ts';
import { copyToFolder, seedStore } from '../support/seeded-store.ts';
import { call, createFolder } from './test-runtime.ts';

async function openPeople() {
  const { store, timeOf } = await seedPeople();
  const cwd = createFolder();
  copyToFolder(store, join(cwd, 'lake'));
  const node = (...args: string[]) => call(['node', '--store', 'file:./lake', ...args], { cwd });
  const isoOf = (day: number) => new Date(timeOf(day)).toISOString();
  const textOf = (day: number) => `${isoOf(day).slice(0, 10)} 00:00`;
  return { cwd, node, timeOf, isoOf, textOf };
}

interface Life {
  host_id: string;
  names: string[];
  seen: { from: string; to: string | null }[];
  events: Record<string, unknown>[];
  now: Record<string, unknown> | null;
}

test('periods and names are those of the rows that DuckDB finds', async () => {
  const { cwd, node, timeOf } = await openPeople();
  const duck = await openDuck();
  onTestFinished(() => duck.close());
  const glob = join(cwd, 'lake/container_nodes/**/*.parquet');
  const complete = [0, 1, 4, 5, 6].map(timeOf);
  for (const wanted of ['h1', 'h2', 'h3', 'web-1', 'web-9', '=cmd()', 'k']) {
    const { code, runtime } = await node(wanted, '--json');
    expect(code, runtime.err()).toBe(0);
    const lives = runtime.json().nodes as Life[];
    const rows = (await duck.query(
      `WITH every AS (SELECT * FROM read_parquet('${glob}', hive_partitioning = false) WHERE verdict = 'complete')
       SELECT host_id, snapshot_at, host_name FROM every
       WHERE host_id IN (SELECT host_id FROM every WHERE host_id = '${wanted}' OR host_name = '${wanted}') ORDER BY 1, 2`,
    )) as [string, number, string | null][];
    expect(rows.length).toBeGreaterThan(0);
    expect(lives.map(({ host_id }) => host_id)).toEqual([...new Set(rows.map(([id]) => id))]);
    for (const { host_id, names, seen } of lives) {
      const own = rows.filter(([id]) => id === host_id);
      expect(names).toEqual([...new Set(own.map(([, , name]) => name))]);
      const isWithin = (timeMs: number) =>
        seen.some(
          ({ from, to }) => Date.parse(from) <= timeMs && (to === null || Date.parse(to) >= timeMs),
        );
      expect(complete.filter(isWithin)).toEqual(own.map(([, timeMs]) => timeMs));
    }
  }
});

test('--json has the periods, the events as rows of the changes, and the row of now', async () => {
  const { node, isoOf } = await openPeople();
  const { runtime } = await node('web-1', '--json');
  const { nodes, errors, status } = runtime.json() as { nodes: Life[]; errors: []; status: string };
  expect([status, errors]).toEqual(['ok', []]);
  expect(nodes).toMatchObject([
    {
      ...{ account: 'prod', region: 'cn-south-4', projectId: projects[0], host_id: 'h1' },
      names: ['web-1', 'web-9'],
      seen: [{ from: isoOf(0), to: null }],
      events: [
        { snapshot_at: isoOf(1), change: 'changed', protect_status_before: 'opened' },
        { snapshot_at: isoOf(4), change: 'changed', changed_columns: '["host_name"]' },
        { snapshot_at: isoOf(6), change: 'changed', protect_status: 'closed' },
      ],
      now: { host_id: 'h1', host_name: 'web-9', protect_status_since: isoOf(6) },
    },
    { host_id: 'h5', names: ['web-1'], seen: [{ from: isoOf(4), to: null }] },
  ]);
  const [first] = nodes as [Life];
  expect(Object.keys(first)).toEqual([
    'account',
    'region',
    'projectId',
    'host_id',
    'names',
    'seen',
    'events',
    'now',
    'nowKnown',
  ]);
  expect(Object.keys(first.events[0] ?? {})).toEqual(
    changeColumns(containerNodes).map(({ name }) => name),
  );
  expect(Object.keys(first.now ?? {})).toEqual(containerNodes.columns.map(({ name }) => name));
  const { runtime: back } = await node('h2', '--json');
  expect(back.json().nodes).toMatchObject([
    {
      seen: [
        { from: isoOf(0), to: isoOf(0) },
        { from: isoOf(4), to: isoOf(4) },
      ],
      now: null,
    },
  ]);
});

test('the timeline has dates, what changed, and how long a status lasted', async () => {
  const { node, textOf } = await openPeople();
  const { runtime } = await node('h1');
  const lines = runtime.out().split('\n');
  const shown = lines.slice(0, 8).map((line) => line.replace(/ +/g, ' ').trim());
  expect(shown.slice(0, 3)).toEqual([
    'web-9 h1',
    `prod container_nodes cn-south-4 ${projects[0]}`,
    'earlier names: web-1',
  ]);
  expect(shown[3]).toMatch(
    new RegExp(`^${textOf(0)} first seen on or before this time; still listed`),
  );
  expect(shown.slice(4, 8)).toEqual([
    `${textOf(1)} changed protect_status: opened → closed after at least 24 h`,
    `${textOf(4)} changed host_name: web-1 → web-9`,
    `${textOf(5)} changed protect_status: closed → opened after 4 d 0 h; not compared with the snapshot before (scope)`,
    `${textOf(6)} changed protect_status: opened → closed after 24 h`,
  ]);
  expect(lines.at(-2)).toMatch(/ now +agent_status online since /);
});

test('says no longer than it was: 15 minutes and some seconds are at least 15 minutes', async () => {
  const timeMs = Math.floor(Date.now() / 1_000) * 1_000 - 903_000;
  const { store } = await seedStore([{ timeMs, nodes: { h1: {} } }], 60_000);
  const cwd = createFolder();
  copyToFolder(store, cwd);
  const { runtime } = await call(['node', 'h1', '--store', `file:${cwd}`], { cwd });
  expect(runtime.out()).toContain('still listed (at least 15 min)');
});

test('the title is the name of now, also if the node had it before', async () => {
  const scheduleMs = 3_600_000;
  const startMs = Math.floor(Date.now() / scheduleMs) * scheduleMs - 4 * scheduleMs;
  const { store } = await seedStore(
    ['a', 'b', 'a'].map((host_name, index) => {
      return { timeMs: startMs + index * scheduleMs, nodes: { h1: { host_name } } };
    }),
    scheduleMs,
  );
  const cwd = createFolder();
  copyToFolder(store, cwd);
  const { runtime } = await call(['node', 'b', '--store', `file:${cwd}`], { cwd });
  expect(runtime.out()).toMatch(/^a {2}h1\n.*\n {2}earlier names: b\n/);
});

test('says where the life ends, and escapes what could harm a terminal', async () => {
  const { node, timeOf } = await openPeople();
  const { runtime } = await node('h4');
  expect(runtime.out()).toContain('evil\\u001b[2J\\u202eabc  h4');
  expect(runtime.out()).toContain(
    `  not in the newest complete snapshot, ${snapshotName(timeOf(6))}`,
  );
});

test('a node that no snapshot has: exit 2, with the period that was searched', async () => {
  const { node, timeOf } = await openPeople();
  const { code, runtime } = await node('web', '--json', '--project', projects[0]);
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    {
      message: 'node: no node in the stored history has the host_id or the host_name "web"',
      hint: expect.stringContaining(`${snapshotName(timeOf(0))} to ${snapshotName(timeOf(6))}`),
    },
  ]);
  expect((await node()).code).toBe(2);
});

/** A store with two targets that have these nodes, each in one snapshot. */
async function openNodes(...targets: Record<string, Record<string, unknown>>[]) {
  const timeMs = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  const snapshots = targets.map((nodes, index) => {
    return { target: targetOf(projects[index] ?? ''), timeMs, nodes };
  });
  const { store } = await seedStore(snapshots, 3_600_000);
  const cwd = createFolder();
  copyToFolder(store, cwd);
  return (...args: string[]) => call(['node', '--store', `file:${cwd}`, ...args], { cwd });
}

const uuids = [1, 2, 3, 4, 5, 6, 7].map((n) => `0f6a1c5e-77aa-4b62-9d1f-00000000000${n}`);
const [uuid = '', second = ''] = uuids;

test('eight characters of a host_id are enough if only one node has them', async () => {
  const node = await openNodes({ [uuid]: { host_name: 'a' }, '0f6a1c5f-1': {} }, { [uuid]: {} });
  const { code, runtime } = await node('0f6a1c5e', '--json');
  expect([code, runtime.json().errors]).toEqual([0, []]);
  const both = projects.map((projectId) => ({ projectId, host_id: uuid }));
  expect(runtime.json().nodes).toMatchObject(both);
  expect((await node('0f6a1c5e')).runtime.out()).toContain(`a  ${uuid}\n`);
  const short = await node('0f6a1c5', '--json');
  expect([short.code, short.runtime.json().errors]).toMatchObject([
    2,
    [{ hint: expect.stringContaining('of a host_id, 8 characters or more are enough') }],
  ]);
});

test('the start of several host_ids: exit 2, with the first five of them', async () => {
  const few = await openNodes({ [uuid]: { host_name: 'a' } }, { [second]: {} });
  const { code, runtime } = await few('0f6a1c5e-77', '--json');
  expect([code, runtime.json().errors]).toMatchObject([
    2,
    [
      {
        code: 'CONFIG',
        message: `node: "0f6a1c5e-77" is the start of several host_ids: ${uuid} (a), ${second}`,
        hint: expect.stringContaining('Write more characters'),
      },
    ],
  ]);
  const many = await openNodes(Object.fromEntries(uuids.map((id) => [id, {}])));
  const { runtime: most } = await many('0f6a1c5e', '--json');
  expect(most.json().errors).toMatchObject([
    { message: expect.stringContaining(`: ${uuids.slice(0, 5).join(', ')}, …`) },
  ]);
});

test('a node that has the text as its id or its name comes before one whose id begins with it', async () => {
  const text = '0f6a1c5e';
  for (const exact of [{ [text]: {} }, { h1: { host_name: text } }]) {
    const node = await openNodes({ [uuid]: {} }, exact);
    const { code, runtime } = await node(text, '--json');
    const [host_id] = Object.keys(exact);
    expect(code).toBe(0);
    expect(runtime.json().nodes).toMatchObject([{ projectId: projects[1], host_id }]);
    expect(runtime.json().nodes).toHaveLength(1);
  }
});

test('an altered changes part: exit 5, and what is known is printed', async () => {
  const { cwd, node, timeOf, isoOf } = await openPeople();
  const changes = join(cwd, 'lake/container_nodes_changes');
  const files = readdirSync(changes, { recursive: true }).map(String);
  const altered = files.find((name) => name.includes(`${snapshotName(timeOf(4))}-`)) ?? '';
  writeFileSync(join(changes, altered), 'altered');
  const { code, runtime } = await node('h1', '--json');
  expect(code).toBe(5);
  expect(runtime.json()).toMatchObject({
    status: 'failed',
    nodes: [{ names: ['web-1', 'web-9'], seen: [{ from: isoOf(0), to: null }] }],
    errors: [{ code: 'CORRUPT' }],
  });
});

/** Overwrites the part of the snapshot in this folder of the first project. */
function alterPart(cwd: string, folder: string, snapshot: string): void {
  const parts = join(cwd, 'lake', folder);
  const files = readdirSync(parts, { recursive: true }).map(String);
  const path = files.find((one) => one.includes(`prj=${projects[0]}/${snapshot}-`)) ?? '';
  writeFileSync(join(parts, path), 'altered');
}

test('says that now is not known if the newest rows cannot be read', async () => {
  const { cwd, node, timeOf } = await openPeople();
  alterPart(cwd, 'container_nodes', snapshotName(timeOf(6)));
  const { code, runtime } = await node('h1', '--json');
  expect(code).toBe(5);
  expect(runtime.json()).toMatchObject({ nodes: [{ now: null, nowKnown: false }] });
  const { runtime: text } = await node('h1');
  expect(text.out()).toContain('now: not known: the rows of the newest complete snapshot');
  expect(text.out()).not.toContain('not in the newest');
  // h2 was not in the snapshot before, and the changes do not have it.
  const { runtime: gone } = await node('h2', '--json');
  expect(gone.json()).toMatchObject({ nodes: [{ now: null, nowKnown: true }] });
});

test('changes that cannot be read: the rows of both sides give name and statuses', async () => {
  const { cwd, node, timeOf } = await openPeople();
  alterPart(cwd, 'container_nodes_changes', snapshotName(timeOf(4)));
  const { code, runtime } = await node('h1');
  expect(code).toBe(5);
  const lines = runtime
    .out()
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').trim());
  expect(lines).toContainEqual(
    expect.stringMatching(
      / changed host_name: web-1 → web-9; its changes since the snapshot before cannot be read$/,
    ),
  );
  expect(runtime.out()).not.toMatch(/not compared with the snapshot before$/m);
});

test('a status that the first snapshot has is known since at least then', async () => {
  const startMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7_200_000;
  const opened = { host_name: 'a', protect_status: 'opened', agent_status: 'online' };
  const { store } = await seedStore(
    [opened, { ...opened, agent_status: 'offline' }].map((node, index) => {
      return { timeMs: startMs + index * 3_600_000, nodes: { h1: node } };
    }),
    3_600_000,
  );
  const cwd = createFolder();
  copyToFolder(store, cwd);
  const { runtime } = await call(['node', 'h1', '--store', `file:${cwd}`], { cwd });
  const now = runtime.out().trimEnd().split('\n').at(-1);
  expect(now).toMatch(/agent_status offline since 2.*, protect_status opened since at least 2/);
});
