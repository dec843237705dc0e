// Responsible for what the store of lake-world.ts must hold: the rows, dates and changes of each snapshot, calculated from the
// records that were listed. Uses no code of lib/, so that it shares no mistake with it.

import {
  type ColumnVersion,
  type DatasetName,
  earlierLacks,
  type LakeWorld,
  type ListedRecord,
  type ServedSnapshot,
} from './lake-world.ts';

/** A time is ISO 8601 in UTC with milliseconds. A whole number that a double cannot hold is text. */
export type Answer = string | number | boolean | null;

export type OracleRow = Record<string, Answer>;

interface Described {
  /** The column whose value a row has alone. */
  key: string;
  /** Fields of the API whose columns have the same name, in the order of the columns. */
  fields: readonly string[];
  /** Of them, milliseconds since 1970, which become times. */
  times: readonly string[];
  /** Columns with a column that ends in `_since`. */
  dated: readonly string[];
  /** All columns that are compared, in their order. */
  compared: readonly string[];
}

const nodeFields = [
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
const clusterFields = [
  'id',
  'cluster_name',
  'cluster_type',
  'status',
  'version',
  'total_nodes_number',
  'active_nodes_number',
  'creation_timestamp',
  'agent_ds_install_status',
  'last_scan_time',
  'risk_assess_num',
  'sec_comp_num',
];

const described: Readonly<Record<DatasetName, Described>> = {
  container_nodes: {
    ...{ key: 'host_id', fields: nodeFields, times: [] },
    dated: ['agent_status', 'protect_status'],
    compared: [...nodeFields, 'agent_status'],
  },
  container_clusters: {
    ...{ key: 'id', fields: clusterFields, times: ['creation_timestamp', 'last_scan_time'] },
    dated: ['status', 'agent_ds_install_status'],
    compared: clusterFields,
  },
};

export function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function nameOf(timeMs: number): string {
  return isoOf(timeMs).replaceAll(/[-:]|\.\d+/g, '');
}

/** What the exporter must store of a record, apart from the columns with dates. */
function describe(record: ListedRecord, dataset: DatasetName, version: ColumnVersion): OracleRow {
  const { fields, times } = described[dataset];
  const lacks = version === 'earlier' ? earlierLacks[dataset] : [];
  const cells = fields.map((name): [string, Answer] => {
    const value = lacks.includes(name) ? null : (record[name] ?? null);
    if (times.includes(name)) return [name, value === null ? null : isoOf(Number(value))];
    return [name, typeof value === 'bigint' ? toAnswer(value) : value];
  });
  const row = Object.fromEntries(cells);
  if (dataset !== 'container_nodes') return row;
  const raw = toText(record.agent_status);
  const status = raw === 'not_register' ? 'not_installed' : raw;
  return { ...row, agent_status_raw: raw, agent_status: status };
}

function toText(value: ListedRecord[string] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** A whole number as an answer. */
export function toAnswer(value: bigint): Answer {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

interface Change {
  /** The value of the key column. */
  key: string;
  change: 'added' | 'removed' | 'changed';
  /** In the order of the columns. Of a row that is in both. */
  columns: string[];
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
export function tellTruth({ snapshots }: LakeWorld): TrueSnapshot[] {
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
  const { dataset } = served.target;
  const { key, dated } = described[dataset];
  const known = new Map((base?.rows ?? []).map((row) => [row[key], row]));
  const rows = served.records.map((record): OracleRow => {
    const row = describe(record, dataset, served.version);
    const before = known.get(row[key] ?? '');
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
      ...Object.fromEntries(dated.map((name) => [`${name}_since`, since(name)])),
    };
  });
  const isCompared = !isDrifted && base !== null;
  const changes = isCompared ? compare(base, rows, dataset) : null;
  const snapshot = nameOf(served.timeMs);
  return { served, snapshot, rows, changes, since: isCompared ? base.served : null };
}

/** Only columns that both snapshots have are compared. */
function compare(base: TrueSnapshot, newer: readonly OracleRow[], dataset: DatasetName): Change[] {
  const { key, compared } = described[dataset];
  const before = new Map(base.rows.map((row) => [row[key], row]));
  const after = new Map(newer.map((row) => [row[key], row]));
  const lacks = base.served.version === 'earlier' ? earlierLacks[dataset] : [];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((id): Change[] => {
    const [was, is] = [before.get(id) ?? null, after.get(id) ?? null];
    const differs = (name: string) => !lacks.includes(name) && was?.[name] !== is?.[name];
    const columns = was && is ? compared.filter(differs) : [];
    if (was && is && columns.length === 0) return [];
    const change = was === null ? 'added' : is === null ? 'removed' : 'changed';
    return [{ key: String(id), change, columns, before: was, after: is }];
  });
}

/** Rows by the values of `key`, each with what `count` makes of the group. */
export function groupBy<T>(
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
export interface Placed {
  one: TrueSnapshot;
  row: OracleRow;
}

export const targetOf = ({ served: { target } }: TrueSnapshot): Answer[] => [
  target.region,
  target.projectId,
];
export const sum = (values: readonly (Answer | undefined)[]) =>
  values.reduce<number>((total, value) => total + (typeof value === 'number' ? value : 0), 0);
/** Of whole numbers of any size. Null counts as 0. */
export const sumWhole = (values: readonly (Answer | undefined)[]) =>
  toAnswer(values.reduce((total, value) => total + BigInt(String(value ?? 0)), 0n));
export const countOf = <T>(items: readonly T[], is: (item: T) => boolean) =>
  items.filter(is).length;

/** What must be in `<table>_latest`, or in a query as of `timeMs`: a name after it is too new. */
export function findNewest(all: readonly TrueSnapshot[], timeMs: number): TrueSnapshot[] {
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
export function listStored(all: readonly TrueSnapshot[]): Placed[] {
  return all.flatMap((one) => {
    const copies = one.served.isPruned ? 0 : 1 + one.served.strays;
    return Array.from({ length: copies }, () => one.rows.map((row) => ({ one, row }))).flat();
  });
}

/** The columns of listRows(). */
export function readColumns(dataset: DatasetName): string[] {
  const { fields, dated } = described[dataset];
  return [
    ...['dt', 'rgn', 'prj', 'snapshot_at', 'fetched_at', 'verdict', 'region', 'project_id'],
    ...[...fields, 'first_seen_at', ...dated.map((name) => `${name}_since`)],
    ...(dataset === 'container_nodes' ? ['agent_status', 'public_ip'] : ['cluster_id']),
  ];
}

/** All stored rows of a table with readColumns. */
export function listRows(world: LakeWorld, table: string): Answer[][] {
  const all = tellTruth(world).filter(({ served }) => served.target.table === table);
  return listStored(all).map(({ one, row }) => {
    const { target, timeMs, verdict } = one.served;
    const { region, projectId } = target;
    const place = { dt: isoOf(timeMs).slice(0, 10), rgn: region, prj: projectId };
    const cells: OracleRow = { ...row, ...place, verdict, region, project_id: projectId };
    return readColumns(target.dataset).map((name) => cells[name] ?? null);
  });
}
