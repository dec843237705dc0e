// Measures query engines on a large store: three snapshots of each of four targets. Asks the questions of the oracle, which the
// answers must meet, and prints how long each question takes in each engine, in milliseconds.
// Run: npm run bench:lake [-- --nodes 100000 --engine duckdb --engine chdb]. Exits with 1 if an answer is wrong.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clickhouse } from '../../lib/ddl/clickhouse.ts';
import type { Dialect } from '../../lib/ddl/dialect.ts';
import { duckdb } from '../../lib/ddl/duckdb.ts';
import { type Asked, askPython } from '../engines/python-engine.ts';
import { findWrongAnswer, readQuestion, writeNodesScript } from '../support/lake-answers.ts';
import { listQuestions, type Question } from '../support/lake-oracle.ts';
import { createLargeLakeWorld } from '../support/lake-world.ts';

interface Engine {
  dialect: Dialect;
  /** Runs the statements, then the queries. */
  ask(statements: readonly string[], queries: readonly string[]): Asked[];
}

/** To add one, add its line. */
const engines: Record<string, Engine> = {
  duckdb: { dialect: duckdb, ask: (...task) => askPython('duckdb', ...task) },
  chdb: { dialect: clickhouse, ask: (...task) => askPython('chdb', ...task) },
};

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100000' },
    engine: { type: 'string', multiple: true, default: Object.keys(engines) },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-lake-'));
try {
  const world = await createLargeLakeWorld(Number(values.nodes));
  world.writeTo(folder);
  const questions = listQuestions(world, Date.now());
  const rows = world.snapshots.reduce((sum, { records }) => sum + records.length, 0);
  console.log(`${world.snapshots.length} snapshots, ${rows} rows`);
  const times = values.engine.map(
    (name) => [name, measure(name, world.tables, questions)] as const,
  );
  console.log(`\n| Question | ${times.map(([name]) => `${name}, ms`).join(' | ')} |`);
  console.log(`| --- | ${times.map(() => '---:').join(' | ')} |`);
  for (const [index, { name }] of questions.entries()) {
    console.log(`| ${name} | ${times.map(([, ms]) => ms[index]).join(' | ')} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Returns the milliseconds of each question. Sets the exit code if an answer is wrong. */
function measure(name: string, tables: readonly string[], questions: readonly Question[]) {
  const engine = engines[name];
  if (!engine) throw new Error(`no engine ${name}: choose one of ${Object.keys(engines)}`);
  const script = writeNodesScript(engine.dialect, tables, folder);
  const queries = questions.map((question) => readQuestion(question, script));
  const answers = engine.ask(script.statements, queries);
  const wrong = questions
    .map((question, index) => findWrongAnswer(question, answers[index]?.rows ?? []))
    .filter((one) => one !== null);
  console.log(
    `${name}: ${questions.length - wrong.length} of ${questions.length} answers are right`,
  );
  for (const one of wrong) console.log(one);
  if (wrong.length > 0) process.exitCode = 1;
  return answers.map(({ ms }) => ms);
}
