// Responsible for what query engines must answer about a store of lake-world.ts: questions in SQL, each with its rows, which are
// calculated from the records that were listed. Uses no code of lib/, so that it shares no mistake with it.

import type { ColumnVersion, LakeWorld, ListedNode, ServedSnapshot } from './lake-world.ts';

/** A time is ISO 8601 in UTC with milliseconds. */
export type Answer = string | number | boolean | null;

export interface Question {
  name: string;
  table: string;
  /**
   * Identifiers with a case or a reserved word are in double quotes. `{asOf}` stands for the query as of the time `asOf`, which is in
   * the script of `ddl`.
   */
  sql: string;
  asOf: string | null;
  /** True: only for an engine that can see which snapshots are pruned. */
  needsTombstones: boolean;
  /** In any order. */
  rows: Answer[][];
}

type OracleRow = Record<string, Answer>;

const fields = [
  'host_id',
  'host_name',
  'host_status',
  'agent_status_raw',
  'protect_status',
  'asset',
  'vulnerability',
  'protect_interrupt',
  'degradation_reason',
  'private_ip',
  'is_container_node',
  'version',
];

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function nameOf(timeMs: number): string {
  return isoOf(timeMs).replaceAll(/[-:]|\.\d+/g, '');
}

/** What the exporter must store of a record, apart from the columns with dates. */
function describe(record: ListedNode, version: ColumnVersion): OracleRow {
  const isEarlier = version === 'earlier';
  const raw = record.agent_status ?? null;
  return {
    ...Object.fromEntries(fields.map((name) => [name, record[name] ?? null])),
    ...(isEarlier ? { is_container_node: null, version: null } : {}),
    agent_status_raw: raw,
    agent_status: raw === 'not_register' ? 'not_installed' : raw,
  };
}

interface Change {
  host_id: string;
  change: 'added' | 'removed' | 'changed';
  before: OracleRow | null;
  after: OracleRow | null;
}

export interface TrueSnapshot {
  served: ServedSnapshot;
  snapshot: string;
  previous: string | null;
  rows: OracleRow[];
  /** Null: it was compared with none. */
  changes: Change[] | null;
  /** The snapshot that it was compared with. */
  since: ServedSnapshot | null;
}

/** Each snapshot with its rows, their dates and its changes, in the order in which they were sealed. */
function tellTruth({ snapshots }: LakeWorld): TrueSnapshot[] {
  const ends = new Map<object, { newest: TrueSnapshot; complete: TrueSnapshot | null }>();
  return snapshots.map((served) => {
    const end = ends.get(served.target);
    const found = describeSnapshot(served, end?.complete ?? null);
    const one = { ...found, previous: end?.newest.snapshot ?? null };
    const isComplete = served.verdict === 'complete';
    ends.set(served.target, { newest: one, complete: isComplete ? one : (end?.complete ?? null) });
    return one;
  });
}

function describeSnapshot(
  served: ServedSnapshot,
  base: TrueSnapshot | null,
): Omit<TrueSnapshot, 'previous'> {
  const at = isoOf(served.timeMs);
  const isDrifted = served.verdict === 'drifted';
  const known = new Map((base?.rows ?? []).map((row) => [row.host_id, row]));
  const rows = served.records.map((record): OracleRow => {
    const row = describe(record, served.version);
    const before = known.get(row.host_id ?? '');
    const since = (name: string) =>
      isDrifted
        ? null
        : before && before[name] === row[name]
          ? (before[`${name}_since`] ?? null)
          : at;
    return {
      snapshot_at: at,
      fetched_at: isoOf(served.fetchedAtMs),
      ...row,
      first_seen_at: isDrifted ? null : (before?.first_seen_at ?? at),
      agent_status_since: since('agent_status'),
      protect_status_since: since('protect_status'),
    };
  });
  const isCompared = !isDrifted && base !== null;
  const changes = isCompared ? compare(base.rows, rows, base.served.version !== 'earlier') : null;
  const snapshot = nameOf(served.timeMs);
  return { served, snapshot, rows, changes, since: isCompared ? base.served : null };
}

/** `hasAll`: the older rows have all columns. */
function compare(
  older: readonly OracleRow[],
  newer: readonly OracleRow[],
  hasAll: boolean,
): Change[] {
  const before = new Map(older.map((row) => [row.host_id, row]));
  const after = new Map(newer.map((row) => [row.host_id, row]));
  const compared = [...fields, 'agent_status'].filter(
    (name) => hasAll || !['is_container_node', 'version'].includes(name),
  );
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((id): Change[] => {
    const [was, is] = [before.get(id) ?? null, after.get(id) ?? null];
    const isEqual = was && is && compared.every((name) => was[name] === is[name]);
    if (isEqual) return [];
    const change = was === null ? 'added' : is === null ? 'removed' : 'changed';
    return [{ host_id: String(id), change, before: was, after: is }];
  });
}

/** Rows by the values of `key`, each with what `count` makes of the group. */
function groupBy<T>(
  items: readonly T[],
  key: (item: T) => Answer[],
  count: (group: readonly T[]) => Answer[],
): Answer[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const id = JSON.stringify(key(item));
    const group = groups.get(id);
    if (group) group.push(item);
    else groups.set(id, [item]);
  }
  return [...groups].map(([id, group]) => [...JSON.parse(id), ...count(group)]);
}

/** A row with its snapshot. */
interface Placed {
  one: TrueSnapshot;
  row: OracleRow;
}

const targetOf = ({ served: { target } }: TrueSnapshot): Answer[] => [
  target.region,
  target.projectId,
];
const sum = (values: readonly (Answer | undefined)[]) =>
  values.reduce<number>((total, value) => total + (typeof value === 'number' ? value : 0), 0);
const countOf = <T>(items: readonly T[], is: (item: T) => boolean) => items.filter(is).length;
const isUnprotected = (row: OracleRow) => row.protect_status !== 'opened';
const isOffline = (row: OracleRow) => row.agent_status === 'offline';

/** What must be in `<table>_latest`, or in a query as of `timeMs`: a name after it is too new. */
function findNewest(all: readonly TrueSnapshot[], timeMs: number): TrueSnapshot[] {
  const newest = new Map<string, TrueSnapshot>();
  for (const one of all) {
    const { served } = one;
    if (served.verdict !== 'complete' || served.timeMs > timeMs) continue;
    const id = JSON.stringify(targetOf(one));
    const known = newest.get(id);
    if (!known || known.served.timeMs < served.timeMs) newest.set(id, one);
  }
  return [...newest.values()];
}

/** Of the rows that are stored: not those of pruned snapshots, and those of stray files too. */
function listStored(all: readonly TrueSnapshot[]): Placed[] {
  return all.flatMap((one) => {
    const copies = one.served.isPruned ? 0 : 1 + one.served.strays;
    return Array.from({ length: copies }, () => one.rows.map((row) => ({ one, row }))).flat();
  });
}

/** The columns of listRows(). */
export const readColumns = [
  ...[
    'dt',
    'rgn',
    'prj',
    'snapshot_at',
    'fetched_at',
    'verdict',
    'region',
    'project_id',
    'agent_status',
  ],
  ...[...fields, 'first_seen_at', 'protect_status_since', 'public_ip'],
];

/** All stored rows of a table with readColumns. */
export function listRows(world: LakeWorld, table: string): Answer[][] {
  const all = tellTruth(world).filter(({ served }) => served.target.table === table);
  return listStored(all).map(({ one, row }) => {
    const { target, timeMs, verdict } = one.served;
    const { region, projectId } = target;
    const place = { dt: isoOf(timeMs).slice(0, 10), rgn: region, prj: projectId };
    const cells: OracleRow = { ...row, ...place, verdict, region, project_id: projectId };
    return readColumns.map((name) => cells[name] ?? null);
  });
}

const hourMs = 3_600_000;

/** `nowMs`: when the engine will answer. */
export function listQuestions(world: LakeWorld, nowMs: number): Question[] {
  const truth = tellTruth(world);
  return world.tables.flatMap((table) => {
    const all = truth.filter(({ served }) => served.target.table === table);
    const name = (suffix: string) => `"${table}${suffix}"`;
    const questions = [
      ...askRows(name(''), listStored(all)),
      ...askNewest(name('_latest'), findNewest(all, nowMs + 24 * hourMs)),
      ...askSnapshots(name('_snapshots'), all),
      askCoverage(name('_coverage'), all),
      ...askChanges(name('_changes'), all),
      ...askAsOf(all),
    ];
    return questions.map((question) => {
      return { table, asOf: null, needsTombstones: false, ...question };
    });
  });
}

type Asked = Pick<Question, 'name' | 'sql' | 'rows'> & Partial<Question>;

const count = 'count(*)';
const countIf = (condition: string) => `sum(CASE WHEN ${condition} THEN 1 ELSE 0 END)`;
const isUnprotectedSql = "protect_status IS NULL OR protect_status <> 'opened'";

function askRows(from: string, rows: readonly Placed[]): Asked[] {
  const { one: first, row: firstRow } = rows[0] as Placed;
  const dateOf = ({ one }: Placed) => isoOf(one.served.timeMs).slice(0, 10);
  const hasText =
    (name: string, text: Answer) =>
    ({ row }: Placed) =>
      row[name] === text;
  const probe = (name: string, column: string, value: string): Asked => ({
    name: `probe by ${name}`,
    sql: `SELECT region, project_id, ${count} FROM ${from} WHERE ${column} = '${value}' GROUP BY region, project_id`,
    rows: groupBy(
      rows.filter(({ one, row }) =>
        column === 'prj' ? one.served.target.projectId === value : row[column] === value,
      ),
      ({ one }) => targetOf(one),
      (group) => [group.length],
    ),
  });
  return [
    {
      name: 'rows of each account, region and project',
      sql: `SELECT account, region, project_id, ${count} FROM ${from} GROUP BY account, region, project_id`,
      rows: groupBy(
        rows,
        ({ one }) => [one.served.target.account, ...targetOf(one)],
        (group) => [group.length],
      ),
    },
    {
      name: 'rows of each partition',
      sql: `SELECT dt, rgn, prj, ${count} FROM ${from} GROUP BY dt, rgn, prj`,
      rows: groupBy(
        rows,
        (placed) => [dateOf(placed), ...targetOf(placed.one)],
        (group) => [group.length],
      ),
    },
    {
      name: 'sums and extremes',
      sql: `SELECT ${count}, sum(asset), min(asset), max(asset), sum(vulnerability), ${countIf('protect_interrupt')}, ${countIf('protect_interrupt IS NULL')} FROM ${from}`,
      rows: [
        [
          rows.length,
          sum(rows.map(({ row }) => row.asset)),
          rows.reduce(
            (least, { row }) => Math.min(least, Number(row.asset)),
            Number.POSITIVE_INFINITY,
          ),
          rows.reduce(
            (most, { row }) => Math.max(most, Number(row.asset)),
            Number.NEGATIVE_INFINITY,
          ),
          sum(rows.map(({ row }) => row.vulnerability)),
          countOf(rows, ({ row }) => row.protect_interrupt === true),
          countOf(rows, ({ row }) => row.protect_interrupt === null),
        ],
      ],
    },
    {
      name: 'nulls and empty strings',
      sql: `SELECT ${countIf('degradation_reason IS NULL')}, ${countIf("degradation_reason = ''")}, ${countIf('host_name IS NULL')}, ${countIf("host_name = ''")}, ${countIf("host_name = 'null'")}, ${countIf('version IS NULL')}, ${countIf('is_container_node IS NULL')}, ${countIf('public_ip IS NOT NULL')} FROM ${from}`,
      rows: [
        [
          countOf(rows, hasText('degradation_reason', null)),
          countOf(rows, hasText('degradation_reason', '')),
          countOf(rows, hasText('host_name', null)),
          countOf(rows, hasText('host_name', '')),
          countOf(rows, hasText('host_name', 'null')),
          countOf(rows, hasText('version', null)),
          countOf(rows, hasText('is_container_node', null)),
          0,
        ],
      ],
    },
    {
      name: 'instants',
      sql: `SELECT region, project_id, min(snapshot_at), max(snapshot_at), min(fetched_at), max(fetched_at) FROM ${from} GROUP BY region, project_id`,
      rows: groupBy(
        rows,
        ({ one }) => targetOf(one),
        (group) =>
          ['snapshot_at', 'fetched_at'].flatMap((name) => {
            const times = group.map(({ row }) => String(row[name])).sort();
            return [times[0] ?? null, times.at(-1) ?? null];
          }),
      ),
    },
    probe('an id of digits', 'host_id', '0'.repeat(32)),
    probe('an id that looks like a number', 'host_id', `1e${'4'.padStart(30, '0')}`),
    probe('a name in Chinese', 'host_name', '节点-生产-01'),
    probe('an id with a character of four bytes', 'host_id', 'node-🚀-5'),
    probe('the partition key of a project', 'prj', first.served.target.projectId),
    {
      name: 'the ids of one partition and agent status',
      sql: `SELECT host_id, agent_status_raw, private_ip FROM ${from} WHERE dt = '${dateOf(rows[0] as Placed)}' AND prj = '${first.served.target.projectId}' AND agent_status = '${firstRow.agent_status}' AND asset < 0`,
      rows: rows
        .filter((placed) => {
          const { one, row } = placed;
          const isThere = one.served.target.projectId === first.served.target.projectId;
          const isNegative = Number(row.asset) < 0 && row.agent_status === firstRow.agent_status;
          return isThere && isNegative && dateOf(placed) === dateOf(rows[0] as Placed);
        })
        .map(({ row }) =>
          ['host_id', 'agent_status_raw', 'private_ip'].map((name) => row[name] ?? null),
        ),
    },
  ];
}

function askNewest(from: string, newest: readonly TrueSnapshot[]): Asked[] {
  const rows = newest.flatMap((one) => one.rows.map((row) => ({ one, row })));
  const since = ['first_seen_at', 'agent_status_since', 'protect_status_since'];
  return [
    {
      name: 'the newest complete snapshots',
      sql: `SELECT region, project_id, max(snapshot_at), ${count}, sum(asset), ${countIf(isUnprotectedSql)}, ${countIf("agent_status = 'offline'")} FROM ${from} GROUP BY region, project_id`,
      rows: countNewest(rows),
    },
    {
      name: 'since when nodes of the newest complete snapshots have their status',
      sql: `SELECT region, ${since.join(', ')}, ${count} FROM ${from} WHERE ${isUnprotectedSql} GROUP BY region, ${since.join(', ')}`,
      rows: groupBy(
        rows.filter(({ row }) => isUnprotected(row)),
        ({ one, row }) => [one.served.target.region, ...since.map((name) => row[name] ?? null)],
        (group) => [group.length],
      ),
    },
  ];
}

function countNewest(rows: readonly Placed[]): Answer[][] {
  return groupBy(
    rows,
    ({ one }) => targetOf(one),
    (group) => [
      isoOf(group[0]?.one.served.timeMs ?? 0),
      group.length,
      sum(group.map(({ row }) => row.asset)),
      countOf(group, ({ row }) => isUnprotected(row)),
      countOf(group, ({ row }) => isOffline(row)),
    ],
  );
}

function askSnapshots(from: string, all: readonly TrueSnapshot[]): Asked[] {
  const changesOf = ({ changes }: TrueSnapshot) =>
    ['added', 'removed', 'changed'].map((kind) =>
      changes ? countOf(changes, ({ change }) => change === kind) : null,
    );
  const versions = { earlier: 1, now: 2, later: 3 };
  return [
    {
      name: 'the snapshots',
      sql: `SELECT account, region, project_id, snapshot, snapshot_at, started_at, verdict, "rows", rejects, schema_version, unprotected, offline, added, removed, changed, previous_snapshot FROM ${from}`,
      rows: all.map((one) => [
        ...[one.served.target.account, ...targetOf(one), one.snapshot, isoOf(one.served.timeMs)],
        ...[isoOf(one.served.timeMs + 456), one.served.verdict, one.rows.length, 0],
        versions[one.served.version],
        ...[countOf(one.rows, isUnprotected), countOf(one.rows, isOffline)],
        ...[...changesOf(one), one.previous],
      ]),
    },
    {
      name: 'the pruned snapshots',
      sql: `SELECT region, project_id, snapshot FROM ${from} WHERE is_pruned`,
      rows: all
        .filter(({ served }) => served.isPruned)
        .map((one) => [...targetOf(one), one.snapshot]),
      needsTombstones: true,
    },
  ];
}

function askCoverage(from: string, all: readonly TrueSnapshot[]): Asked {
  return {
    name: 'what the snapshots cover',
    sql: `SELECT account, region, project_id, snapshot, snapshot_at, verdict, nodes, unprotected, offline FROM ${from}`,
    rows: all.map((one) => [
      ...[one.served.target.account, ...targetOf(one), one.snapshot, isoOf(one.served.timeMs)],
      ...[one.served.verdict, one.rows.length],
      ...[countOf(one.rows, isUnprotected), countOf(one.rows, isOffline)],
    ]),
  };
}

function askChanges(from: string, all: readonly TrueSnapshot[]): Asked[] {
  const changes = all.flatMap((one) => (one.changes ?? []).map((change) => ({ one, ...change })));
  const statuses = ['agent_status', 'protect_status', 'host_status'];
  const columns = statuses.flatMap((name) => [`${name}_before`, name]);
  return [
    {
      name: 'the changes of each snapshot',
      sql: `SELECT region, project_id, snapshot_at, previous_snapshot_at, change, ${count} FROM ${from} GROUP BY region, project_id, snapshot_at, previous_snapshot_at, change`,
      rows: groupBy(
        changes,
        ({ one, change }) => [
          ...targetOf(one),
          isoOf(one.served.timeMs),
          isoOf(one.since?.timeMs ?? 0),
          change,
        ],
        (group) => [group.length],
      ),
    },
    {
      name: 'the statuses of changed nodes',
      sql: `SELECT host_id, dt, prj, ${columns.join(', ')} FROM ${from} WHERE change = 'changed'`,
      rows: changes
        .filter(({ change }) => change === 'changed')
        .map(({ one, host_id, before, after }) => [
          ...[host_id, isoOf(one.served.timeMs).slice(0, 10), one.served.target.projectId],
          ...statuses.flatMap((name) => [before?.[name] ?? null, after?.[name] ?? null]),
        ]),
    },
  ];
}

/** Between two snapshots, at the very second of one, and before the first. */
function askAsOf(all: readonly TrueSnapshot[]): Asked[] {
  const times = [...new Set(all.map(({ served }) => served.timeMs))].sort((a, b) => a - b);
  const kept = times.filter((timeMs) =>
    all.some(({ served }) => served.timeMs === timeMs && !served.isPruned),
  );
  const asked = [kept[0] ?? 0, (kept[1] ?? kept[0] ?? 0) + hourMs, (times[0] ?? 0) - hourMs];
  return asked.map((timeMs) => {
    const rows = findNewest(all, timeMs).flatMap((one) => one.rows.map((row) => ({ one, row })));
    return {
      name: `as of ${isoOf(timeMs)}`,
      asOf: isoOf(timeMs).replace('.000', ''),
      sql: `SELECT region, project_id, max(snapshot_at), ${count}, sum(asset), ${countIf(isUnprotectedSql)}, ${countIf("agent_status = 'offline'")} FROM ({asOf}) AS found GROUP BY region, project_id`,
      rows: countNewest(rows),
    };
  });
}
