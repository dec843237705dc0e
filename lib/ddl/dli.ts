// Responsible for the SQL of DLI (Data Lake Insight), a service of Huawei Cloud that runs Spark.
// Source: Spark SQL Syntax Reference of DLI, "Creating an OBS Table Using the DataSource Syntax" and "MSCK REPAIR TABLE", 2025.

import type { Dialect } from './dialect.ts';
import {
  createDataTables,
  createJsonTables,
  createViews,
  findSparkFault,
  refreshTables,
  selectAsOf,
} from './spark-sql.ts';

export const dli: Dialect = {
  engine: 'dli',
  title: 'DLI on a queue with Spark 3.3.1 or later',
  isRun: false,
  locate(store) {
    if (store.kind === 'file') return `file://${store.path}`;
    return ['obs:/', store.bucket, ...(store.prefix === '' ? [] : [store.prefix])].join('/');
  },
  findFault(root) {
    if (!root.startsWith('obs://')) return 'DLI reads only OBS, as in obs://bucket/prefix';
    return findSparkFault(root);
  },
  explain: () => [
    'The same statements run in the tests on Spark 3.5.9, but for MSCK REPAIR TABLE and multiLevelDirEnable.',
    'Replaces the tables and views with these names in the current database. The files of the store stay as they are.',
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
