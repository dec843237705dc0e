// Tests that tables are aligned in columns of the terminal, and fit its width.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTable, measureText, openTable } from '../../lib/cli/text-table.ts';

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');

test('aligns columns by what the terminal shows: Chinese and emoji take two columns', () => {
  const rows = [
    ['name', 'count', 'note'],
    ['节点-三', '7', 'x'],
    ['😀', '1,234', ''],
  ];
  expect(formatTable(rows, [1])).toBe(
    ['name     count  note', '节点-三      7  x', '😀       1,234'].join('\n'),
  );
});

test('without a limit nothing is shortened, and later rows can be wider than the first ones', () => {
  const table = openTable({});
  expect(table.format([['a', 'b']])).toBe('a  b\n');
  const long = 'x'.repeat(300);
  expect(table.format([[long, 'b']])).toBe(`${long}  b\n`);
  expect(table.format([['c', 'd']])).toBe(`${'c'.padEnd(300)}  d\n`);
  expect(table.format([])).toBe('');
});

test('the first rows set the widths; a later cell that is too wide is shortened', () => {
  const table = openTable({ columns: 40 });
  expect(table.format([['host', 'value']])).toBe('host  value\n');
  expect(table.format([['host-with-a-long-name', 'v']])).toBe('hos…  v\n');
});

test('columns are left out in the given order while the lines are too wide', () => {
  const rows = [['prod', 'cn-south-4', 'a'.repeat(32), 'host']];
  const show = (columns: number) =>
    openTable({ columns, optional: [2, 1] })
      .format(rows)
      .trimEnd()
      .replaceAll(/ +/g, ' ');
  expect(show(60)).toBe(`prod cn-south-4 ${'a'.repeat(32)} host`);
  expect(show(50)).toBe('prod cn-south-4 host');
  expect(show(20)).toBe('prod host');
});

test('some columns are narrowed before others, to 12', () => {
  const rows = [['x'.repeat(30), 'y'.repeat(20), 'z'.repeat(10)]];
  const widthsOf = (columns: number) =>
    openTable({ columns, narrowFirst: [1] })
      .format(rows)
      .trimEnd()
      .split(/ +/)
      .map((text) => text.length);
  expect(widthsOf(60)).toEqual([30, 16, 10]);
  expect(widthsOf(50)).toEqual([24, 12, 10]);
  expect(widthsOf(34)).toEqual([10, 10, 10]);
});

test('a last cell continues on the next line, at a space', () => {
  const table = openTable({ columns: 34, wrapsLast: true, indent: '  ' });
  const lines = linesOf(table.format([['host', 'agent_status: online → offline; asset: 1 → 2']]));
  expect(lines).toEqual(['  host  agent_status: online →', '        offline; asset: 1 → 2']);
});

test('an emoji is never cut in half', () => {
  const table = openTable({ columns: 20 });
  table.format([['abcdefg', 'abcdefg']]);
  const text = table.format([['abcde😀😀', 'ab😀😀😀😀']]);
  expect(text).not.toMatch(/\p{Surrogate}/u);
  expect(measureText(text.trimEnd())).toBeLessThanOrEqual(16);
});

const cell = fc.string({
  unit: fc.constantFrom('a', '-', ' ', '节', '😀', 'é', '\u001b', '\n', 'ع', '\u202e'),
  maxLength: 40,
});

test('every line fits, whatever the cells are, and has no control character', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 40, max: 120 }),
      (rows, columns) => {
        const table = openTable({ columns, indent: '  ' });
        const lines = linesOf(rows.map((row) => table.format([row])).join(''));
        for (const line of lines) {
          expect(measureText(line)).toBeLessThanOrEqual(columns);
          expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Surrogate}]/u);
        }
        expect(lines.length).toBeLessThanOrEqual(rows.length);
      },
    ),
  );
});

test('all rows are drawn in their order, however many', () => {
  const rows = Array.from({ length: 1_001 }, (_, index) => [`h${index}`, 'x']);
  const lines = linesOf(openTable({}).format(rows));
  expect(lines.map((line) => line.split(/ +/)[0])).toEqual(rows.map(([id]) => id));
});

test('a column keeps its least width, and others are left out for it', () => {
  const rows = [
    ['host_id', 'empty', 'other'],
    ['0f6a1c5e-77aa-4b62', '-', 'x'.repeat(30)],
  ];
  const show = (columns: number, expendable: number[] = []) =>
    openTable({ columns, hasHeader: true, least: { 0: 9 }, expendable }).format(rows);
  expect(show(80)).toContain('empty');
  expect(show(24)).toBe(`host_id      other\n0f6a1c5e-7…  ${'x'.repeat(10)}…\n`);
  expect(show(12, [2])).toBe('host_id\n0f6a1c5e-77…\n');
  for (const line of linesOf(show(17))) expect(measureText(line)).toBeLessThanOrEqual(17);
  expect(show(17)).toContain('0f6a1c5e…');
});

test('the last cell has at most linesMax lines, none wider than the table', () => {
  const table = (text: string) =>
    linesOf(openTable({ columns: 20, wrapsLast: true, linesMax: 2 }).format([['name', text]]));
  const long = table('one two three four five six seven');
  expect(long).toHaveLength(2);
  expect(long[1]).toMatch(/ …$/);
  expect(table('one two three').join(' ')).not.toContain('…');
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 30 }), { maxLength: 12 }),
      (words) => {
        const lines = table(words.join(' ').replace(/\s+/g, ' '));
        expect(lines.length).toBeLessThanOrEqual(2);
        for (const line of lines) expect(measureText(line)).toBeLessThanOrEqual(20);
      },
    ),
  );
});
