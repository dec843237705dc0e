// Responsible for what all datasets do with the records of their list: fields become cells, the rest goes to `extra`.

import { RawNumber, stringifyExact } from '../core/exact-json.ts';
import type { Cell, Column, Dataset, RowContext } from '../core/ports.ts';
import { isInt32, isWellFormed } from '../core/value-shape.ts';
import { isObject } from './list-page.ts';

/** One field of a record, named as the API names it; its column has the same name. */
export interface ApiField {
  name: string;
  type: 'string' | 'boolean' | 'int32';
  /** True if most records have a value of their own: sharing equal strings would cost time and save no memory. */
  isUnique?: boolean;
}

/** The first columns of every dataset, in this order. */
const contextColumns: readonly Column[] = [
  { name: 'snapshot_at', type: 'timestamp' },
  { name: 'fetched_at', type: 'timestamp' },
  { name: 'account', type: 'string' },
  { name: 'region', type: 'string' },
  { name: 'project_id', type: 'string' },
];
const extraColumn = 'extra';

type RecordPart = Pick<
  Dataset,
  'columns' | 'keyColumn' | 'extraColumn' | 'fields' | 'keyOf' | 'rejectReason'
>;

/**
 * The part of a dataset that follows from its fields. `keyField` is a string field; a record without a usable value in it
 * is a reject. A column of `addedAfter` comes right after the column it is listed under; normalize leaves it null.
 */
export function defineRecords(
  apiFields: readonly ApiField[],
  keyField: string,
  addedAfter: Readonly<Record<string, Column>> = {},
): RecordPart & {
  normalize(record: Readonly<Record<string, unknown>>, context: RowContext): Cell[];
} {
  const columns: Column[] = [
    ...contextColumns,
    ...apiFields.flatMap(({ name, type }): Column[] => {
      const column: Column = name === keyField ? { name, type, required: true } : { name, type };
      const added = addedAfter[name];
      return added ? [column, added] : [column];
    }),
    { name: extraColumn, type: 'string' },
  ];
  const extraIndex = columns.length - 1;
  const fields = new Map(
    apiFields.map(({ name, type, isUnique }) => {
      const index = columns.findIndex((column) => column.name === name);
      return [name, { type, index, share: isUnique ? keepAsIs : createSharing() }];
    }),
  );
  const shareExtra = createSharing();

  return {
    columns,
    keyColumn: keyField,
    extraColumn,
    fields: new Set(fields.keys()),
    keyOf: (record) =>
      findKeyFault(record, keyField) === null
        ? ((record as Record<string, unknown>)[keyField] as string)
        : null,
    rejectReason: (record) =>
      findKeyFault(record, keyField) ?? `the record has a usable ${keyField}`,
    normalize(record, context) {
      const row: Cell[] = new Array<Cell>(columns.length).fill(null);
      row[0] = context.snapshotAtMs;
      row[1] = context.fetchedAtMs;
      row[2] = context.account;
      row[3] = context.region;
      row[4] = context.projectId;
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

function keepAsIs(text: string): string {
  return text;
}

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

/** The cell for the value of a known field; undefined if the value has the wrong type. */
function toCell(
  value: unknown,
  { type, share }: { type: ApiField['type']; share: (text: string) => string },
): Cell | undefined {
  if (value === null) return null;
  if (type === 'string') {
    return typeof value === 'string' && isWellFormed(value) ? share(value) : undefined;
  }
  if (type === 'boolean') return typeof value === 'boolean' ? value : undefined;
  return toInt32(value) ?? undefined;
}

/** The value as an int32, or null if it is not exactly one: `5.0` and `1e2` are, `5.5` and `2147483648` are not. */
function toInt32(value: unknown): number | null {
  const number = value instanceof RawNumber ? Number(value.text) : value;
  if (typeof number !== 'number' || !isInt32(number)) return null;
  // Number() rounds: 5.00000000000000000001 is not an integer although its double is.
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
