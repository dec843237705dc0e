// Responsible for the list of dialects. To add one, add its file to this folder and its line here.

import { clickhouse } from './clickhouse.ts';
import type { Dialect } from './dialect.ts';
import { duckdb } from './duckdb.ts';

export const dialects: readonly Dialect[] = [duckdb, clickhouse];
