// Tests that Trino reads the Iceberg tables of the committer, from a REST catalog and with the settings of docs/lake.md, and answers
// like the oracle.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { pageOf } from '../docs/pages.ts';
import { createTempDir } from '../formats/readers.ts';
import { findWrongAnswer } from '../support/lake-answers.ts';
import { listQuestions } from '../support/lake-oracle.ts';
import type { Question } from '../support/lake-question.ts';
import { createLakeWorld, type LakeWorld, type ServedSnapshot } from '../support/lake-world.ts';
import { connectTo, createCatalog, readRow } from './trino-server.ts';

const root = join(import.meta.dirname, '../..');
const jars = join(root, 'coverage/lake-jars');
const temp = createTempDir();
const page = pageOf('docs/lake.md');
const table = 'container_nodes';
/** As in the statements of docs/lake.md. */
const place = { catalog: 'lake', schema: 'security' };
let world: LakeWorld;
let catalog: ChildProcess;

/** Starts the REST catalog of the committer's tests, and returns its address. */
async function startCatalog(): Promise<string> {
  // The jar for Spark has other classes of the same names.
  const names = readdirSync(jars).filter((name) => !name.startsWith('iceberg-spark'));
  const folder = temp.path('catalog');
  mkdirSync(folder);
  const program = join(root, 'lake/test/rest-catalog/RestCatalog.java');
  const paths = names.map((name) => join(jars, name)).join(':');
  catalog = spawn('java', ['-cp', paths, program, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const output = createInterface({ input: catalog.stdout as NodeJS.ReadableStream });
  const [port] = await once(output, 'line');
  return `http://127.0.0.1:${port}`;
}

function commit(uri: string): void {
  const store = temp.path('store');
  world.writeTo(store);
  const { status, stderr } = spawnSync(
    join(root, 'coverage/lake-python/bin/python'),
    [
      ...['-m', 'cgs_lake', 'commit', '--store', store],
      ...['--catalog', place.catalog, '--table', `${place.schema}.${table}`],
      ...['--property', 'type=rest', '--property', `uri=${uri}`],
    ],
    { encoding: 'utf8', env: { ...process.env, PYTHONPATH: join(root, 'lake') } },
  );
  expect(status, stderr).toBe(0);
}

/** The lines of the settings of the catalog on the page. */
function readSettings(uri: string): string[] {
  const block = page.blocks.find(({ info }) => info === 'ini')?.text ?? '';
  expect(block).toContain('iceberg.rest-catalog.uri=https://');
  return block
    .trim()
    .replace(/https:\S+/, uri)
    .split('\n');
}

beforeAll(async () => {
  world = await createLakeWorld();
  const uri = await startCatalog();
  commit(uri);
  await createCatalog(inject('trino'), place.catalog, readSettings(uri));
});
afterAll(async () => {
  if (catalog?.exitCode === null) {
    // It ends when its input ends.
    catalog.stdin?.end();
    await once(catalog, 'close');
  }
  temp.remove();
});

/** The questions about the snapshots that the committer registers, without stray files. */
function listCommitted(is: (one: ServedSnapshot) => boolean): Question[] {
  const snapshots = world.snapshots
    .filter((one) => one.target.table === table && one.verdict === 'complete' && is(one))
    .map((one) => ({ ...one, strays: 0 }));
  return listQuestions({ ...world, tables: [table], snapshots }, Date.now());
}

async function ask(question: Question) {
  const rows = await connectTo(inject('trino'), place)(question.sql);
  return findWrongAnswer(question, rows.map(readRow));
}

test('answers about the rows and the changes of all complete snapshots', async () => {
  // The tables have no partition keys of their own, and no views.
  const questions = listCommitted(() => true).filter(
    ({ sql }) => /"container_nodes(_changes)?"/.test(sql) && !/\b(dt|rgn|prj)\b/.test(sql),
  );
  expect(questions.map(({ name }) => name)).toEqual([
    'rows of each account, region and project',
    'instants',
    'sums and extremes',
    'nulls and empty strings',
    ...['an id of digits', 'an id that looks like a number', 'a name in Chinese'].map(
      (name) => `probe by ${name}`,
    ),
    'probe by an id with a character of four bytes',
    'the changes of each snapshot',
  ]);
  const wrong = [];
  for (const question of questions) wrong.push(await ask(question));
  expect(wrong.filter((one) => one !== null)).toEqual([]);
});

test('finds the rows of a project whose id is a number with zeros in front', async () => {
  const [counts] = listCommitted(() => true);
  const id = '00000000000000000000000000000123';
  const rows = (counts?.rows ?? []).filter((row) => row[2] === id);
  expect(rows).toHaveLength(1);
  const sql = counts?.sql.replace(' GROUP BY', ` WHERE project_id = '${id}' GROUP BY`) ?? '';
  expect(await ask({ ...(counts as Question), sql, rows })).toBeNull();
});

/** The statements of docs/lake.md that ask the tables, in its order. */
const [ofNow = '', ofThen = '', changes = '', coverage = '', check = ''] = page.blocks
  .filter(({ info, text }) => info === 'sql lake' && text.startsWith('SELECT'))
  .map(({ text }) => text.trim().replace(/;$/, ''));

/** The question of a name, about all snapshots of the store. */
function questionOf(name: string): Question {
  const asked = listQuestions(world, Date.now()).filter((one) => one.table === table);
  return asked.find((one) => one.name === name) as Question;
}

function dropCell(rows: Question['rows'], index: number) {
  return rows.map((row) => row.filter((_, at) => at !== index));
}

/** The unprotected nodes of a question since when nodes have their status, by region and time. */
function countUnprotected({ rows }: Question) {
  const totals = new Map<string, number>();
  for (const [region, , , since, , , unprotected] of rows) {
    if (unprotected === 0) continue;
    const key = JSON.stringify([region, since]);
    totals.set(key, (totals.get(key) ?? 0) + Number(unprotected));
  }
  return [...totals].map(([key, count]) => [...JSON.parse(key), count]);
}

test('has a row for each snapshot, also for a drifted or an empty one', async () => {
  expect(await ask(questionOf('the snapshots'))).toBeNull();
});

test('runs the statement of docs/lake.md for the unprotected nodes now', async () => {
  const newest = questionOf('since when rows of the newest complete snapshots have their status');
  const rows = countUnprotected(newest);
  expect(rows.length).toBeGreaterThan(3);
  const sql = `SELECT region, protect_status_since, count(*) FROM (${ofNow}) GROUP BY region, protect_status_since`;
  expect(await ask({ ...newest, sql, rows })).toBeNull();
});

test('runs the statement of docs/lake.md for a certain time', async () => {
  const asked = listQuestions(world, Date.now()).filter(
    (one) => one.table === table && one.asOf !== null,
  );
  expect(asked).toHaveLength(3);
  for (const question of asked) {
    const name = question.asOf?.replaceAll(/[-:]/g, '') ?? '';
    expect(ofThen).toContain('20261124T120000Z');
    const sql = question.sql.replace('{asOf}', ofThen.replace('20261124T120000Z', name));
    expect(await ask({ ...question, sql })).toBeNull();
  }
});

test('runs the statements of docs/lake.md for changes, coverage and missing rows', async () => {
  const changed = questionOf('the changes of each snapshot');
  const names = 'region, project_id, snapshot_at, change';
  const counts = `SELECT ${names}, count(*) FROM (${changes}) GROUP BY ${names}`;
  expect(await ask({ ...changed, sql: counts, rows: dropCell(changed.rows, 3) })).toBeNull();

  const covered = questionOf('what the snapshots cover');
  expect(await ask({ ...covered, sql: coverage, rows: dropCell(covered.rows, 4) })).toBeNull();

  const pruned = questionOf('the pruned snapshots');
  const missing = `SELECT region, project_id, snapshot FROM (${check})`;
  expect(await ask({ ...pruned, sql: missing })).toBeNull();
});

test('has the columns of all schema versions, and null where a file lacks one', async () => {
  const query = connectTo(inject('trino'), place);
  const described = await query(`DESCRIBE ${table}`);
  const types = described.map(([name, type]) => [name, type]);
  expect(types).toContainEqual(['snapshot_at', 'timestamp(6) with time zone']);
  expect(types).toContainEqual(['asset', 'integer']);
  expect(types).toContainEqual(['project_id', 'varchar']);
  const later = world.snapshots.filter(
    ({ target, version }) => target.table === table && version === 'later',
  );
  const found = await query(`SELECT count(*) FROM ${table} WHERE zone_2027 IS NOT NULL`);
  expect(found).toEqual([[later.reduce((sum, { records }) => sum + records.length, 0)]]);
});
