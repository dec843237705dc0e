// Responsible for the query behind the coverage of a table, which is the same in every dialect.

import { coverageColumns, type LakeTable } from './lake-table.ts';
import { wrap } from './sql-layout.ts';

/** One row a snapshot. `quoteName`: quotes a name as the dialect does. */
export function selectCoverage(table: LakeTable, quoteName: (name: string) => string): string {
  const columns = coverageColumns(table).map(({ name, from }) =>
    name === from ? quoteName(name) : `${quoteName(from)} AS ${quoteName(name)}`,
  );
  return ['SELECT', ...wrap(columns), `FROM ${quoteName(`${table.table}_snapshots`)}`].join('\n');
}
