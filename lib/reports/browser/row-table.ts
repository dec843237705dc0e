// Responsible for sorting, filtering and paging the rows of a list with the library @tanstack/table-core. It touches no element.

import {
  columnFilteringFeature,
  constructTable,
  createFilteredRowModel,
  createPaginatedRowModel,
  createSortedRowModel,
  globalFilteringFeature,
  rowPaginationFeature,
  rowSortingFeature,
  sortFn_basic,
  tableFeatures,
} from '@tanstack/table-core';
import { storeReactivityBindings } from '@tanstack/table-core/store-reactivity-bindings';
import { pageSizes, type RowColumn } from '../page/row-columns.ts';
import type { Language } from '../page/texts.ts';

const features = tableFeatures({
  coreReactivityFeature: storeReactivityBindings(),
  columnFilteringFeature,
  globalFilteringFeature,
  rowSortingFeature,
  rowPaginationFeature,
  filteredRowModel: createFilteredRowModel(),
  sortedRowModel: createSortedRowModel(),
  paginatedRowModel: createPaginatedRowModel(),
});

export interface RowFilter<Row> {
  text: string;
  matches(row: Row): boolean;
}

/** Each word of the text must be in what the row shows, in any language, or in its values. */
function createMatcher<Row>(columns: readonly RowColumn<Row>[]) {
  const known = new Map<Row, string>();
  const describe = (row: Row) => {
    const found = known.get(row);
    if (found !== undefined) return found;
    const text = columns
      .flatMap(({ cell, value }) => [
        ...(['en', 'zh'] satisfies Language[]).flatMap((language) => {
          const { main, detail = '' } = cell(row, language);
          return [main, detail];
        }),
        String(value(row) ?? ''),
      ])
      .join('\n')
      .toLowerCase();
    known.set(row, text);
    return text;
  };
  return (row: Row, { text, matches }: RowFilter<Row>) =>
    matches(row) &&
    text
      .toLowerCase()
      .split(/\s+/)
      .every((word) => describe(row).includes(word));
}

export function createRowTable<Row extends object>(
  rows: readonly Row[],
  columns: readonly RowColumn<Row>[],
) {
  const matches = createMatcher(columns);
  return constructTable({
    features,
    data: [...rows],
    columns: columns.map(({ name, value }) => ({
      id: name,
      accessorFn: value,
      sortFn: sortFn_basic,
      sortUndefined: 'last' as const,
      sortDescFirst: false,
      enableGlobalFilter: true,
    })),
    getColumnCanGlobalFilter: () => true,
    globalFilterFn: (row, _column, filter: RowFilter<Row>) => matches(row.original, filter),
    initialState: { pagination: { pageIndex: 0, pageSize: pageSizes[0] } },
  });
}

export type RowTable<Row extends object> = ReturnType<typeof createRowTable<Row>>;
