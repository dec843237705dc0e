// Tests that every row that parquet.ts encodes is decoded as it was, and that a file with other types is refused.

import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import type { ByteSource, Cell, Column, Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { countCases, someCases } from '../support/cases.ts';
import { anyRow, everyType } from './any-rows.ts';
import { encodeRows } from './encoding.ts';
import { createRows, unusualNames } from './inventory.ts';
import { findDifference } from './readers.ts';

const { columns } = containerNodes;

function sourceOf(bytes: Uint8Array): ByteSource {
  return { bytes: bytes.length, read: async (start, end) => bytes.subarray(start, end) };
}

async function decode(bytes: Uint8Array, wanted: readonly Column[] = columns) {
  const reader = await parquetDecoder.open(sourceOf(bytes), wanted);
  const groups: (readonly Row[])[] = [];
  for await (const group of reader.readGroups()) groups.push(group);
  return { names: reader.columns.map(({ name }) => name), groups, rows: groups.flat() };
}

test.each(someCases([0, 1, 10_000, 10_001, 25_000]))(
  '%i rows, one row group at a time',
  async (count) => {
    const rows = createRows(count, count + 1);
    const found = await decode(await encodeRows(parquetEncoder, rows));
    expect(findDifference(found.rows, rows)).toBeNull();
    expect(found.groups.map((group) => group.length)).toEqual(
      { 0: [], 1: [1], 10000: [10_000], 10001: [10_000, 1], 25000: [10_000, 10_000, 5_000] }[count],
    );
  },
);

test('every unusual name in every text column', async () => {
  const plain = createRows(1)[0] as Row;
  const rows = unusualNames.map((name) =>
    columns.map(({ type }, c): Cell => (type === 'string' ? name : (plain[c] ?? null))),
  );
  expect(
    findDifference((await decode(await encodeRows(parquetEncoder, rows))).rows, rows),
  ).toBeNull();
});

test('texts of a megabyte', async () => {
  const plain = createRows(1)[0] as Row;
  const rows = Array.from({ length: 12 }, (_, i) => plain.with(-1, `${i}😀`.repeat(300_000)));
  expect(
    findDifference((await decode(await encodeRows(parquetEncoder, rows))).rows, rows),
  ).toBeNull();
});

test('any well-formed text, any value and any nulls', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  const row = anyRow(text, fc.oneof(text, fc.constantFrom('', 'same')));
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 60, size: 'max' }), async (rows) => {
      const bytes = await encodeRows(parquetEncoder, rows, { columns: everyType, sortedBy: 'id' });
      expect((await decode(bytes, everyType)).rows).toEqual(rows);
    }),
    { numRuns: countCases(150) },
  );
});

test('columns are found by name: those that the file lacks are absent, and others are not read', async () => {
  const file: Column[] = [
    { name: 'id', type: 'string', required: true },
    { name: 'dropped', type: 'string' },
    { name: 'flag', type: 'boolean' },
  ];
  const rows: Row[] = [['a', 'x', true]];
  const bytes = await encodeRows(parquetEncoder, rows, { columns: file, sortedBy: 'id' });
  const found = await decode(bytes, [
    { name: 'flag', type: 'boolean' },
    { name: 'added', type: 'string' },
    { name: 'id', type: 'string' },
  ]);
  expect(found).toMatchObject({ names: ['flag', 'id'], rows: [[true, 'a']] });
});

test('refuses a column of another type, and bytes that are not Parquet', async () => {
  const bytes = await encodeRows(parquetEncoder, createRows(3));
  const wanted: Column[] = [{ name: 'host_id', type: 'int32' }];
  await expect(decode(bytes, wanted)).rejects.toThrow(
    'column host_id has the type BYTE_ARRAY, not INT32',
  );
  await expect(decode(Buffer.from('not Parquet, but long enough'))).rejects.toThrow(/parquet/);
});

test('refuses a time in place of an int64, and an int64 in place of a time', async () => {
  const options = { columns: everyType, sortedBy: 'id' };
  const bytes = await encodeRows(parquetEncoder, [['a', 'x', true, 1, '5', 0]], options);
  for (const [name, type] of [
    ['at', 'int64'],
    ['total', 'timestamp'],
  ] as const) {
    const message = `column ${name} is not the ${type} that it should be`;
    await expect(decode(bytes, [{ name, type }])).rejects.toThrow(message);
  }
});

test('refuses a row group that is larger than those of the encoder', async () => {
  const data = Array.from({ length: 10_001 }, (_, index) => `n${index}`);
  const columnData = [{ name: 'host_id', data, type: 'STRING' as const }];
  const bytes = new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 20_000 }));
  const wanted: Column[] = [{ name: 'host_id', type: 'string' }];
  await expect(decode(bytes, wanted)).rejects.toThrow('a row group has 10001 rows');
});
