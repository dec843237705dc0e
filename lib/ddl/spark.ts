// Responsible for the SQL of Spark: tables on the files of the store and permanent views. Without a Hive metastore, tables and views
// end with the session.

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

const partitionSetting = 'spark.sql.hive.manageFilesourcePartitions';

export const spark: Dialect = {
  engine: 'spark',
  title: 'Spark (run on 3.5.9)',
  isRun: true,
  locate: locateForSpark,
  findFault: findSparkFault,
  explain(root) {
    const lines = [
      'Replaces the tables and views with these names in the current database. The files of the store stay as they are.',
      'With a metastore (Hive support) the tables and views are there in the next session too.',
    ];
    if (root.startsWith('file:')) return lines;
    return [
      ...lines,
      'Spark needs the file system of this location and the key that may read the bucket: for obs:// the jar',
      'hadoop-huaweicloud, for another S3 client print the SQL with --location s3a://<bucket>/<prefix>.',
    ];
  },
  prepare: () => [],
  write(table) {
    return {
      create: [
        {
          comment:
            'For the tables that are created now, Spark finds the partitions in the store itself: no MSCK REPAIR TABLE.',
          sql: `SET ${partitionSetting}=false`,
        },
        // Otherwise the metastore creates the folder of the changes in the store, if there is none.
        ...createDataTables(table, ["skipHiveMetadata 'true'"]),
        { comment: '', sql: `RESET ${partitionSetting}` },
        ...createJsonTables(table, ["recursiveFileLookup 'true'", "pathGlobFilter '*.json'"]),
        ...createViews(table),
      ],
      refresh: refreshTables(table),
      asOf: selectAsOf(table),
    };
  },
};
