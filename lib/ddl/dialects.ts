// Responsible for the list of dialects. To add one, add its file to this folder and its line here.

import { clickhouse } from './clickhouse.ts';
import type { Dialect } from './dialect.ts';
import { dli } from './dli.ts';
import { duckdb } from './duckdb.ts';
import { hive } from './hive.ts';
import { spark } from './spark.ts';
import { trino } from './trino.ts';

export const dialects: readonly Dialect[] = [duckdb, clickhouse, spark, dli, hive, trino];
