// Responsible for the SQL of DLI (Data Lake Insight), a service of Huawei Cloud that runs Spark.
// Source: Spark SQL Syntax Reference of DLI, "Creating an OBS Table Using the DataSource Syntax" and "MSCK REPAIR TABLE", 2025.

import type { Dialect } from './dialect.ts';
import {
  createDataTables,
  createJsonTables,
  createViews,
  findSparkFault,
  locateForSpark,
  refreshTables,
  selectAsOf,
} from './spark-sql.ts';

export const dli: Dialect = {
  engine: 'dli',
  title: 'DLI on a queue with Spark 3.3.1 or later',
  isRun: false,
  locate: locateForSpark,
  findFault: findSparkFault,
  explain: (root) => [
    'The tests run these statements on Spark 3.5.9, not on DLI.',
    'Replaces the tables and views with these names in the current database. The files of the store stay as they are.',
    ...(root.startsWith('obs://')
      ? []
      : ['DLI reads only OBS: print the SQL with --location obs://<bucket>/<prefix>.']),
  ],
  prepare: () => [],
  write(table) {
    const [refreshRows, refreshChanges, ...refreshJson] = refreshTables(table);
    const options = ["recursiveFileLookup 'true'", "multiLevelDirEnable 'true'"];
    return {
      create: [
        ...createDataTables(table, []),
        ...createJsonTables(table, [...options, "pathGlobFilter '*.json'"]),
        ...createViews(table),
      ],
      refresh: [
        {
          comment: 'New partitions and files: run these.',
          sql: `MSCK REPAIR TABLE \`${table.table}\``,
        },
        ...[refreshRows, ...refreshJson].flatMap((one) => (one ? [{ ...one, comment: '' }] : [])),
        {
          comment:
            'This one can fail while the store has no changes, because they then have no folder.',
          sql: `MSCK REPAIR TABLE \`${table.table}_changes\``,
        },
        ...(refreshChanges ? [refreshChanges] : []),
      ],
      asOf: selectAsOf(table),
    };
  },
};
