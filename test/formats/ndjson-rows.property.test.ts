// Tests that rows are read from NDJSON as they were written, and that text which another program wrote is refused.

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ByteSource, Column, Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { ndjsonDecoder } from '../../lib/formats/ndjson-rows.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import { anyRow, everyType } from './any-rows.ts';
import { encodeRows } from './encoding.ts';
import { createRows } from './inventory.ts';
import { findDifference } from './readers.ts';

const { columns } = containerNodes;

function sourceOf(bytes: Uint8Array): ByteSource {
  return { bytes: bytes.length, read: async (start, end) => bytes.subarray(start, end) };
}

async function readAll(bytes: Uint8Array, wanted: readonly Column[] = columns) {
  const reader = await ndjsonDecoder.open(sourceOf(bytes), wanted);
  const rows: Row[] = [];
  for await (const group of reader.readGroups()) rows.push(...group);
  return { rows, columns: reader.columns };
}

test.each([0, 1, 777, 20_001])('reads %i rows in stored order', async (count) => {
  const rows = createRows(count, count + 7);
  const found = await readAll(await encodeRows(ndjsonEncoder, rows));
  expect(findDifference(found.rows, rows)).toBeNull();
  expect(found.columns).toEqual(columns);
});

test('reads any value of any type, with all digits of an int64', async () => {
  const row = anyRow(fc.string({ unit: 'binary', maxLength: 60 }));
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
      const options = { columns: everyType, sortedBy: 'id' };
      const bytes = await encodeRows(ndjsonEncoder, rows, options);
      expect((await readAll(bytes, everyType)).rows).toEqual(rows);
    }),
    { numRuns: countCases(150) },
  );
});

const seeds = countCases(40);
const cuts = countCases(60);

test(`reads the wanted columns only, in their order: ${seeds} seeds`, async () => {
  const rows = createRows(300);
  const bytes = await encodeRows(ndjsonEncoder, rows);
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const wanted = columns.filter(() => random() < 0.3).sort(() => random() - 0.5);
    const absent: Column = { name: 'not_there', type: 'string' };
    const found = await readAll(bytes, [absent, ...wanted]);
    expect(found.columns, `seed ${seed}`).toEqual(wanted);
    const expected = rows.map((row) =>
      wanted.map((column) => row[columns.indexOf(column)] ?? null),
    );
    expect(found.rows, `seed ${seed}`).toEqual(expected);
  }
});

test(`every truncation of the file is an error: ${cuts} seeds`, async () => {
  const bytes = await encodeRows(ndjsonEncoder, createRows(50));
  for (let seed = 1; seed <= cuts; seed += 1) {
    const length = 1 + Math.floor(createRandom(seed)() * (bytes.length - 1));
    await expect(readAll(bytes.subarray(0, length)), `seed ${seed}`).rejects.toThrow();
  }
});

test('an error of the source is thrown as it is', async () => {
  const bytes = await encodeRows(ndjsonEncoder, createRows(50));
  const cause = new Error('disk failed');
  const source = { bytes: bytes.length, read: () => Promise.reject(cause) };
  await expect(ndjsonDecoder.open(source, columns)).rejects.toBe(cause);
});

describe('refuses', () => {
  const wanted: Column[] = [
    { name: 'key', type: 'string', required: true },
    { name: 'at', type: 'timestamp' },
    { name: 'n', type: 'int32' },
    { name: 'b', type: 'boolean' },
    { name: 'm', type: 'int64' },
  ];
  const good = '{"key":"a","at":"2026-11-24T06:00:00.000Z","n":1,"b":true,"m":-2}\n';
  test('no part of a good line', async () => {
    const { rows } = await readAll(gzipSync(good), wanted);
    expect(rows).toEqual([['a', Date.UTC(2026, 10, 24, 6), 1, true, '-2']]);
  });
  test.each([
    [
      'a value of another type',
      good.replace('"n":1', '"n":"1"'),
      'line 2 has no int32 in the column n',
    ],
    ['null in a required column', good.replace('"a"', 'null'), 'no string in the column key'],
    ['a time in another form', good.replace('.000Z', 'Z'), 'no timestamp in the column at'],
    ['a line that lacks a column', good.replace('"n"', '"other"'), 'no int32 in the column n'],
    ['an int64 that is text', good.replace(':-2', ':"-2"'), 'no int64 in the column m'],
    [
      'an int64 that is too large',
      good.replace(':-2', ':9223372036854775808'),
      'no int64 in the column m',
    ],
    ['an int64 with a fraction', good.replace(':-2', ':2.5'), 'no int64 in the column m'],
    ['a list', '[1]\n', 'line 2 is not a JSON object'],
    ['a line without its line feed', good.trim(), 'the last line has no line feed'],
    ['an empty line', '\n', 'JSON'],
    ['text that is not JSON', 'x\n', 'JSON'],
  ])('%s', async (_what, line, message) => {
    await expect(readAll(gzipSync(good + line), wanted)).rejects.toThrow(message);
  });
  test('bytes that are not UTF-8', async () => {
    const bytes = Buffer.from(good.replace('"a"', '"\u0080"'), 'latin1');
    await expect(readAll(gzipSync(bytes), wanted)).rejects.toThrow('a line is not UTF-8');
  });
  test('a line that is too long, without holding more of it', async () => {
    const bytes = gzipSync(Buffer.alloc(2 ** 25 + 2 ** 20, 32));
    await expect(readAll(bytes, wanted)).rejects.toThrow('a line has more than 33554432 bytes');
  });
});
