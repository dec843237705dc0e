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
    'sums and extremes',
    'nulls and empty strings',
    'instants',
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

/** The rows that docs/lake.md counts as unprotected, by region and time, among those of a question since when nodes are so. */
function countUnprotected({ rows }: Question) {
  const totals = new Map<string, number>();
  for (const [region, , , since, count] of rows) {
    const key = JSON.stringify([region, since]);
    totals.set(key, (totals.get(key) ?? 0) + Number(count));
  }
  return [...totals].map(([key, count]) => [...JSON.parse(key), count]);
}

test('runs the statement of docs/lake.md for the unprotected nodes now, and at a certain time', async () => {
  const statement = page.blocks.find(({ text }) => text.includes('rank() OVER'))?.text ?? '';
  const ofNow = statement.trim().replace(/;$/, '');
  const [example = ''] = /snapshot_at <= TIMESTAMP '2[^']*'/.exec(page.lines.join('\n')) ?? [];
  const ofThen = ofNow
    .replace(/snapshot_at < current.* DAY/, example)
    .replace(/2026-11-24 12:00:00/, '2026-01-05 13:00:00');
  expect(ofThen).toContain("snapshot_at <= TIMESTAMP '2026-01-05 13:00:00");
  const thenMs = Date.UTC(2026, 0, 5, 13);
  for (const [asked, latestMs] of [
    [ofNow, Number.POSITIVE_INFINITY],
    [ofThen, thenMs],
  ] as const) {
    // The page says it: an empty snapshot has no rows, so it is not the newest.
    const newest = listCommitted(
      ({ records, timeMs }) => records.length > 0 && timeMs <= latestMs,
    ).find(({ name }) => name.startsWith('since when')) as Question;
    const rows = countUnprotected(newest);
    expect(rows.length).toBeGreaterThan(3);
    const sql = `SELECT region, protect_status_since, count(*) FROM (${asked}) GROUP BY region, protect_status_since`;
    expect(await ask({ ...newest, sql, rows })).toBeNull();
  }
});

test('has the columns of all schema versions, and null where a file lacks one', async () => {
  const query = connectTo(inject('trino'), place);
  const described = await query(`DESCRIBE ${table}`);
  const types = described.map(([name, type]) => [name, type]);
  expect(types).toContainEqual(['snapshot_at', 'timestamp(6) with time zone']);
  expect(types).toContainEqual(['asset', 'integer']);
  expect(types).toContainEqual(['project_id', 'varchar']);
  const later = world.snapshots.filter(({ version }) => version === 'later');
  const found = await query(`SELECT count(*) FROM ${table} WHERE zone_2027 IS NOT NULL`);
  expect(found).toEqual([[later.reduce((sum, { records }) => sum + records.length, 0)]]);
});
