// Responsible for asking an engine that runs in Python, in a process of its own.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Answer } from '../support/lake-truth.ts';

export interface Asked {
  rows: Answer[][];
  ms: number;
}

/**
 * Runs the statements twice, then the queries. `engine`: as ask.py names it. `database`: of chdb; absent: a new one. Throws Error if
 * a statement or a query fails.
 */
export function askPython(
  engine: string,
  statements: readonly string[],
  queries: readonly string[],
  { env, database }: { env?: Record<string, string>; database?: string } = {},
): Asked[] {
  const python = join(import.meta.dirname, '../../coverage/python/bin/python');
  const ended = spawnSync(python, [join(import.meta.dirname, 'ask.py'), engine], {
    ...{ input: JSON.stringify({ statements, queries, database }), encoding: 'utf8' },
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 28,
  });
  if (ended.status !== 0) throw new Error(ended.stderr);
  const answers: (Asked | { rows: { error: string } })[] = JSON.parse(ended.stdout);
  return answers.map((answer, index) => {
    if (Array.isArray(answer.rows)) return answer as Asked;
    throw new Error(`${queries[index]}\n${answer.rows.error}`);
  });
}
