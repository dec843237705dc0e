// Responsible for what a question to a query engine is, and for pieces of SQL that all engines understand.

import type { Answer } from './lake-truth.ts';

export interface Question {
  name: string;
  table: string;
  /**
   * Identifiers with a case or a reserved word are in double quotes. `{asOf}` stands for the query as of the time `asOf`, which is in
   * the script of `ddl`.
   */
  sql: string;
  asOf: string | null;
  /** True: only for an engine that can see which snapshots are pruned. */
  needsTombstones: boolean;
  /** True: has times of which an engine that shows microseconds can say no more than that they are numbers. */
  needsTimes: boolean;
  /** In any order. */
  rows: Answer[][];
}

export type Asked = Pick<Question, 'name' | 'sql' | 'rows'> & Partial<Question>;

export const count = 'count(*)';
export const countIf = (condition: string) => `sum(CASE WHEN ${condition} THEN 1 ELSE 0 END)`;
