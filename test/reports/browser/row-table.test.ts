// Tests sorting, filtering and paging of the lists, without a browser.

import { expect, test } from 'vitest';
import { createRowTable } from '../../../lib/reports/browser/row-table.ts';
import { rowColumns } from '../../../lib/reports/page/row-columns.ts';
import { makeFigures } from '../seeded-figures.ts';

const rows = makeFigures({ seed: 7 }).nodes.shown;
const open = () => createRowTable(rows, rowColumns.nodes);
const shownIds = (table: ReturnType<typeof open>) =>
  table.getRowModel().rows.map(({ original }) => original.hostId);
const all = { matches: () => true };

test('shows the first page in the order of the report', () => {
  const table = open();
  expect(shownIds(table)).toEqual(rows.slice(0, 20).map(({ hostId }) => hostId));
  expect(table.getPageCount()).toBe(Math.ceil(rows.length / 20));
});

test('sorts all rows, those without a value last, and back to the order of the report', () => {
  const table = open();
  table.setPageSize(rows.length);
  const column = table.getColumn('offlineSince');
  const read = () =>
    table.getRowModel().rows.map(({ original }) => original.offline?.since ?? undefined);
  const known = rows.flatMap(({ offline }) => offline?.since ?? []).sort();
  const empty = Array.from({ length: rows.length - known.length }, () => undefined);
  expect(empty.length).toBeGreaterThan(0);
  column?.toggleSorting();
  expect(read()).toEqual([...known, ...empty]);
  column?.toggleSorting();
  expect(read()).toEqual([...known.reverse(), ...empty]);
  column?.toggleSorting();
  expect(shownIds(table)).toEqual(rows.map(({ hostId }) => hostId));
});

test('each word of the filter must be in the row, in any language and case', () => {
  const table = open();
  table.setPageSize(rows.length);
  table.setGlobalFilter({ ...all, text: 'STAGING cn-south-4  离线' });
  const expected = rows.filter(
    ({ account, region, agentStatus }) =>
      account === 'staging' && region === 'cn-south-4' && agentStatus === 'offline',
  );
  expect(expected.length).toBeGreaterThan(0);
  expect(shownIds(table)).toEqual(expected.map(({ hostId }) => hostId));
  table.setGlobalFilter({ ...all, text: rows[30]?.hostId ?? '' });
  expect(shownIds(table)).toEqual([rows[30]?.hostId]);
  table.setGlobalFilter({ ...all, text: 'no such node' });
  expect(shownIds(table)).toEqual([]);
});

test('a choice and pages work together', () => {
  const table = open();
  table.setGlobalFilter({
    text: '',
    matches: ({ offline }: (typeof rows)[number]) => offline === null,
  });
  const expected = rows.filter(({ offline }) => offline === null);
  expect(table.getFilteredRowModel().rows).toHaveLength(expected.length);
  table.lastPage();
  expect(shownIds(table).at(-1)).toBe(expected.at(-1)?.hostId);
  expect(table.getCanNextPage()).toBe(false);
});
