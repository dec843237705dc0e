// Tests that Spark runs the SQL of `ddl` as it is and answers like the oracle, and so do the statements for DLI and Hive in Spark.

import { cpSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dialect } from '../../lib/ddl/dialect.ts';
import { dli } from '../../lib/ddl/dli.ts';
import { duckdb } from '../../lib/ddl/duckdb.ts';
import { hive } from '../../lib/ddl/hive.ts';
import { spark } from '../../lib/ddl/spark.ts';
import { pageOf } from '../docs/pages.ts';
import { createTempDir } from '../formats/readers.ts';
import { clusterQuestions, writeClusterLake } from '../support/cluster-lake.ts';
import { findWrongAnswer, readQuestion, writeLakeScript } from '../support/lake-answers.ts';
import { listQuestions } from '../support/lake-oracle.ts';
import type { Answer } from '../support/lake-truth.ts';
import {
  clustersTable,
  createLakeWorld,
  type LakeWorld,
  reservedTable,
} from '../support/lake-world.ts';
import { askPython } from './python-engine.ts';
import { openSpark, type SparkSession } from './spark-session.ts';

const temp = createTempDir();
/** A name that SQL must quote. */
const lake = temp.path("it's a lake");
const metastore = temp.path('metastore');
let world: LakeWorld;
let session: SparkSession;
beforeAll(async () => {
  world = await createLakeWorld();
  world.writeTo(lake);
  session = openSpark('hive', metastore);
});
afterAll(async () => {
  await session.close();
  temp.remove();
});

const scriptOf = (dialect: Dialect, folder = lake, tables = world.tables) =>
  writeLakeScript(dialect, tables, dialect.locate({ kind: 'file', path: folder }));

interface Asking {
  dialect: Dialect;
  /** Default: all. */
  tables?: readonly string[];
  /** Asks each question whose number is a multiple of it. */
  step?: number;
  /** Changes a query before it runs. */
  sql?: (sql: string) => string;
  cell?: (cell: unknown) => unknown;
}

/** The answers that differ. */
async function findWrongAnswers(
  spoken: SparkSession,
  {
    dialect,
    tables = world.tables,
    step = 1,
    sql = (text) => text,
    cell = (value) => value,
  }: Asking,
) {
  const script = scriptOf(dialect, lake, tables);
  const wrong = [];
  for (const [index, question] of listQuestions(world, Date.now()).entries()) {
    if (index % step !== 0) continue;
    if ((question.needsTombstones || question.needsTimes) && dialect === hive) continue;
    if (!tables.includes(question.table)) continue;
    const rows = await spoken.run(sql(readQuestion(question, script, '`')));
    wrong.push(
      findWrongAnswer(
        question,
        rows.map((row) => row.map(cell) as Answer[]),
      ),
    );
  }
  const fewest = tables.map((table) => (table === clustersTable ? 12 : 15));
  expect(wrong.length).toBeGreaterThan(fewest.reduce((sum, one) => sum + one, 0) / step);
  return wrong.filter((one) => one !== null);
}

/** A second set of views that read the same files. */
const some = { tables: [reservedTable], step: 4 };

function listFolder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

/** Runs the statements in a database of their own, so that they find no tables of others. */
async function useDatabase(name: string): Promise<void> {
  await session.run(`CREATE DATABASE IF NOT EXISTS ${name}`);
  await session.run(`USE ${name}`);
}

describe('Spark', () => {
  test('answers all questions after the script has run twice, and changes nothing in the store', async () => {
    const before = listFolder(lake);
    const { statements } = scriptOf(spark);
    for (const statement of [...statements, ...statements]) await session.run(statement);
    expect(await findWrongAnswers(session, { dialect: spark })).toEqual([]);
    expect(listFolder(lake)).toEqual(before);
  });

  test('answers in a new session on the same metastore', async () => {
    await session.close();
    session = openSpark('hive', metastore);
    expect(await findWrongAnswers(session, { dialect: spark, ...some })).toEqual([]);
  });

  test('returns for the statements of docs/query.md the rows of DuckDB in their order', async () => {
    const blocks = pageOf('docs/query.md').blocks.filter(({ info }) =>
      /^sql (?:question|clusters)=/.test(info),
    );
    const queries = blocks.map(({ text }) => text.replace(/;$/, ''));
    const { statements } = writeLakeScript(duckdb, world.tables, lake);
    const expected = askPython('duckdb', statements, queries);
    for (const [q, query] of queries.entries()) {
      expect(await session.run(query), query).toEqual(expected[q]?.rows);
    }
  });

  test('declares each column, and partition keys as text', async () => {
    const types = await session.run('DESCRIBE container_nodes');
    for (const key of ['dt', 'rgn', 'prj']) expect(types).toContainEqual([key, 'string', null]);
    expect(types).toContainEqual(['snapshot_at', 'timestamp', null]);
    expect(types).toContainEqual(['asset', 'int', null]);
    expect(types).not.toContainEqual(['zone_2027', 'string', null]);
  });

  test('sees the first changes and new partitions after the last statements of the script', async () => {
    await useDatabase('grown');
    const grown = temp.path('grown');
    const isLater = /dt=2026-01-0[67]|_changes|\/2026010[67]T|\/2099/;
    cpSync(lake, grown, { recursive: true, filter: (path) => !isLater.test(path) });
    const [table = ''] = world.tables;
    const script = scriptOf(spark, grown, [table]);
    for (const statement of script.statements) await session.run(statement);
    const counts = () =>
      session.run(
        'SELECT (SELECT count(*) FROM container_nodes), (SELECT count(*) FROM container_nodes_changes), (SELECT count(*) FROM container_nodes_snapshots)',
      );
    const [[rows, changes, snapshots]] = (await counts()) as [number[]];
    expect([rows, changes, snapshots]).toEqual([expect.any(Number), 0, expect.any(Number)]);
    cpSync(lake, grown, { recursive: true });
    const refresh = script.statements.filter((statement) => statement.startsWith('REFRESH'));
    for (const statement of refresh) await session.run(statement);
    const expected = await session.run(
      'SELECT (SELECT count(*) FROM default.container_nodes), (SELECT count(*) FROM default.container_nodes_changes), (SELECT count(*) FROM default.container_nodes_snapshots)',
    );
    expect(await counts()).toEqual(expected);
    expect(expected).not.toEqual([[rows, changes, snapshots]]);
  });

  test('makes empty tables and views of a table without snapshots', async () => {
    await useDatabase('unused');
    const { statements } = scriptOf(spark, lake, ['nodes']);
    for (const statement of statements) await session.run(statement);
    for (const suffix of ['', '_changes', '_snapshots', '_latest', '_coverage']) {
      expect(await session.run(`SELECT count(*) FROM nodes${suffix}`)).toEqual([[0]]);
    }
  });

  test('reads clusters with times and numbers at their limits, and ignores objects that are not manifests', async () => {
    await useDatabase('clusters');
    const folder = temp.path('clusters');
    await writeClusterLake(folder);
    // With it, more functions fail instead of returning null.
    await session.run('SET spark.sql.ansi.enabled=true');
    try {
      const { statements } = writeLakeScript(spark, [clustersTable], `file://${folder}`);
      for (const statement of statements) await session.run(statement);
      for (const { sql, rows } of clusterQuestions) {
        expect(await session.run(sql.replaceAll('"', '`'))).toEqual(rows);
      }
    } finally {
      await session.run('RESET spark.sql.ansi.enabled');
    }
  });

  test('answers without a metastore too', async () => {
    const alone = openSpark('in-memory', temp.path('alone'));
    try {
      const { statements } = scriptOf(spark, lake, some.tables);
      for (const statement of statements) await alone.run(statement);
      expect(await findWrongAnswers(alone, { dialect: spark, ...some })).toEqual([]);
    } finally {
      await alone.close();
    }
  });

  test('refuses a location with a character that it takes for a pattern', () => {
    expect(spark.findFault('file:///data/[a]')).toContain('"["');
    expect(spark.findFault(`file://${lake}`)).toBeNull();
  });
});

test('the statements for DLI answer questions in Spark', async () => {
  await useDatabase('dli');
  // The metastore creates a missing folder, so it gets a copy.
  const copy = temp.path('copy for DLI');
  cpSync(lake, copy, { recursive: true });
  const tables = ['container_nodes'];
  for (const statement of scriptOf(dli, copy, tables).statements) await session.run(statement);
  expect(await findWrongAnswers(session, { dialect: dli, ...some, tables })).toEqual([]);
});

test('the statements for Hive answer all questions in Spark with the metastore and readers of Hive', async () => {
  await useDatabase('hive');
  // Otherwise Spark reads the files itself, not with the classes of Hive.
  await session.run('SET spark.sql.hive.convertMetastoreParquet=false');
  const copy = temp.path('copy for Hive');
  cpSync(lake, copy, { recursive: true });
  // Spark does not know this name of the virtual column.
  const sql = (text: string) => text.replaceAll('INPUT__FILE__NAME', 'input_file_name()');
  const nodeTables = world.tables.filter((table) => table !== clustersTable);
  const { statements } = scriptOf(hive, copy, nodeTables);
  for (const statement of [...statements, ...statements]) await session.run(sql(statement));
  const cell = (value: unknown) =>
    typeof value === 'number' && value > 1e15 ? new Date(value / 1000).toISOString() : value;
  const asked = { dialect: hive, sql, cell };
  expect(await findWrongAnswers(session, { ...asked, tables: nodeTables })).toEqual([]);
  const clusters = [clustersTable];
  for (const statement of scriptOf(hive, copy, clusters).statements)
    await session.run(sql(statement));
  expect(await findWrongAnswers(session, { ...asked, tables: clusters, step: 2 })).toEqual([]);
});
