// Owns the dataset `container_nodes`: its request, its columns, and how a record becomes a row. Refuses I/O and clocks.

import { RawNumber, stringifyExact } from '../core/exact-json.ts';
import type { Cell, Column, ColumnType, Dataset, Row, RowContext } from '../core/ports.ts';

/**
 * Fields of one node as the API names them, in column order.
 * Sources, read 2026-11-24: "容器安全服务 API 参考" (2021-12-23), table 3-5 ContainerNodeInfo, for host_id to
 * protect_status; the HSS API's ListContainerNodes response for the rest. Every one is optional there.
 */
const fieldTypes: readonly (readonly [name: string, type: 'string' | 'boolean' | 'int32'])[] = [
  ['host_id', 'string'],
  ['host_name', 'string'],
  ['host_status', 'string'],
  ['agent_status', 'string'],
  ['protect_status', 'string'],
  ['agent_id', 'string'],
  ['protect_interrupt', 'boolean'],
  ['protect_degradation', 'boolean'],
  ['degradation_reason', 'string'],
  ['container_tags', 'string'],
  ['private_ip', 'string'],
  ['public_ip', 'string'],
  ['resource_id', 'string'],
  ['group_name', 'string'],
  ['enterprise_project_name', 'string'],
  ['detect_result', 'string'],
  ['asset', 'int32'],
  ['vulnerability', 'int32'],
  ['intrusion', 'int32'],
  ['policy_group_id', 'string'],
  ['policy_group_name', 'string'],
];

const columns: readonly Column[] = [
  { name: 'snapshot_at', type: 'timestamp' },
  { name: 'fetched_at', type: 'timestamp' },
  { name: 'account', type: 'string' },
  { name: 'region', type: 'string' },
  { name: 'project_id', type: 'string' },
  ...fieldTypes.flatMap(([name, type]): Column[] => {
    if (name === 'host_id') return [{ name, type, required: true }];
    if (name === 'agent_status') return [column(name, type), column('agent_status_raw', type)];
    return [column(name, type)];
  }),
  { name: 'extra', type: 'string' },
];

function column(name: string, type: ColumnType): Column {
  return { name, type };
}

interface Field {
  type: 'string' | 'boolean' | 'int32';
  index: number;
  intern: (text: string) => string;
}

const indexOf = new Map(columns.map(({ name }, index) => [name, index]));
const rawStatusIndex = indexOf.get('agent_status_raw') as number;
const extraIndex = indexOf.get('extra') as number;

/** Values of these differ from node to node: looking them up would cost and save nothing. */
const highCardinality = new Set([
  'host_id',
  'host_name',
  'agent_id',
  'private_ip',
  'public_ip',
  'resource_id',
]);

const fields: ReadonlyMap<string, Field> = new Map(
  fieldTypes.map(([name, type]) => [
    name,
    {
      type,
      index: indexOf.get(name) as number,
      intern: highCardinality.has(name) ? (text: string) => text : createInterner(),
    },
  ]),
);
const internExtra = createInterner();

const internedMax = 4096;
const internedLengthMax = 256;

/**
 * Gives equal strings as one string, so that 100,000 rows share "online" instead of each holding a copy.
 * Only an optimisation: forgetting everything when full changes no result and bounds the memory.
 */
function createInterner(): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    if (text.length > internedLengthMax) return text;
    const same = known.get(text);
    if (same !== undefined) return same;
    if (known.size >= internedMax) known.clear();
    known.set(text, text);
    return text;
  };
}

// With the u flag a surrogate matches only where it is not half of a pair. (Node 18 has no isWellFormed.)
const loneSurrogate = /\p{Surrogate}/u;

const int32Min = -(2 ** 31);
const int32Max = 2 ** 31 - 1;

/** The value as an int32, or null if it is not exactly one: `5.0` and `1e2` are, `5.5` and `2147483648` are not. */
function toInt32(value: unknown): number | null {
  const number = value instanceof RawNumber ? Number(value.text) : value;
  if (typeof number !== 'number' || !Number.isInteger(number)) return null;
  if (number < int32Min || number > int32Max) return null;
  // Number() rounds: 5.00000000000000000001 is no integer although its double is.
  if (value instanceof RawNumber && !isWhole(value.text)) return null;
  return number + 0; // -0 becomes 0
}

function isWhole(text: string): boolean {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`;
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return whole !== '';
  const trailingZeros = digits.length - significant.length;
  return Number(exponent) - fraction.length + trailingZeros >= 0;
}

/** The cell for a known field's value; undefined if the value is of the wrong type. */
function toCell(value: unknown, { type, intern }: Field): Cell | undefined {
  if (value === null) return null;
  if (type === 'string') {
    return typeof value === 'string' && !loneSurrogate.test(value) ? intern(value) : undefined;
  }
  if (type === 'boolean') return typeof value === 'boolean' ? value : undefined;
  return toInt32(value) ?? undefined;
}

function normalize(record: Readonly<Record<string, unknown>>, context: RowContext): Row {
  const row: Cell[] = new Array<Cell>(columns.length).fill(null);
  row[0] = context.snapshotAtMs;
  row[1] = context.fetchedAtMs;
  row[2] = context.account;
  row[3] = context.region;
  row[4] = context.projectId;
  const extra: string[] = [];
  // Own keys only, in the order they came: `constructor` and `__proto__` are fields like any other.
  for (const name of Object.keys(record)) {
    const value = record[name];
    if (value === undefined) continue; // JSON has no undefined: as good as absent
    const field = fields.get(name);
    const cell = field === undefined ? undefined : toCell(value, field);
    if (field === undefined || cell === undefined) {
      extra.push(`${JSON.stringify(name)}:${stringifyExact(value)}`);
      continue;
    }
    row[field.index] = cell;
    if (name === 'agent_status') {
      row[rawStatusIndex] = cell;
      // One state, two names: the 2021 reference answers not_register (table 3-5), but asks for not_installed (table 3-2).
      if (cell === 'not_register') row[field.index] = 'not_installed';
    }
  }
  // Joined, not appended: a string that grew by += would keep all its pieces in memory.
  if (extra.length > 0) row[extraIndex] = internExtra(['{', extra.join(','), '}'].join(''));
  return row;
}

/** Null if the record has a usable host_id, else what is wrong with it. */
function findKeyFault(record: unknown): string | null {
  if (!isObject(record)) return `record is ${describe(record)}, not an object`;
  if (!Object.hasOwn(record, 'host_id')) return 'host_id is missing';
  const hostId = record.host_id;
  if (typeof hostId !== 'string') return `host_id is ${describe(hostId)}, not a string`;
  if (hostId === '') return 'host_id is empty';
  if (hostId.trim() === '') return 'host_id is blank';
  if (loneSurrogate.test(hostId)) return 'host_id is not well-formed Unicode (lone surrogate)';
  return null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof RawNumber)
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (value instanceof RawNumber) return 'a number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/**
 * The nodes of container clusters and hosts that the service knows.
 * Limits read 2026-11-24 in the HSS API's ListContainerNodes: limit 10..200, offset 0..2,000,000.
 */
export const containerNodes: Dataset = {
  name: 'container_nodes',
  schemaVersion: 1,
  limit: 200,
  offsetMax: 2_000_000,
  columns,
  keyColumn: 'host_id',
  extraColumn: 'extra',
  fields: new Set(fields.keys()),
  countedColumns: ['agent_status', 'protect_status', 'host_status'],
  // The 2021 reference's tables 3-2 and 3-5, and what HSS adds in requests and responses.
  knownValues: {
    host_status: ['ACTIVE', 'SHUTOFF', 'BUILDING', 'ERROR'],
    agent_status: [
      'not_installed',
      'online',
      'offline',
      'installed',
      'install_failed',
      'installing',
    ],
    protect_status: ['closed', 'opened'],
    container_tags: ['cce', 'self', 'other'],
    detect_result: ['undetected', 'clean', 'risk', 'scanning'],
  },
  keyOf: (record) =>
    isObject(record) && findKeyFault(record) === null ? (record.host_id as string) : null,
  normalize,
  rejectReason: (record) => findKeyFault(record) ?? 'the record has a usable host_id',
};

/** Filters as the configuration names them; the values go to the API as they are. */
export interface NodeFilters {
  hostName?: string | undefined;
  agentStatus?: string | undefined;
  protectStatus?: string | undefined;
  containerTags?: string | undefined;
}

/** What the API is asked for, but limit and offset. */
export interface NodeScope {
  /** `cgs`: the 2021 endpoint. `hss`: its successor, same path. */
  api: 'cgs' | 'hss';
  /** Sent to hss only. Null: not sent; the service then lists the default enterprise project alone. */
  enterpriseProjectId: string | null;
  filters: NodeFilters;
}

export function pathOf(projectId: string): string {
  return `/v5/${encodeURIComponent(projectId)}/container/nodes`;
}

export function queryOf({ api, enterpriseProjectId, filters }: NodeScope): Record<string, string> {
  const query: Record<string, string> = {};
  if (filters.hostName !== undefined) query.host_name = filters.hostName;
  if (filters.agentStatus !== undefined) query.agent_status = filters.agentStatus;
  if (filters.protectStatus !== undefined) query.protect_status = filters.protectStatus;
  if (filters.containerTags !== undefined) query.container_tags = filters.containerTags;
  if (api === 'hss' && enterpriseProjectId !== null) {
    query.enterprise_project_id = enterpriseProjectId;
  }
  return query;
}
