// Tests the comparison of two snapshots against DuckDB's full outer join of the same two files, on seeded pairs, and its columns.

import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Cell, Column, Row } from '../../lib/core/ports.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { changeColumns, listChanges, pairRows } from '../../lib/snapshots/changes.ts';
import { useDuck } from '../formats/duck.ts';
import { encodeRows } from '../formats/encoding.ts';
import { createRows, unusualNames } from '../formats/inventory.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';

const { columns, keyColumn } = containerNodes;
const indexOf = (name: string, list: readonly Column[] = columns) =>
  list.findIndex((column) => column.name === name);
const key = indexOf(keyColumn);

const { temp, duck } = useDuck();

const context = {
  snapshotAtMs: Date.UTC(2026, 10, 25, 6),
  previousSnapshotAtMs: Date.UTC(2026, 10, 24, 6),
  account: 'prod',
  region: 'cn-south-4',
  projectId: 'p1',
};

async function* inBatches(rows: readonly Row[], size: number): AsyncGenerator<readonly Row[]> {
  for (let start = 0; start < rows.length; start += size) {
    // An empty batch is no end.
    yield [];
    yield rows.slice(start, start + size);
  }
}

interface Side {
  rows: readonly Row[];
  columns?: readonly Column[];
}

async function compare(previous: Side, current: Side, size = 7): Promise<Row[]> {
  const sideOf = ({ rows, columns: own = columns }: Side) => {
    return { columns: own, batches: inBatches(rows, size) };
  };
  const found: Row[] = [];
  const all = listChanges(containerNodes, sideOf(previous), sideOf(current), context);
  for await (const { changes } of all) found.push(...changes);
  return found;
}

/** Rows with keys of every length of UTF-8. Nodes go, come back and change in any column. */
function createPair(seed: number): [Row[], Row[]] {
  const random = createRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const keys = ['a', 'Ａ', '😀', '\ue000', 'é', '\u{10ffff}'];
  const all = createRows(40 + below(60), seed).map((row, i) =>
    row.with(key, `${keys[below(keys.length)]}${i}`),
  );
  const change = (row: Row): Row => {
    const column = below(columns.length);
    if (column === key) return row;
    const { type } = columns[column] as Column;
    const others: Record<Column['type'], Cell[]> = {
      string: ['', 'other', unusualNames[below(unusualNames.length)] ?? ''],
      boolean: [true, false],
      int32: [0, -1, 2 ** 31 - 1],
      int64: ['0', '-1', '9223372036854775807'],
      timestamp: [0, 1_790_000_000_001],
    };
    const values: Cell[] = [null, ...others[type]];
    return row.with(column, values[below(values.length)] ?? null);
  };
  const side = () =>
    all.filter(() => random() < 0.85).map((row) => (random() < 0.3 ? change(row) : row));
  const sorted = (rows: Row[]) =>
    rows.sort((a, b) => compareUtf8(a[key] as string, b[key] as string));
  return [sorted(side()), sorted(side())];
}

/** Key, kind, names of changed columns and the statuses, as DuckDB finds them. */
async function joinWithDuckDb(previous: readonly Row[], current: readonly Row[]) {
  const paths = ['previous', 'current'].map((name) => temp.path(`${name}.parquet`));
  writeFileSync(paths[0] as string, await encodeRows(parquetEncoder, previous));
  writeFileSync(paths[1] as string, await encodeRows(parquetEncoder, current));
  const dates = ['first_seen_at', 'agent_status_since', 'protect_status_since'];
  const skipped = ['snapshot_at', 'fetched_at', 'verdict', 'account', ...dates, keyColumn];
  const compared = columns.filter(({ name }) => !skipped.includes(name));
  const names = compared.map(
    ({ name }) => `CASE WHEN a."${name}" IS DISTINCT FROM b."${name}" THEN '${name}' END`,
  );
  const statuses = ['agent_status', 'protect_status', 'host_status'].flatMap((name) => [
    `'=' || a."${name}"`,
    `'=' || b."${name}"`,
  ]);
  return duck.query(`
    WITH joined AS (
      SELECT coalesce(a.host_id, b.host_id) AS id,
        '=' || CASE WHEN b.host_id IS NULL THEN a.host_name ELSE b.host_name END AS name,
        CASE WHEN a.host_id IS NULL THEN 'added' WHEN b.host_id IS NULL THEN 'removed' ELSE 'changed' END AS change,
        list_filter([${names.join(', ')}], x -> x IS NOT NULL) AS names, ${statuses.map((sql, i) => `${sql} AS s${i}`).join(', ')}
      FROM '${paths[0]}' a FULL OUTER JOIN '${paths[1]}' b ON a.host_id = b.host_id)
    SELECT id, name, change, CASE WHEN change = 'changed' THEN to_json(names)::VARCHAR END, s0, s1, s2, s3, s4, s5
    FROM joined WHERE change <> 'changed' OR len(names) > 0 ORDER BY encode(id)`);
}

const seeds = countCases(40);

test(`finds what a full outer join finds: ${seeds} seeds`, async () => {
  const kinds = new Set<unknown>();
  for (let seed = 1; seed <= seeds; seed += 1) {
    const [previous, current] = createPair(seed);
    const found = await compare({ rows: previous }, { rows: current }, 1 + (seed % 9));
    const marked = (cell: Cell | undefined) => (typeof cell === 'string' ? `=${cell}` : null);
    const plain = found.map((row) => [
      ...[row[5], marked(row[6]), row[7], row[8]],
      ...row.slice(9, 15).map(marked),
    ]);
    expect(plain, `seed ${seed}`).toEqual(await joinWithDuckDb(previous, current));
    for (const row of found) kinds.add(row[7]);
  }
  expect([...kinds].sort()).toEqual(['added', 'changed', 'removed']);
});

test(`before and after hold the values of each side: ${seeds} seeds`, async () => {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const [previous, current] = createPair(seed);
    const byKey = (rows: readonly Row[]) => new Map(rows.map((row) => [row[key], row]));
    const [old, fresh] = [byKey(previous), byKey(current)];
    const plainOf = (row: Row, name: string): unknown => {
      const cell = row[indexOf(name)] ?? null;
      const isTime = columns[indexOf(name)]?.type === 'timestamp' && cell !== null;
      return isTime ? new Date(cell as number).toISOString() : cell;
    };
    for (const change of await compare({ rows: previous }, { rows: current })) {
      const names =
        change[8] === null ? columns.map(({ name }) => name) : JSON.parse(String(change[8]));
      for (const [cell, rows] of [
        [change[15], old],
        [change[16], fresh],
      ] as const) {
        const row = rows.get(change[5] as string);
        const expected =
          row && Object.fromEntries(names.map((name: string) => [name, plainOf(row, name)]));
        expect(cell === null ? undefined : JSON.parse(String(cell)), `seed ${seed}`).toEqual(
          expected,
        );
        // In column order.
        if (cell) expect(Object.keys(JSON.parse(String(cell)))).toEqual(names);
      }
    }
  }
});

test('has the specified columns', () => {
  expect(changeColumns(containerNodes).map(({ name, type }) => `${name} ${type}`)).toEqual([
    ...['snapshot_at timestamp', 'previous_snapshot_at timestamp'],
    ...['account string', 'region string', 'project_id string', 'host_id string'],
    ...['host_name string', 'change string', 'changed_columns string'],
    ...['agent_status_before string', 'agent_status string'],
    ...['protect_status_before string', 'protect_status string'],
    ...['host_status_before string', 'host_status string', 'before string', 'after string'],
  ]);
});

test('the changes are valid rows of these columns, and a change has the specified cells', async () => {
  const [row] = createRows(1) as [Row];
  const status = indexOf('agent_status');
  const previous = row.with(status, 'online').with(indexOf('asset'), null);
  const current = row
    .with(status, 'offline')
    .with(indexOf('asset'), 5)
    .with(indexOf('account'), 'x');
  const changes = await compare({ rows: [previous] }, { rows: [current] });
  const list = changeColumns(containerNodes);
  await encodeRows(parquetEncoder, changes, { columns: list, sortedBy: keyColumn });
  const cells = Object.fromEntries(list.map(({ name }, c) => [name, changes[0]?.[c]]));
  expect(cells).toMatchObject({
    snapshot_at: context.snapshotAtMs,
    previous_snapshot_at: context.previousSnapshotAtMs,
    ...{ account: 'prod', region: 'cn-south-4', project_id: 'p1', host_id: row[key] },
    ...{ change: 'changed', changed_columns: '["agent_status","asset"]' },
    ...{ agent_status_before: 'online', agent_status: 'offline' },
    before: '{"agent_status":"online","asset":null}',
    after: '{"agent_status":"offline","asset":5}',
  });
});

test('columns that are not about the node are not compared', async () => {
  const rows = createRows(20);
  const names = ['snapshot_at', 'fetched_at', 'verdict', 'account'];
  const dates = ['first_seen_at', 'agent_status_since', 'protect_status_since'];
  expect(containerNodes.uncomparedColumns).toEqual([...names, ...dates]);
  const later = rows.map((row) =>
    [...names, ...dates].reduce((other, name) => {
      const { type } = columns[indexOf(name)] as Column;
      return other.with(indexOf(name), type === 'timestamp' ? 1 : 'other');
    }, row),
  );
  expect(await compare({ rows }, { rows: later })).toEqual([]);
});

test('a column that one side lacks is not compared, but an added row shows what its side has', async () => {
  const older = columns.filter(({ name }) => !['asset', 'agent_status'].includes(name));
  const [kept, added] = createRows(2) as [Row, Row];
  const rows = [
    columns.flatMap(({ name }, c) =>
      older.some((one) => one.name === name) ? [kept[c] ?? null] : [],
    ),
  ];
  const changed = kept.with(indexOf('asset'), 12_345);
  const found = await compare({ rows, columns: older }, { rows: [changed, added] });
  expect(found.map((row) => [row[5], row[7]])).toEqual([[added[key], 'added']]);
  const removed = await compare({ rows: [changed] }, { rows: [], columns: older });
  expect(Object.keys(JSON.parse(String(removed[0]?.[15])))).toEqual(
    columns.map(({ name }) => name),
  );
});

test('a batch has at most 1,000 keys, and an unread sequence is closed', async () => {
  const rows = createRows(2_500);
  let closed = 0;
  async function* closing(): AsyncGenerator<readonly Row[]> {
    try {
      yield* inBatches(rows, 900);
    } finally {
      closed += 1;
    }
  }
  const side = () => ({ columns, batches: closing() });
  const sizes: number[] = [];
  for await (const pairs of pairRows(keyColumn, side(), side())) sizes.push(pairs.length);
  expect([sizes, closed]).toEqual([[1_000, 1_000, 500], 2]);
  for await (const pairs of pairRows(keyColumn, side(), side())) {
    expect(pairs[0]).toEqual({ before: rows[0], after: rows[0] });
    break;
  }
  expect(closed).toBe(4);
});
