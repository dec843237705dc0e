// Tests that rows are checked before they are encoded, in every format.

import { describe, expect, test } from 'vitest';
import { ExportError } from '../../lib/core/errors.ts';
import type { Cell, Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { checkRows } from '../../lib/formats/row-check.ts';
import { encodeRows } from './encoding.ts';
import { createRows } from './inventory.ts';

const { columns } = containerNodes;

/** Three rows, the last with one cell replaced. */
function createFaulty(name: string, cell: unknown): Row[] {
  const rows = createRows(3);
  const c = columns.findIndex((column) => column.name === name);
  return [...rows.slice(0, 2), (rows[2] as Row).with(c, cell as Cell)];
}

const faults: [column: string, cell: unknown, fault: string][] = [
  ['host_id', null, 'null in a required column'],
  ['host_name', undefined, 'undefined instead of a value or null'],
  ['host_name', 7, 'a number, not a string'],
  ['host_name', 'web-\ud83d', 'not well-formed Unicode (lone surrogate)'],
  ['host_name', '\ude00-web', 'not well-formed Unicode (lone surrogate)'],
  ['protect_interrupt', 'true', 'a string, not a boolean'],
  ['protect_degradation', 1, 'a number, not a boolean'],
  ['asset', '7', 'a string, not an int32'],
  ['asset', 7.5, 'not an int32'],
  ['asset', 2 ** 31, 'not an int32'],
  ['vulnerability', -(2 ** 31) - 1, 'not an int32'],
  ['intrusion', Number.NaN, 'not an int32'],
  ['intrusion', Number.POSITIVE_INFINITY, 'not an int32'],
  ['snapshot_at', Number.NaN, 'not whole milliseconds between the years 0000 and 9999'],
  ['snapshot_at', 0.5, 'not whole milliseconds between the years 0000 and 9999'],
  ['fetched_at', 253_402_300_800_000, 'not whole milliseconds between the years 0000 and 9999'],
  ['fetched_at', -62_167_219_200_001, 'not whole milliseconds between the years 0000 and 9999'],
  ['fetched_at', '2026-11-24T06:00:00Z', 'a string, not a timestamp'],
];

test.each(['0', '-1', '9223372036854775807', '-9223372036854775808', null])(
  'accepts %s as an int64',
  (cell) => {
    expect(() => checkRows([[cell]], [{ name: 'n', type: 'int64' }])).not.toThrow();
  },
);

test.each([
  [5, 'a number, not the digits of an int64'],
  [true, 'a boolean, not the digits of an int64'],
  ...['', '-0', '01', '+1', '1.0', '1e3', ' 1', '9223372036854775808', '-9223372036854775809'].map(
    (text) => [text, 'not the digits of an int64'] as const,
  ),
] as const)('rejects %j as an int64', (cell, fault) => {
  expect(() => checkRows([[cell]], [{ name: 'n', type: 'int64' }])).toThrow(
    `row 0, column n: ${fault}`,
  );
});

describe.each([parquetEncoder, ndjsonEncoder])('$format', (encoder) => {
  test.each(faults)('rejects %s = %j and names its row and column', async (name, cell, fault) => {
    const error = await encodeRows(encoder, createFaulty(name, cell)).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ExportError);
    expect(error).toMatchObject({
      code: 'ROW_INVALID',
      message: `row 2, column ${name}: ${fault}`,
    });
  });
});

test('rejects a row with a wrong number of cells', () => {
  const rows = createRows(2);
  const short = [rows[0] as Row, (rows[1] as Row).slice(1)];
  expect(() => checkRows(short, columns)).toThrow(
    `row 1 has ${columns.length - 1} cells, but the dataset has ${columns.length} columns`,
  );
});

test('names row 0 if the first row has the wrong cell', () => {
  const rows = createFaulty('snapshot_at', Number.NaN).slice(2);
  expect(() => checkRows([...rows, ...rows], columns)).toThrow('row 0, column snapshot_at');
  const incomplete = createFaulty('extra', undefined).slice(2);
  expect(() => checkRows(incomplete, columns)).toThrow(
    'row 0, column extra: undefined instead of a value or null',
  );
});
