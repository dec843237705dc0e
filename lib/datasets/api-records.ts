// Responsible for what the lists of this service share: the envelope of a page, and how a record becomes a row. A known field
// becomes a cell; everything else goes to `extra`.

import { RawNumber, stringifyExact } from '../core/exact-json.ts';
import type { Cell, Column, PageBody, RowContext } from '../core/ports.ts';
import { isInt32, isInt64Text, isTimestampMs, isWellFormed } from '../core/value-shape.ts';

/**
 * The page in a parsed body whose records are the array `listName`. A string says why the body is not a page; it quotes
 * nothing of the body but numbers. Missing or null records are an empty page if the total is 0.
 */
export function readListPage(body: unknown, listName: string): PageBody | string {
  if (!isObject(body)) return 'it is not an object';
  const { total_num: totalNum, [listName]: records } = body;
  if (!Object.hasOwn(body, 'total_num')) return 'total_num is missing';
  if (typeof totalNum !== 'number' || !Number.isSafeInteger(totalNum) || totalNum < 0) {
    return 'total_num is not a count';
  }
  if (Array.isArray(records)) return { totalNum, records };
  if (records !== undefined && records !== null) return `${listName} is not an array`;
  return totalNum === 0
    ? { totalNum, records: [] }
    : `total_num is ${totalNum} without ${listName}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof RawNumber)
  );
}

/** One field of a record, named as the API names it; its column has the same name. */
export interface ApiField {
  name: string;
  /** `timestampMs`: a number of milliseconds since 1970-01-01T00:00:00Z; its column is a timestamp. */
  type: 'string' | 'boolean' | 'int32' | 'int64' | 'timestampMs';
  /** True if most records have a value of their own: sharing equal strings would cost time and save no memory. */
  isUnique?: boolean;
}

/** The first columns of every dataset, in this order. */
const contextColumns: readonly Column[] = [
  { name: 'snapshot_at', type: 'timestamp' },
  { name: 'fetched_at', type: 'timestamp' },
  { name: 'verdict', type: 'string' },
  { name: 'account', type: 'string' },
  { name: 'region', type: 'string' },
  { name: 'project_id', type: 'string' },
];
const firstSeenColumn = 'first_seen_at';
const extraColumn = 'extra';
/** Context columns that are not about the record. */
const uncomparedContext = ['snapshot_at', 'fetched_at', 'verdict', 'account'];

export interface MoreColumns {
  /** Each by the name of the column before it. */
  addedAfter?: Readonly<Record<string, Column>>;
  /** Status columns that get a column with the time since which they have their value: `agent_status_since`. */
  datedStatuses?: readonly string[];
}

/**
 * The members of a dataset that follow from its fields. `keyField` is a string field; a record without a usable value in it
 * is a reject. normalize() leaves all columns of `more` null, and the one with the time since which a row is there.
 */
// Long because: the members share the list of columns.
export function defineRecords(
  apiFields: readonly ApiField[],
  keyField: string,
  { addedAfter = {}, datedStatuses = [] }: MoreColumns = {},
) {
  const sinceColumns = Object.fromEntries(datedStatuses.map((name) => [name, `${name}_since`]));
  const dates = [firstSeenColumn, ...Object.values(sinceColumns)];
  const columns: Column[] = [
    ...contextColumns,
    ...apiFields.flatMap(({ name, type: given }): Column[] => {
      const type = given === 'timestampMs' ? 'timestamp' : given;
      const column: Column = name === keyField ? { name, type, required: true } : { name, type };
      const added = addedAfter[name];
      return added ? [column, added] : [column];
    }),
    ...dates.map((name): Column => ({ name, type: 'timestamp' })),
    { name: extraColumn, type: 'string' },
  ];
  const extraIndex = columns.length - 1;
  const fields = new Map(
    apiFields.map(({ name, type, isUnique }) => {
      const index = columns.findIndex((column) => column.name === name);
      return [name, { type, index, share: isUnique ? null : createSharing() }];
    }),
  );
  const shareExtra = createSharing();

  return {
    columns,
    keyColumn: keyField,
    extraColumn,
    firstSeenColumn,
    sinceColumns,
    uncomparedColumns: [...uncomparedContext, ...dates],
    fields: new Set(fields.keys()),
    keyOf: (record: unknown) =>
      findKeyFault(record, keyField) === null
        ? ((record as Record<string, unknown>)[keyField] as string)
        : null,
    rejectReason: (record: unknown) =>
      findKeyFault(record, keyField) ?? `the record has a usable ${keyField}`,
    normalize(record: Readonly<Record<string, unknown>>, context: RowContext): Cell[] {
      const row: Cell[] = new Array<Cell>(columns.length).fill(null);
      row[0] = context.snapshotAtMs;
      row[1] = context.fetchedAtMs;
      row[2] = context.verdict;
      row[3] = context.account;
      row[4] = context.region;
      row[5] = context.projectId;
      const extra: string[] = [];
      // Own keys only, in the order of the record: `constructor` and `__proto__` are fields like any other.
      for (const name of Object.keys(record)) {
        const value = record[name];
        if (value === undefined) continue; // JSON has no undefined: treated as absent.
        const field = fields.get(name);
        const cell = field === undefined ? undefined : toCell(value, field);
        if (field === undefined || cell === undefined) {
          extra.push(`${JSON.stringify(name)}:${stringifyExact(value)}`);
        } else row[field.index] = cell;
      }
      // Joined at once: a string built with += would keep all its pieces in memory.
      if (extra.length > 0) row[extraIndex] = shareExtra(['{', extra.join(','), '}'].join(''));
      return row;
    },
  };
}

const sharedMax = 4096;
const sharedLengthMax = 256;

/**
 * Returns one string object for equal strings, so that 100,000 rows share "online" instead of holding a copy each.
 * Only saves memory: forgetting all strings when full changes no result and bounds the map.
 */
function createSharing(): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    if (text.length > sharedLengthMax) return text;
    const same = known.get(text);
    if (same !== undefined) return same;
    if (known.size >= sharedMax) known.clear();
    known.set(text, text);
    return text;
  };
}

/** The cell for the value of a known field; undefined if the value does not have exactly this type. */
function toCell(
  value: unknown,
  { type, share }: { type: ApiField['type']; share: ((text: string) => string) | null },
): Cell | undefined {
  if (value === null) return null;
  if (type === 'string') {
    return typeof value === 'string' && isWellFormed(value) ? (share?.(value) ?? value) : undefined;
  }
  if (type === 'boolean') return typeof value === 'boolean' ? value : undefined;
  if (type === 'int64') {
    const digits = readWhole(value);
    return digits !== null && isInt64Text(digits) ? digits : undefined;
  }
  const number = value instanceof RawNumber ? Number(readWhole(value) ?? Number.NaN) : value;
  if (typeof number !== 'number') return undefined;
  if (!(type === 'int32' ? isInt32(number) : isTimestampMs(number))) return undefined;
  return number + 0; // -0 becomes 0
}

/** More digits than any column holds. It bounds what a large exponent can cost. */
const digitsMax = 30;

/**
 * The digits of a whole number, with `-` if it is below 0; null: it is none, or has too many digits. `5.0` and `1e2` are whole.
 * 5.00000000000000000001 is not, although Number() rounds it to 5.
 */
function readWhole(value: unknown): string | null {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : null;
  if (!(value instanceof RawNumber)) return null;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(value.text) ?? [];
  const significant = `${whole}${fraction}`.replace(/0+$/, '');
  if (significant === '') return '0';
  const digits = significant.replace(/^0+/, '');
  const length = whole.length + Number(exponent) - (significant.length - digits.length);
  if (digits.length > length || length > digitsMax) return null;
  return sign + digits.padEnd(length, '0');
}

/** Null if the record has a usable key, else what is wrong with it. */
function findKeyFault(record: unknown, keyField: string): string | null {
  if (!isObject(record)) return `record is ${describeType(record)}, not an object`;
  if (!Object.hasOwn(record, keyField)) return `${keyField} is missing`;
  const key = record[keyField];
  if (typeof key !== 'string') return `${keyField} is ${describeType(key)}, not a string`;
  if (key === '') return `${keyField} is empty`;
  if (key.trim() === '') return `${keyField} is blank`;
  if (!isWellFormed(key)) return `${keyField} is not well-formed Unicode (lone surrogate)`;
  return null;
}

function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (value instanceof RawNumber) return 'a number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
