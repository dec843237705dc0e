// Responsible for what the queries of the views `<table>_snapshots` and `<table>_coverage` have in common in every dialect.

import { coverageColumns, type LakeTable, snapshotColumns } from './lake-table.ts';
import { wrap } from './sql-layout.ts';

/** Quotes a name as the dialect does. */
type QuoteName = (name: string) => string;

/**
 * The columns of `<table>_snapshots`, a line each. `sources`: the expression of a column; null: the view lacks it; absent: a column
 * with its name.
 */
export function listColumns(
  table: LakeTable,
  sources: Readonly<Record<string, string | null>>,
  quoteName: QuoteName,
): string[] {
  const columns = snapshotColumns(table).flatMap((name) => {
    const source = sources[name];
    if (source === null) return [];
    return [source === undefined ? quoteName(name) : `${source} AS ${quoteName(name)}`];
  });
  return columns.map((column, index) => `  ${column}${index < columns.length - 1 ? ',' : ''}`);
}

/** Selects one row a snapshot. */
export function selectCoverage(table: LakeTable, quoteName: QuoteName): string {
  const columns = coverageColumns(table).map(({ name, from }) =>
    name === from ? quoteName(name) : `${quoteName(from)} AS ${quoteName(name)}`,
  );
  return ['SELECT', ...wrap(columns), `FROM ${quoteName(`${table.table}_snapshots`)}`].join('\n');
}
