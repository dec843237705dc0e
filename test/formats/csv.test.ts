// Tests CSV text: quoting, the byte order mark, and texts that a spreadsheet could run.

import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Column } from '../../lib/core/ports.ts';
import { createCsvFormatter } from '../../lib/formats/csv.ts';
import { unusualNames } from './inventory.ts';
import { createTempDir, openDuck } from './readers.ts';

const columns: Column[] = [
  { name: 'id', type: 'string' },
  { name: 'at', type: 'timestamp' },
  { name: 'count', type: 'int32' },
  { name: 'flag', type: 'boolean' },
];
const digits: Column[] = [{ name: 'total', type: 'int64' }];
const csv = createCsvFormatter(columns);

test('starts with a byte order mark and the names of the columns', () => {
  expect(csv.header).toBe('\ufeffid,at,count,flag\r\n');
});

test('writes each type, and null as an empty cell', () => {
  expect(csv.formatRow(['a', 0, -5, true])).toBe('a,1970-01-01T00:00:00.000Z,-5,true\r\n');
  expect(csv.formatRow([null, null, null, null])).toBe(',,,\r\n');
});

test('writes all digits of an int64, without an apostrophe before a minus sign', () => {
  const format = createCsvFormatter(digits).formatRow;
  expect(format(['-9223372036854775808'])).toBe('-9223372036854775808\r\n');
  expect(format([null])).toBe('\r\n');
});

test.each([
  ['a,b', '"a,b"'],
  ['say "hi"', '"say ""hi"""'],
  ['two\nlines', '"two\nlines"'],
  ['two\rlines', '"two\rlines"'],
])('quotes %j', (text, expected) => {
  expect(csv.formatRow([text, null, null, null])).toBe(`${expected},,,\r\n`);
});

test.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t=1"],
  ['\r=1', '"\'\r=1"'],
  ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
])('keeps a spreadsheet from running %j', (text, expected) => {
  expect(csv.formatRow([text, null, null, null])).toBe(`${expected},,,\r\n`);
});

test('a text that only contains such a character is not changed', () => {
  expect(csv.formatRow(['a=1', null, null, null])).toBe('a=1,,,\r\n');
});

test('DuckDB reads every unusual name back', async () => {
  // DuckDB ends a text at NUL in CSV.
  const names = unusualNames.filter((name) => !name.includes('\0'));
  const temp = createTempDir();
  const duck = await openDuck();
  try {
    const path = temp.path('names.csv');
    writeFileSync(
      path,
      csv.header + names.map((name) => csv.formatRow([name, 0, 1, true])).join(''),
    );
    const read = `read_csv('${path}', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', new_line = '\\r\\n', nullstr = '\u0001none')`;
    const rows = await duck.query(`SELECT '=' || id FROM ${read}`);
    const expected = names.map((name) => `=${/^[=+\-@\t\r]/.test(name) ? `'${name}` : name}`);
    expect(rows.map(([id]) => id)).toEqual(expected);
  } finally {
    duck.close();
    temp.remove();
  }
});
