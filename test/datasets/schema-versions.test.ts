// Tests the rule of schema versions: the columns of each version are in schema-versions.json, and a version only adds columns.
// Then, that all readers read a store in which one table has snapshots of two versions.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Dataset } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { datasets } from '../../lib/datasets/index.ts';
import { call, createFolder } from '../cli/test-runtime.ts';
import { copyToFolder } from '../support/seeded-store.ts';
import { createTestExporter } from '../support/test-exporter.ts';
import { createClock } from '../support/virtual-clock.ts';

/** `released`: the newest version that is in a release; 0: none is. A column is `name type`, with `required` if never null. */
interface Versions {
  released: number;
  versions: Record<string, string[]>;
}
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'schema-versions.json'), 'utf8'),
) as Record<string, Versions>;

function listColumns({ columns }: Dataset): string[] {
  return columns.map(({ name, type, required }) => `${name} ${type}${required ? ' required' : ''}`);
}

/** What breaks the rule between two versions that follow each other, in words. */
function findBreaches(before: readonly string[], after: readonly string[]): string[] {
  const breaches = before
    .filter((column) => !after.includes(column))
    .map((column) => `${column} was renamed, retyped or removed`);
  const kept = after.filter((column) => before.includes(column));
  if (breaches.length === 0 && kept.join() !== before.join()) breaches.push('the order changed');
  const added = after.filter((column) => !before.includes(column));
  for (const column of added) {
    if (column.endsWith(' required')) breaches.push(`${column} is new: older rows do not have it`);
  }
  if (after.at(-1) !== before.at(-1)) breaches.push('a column is after the last one');
  return breaches;
}

describe.each(datasets.map((dataset) => [dataset.name, dataset] as const))(
  '%s',
  (name, dataset) => {
    const { released, versions } = recorded[name] ?? { released: 0, versions: {} };

    test('has the columns that schema-versions.json has for its version', () => {
      const { schemaVersion } = dataset;
      const isReleased = schemaVersion <= released;
      const advice = isReleased
        ? `Version ${released} of ${name} is released: its columns are in stored files. Set schemaVersion to ${released + 1}, and add its columns to test/datasets/schema-versions.json.`
        : `Write the columns of version ${schemaVersion} of ${name} into test/datasets/schema-versions.json.`;
      expect(listColumns(dataset), advice).toEqual(versions[schemaVersion]);
      expect(Math.max(...Object.keys(versions).map(Number)), advice).toBe(schemaVersion);
    });

    test('every version has the columns of the one before', () => {
      const numbers = Object.keys(versions).map(Number);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
      for (const number of numbers.slice(1)) {
        const breaches = findBreaches(versions[number - 1] ?? [], versions[number] ?? []);
        const advice =
          'Columns are only added, in front of `extra`. See "The schema version" in CONTRIBUTING.md.';
        expect(breaches, advice).toEqual([]);
      }
    });
  },
);

test('finds each way in which a version can break the rule', () => {
  const before = ['id string required', 'name string', 'extra string'];
  const [id = '', name = '', extra = ''] = before;
  const added = 'zone string';
  expect(findBreaches(before, [id, name, added, extra])).toEqual([]);
  expect(findBreaches(before, [id, added, name, extra])).toEqual([]);
  const wrong: [string[], string][] = [
    [[id, extra], 'name string was renamed, retyped or removed'],
    [[id, 'title string', extra], 'name string was renamed, retyped or removed'],
    [[id, 'name int32', extra], 'name string was renamed, retyped or removed'],
    [['id string', name, extra], 'id string required was renamed, retyped or removed'],
    [[name, id, extra], 'the order changed'],
    [
      [id, name, 'zone string required', extra],
      'zone string required is new: older rows do not have it',
    ],
    [[id, name, extra, added], 'a column is after the last one'],
  ];
  for (const [after, breach] of wrong) expect(findBreaches(before, after)).toEqual([breach]);
});

/** The nodes as an earlier version had them: without two columns. */
const addedLater = ['is_container_node', 'version'];
const isOld = (name: string) => !addedLater.includes(name);
const older: Dataset = {
  ...containerNodes,
  schemaVersion: 1,
  columns: containerNodes.columns.filter(({ name }) => isOld(name)),
  fields: new Set([...containerNodes.fields].filter(isOld)),
  countedColumns: containerNodes.countedColumns.filter(isOld),
  knownValues: Object.fromEntries(
    Object.entries(containerNodes.knownValues).filter(([name]) => isOld(name)),
  ),
  normalize: (record, context) =>
    containerNodes
      .normalize(record, context)
      .filter((_, c) => isOld(containerNodes.columns[c]?.name ?? '')),
};
const newer: Dataset = { ...containerNodes, schemaVersion: 2 };

test('all readers read a table with snapshots of two versions', async () => {
  const dayMs = 86_400_000;
  let version: string | null = null;
  const world = createTestExporter({
    ids: ['h1', 'h2', 'h3'],
    clock: createClock(Date.now() - 3 * dayMs),
    recordOf: (id) => ({
      ...{ host_id: id, host_name: `name ${id}`, agent_status: 'online' },
      protect_status: id === 'h1' ? 'closed' : 'opened',
      ...(version === null ? {} : { version, is_container_node: true }),
    }),
  });
  const first = await world.exportNow({ targets: [world.createTarget({ dataset: older })] });
  world.clock.advance(dayMs);
  version = 'hss.version.null';
  world.endpoint.ids = ['h1', 'h2', 'h4'];
  const second = await world.exportNow({ targets: [world.createTarget({ dataset: newer })] });
  expect([...first.errors, ...second.errors]).toEqual([]);
  const { manifest } = second.snapshots[0] ?? {};
  // A column that only one of them has is not a change.
  expect(manifest).toMatchObject({
    schemaVersion: 2,
    changes: { added: 1, removed: 1, changed: 0 },
  });

  const cwd = createFolder();
  copyToFolder(world.store, join(cwd, 'lake'));
  const run = async (...args: string[]) => {
    const { code, runtime } = await call([...args, '--store', 'file:./lake'], { cwd });
    expect(code, runtime.err()).toBe(0);
    return runtime.out();
  };
  await run('verify');
  const nodesAt = async (...at: string[]) =>
    (await run('nodes', '--format', 'ndjson', ...at))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const date = new Date(Date.now() - 3 * dayMs + 3_600_000).toISOString();
  const [before, now] = [await nodesAt('--at', date), await nodesAt()];
  const names = containerNodes.columns.map(({ name }) => name);
  for (const row of [...before, ...now]) expect(Object.keys(row)).toEqual(names);
  expect(before.map(({ version: edition }) => edition)).toEqual([null, null, null]);
  expect(now.map(({ version: edition }) => edition)).toEqual(Array(3).fill(version));
  expect(now[0].first_seen_at).toBe(before[0].snapshot_at);
  const diff = (await run('diff', '--format', 'ndjson'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(diff.map(({ host_id, change }) => [host_id, change])).toEqual([
    ['h3', 'removed'],
    ['h4', 'added'],
  ]);
  expect(JSON.parse(diff[0].before)).not.toHaveProperty('version');
  expect(JSON.parse(diff[1].after)).toHaveProperty('version', version);
  expect(await run('node', 'h1')).toContain('name h1');
  expect(JSON.parse(await run('report', '--json', '--out', './report')).status).toBe('written');
  expect(await run('history')).toContain('complete');
});

test('all readers leave out the columns of a later version', async () => {
  const later: Dataset = {
    ...{ ...containerNodes, schemaVersion: 2 },
    columns: [
      ...containerNodes.columns.slice(0, -1),
      { name: 'zone_2027', type: 'string' },
      ...containerNodes.columns.slice(-1),
    ],
    normalize(record, context) {
      const row = containerNodes.normalize(record, context);
      return [...row.slice(0, -1), String(record.host_name), ...row.slice(-1)];
    },
  };
  const world = createTestExporter({ ids: ['h1', 'h2'] });
  await world.exportNow({ targets: [world.createTarget()] });
  world.clock.advance(86_400_000);
  world.endpoint.ids = ['h1', 'h3'];
  const { errors } = await world.exportNow({ targets: [world.createTarget({ dataset: later })] });
  expect(errors).toEqual([]);
  const cwd = createFolder();
  copyToFolder(world.store, join(cwd, 'lake'));
  const run = async (...args: string[]) => {
    const { code, runtime } = await call([...args, '--store', 'file:./lake'], { cwd });
    expect(code, runtime.err()).toBe(0);
    return runtime.out();
  };
  const read = async (...args: string[]) =>
    (await run(...args, '--format', 'ndjson'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  await run('verify');
  const nodes = await read('nodes');
  expect(nodes.map(({ host_id }) => host_id)).toEqual(['h1', 'h3']);
  expect(Object.keys(nodes[0])).toEqual(containerNodes.columns.map(({ name }) => name));
  const diff = await read('diff');
  expect(diff.map(({ host_id, change }) => [host_id, change])).toEqual([
    ['h2', 'removed'],
    ['h3', 'added'],
  ]);
  expect(JSON.parse(await run('report', '--json', '--out', './report')).status).toBe('written');
});
