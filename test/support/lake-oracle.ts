// Responsible for what query engines must answer about a store of lake-world.ts: questions in SQL, each with its rows, as
// lake-truth.ts has them. Not responsible for questions about what only clusters have: lake-cluster-questions.ts.

import { askClusters } from './lake-cluster-questions.ts';
import { type Asked, count, countIf, type Question } from './lake-question.ts';
import {
  type Answer,
  countOf,
  findNewest,
  groupBy,
  isoOf,
  listStored,
  type OracleRow,
  type Placed,
  sum,
  sumWhole,
  type TrueSnapshot,
  targetOf,
  tellTruth,
} from './lake-truth.ts';
import type { DatasetName, LakeWorld } from './lake-world.ts';

const isUnprotected = (row: OracleRow) => row.protect_status !== 'opened';
const isOffline = (row: OracleRow) => row.agent_status === 'offline';

const hourMs = 3_600_000;

/** `nowMs`: when the engine will answer. */
export function listQuestions(world: LakeWorld, nowMs: number): Question[] {
  const truth = tellTruth(world);
  return world.tables.flatMap((table) => {
    const all = truth.filter(({ served }) => served.target.table === table);
    const name = (suffix: string) => `"${table}${suffix}"`;
    const dataset = all[0]?.served.target.dataset ?? 'container_nodes';
    const questions = [
      ...askPlaces(name(''), listStored(all)),
      ...(dataset === 'container_nodes'
        ? [...askNodes(name(''), listStored(all)), askChangedNodes(name('_changes'), all)]
        : askClusters(name, all)),
      ...askNewest(name('_latest'), findNewest(all, nowMs + 24 * hourMs), counted[dataset]),
      ...askSnapshots(name('_snapshots'), all, counted[dataset]),
      askCoverage(name('_coverage'), all, counted[dataset]),
      askChanges(name('_changes'), all),
      ...askAsOf(all, counted[dataset]),
    ];
    return questions.map((question) => {
      return { table, asOf: null, needsTombstones: false, needsTimes: false, ...question };
    });
  });
}

const isUnprotectedSql = "protect_status IS NULL OR protect_status <> 'opened'";

/** What is counted of the rows of a dataset. */
interface Counted {
  /** In a query of rows. */
  sql: readonly string[];
  count(rows: readonly OracleRow[]): Answer[];
  /** The columns of `_snapshots`, and those of `_coverage`. */
  measures: readonly string[];
  coverage: readonly string[];
  measure(rows: readonly OracleRow[]): Answer[];
  /** Columns with dates of rows. */
  since: readonly string[];
}

const measureNodes = (rows: readonly OracleRow[]) => [
  countOf(rows, isUnprotected),
  countOf(rows, isOffline),
];

const counted: Readonly<Record<DatasetName, Counted>> = {
  container_nodes: {
    sql: ['sum(asset)', countIf(isUnprotectedSql), countIf("agent_status = 'offline'")],
    count: (rows) => [sum(rows.map(({ asset }) => asset)), ...measureNodes(rows)],
    measures: ['unprotected', 'offline'],
    coverage: ['nodes', 'unprotected', 'offline'],
    measure: measureNodes,
    since: ['first_seen_at', 'agent_status_since', 'protect_status_since'],
  },
  container_clusters: {
    sql: ['sum(active_nodes_number)', countIf("status = 'Available'")],
    count: (rows) => [
      sumWhole(rows.map((row) => row.active_nodes_number)),
      countOf(rows, ({ status }) => status === 'Available'),
    ],
    measures: [],
    coverage: ['"rows"'],
    measure: () => [],
    since: ['first_seen_at', 'status_since', 'agent_ds_install_status_since'],
  },
};

/** What does not depend on the dataset. */
function askPlaces(from: string, rows: readonly Placed[]): Asked[] {
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
  ];
}

const dateOf = ({ one }: Placed) => isoOf(one.served.timeMs).slice(0, 10);

function askNodes(from: string, rows: readonly Placed[]): Asked[] {
  const { one: first, row: firstRow } = rows[0] as Placed;
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

function askNewest(
  from: string,
  newest: readonly TrueSnapshot[],
  { sql, count: countRows, since }: Counted,
): Asked[] {
  const rows = newest.flatMap((one) => one.rows.map((row) => ({ one, row })));
  const dates = since.join(', ');
  return [
    {
      name: 'the newest complete snapshots',
      sql: `SELECT region, project_id, max(snapshot_at), ${[count, ...sql].join(', ')} FROM ${from} GROUP BY region, project_id`,
      rows: countNewest(rows, countRows),
    },
    {
      name: 'since when rows of the newest complete snapshots have their status',
      sql: `SELECT region, ${dates}, ${[count, ...sql].join(', ')} FROM ${from} GROUP BY region, ${dates}`,
      rows: groupBy(
        rows,
        ({ one, row }) => [one.served.target.region, ...since.map((name) => row[name] ?? null)],
        (group) => [group.length, ...countRows(group.map(({ row }) => row))],
      ),
    },
  ];
}

function countNewest(rows: readonly Placed[], countRows: Counted['count']): Answer[][] {
  return groupBy(
    rows,
    ({ one }) => targetOf(one),
    (group) => [
      isoOf(group[0]?.one.served.timeMs ?? 0),
      group.length,
      ...countRows(group.map(({ row }) => row)),
    ],
  );
}

function askSnapshots(
  from: string,
  all: readonly TrueSnapshot[],
  { measures, measure }: Counted,
): Asked[] {
  const changesOf = ({ changes }: TrueSnapshot) =>
    ['added', 'removed', 'changed'].map((kind) =>
      changes ? countOf(changes, ({ change }) => change === kind) : null,
    );
  const columns = [
    ...['account', 'region', 'project_id', 'snapshot', 'snapshot_at', 'started_at', 'verdict'],
    ...['"rows"', 'rejects', 'schema_version', ...measures],
    ...['added', 'removed', 'changed', 'previous_snapshot'],
  ];
  const versions = { earlier: 1, now: 2, later: 3 };
  return [
    {
      name: 'the snapshots',
      sql: `SELECT ${columns.join(', ')} FROM ${from}`,
      rows: all.map((one) => [
        ...[one.served.target.account, ...targetOf(one), one.snapshot, isoOf(one.served.timeMs)],
        ...[isoOf(one.served.timeMs + 456), one.served.verdict, one.rows.length, 0],
        versions[one.served.version],
        ...measure(one.rows),
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

function askCoverage(
  from: string,
  all: readonly TrueSnapshot[],
  { coverage, measure }: Counted,
): Asked {
  return {
    name: 'what the snapshots cover',
    sql: `SELECT account, region, project_id, snapshot, snapshot_at, verdict, ${coverage.join(', ')} FROM ${from}`,
    rows: all.map((one) => [
      ...[one.served.target.account, ...targetOf(one), one.snapshot, isoOf(one.served.timeMs)],
      ...[one.served.verdict, one.rows.length, ...measure(one.rows)],
    ]),
  };
}

/** Each change with its snapshot. */
function listChanges(all: readonly TrueSnapshot[]) {
  return all.flatMap((one) => (one.changes ?? []).map((change) => ({ one, ...change })));
}

function askChanges(from: string, all: readonly TrueSnapshot[]): Asked {
  return {
    name: 'the changes of each snapshot',
    sql: `SELECT region, project_id, snapshot_at, previous_snapshot_at, change, ${count} FROM ${from} GROUP BY region, project_id, snapshot_at, previous_snapshot_at, change`,
    rows: groupBy(
      listChanges(all),
      ({ one, change }) => [
        ...targetOf(one),
        isoOf(one.served.timeMs),
        isoOf(one.since?.timeMs ?? 0),
        change,
      ],
      (group) => [group.length],
    ),
  };
}

function askChangedNodes(from: string, all: readonly TrueSnapshot[]): Asked {
  const statuses = ['agent_status', 'protect_status', 'host_status'];
  const columns = statuses.flatMap((name) => [`${name}_before`, name]);
  return {
    name: 'the statuses of changed nodes',
    sql: `SELECT host_id, dt, prj, ${columns.join(', ')} FROM ${from} WHERE change = 'changed'`,
    rows: listChanges(all)
      .filter(({ change }) => change === 'changed')
      .map(({ one, key, before, after }) => [
        ...[key, isoOf(one.served.timeMs).slice(0, 10), one.served.target.projectId],
        ...statuses.flatMap((name) => [before?.[name] ?? null, after?.[name] ?? null]),
      ]),
  };
}

/** Between two snapshots, at the very second of one, and before the first. */
function askAsOf(all: readonly TrueSnapshot[], { sql, count: countRows }: Counted): Asked[] {
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
      sql: `SELECT region, project_id, max(snapshot_at), ${[count, ...sql].join(', ')} FROM ({asOf}) AS found GROUP BY region, project_id`,
      rows: countNewest(rows, countRows),
    };
  });
}
