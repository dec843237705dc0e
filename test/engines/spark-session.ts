// Responsible for a Spark session for tests, in a process of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface SparkSession {
  /** Times are ISO 8601 in UTC with milliseconds. Throws Error with the message of Spark. */
  run(sql: string): Promise<unknown[][]>;
  close(): Promise<void>;
}

/**
 * `catalog`: `hive` keeps tables and views in a metastore in `folder`, for the next session; with `in-memory` they end with it.
 * `settings`: NAME=VALUE. `size`: what it is tuned for.
 */
export function openSpark(
  catalog: 'hive' | 'in-memory',
  folder: string,
  {
    settings = [],
    env,
    size = 'small',
  }: { settings?: readonly string[]; env?: Record<string, string>; size?: 'small' | 'large' } = {},
): SparkSession {
  const python = join(import.meta.dirname, '../../coverage/python/bin/python');
  const script = join(import.meta.dirname, 'spark_session.py');
  const child = spawn(python, [script, catalog, folder, size, ...settings], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let messages = '';
  child.stderr.on('data', (data) => {
    messages = `${messages}${data}`.slice(-10_000);
  });
  const ended = once(child, 'close');
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async run(sql) {
      child.stdin.write(`${JSON.stringify(sql)}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(`Spark ended: ${messages}`);
      const answer: { rows: unknown[][] } | { error: string } = JSON.parse(value);
      if ('error' in answer) throw new Error(`${sql}\n${answer.error}`);
      return answer.rows;
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
