// Tests that Trino runs the SQL of `ddl` as it is, with the settings that it states, and answers like the oracle.

import { cpSync, readdirSync } from 'node:fs';
import { DuckDBInstance, DuckDBTimestampTZValue } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { duckdb } from '../../lib/ddl/duckdb.ts';
import { trino } from '../../lib/ddl/trino.ts';
import { pageOf } from '../docs/pages.ts';
import { createTempDir } from '../formats/readers.ts';
import { clusterQuestions, writeClusterLake } from '../support/cluster-lake.ts';
import { findWrongAnswer, readQuestion, writeLakeScript } from '../support/lake-answers.ts';
import { listQuestions } from '../support/lake-oracle.ts';
import { toAnswer } from '../support/lake-truth.ts';
import { clustersTable, createLakeWorld, type LakeWorld } from '../support/lake-world.ts';
import { connectTo, createCatalog, listHiveSettings, readRow } from './trino-server.ts';

const temp = createTempDir();
/** A name that SQL and patterns must quote. */
const lake = temp.path("it's a lake_50%");
let world: LakeWorld;

function scriptOf(folder: string, tables: readonly string[] = world.tables) {
  return writeLakeScript(trino, tables, trino.locate({ kind: 'file', path: folder }));
}

beforeAll(async () => {
  world = await createLakeWorld();
  world.writeTo(lake);
  const stated = scriptOf(lake).text.matchAll(/^-- {3}([a-z0-9.-]+=\S+)$/gm);
  const lines = [...stated].map(([, line = '']) => line);
  await createCatalog(inject('trino'), 'hive', listHiveSettings(temp.path('metastore'), lines));
});
afterAll(() => temp.remove());

const query = (sql: string, schema: string) =>
  connectTo(inject('trino'), { catalog: 'hive', schema })(sql);

async function run(statements: readonly string[], schema: string): Promise<void> {
  await query(`CREATE SCHEMA IF NOT EXISTS hive.${schema}`, schema);
  for (const statement of statements) await query(statement, schema);
}

/** The answers of all questions that differ. */
async function findWrongAnswers(schema: string) {
  const script = scriptOf(lake);
  const wrong = [];
  for (const question of listQuestions(world, Date.now())) {
    if (question.needsTombstones) continue;
    const rows = await query(readQuestion(question, script), schema);
    const found = rows.map(readRow);
    wrong.push(findWrongAnswer(question, found));
  }
  expect(wrong.length).toBeGreaterThan(30);
  return wrong.filter((one) => one !== null);
}

const listFolder = (folder: string) => readdirSync(folder, { recursive: true }).sort();

test('answers all questions after the script has run twice, and changes nothing in the store', async () => {
  const before = listFolder(lake);
  const { statements } = scriptOf(lake);
  await run([...statements, ...statements], 'lake');
  expect(await findWrongAnswers('lake')).toEqual([]);
  expect(listFolder(lake)).toEqual(before);
});

test('returns for the statements of docs/query.md the rows of DuckDB in their order', async () => {
  const blocks = pageOf('docs/query.md').blocks.filter(({ info }) =>
    /^sql (?:question|clusters)=/.test(info),
  );
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(writeLakeScript(duckdb, world.tables, lake).text);
  // DuckDB for Node.js leaves out U+FEFF at the start of a text.
  const toText = (rows: readonly unknown[][]) =>
    rows.map((row) => JSON.stringify(row).replaceAll('\uFEFF', ''));
  for (const { text } of blocks) {
    const found = await connection.runAndReadAll(withoutPruned(text));
    const expected = found.getRows().map((row) =>
      row.map((cell) => {
        if (cell instanceof DuckDBTimestampTZValue) {
          return new Date(Number(cell.micros / 1000n)).toISOString();
        }
        return typeof cell === 'bigint' ? toAnswer(cell) : cell;
      }),
    );
    const rows = await query(withoutPruned(text).replace(/;$/, ''), 'lake');
    expect(toText(rows.map(readRow)), text).toEqual(toText(expected));
  }
  expect(blocks.length).toBeGreaterThan(8);
  connection.closeSync();
  instance.closeSync();
});

/** As docs/query.md says for an engine that does not see tombstones. */
function withoutPruned(query: string): string {
  return query
    .replace('WHERE NOT s.is_pruned AND', 'WHERE')
    .replace('snapshot, is_pruned', 'snapshot');
}

test('declares each column, and partition keys as text', async () => {
  const described = await query('DESCRIBE container_nodes', 'lake');
  const types = described.map(([name, type]) => [name, type]);
  for (const key of ['dt', 'rgn', 'prj']) expect(types).toContainEqual([key, 'varchar']);
  expect(types).toContainEqual(['snapshot_at', 'timestamp(6) with time zone']);
  expect(types).toContainEqual(['asset', 'integer']);
  expect(types).not.toContainEqual(['zone_2027', 'varchar']);
});

test('sees the first changes and new partitions after the last statements of the script', async () => {
  const grown = temp.path('grown');
  const isLater = /dt=2026-01-0[67]|_changes|\/2026010[67]T|\/2099/;
  cpSync(lake, grown, { recursive: true, filter: (path) => !isLater.test(path) });
  const { statements } = scriptOf(grown, ['container_nodes']);
  await run(statements, 'grown');
  const counts = (schema: string) =>
    query(
      'SELECT (SELECT count(*) FROM container_nodes), (SELECT count(*) FROM container_nodes_changes), (SELECT count(*) FROM container_nodes_snapshots)',
      schema,
    );
  const [before] = await counts('grown');
  expect(before?.[1]).toBe(0);
  cpSync(lake, grown, { recursive: true });
  await run(
    statements.filter((statement) => statement.startsWith('CALL')),
    'grown',
  );
  expect(await counts('grown')).toEqual(await counts('lake'));
  expect(await counts('grown')).not.toEqual([before]);
});

test('reads clusters with times and numbers at their limits, and ignores objects that are not manifests', async () => {
  const folder = temp.path('clusters');
  await writeClusterLake(folder);
  await run(writeLakeScript(trino, [clustersTable], `local://${folder}`).statements, 'clusters');
  for (const { sql, rows } of clusterQuestions) {
    expect(await query(sql, 'clusters')).toEqual(rows);
  }
});

test('says which folder is missing, for a table without snapshots', async () => {
  await expect(run(scriptOf(lake, ['nodes']).statements, 'unused')).rejects.toThrow(
    /External location must be a directory: .*\/nodes/,
  );
});
