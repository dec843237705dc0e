// Measures query engines on a large store: three snapshots of each of four targets. Asks the questions of the oracle, which the
// answers must meet, with the SQL of `ddl`, and prints a Markdown table: how long each question takes in each engine.
// Run: npm run bench:lake [-- --nodes 100000 --rounds 3 --skip trino --races 100]. --skip leaves out an engine. --races: then
// lake/bench/race.py, which says how to continue after a stop. Exits with 1 if an answer is wrong, or if an engine or the races
// fail; the others are still measured. Progress is on stderr. Needs what CONTRIBUTING.md states for test:engines and test:trino.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clickhouse } from '../../lib/ddl/clickhouse.ts';
import type { Dialect } from '../../lib/ddl/dialect.ts';
import { duckdb } from '../../lib/ddl/duckdb.ts';
import { spark } from '../../lib/ddl/spark.ts';
import { trino } from '../../lib/ddl/trino.ts';
import { type Asked, askPython } from '../engines/python-engine.ts';
import { openSpark } from '../engines/spark-session.ts';
import { findWrongAnswer, readQuestion, writeLakeScript } from '../support/lake-answers.ts';
import { listQuestions } from '../support/lake-oracle.ts';
import type { Question } from '../support/lake-question.ts';
import type { Answer } from '../support/lake-truth.ts';
import { createLargeLakeWorld } from '../support/lake-world.ts';
import {
  connectTo,
  createCatalog,
  listHiveSettings,
  readRow,
  startTrino,
} from '../trino/trino-server.ts';

interface Engine {
  title: string;
  dialect: Dialect;
  /** What it writes around names. */
  quote: string;
  /** Runs the statements, then the queries. `scratch`: a folder for its own files. */
  ask(statements: readonly string[], queries: readonly string[], scratch: string): Promise<Asked[]>;
}

/** To add one, add its line. */
const engines: Record<string, Engine> = {
  duckdb: createPythonEngine('DuckDB', duckdb, 'duckdb'),
  chdb: createPythonEngine('ClickHouse', clickhouse, 'chdb'),
  spark: { title: 'Spark', dialect: spark, quote: '`', ask: askSpark },
  trino: { title: 'Trino', dialect: trino, quote: '"', ask: askTrino },
};

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    skip: { type: 'string', multiple: true, default: [] },
    races: { type: 'string', default: '0' },
  },
});
const [nodes, rounds, races] = [values.nodes, values.rounds, values.races].map(Number) as [
  number,
  number,
  number,
];
const unknown = values.skip.find((name) => !Object.hasOwn(engines, name));
if (unknown) throw new Error(`no engine ${unknown}: choose from ${Object.keys(engines)}`);
if (!(nodes >= 1000 && rounds >= 1 && races >= 0)) {
  throw new Error('--nodes is a number from 1000, --rounds from 1, --races from 0');
}

const repository = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-lake-'));
try {
  const picked = Object.entries(engines).filter(([name]) => !values.skip.includes(name));
  if (picked.length > 0) await measureEngines(picked);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (races > 0) await race(races);

function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** Says what failed, and lets the rest continue. */
function fail(what: string, error: unknown): void {
  say(`${what} FAILED: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function measureEngines(picked: readonly [string, Engine][]): Promise<void> {
  const world = await createLargeLakeWorld(nodes, (done, all) => {
    say(`sealed ${done} of ${all} snapshots of ${nodes} nodes`);
  });
  const store = join(folder, 'store');
  world.writeTo(store);
  const rows = world.snapshots.reduce((sum, { records }) => sum + records.length, 0);
  const questions = listQuestions(world, Date.now());
  const measured: { title: string; times: (number | null)[] }[] = [];
  for (const [name, engine] of picked) {
    say(`${name}: ${questions.length} questions, ${rounds} times`);
    try {
      measured.push(await measure(name, engine, { store, tables: world.tables, questions }));
    } catch (error) {
      fail(name, error);
    }
  }
  const line = (cells: readonly unknown[]) => console.log(`| ${cells.join(' | ')} |`);
  console.log(`${world.snapshots.length} snapshots, ${rows} rows; median of ${rounds}, ms\n`);
  line(['Question', ...measured.map(({ title }) => title)]);
  line(['---', ...measured.map(() => '---:')]);
  for (const [index, { name }] of questions.entries()) {
    line([name, ...measured.map(({ times }) => times[index]?.toLocaleString('en') ?? '')]);
  }
}

interface Task {
  store: string;
  tables: readonly string[];
  questions: readonly Question[];
}

/** Returns the engine with its version, and the milliseconds of each question; null: it cannot answer this one. */
async function measure(name: string, engine: Engine, { store, tables, questions }: Task) {
  const { dialect, quote } = engine;
  const script = writeLakeScript(dialect, tables, dialect.locate({ kind: 'file', path: store }));
  // The views of Trino do not show which snapshots are pruned.
  const asked = questions.filter((one) => !(one.needsTombstones && dialect === trino));
  const queries = asked.map((question) => readQuestion(question, script, quote));
  const scratch = join(folder, name);
  mkdirSync(scratch);
  const all = Array.from({ length: rounds }, () => queries).flat();
  const answers = await engine.ask(script.statements, [...all, 'SELECT version()'], scratch);
  const wrong = all
    .map((_, index) =>
      findWrongAnswer(asked[index % asked.length] as Question, answers[index]?.rows ?? []),
    )
    .filter((one) => one !== null);
  say(`${name}: ${all.length - wrong.length} of ${all.length} answers are right`);
  for (const one of wrong) fail(name, JSON.stringify(one));
  const version = /^\d+(\.\d+)*/.exec(String(answers.at(-1)?.rows[0]?.[0]).replace(/^v/, ''))?.[0];
  const times = questions.map((question) => {
    const place = asked.indexOf(question);
    if (place < 0) return null;
    const found = answers
      .filter((_, index) => index < all.length && index % asked.length === place)
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
    return found[Math.floor(found.length / 2)] ?? null;
  });
  return { title: `${engine.title} ${version}`, times };
}

function createPythonEngine(title: string, dialect: Dialect, engine: string): Engine {
  const ask = async (statements: readonly string[], queries: readonly string[]) =>
    askPython(engine, statements, queries);
  return { title, dialect, quote: '"', ask };
}

async function askAll(queries: readonly string[], run: (sql: string) => Promise<Answer[][]>) {
  const answers: Asked[] = [];
  for (const sql of queries) {
    const startMs = performance.now();
    const rows = await run(sql);
    answers.push({ rows, ms: Math.round(performance.now() - startMs) });
    if (answers.length % 10 === 0) say(`${answers.length} of ${queries.length} queries`);
  }
  return answers;
}

async function askSpark(
  statements: readonly string[],
  queries: readonly string[],
  scratch: string,
): Promise<Asked[]> {
  const session = openSpark('hive', scratch, { size: 'large' });
  try {
    for (const statement of statements) await session.run(statement);
    return await askAll(queries, async (sql) => (await session.run(sql)) as Answer[][]);
  } finally {
    await session.close();
  }
}

async function askTrino(
  statements: readonly string[],
  queries: readonly string[],
  scratch: string,
): Promise<Asked[]> {
  await run('test/trino/install.sh', []);
  const { address, close } = await startTrino(scratch, 'large');
  try {
    const more = ['fs.native-local.enabled=true', 'local.location=/'];
    const settings = [...more, 'hive.recursive-directories=true'];
    await createCatalog(address, 'hive', listHiveSettings(join(scratch, 'metastore'), settings));
    const ask = connectTo(address, { catalog: 'hive', schema: 'lake' });
    for (const statement of ['CREATE SCHEMA hive.lake', ...statements]) await ask(statement);
    return await askAll(queries, async (sql) => (await ask(sql)).map(readRow));
  } finally {
    await close();
  }
}

async function race(count: number): Promise<void> {
  const python = join(repository, 'coverage/lake-python/bin/python');
  say(`${count} races of committers`);
  try {
    await run('lake/test/run.sh', ['install']);
    await run(python, ['lake/bench/race.py', '--races', String(count)]);
  } catch (error) {
    fail('the races', error);
    say(
      `continue: ${python} lake/bench/race.py --snapshots 0 --races ${count} --first <next race>`,
    );
  }
}

/** Runs a program of the repository. Shows its output. Throws Error if it fails. */
async function run(program: string, options: readonly string[]): Promise<void> {
  const child = spawn(program, options, {
    cwd: repository,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}
