// Tests that ClickHouse and DuckDB from PyPI run the SQL of `ddl` as it is and answer like the oracle.

import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clickhouse } from '../../lib/ddl/clickhouse.ts';
import type { Dialect } from '../../lib/ddl/dialect.ts';
import { duckdb } from '../../lib/ddl/duckdb.ts';
import { pageOf } from '../docs/pages.ts';
import { createTempDir } from '../formats/readers.ts';
import { clusterQuestions, writeClusterLake } from '../support/cluster-lake.ts';
import { findWrongAnswer, readQuestion, writeLakeScript } from '../support/lake-answers.ts';
import { listQuestions } from '../support/lake-oracle.ts';
import { clustersTable, createLakeWorld, type LakeWorld } from '../support/lake-world.ts';
import { askPython } from './python-engine.ts';

const temp = createTempDir();
const lake = temp.path("it's a [lake]");
let world: LakeWorld;
beforeAll(async () => {
  world = await createLakeWorld();
  world.writeTo(lake);
});
afterAll(() => temp.remove());

const engines: [string, Dialect][] = [
  ['chdb', clickhouse],
  ['duckdb', duckdb],
];

describe.each(engines)('%s', (engine, dialect) => {
  test('answers all questions', () => {
    const script = writeLakeScript(dialect, world.tables, lake);
    const questions = listQuestions(world, Date.now());
    const queries = questions.map((question) => readQuestion(question, script));
    const answers = askPython(engine, script.statements, queries);
    const wrong = questions.map((question, q) => findWrongAnswer(question, answers[q]?.rows ?? []));
    expect(wrong.filter((one) => one !== null)).toEqual([]);
  });

  test('reads clusters with times and numbers at their limits, and ignores objects that are not manifests', async () => {
    const folder = temp.path(`clusters-${engine}`);
    await writeClusterLake(folder);
    const { statements } = writeLakeScript(dialect, [clustersTable], folder);
    const queries = clusterQuestions.map(({ sql }) => sql);
    const answers = askPython(engine, statements, queries);
    expect(answers.map(({ rows }) => rows)).toEqual(clusterQuestions.map(({ rows }) => rows));
  });

  test('shows no changes if there is no part with changes', () => {
    const unchanged = temp.path(`unchanged-${engine}`);
    cpSync(lake, unchanged, { recursive: true });
    rmSync(join(unchanged, 'container_nodes_changes'), { recursive: true });
    const { statements } = writeLakeScript(dialect, world.tables, unchanged);
    const count = (table: string) => `SELECT count(*) FROM ${table}`;
    const [changes, snapshots] = askPython(engine, statements, [
      count('container_nodes_changes'),
      count('container_nodes_snapshots'),
    ]);
    expect([changes?.rows, snapshots?.rows]).toEqual([[[0]], [[16]]]);
  });
});

test('the statements of docs/query.md return the same rows in the same order in both', () => {
  const blocks = pageOf('docs/query.md').blocks.filter(({ info }) =>
    /^sql (?:question|clusters)=/.test(info),
  );
  expect(blocks.length).toBeGreaterThan(8);
  const queries = blocks.map(({ text }) => text.replace(/;$/, ''));
  const [one, other] = engines.map(([engine, dialect]) => {
    const { statements } = writeLakeScript(dialect, world.tables, lake);
    return askPython(engine, statements, queries).map(({ rows }) => rows);
  });
  expect(one).toEqual(other);
  // One snapshot has a copy of its rows, so that all find something.
  expect(one?.map((rows) => rows.length > 0)).toEqual(blocks.map(() => true));
});

test('ClickHouse joins a row without a match as null with the setting that docs/query.md names', () => {
  const { statements } = writeLakeScript(clickhouse, world.tables, lake);
  const query = (end: string) =>
    `SELECT * FROM (SELECT c.account FROM (SELECT 'x' AS region) AS asked LEFT JOIN container_nodes_coverage AS c ON c.region = asked.region ${end})`;
  const answers = askPython('chdb', statements, [query(''), query('SETTINGS join_use_nulls = 1')]);
  expect(answers.map(({ rows }) => rows)).toEqual([[['']], [[null]]]);
});

test('ClickHouse creates the views of a table without snapshots, and they are empty', () => {
  const { statements } = writeLakeScript(clickhouse, ['nodes'], lake);
  const names = ['', '_changes', '_snapshots', '_latest', '_coverage'];
  const queries = names.map((suffix) => `SELECT count(*) FROM nodes${suffix}`);
  const answers = askPython('chdb', statements, queries);
  expect(answers.map(({ rows }) => rows)).toEqual(names.map(() => [[0]]));
});
