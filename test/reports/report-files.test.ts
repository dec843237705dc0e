// Tests the order of the rows in the files of a report, with more rows than are held in memory.

import { expect, test } from 'vitest';
import {
  openSectionedTableFile,
  openSortedTableFile,
  type ReportFile,
  type TableFormat,
} from '../../lib/reports/report-files.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const format: TableFormat = { header: 'h\n', formatRow: (row) => `${row.join(',')}\n` };

async function textOf(file: ReportFile): Promise<string[]> {
  const store = createMemoryStore({ nowMs: () => 0 });
  await file.put(store, 'file');
  await file.remove();
  return Buffer.from((await store.get('file')) ?? [])
    .toString()
    .trimEnd()
    .split('\n');
}

test('a sorted table is in the order of the UTF-8 bytes of its keys', async () => {
  const scratch = createTestScratch();
  const table = openSortedTableFile(scratch, 'a.csv', format);
  const count = 25_000;
  for (let i = 0; i < count; i += 1) {
    const key = `${(i * 7_919) % count}`.padStart(6, '0');
    await table.add(key, [key, i]);
  }
  for (const key of ['\u{1f680}', '\ufb00']) await table.add(key, [key, 0]);
  const file = await table.finish();
  expect(file.rows).toBe(count + 2);
  const lines = await textOf(file);
  expect(lines[0]).toBe('h');
  expect(lines.slice(1, 4)).toEqual([
    '000000,0',
    expect.stringMatching(/^000001,/),
    expect.stringMatching(/^000002,/),
  ]);
  expect(lines.slice(-2)).toEqual(['\ufb00,0', '\u{1f680},0']);
  expect(scratch.left()).toBe(0);
});

test('a sectioned table is in the order of its sections, and has no row of one that was not ended', async () => {
  const scratch = createTestScratch();
  const table = openSectionedTableFile(scratch, 'a.csv', format);
  const rows = (name: string) =>
    Array.from({ length: 20_000 }, (_, i) => [name, i, 'x'.repeat(10)]);
  await table.add('3', rows('c'));
  await table.endSection();
  await table.add('2', rows('lost'));
  await table.add('1', [['a', 1]]);
  await table.add('1', [['a', 2]]);
  await table.endSection();
  await table.add('4', [['lost', 1]]);
  const file = await table.finish();
  expect(file.rows).toBe(20_002);
  const lines = await textOf(file);
  expect(lines.slice(0, 4)).toEqual(['h', 'a,1', 'a,2', 'c,0,xxxxxxxxxx']);
  expect(lines).toHaveLength(20_003);
  expect(lines.some((line) => line.startsWith('lost'))).toBe(false);
  expect(scratch.left()).toBe(0);
});

test('a table without rows has its header', async () => {
  const scratch = createTestScratch();
  const sorted = await openSortedTableFile(scratch, 'a.csv', format).finish();
  const sectioned = await openSectionedTableFile(scratch, 'b.csv', format).finish();
  expect([await textOf(sorted), await textOf(sectioned)]).toEqual([['h'], ['h']]);
});
