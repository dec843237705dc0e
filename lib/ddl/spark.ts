// Responsible for the SQL of Spark: tables on the files of the store and permanent views. Without a Hive metastore, tables and views
// end with the session.

import { type Dialect, readAccess, type StoreAddress } from './dialect.ts';
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
  explain(root, store) {
    const lines = [
      'Replaces the tables and views with these names in the current database. The files of the store stay as they are.',
      'With a metastore (Hive support) the tables and views are there in the next session too.',
    ];
    if (root.startsWith('file:')) return lines;
    return [...lines, ...explainAccess(root, store)];
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

/** Source of the settings of `obs`: "Interconnecting Spark with OBS", help pages of OBS, 2025. */
function explainAccess(root: string, store: StoreAddress | null): string[] {
  const { endpoint, region, pathStyle } = readAccess(store);
  if (root.startsWith('s3a:')) {
    return [
      'Spark needs the jar hadoop-aws, the AWS SDK for it, and these settings:',
      `  spark.hadoop.fs.s3a.endpoint ${endpoint}`,
      `  spark.hadoop.fs.s3a.endpoint.region ${region}`,
      `  spark.hadoop.fs.s3a.path.style.access ${pathStyle}`,
      'It takes the key from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment of the driver and the executors.',
    ];
  }
  return [
    'Spark needs a client for this location, and the key that may read the bucket. For obs:// this is the jar hadoop-huaweicloud,',
    'with these settings (not run by the tests). For the S3 client print the SQL with --location s3a://<bucket>/<prefix>.',
    '  spark.hadoop.fs.obs.impl org.apache.hadoop.fs.obs.OBSFileSystem',
    `  spark.hadoop.fs.obs.endpoint ${endpoint.replace(/^https?:\/\//, '')}`,
    '  spark.hadoop.fs.obs.access.key <access key>',
    '  spark.hadoop.fs.obs.secret.key <secret key>',
  ];
}
