// Responsible for what a dialect of SQL must provide. One file implements it for each engine; dialects.ts lists them.

import type { LakeTable } from './lake-table.ts';

/** Where a store is, as its configuration says. */
export type StoreAddress =
  | {
      kind: 'file';
      /** Absolute, without `/` at the end. */
      path: string;
    }
  | {
      kind: 'obs';
      bucket: string;
      /** Without `/` at both ends; can be empty. */
      prefix: string;
      /** Of the object storage: `https://obs.<region>.myhuaweicloud.com`. */
      endpoint: string;
      /** Part of every signature. */
      region: string;
      pathStyle: boolean;
    };

export interface Statement {
  /** What it is for. Each line becomes a comment above the statement. Empty: no comment. */
  comment: string;
  /** Without a semicolon at the end. */
  sql: string;
}

/** The SQL of one table. */
export interface TableScript {
  /** Creates everything, in this order. All of them can run again, and then replace what is there. */
  create: readonly Statement[];
  /** Picks up new partitions and files. Empty: the engine finds them itself. */
  refresh: readonly Statement[];
  /** A query: the rows of the newest complete snapshot not later than `asOfExample`, of each region and project. */
  asOf: string;
}

export interface Dialect {
  /** As in `--engine`. */
  readonly engine: string;
  /** The name of the engine, and the versions that the tests ran the statements on. */
  readonly title: string;
  /** False: no test runs the statements, and the first line of the output is `-- not run`. */
  readonly isRun: boolean;
  /** The root of the store for this engine, unless `--location` names it. */
  locate(store: StoreAddress): string;
  /** Why the engine cannot read a store at this location, as the end of a sentence, for example because it cannot quote it. Null: it can. */
  findFault(root: string): string | null;
  /**
   * Lines of comments for the start: what the engine needs to read this location, such as credentials. Can be empty. A line that
   * starts with two spaces is for the engine as it is, but for what is in `<>` and `...`.
   * `store`: null if `--location` names another place.
   */
  explain(root: string, store: StoreAddress | null): readonly string[];
  /** Statements before the first table, such as settings of the session. */
  prepare(root: string): readonly Statement[];
  write(table: LakeTable): TableScript;
}

/** How a bucket is reached. `store` is not a bucket, or null: placeholders that the user replaces. */
export function readAccess(store: StoreAddress | null) {
  if (store?.kind === 'obs') return store;
  return { endpoint: '<endpoint>', region: '<region>', pathStyle: false };
}

/** The time in `TableScript.asOf`, in UTC: the user replaces it. */
export const asOfExample = '2026-11-24T12:00:00Z';
