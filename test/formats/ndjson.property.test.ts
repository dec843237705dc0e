// Tests that each line is exactly its row for any JSON reader. JSON.parse and DuckDB read the lines back.

import { writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Cell, Column, Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { countCases } from '../support/cases.ts';
import { anyRow, everyType } from './any-rows.ts';
import { useDuck } from './duck.ts';
import { encodeRows } from './encoding.ts';
import { createRows, unusualNames } from './inventory.ts';
import { findDifference } from './readers.ts';

const { columns } = containerNodes;
const encode = (rows: readonly Row[]) => encodeRows(ndjsonEncoder, rows);
const unusualRows = unusualNames.map((name) =>
  columns.map(({ type }, c): Cell => (type === 'string' ? name : (createRows(1)[0]?.[c] ?? null))),
);

const { temp, duck } = useDuck();

test.each([0, 1, 500, 501, 25_000])('%i rows, read line by line with JSON.parse', async (count) => {
  const rows = createRows(count, count + 1);
  const text = gunzipSync(await encode(rows)).toString('utf8');
  const lines = text.split('\n');
  expect(lines.pop()).toBe(''); // the last line ends with a newline
  const names = JSON.stringify(columns.map(({ name }) => name));
  const read = lines.map((line) => {
    const record = JSON.parse(line) as Record<string, Cell>;
    // An `expect` for each line would take longer than all the rest.
    if (JSON.stringify(Object.keys(record)) !== names) expect.fail(`not the columns: ${line}`);
    return columns.map(({ name, type }) =>
      type === 'timestamp' && record[name] !== null
        ? Date.parse(record[name] as string)
        : (record[name] as Cell),
    );
  });
  expect(findDifference(read, rows)).toBeNull();
});

test('one row, compared byte by byte', async () => {
  // Columns of its own, so that a new column of the dataset does not change the bytes.
  const cells: [name: string, type: Column['type'], cell: Cell][] = [
    ['at', 'timestamp', Date.UTC(2026, 10, 24, 6, 0, 0, 7)],
    ['at_absent', 'timestamp', null],
    ['id', 'string', 'h'],
    ['name', 'string', '节点\n"1"'],
    ['empty', 'string', ''],
    ['text_absent', 'string', null],
    ['yes', 'boolean', true],
    ['no', 'boolean', false],
    ['flag_absent', 'boolean', null],
    ['negative', 'int32', -1],
    ['zero', 'int32', 0],
    ['count_absent', 'int32', null],
    ['json', 'string', '{"a":"\\u0000","b":[1.50]}'],
  ];
  const bytes = await encodeRows(ndjsonEncoder, [cells.map(([, , cell]) => cell)], {
    columns: cells.map(([name, type]) => ({ name, type })),
  });
  expect(gunzipSync(bytes).toString('utf8')).toBe(
    `${[
      '{"at":"2026-11-24T06:00:00.007Z","at_absent":null',
      '"id":"h","name":"节点\\n\\"1\\"","empty":"","text_absent":null',
      '"yes":true,"no":false,"flag_absent":null',
      '"negative":-1,"zero":0,"count_absent":null',
      '"json":"{\\"a\\":\\"\\\\u0000\\",\\"b\\":[1.50]}"}',
    ].join(',')}\n`,
  );
});

const duckTypes = {
  string: 'VARCHAR',
  boolean: 'BOOLEAN',
  int32: 'INTEGER',
  int64: 'BIGINT',
  timestamp: 'TIMESTAMPTZ',
};
test.each([
  ['no rows', []],
  ['unusual names', unusualRows],
  ['10,001 rows', createRows(10_001, 9)],
])('%s, read with DuckDB', async (name, rows) => {
  const path = temp.path(`${name}.ndjson.gz`);
  writeFileSync(path, await encode(rows));
  const types = columns.map((column) => `${column.name}: '${duckTypes[column.type]}'`).join(', ');
  const read = await duck.readRows(
    `read_json('${path}', format = 'newline_delimited', columns = {${types}})`,
  );
  expect(findDifference(read, rows)).toBeNull();
});

test('any values of every type, read with DuckDB', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', '节', '🚀', '"'), maxLength: 9 });
  let n = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyRow(text), { minLength: 1, maxLength: 40 }), async (rows) => {
      const path = temp.path(`any-${n++}.ndjson.gz`);
      const options = { columns: everyType, sortedBy: 'id' };
      writeFileSync(path, await encodeRows(ndjsonEncoder, rows, options));
      const types = everyType.map(({ name, type }) => `"${name}": '${duckTypes[type]}'`).join(', ');
      const from = `read_json('${path}', format = 'newline_delimited', columns = {${types}})`;
      expect(findDifference(await duck.readRows(from, everyType), rows, everyType)).toBeNull();
    }),
    { numRuns: countCases(40) },
  );
});

test('equal rows give equal bytes', async () => {
  const [a, b] = [await encode(createRows(10_500, 3)), await encode(createRows(10_500, 3))];
  expect(Buffer.compare(a, b)).toBe(0);
});

test('the event loop continues to run during the encoding', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await encode(createRows(20_000, 3));
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
});
