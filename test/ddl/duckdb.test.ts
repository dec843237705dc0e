// Tests that DuckDB runs the SQL of `ddl` as it is and answers like the oracle, in new sessions and as the store grows.

import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, DuckDBTimestampTZValue } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { duckdb } from '../../lib/ddl/duckdb.ts';
import type { Script } from '../../lib/ddl/script.ts';
import { pageOf } from '../docs/pages.ts';
import { createTempDir } from '../formats/readers.ts';
import { findWrongAnswer, readQuestion, writeLakeScript } from '../support/lake-answers.ts';
import { listQuestions } from '../support/lake-oracle.ts';
import {
  type Answer,
  countOf,
  findNewest,
  type TrueSnapshot,
  targetOf,
  tellTruth,
  toAnswer,
} from '../support/lake-truth.ts';
import { createLakeWorld, type LakeWorld, reservedTable } from '../support/lake-world.ts';

const temp = createTempDir();
/** What SQL and patterns of file names give a meaning. */
const lake = temp.path("it's a [lake]* ?");
let world: LakeWorld;
let script: Script;
beforeAll(async () => {
  world = await createLakeWorld();
  world.writeTo(lake);
  script = writeLakeScript(duckdb, world.tables, lake);
});
afterAll(() => temp.remove());

/** Runs `work` in a session of its own. The zone is not UTC, so that a local time causes a difference. */
async function inSession<T>(
  database: string,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const instance = await DuckDBInstance.create(database, { threads: '2' });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'Asia/Shanghai'");
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function read(connection: DuckDBConnection, sql: string): Promise<Answer[][]> {
  const result = await connection.runAndReadAll(sql);
  return result.getRows().map((row) =>
    row.map((cell) => {
      if (cell instanceof DuckDBTimestampTZValue) {
        return new Date(Number(cell.micros / 1000n)).toISOString();
      }
      return typeof cell === 'bigint' ? toAnswer(cell) : (cell as Answer);
    }),
  );
}

async function findWrongAnswers(connection: DuckDBConnection, asked = script) {
  const wrong = [];
  for (const question of listQuestions(world, Date.now())) {
    const found = await read(connection, readQuestion(question, asked));
    wrong.push(findWrongAnswer(question, found));
  }
  return wrong.filter((one) => one !== null);
}

describe('DuckDB', () => {
  test('answers all questions, and the same after the script has run again', async () => {
    await inSession(':memory:', async (connection) => {
      await connection.run(script.text);
      expect(await findWrongAnswers(connection)).toEqual([]);
      for (const statement of script.statements) await connection.run(statement);
      expect(await findWrongAnswers(connection)).toEqual([]);
    });
  });

  test('answers in a new session on the same database file', async () => {
    const database = temp.path('lake.duckdb');
    await inSession(database, (connection) => connection.run(script.text));
    await inSession(database, async (connection) => {
      expect(await findWrongAnswers(connection)).toEqual([]);
    });
  });

  test('declares each column, and partition keys as text', async () => {
    const types = await inSession(':memory:', async (connection) => {
      await connection.run(script.text);
      return read(connection, 'SELECT column_name, column_type FROM (DESCRIBE container_nodes)');
    });
    expect(types.slice(-4)).toEqual([
      ['extra', 'VARCHAR'],
      ['dt', 'VARCHAR'],
      ['rgn', 'VARCHAR'],
      ['prj', 'VARCHAR'],
    ]);
    expect(types).toContainEqual(['snapshot_at', 'TIMESTAMP WITH TIME ZONE']);
    expect(types).toContainEqual(['asset', 'INTEGER']);
    expect(types).not.toContainEqual(['zone_2027', expect.anything()]);
  });

  test('finds the first changes and new snapshots without running anything again', async () => {
    const grown = temp.path('grown');
    world.writeTo(grown);
    const later = temp.path('later');
    // As the store was before: without the newest day, and without changes.
    mkdirSync(later);
    const isLater = (path: string) => /dt=2026-01-0[67]|_changes|\/2026010[67]T|\/2099/.test(path);
    const moved = listFiles(grown).filter(isLater);
    for (const path of moved) {
      cpSync(join(grown, path), join(later, path));
      rmSync(join(grown, path));
    }
    // DuckDB creates views of a table only if it has rows.
    const earlier = world.tables.filter((table) => table !== reservedTable);
    await inSession(temp.path('grown.duckdb'), async (connection) => {
      await connection.run(writeLakeScript(duckdb, earlier, grown).text);
      expect(await read(connection, 'SELECT count(*) FROM container_nodes_changes')).toEqual([[0]]);
      expect(await read(connection, 'SELECT count(*) FROM container_nodes_coverage')).not.toEqual([
        [0],
      ]);
      cpSync(later, grown, { recursive: true });
      const asked = writeLakeScript(duckdb, world.tables, grown);
      await connection.run(writeLakeScript(duckdb, [reservedTable], grown).text);
      expect(await findWrongAnswers(connection, asked)).toEqual([]);
    });
  });

  test('docs/query.md: changes and days leave a future snapshot out, and a day without one causes no drop', async () => {
    const all = tellTruth(world).filter(({ served }) => served.target.table === 'container_nodes');
    const present = all.filter(({ served }) => served.timeMs < Date.now());
    const countChanges = (list: readonly TrueSnapshot[]) =>
      list.reduce((sum, { changes }) => sum + (changes?.length ?? 0), 0);
    expect(countChanges(all)).toBeGreaterThan(countChanges(present));
    const complete = present.filter(({ served }) => served.verdict === 'complete');
    const trend = [...new Set(complete.map(dayOf))].sort().map((day): Answer[] => {
      const end = Date.parse(`${day.replace(/(....)(..)/, '$1-$2-')}T23:59:59Z`);
      const newest = findNewest(all, end);
      const rows = newest.flatMap((one) => one.rows);
      const unprotected = countOf(rows, (row) => row.protect_status !== 'opened');
      const offline = countOf(rows, (row) => row.agent_status === 'offline');
      return [day, newest.length, rows.length, unprotected, offline];
    });
    const idOf = (one: TrueSnapshot, day: string) =>
      JSON.stringify([one.served.target.account, ...targetOf(one), day]);
    const covered = new Set(complete.map((one) => idOf(one, dayOf(one))));
    const without = [...new Set(present.map(dayOf))].flatMap((day) =>
      present.filter((one) => dayOf(one) <= day).map((one) => idOf(one, day)),
    );
    await inSession(':memory:', async (connection) => {
      await connection.run(script.text);
      const ask = (name: string) => {
        const { blocks } = pageOf('docs/query.md');
        const block = blocks.find(({ info }) => info === `sql question=${name}`);
        return read(connection, block?.text ?? '');
      };
      expect(await ask('changes')).toHaveLength(countChanges(present));
      expect(await ask('last-changes')).toHaveLength(countChanges(findNewest(all, Date.now())));
      expect(await ask('trend')).toEqual(trend);
      const days = (await ask('days-without')).map((row) => JSON.stringify(row));
      expect(days.length).toBeGreaterThan(3);
      expect(days.sort()).toEqual([...new Set(without)].filter((id) => !covered.has(id)).sort());
    });
  });

  test('opens only the files that a condition on the partition keys leaves', async () => {
    const [[, plan = '']] = (await inSession(':memory:', async (connection) => {
      await connection.run(script.text);
      return read(
        connection,
        "EXPLAIN ANALYZE SELECT count(host_name) FROM container_nodes WHERE dt = '2026-01-07'",
      );
    })) as [string[]];
    // One file of each of the three targets with a snapshot on that day.
    expect(plan).toMatch(/Total Files Read:\s*3\b/);
  });

  test('cannot create views of a table without snapshots', async () => {
    await inSession(':memory:', async (connection) => {
      const run = connection.run(writeLakeScript(duckdb, ['nodes'], lake).text);
      await expect(run).rejects.toThrow('No files found');
    });
  });

  test('refuses a location with a backslash, which it would read as another path', () => {
    expect(duckdb.findFault('/data/a\\b')).not.toBeNull();
    expect(duckdb.findFault(lake)).toBeNull();
  });
});

describe('a bucket', () => {
  const store = {
    ...({ kind: 'obs', bucket: 'lake', prefix: 'cgs' } as const),
    ...{ endpoint: 'https://obs.cn-south-4.myhuaweicloud.com', region: 'cn-south-4' },
    pathStyle: false,
  };

  test('is read by its s3:// address, with a secret that the user creates', () => {
    expect(duckdb.locate(store)).toBe('s3://lake/cgs');
    expect(duckdb.locate({ ...store, prefix: '' })).toBe('s3://lake');
  });

  test('names all that the secret needs, and no other bucket uses it', () => {
    const secret = (one: typeof store | null) => duckdb.explain('s3://lake/cgs', one).at(-1);
    const start = `  CREATE OR REPLACE SECRET "lake" (TYPE s3, SCOPE 's3://lake/', KEY_ID '<access key>', SECRET '<secret key>'`;
    expect(secret(store)).toBe(
      `${start}, REGION 'cn-south-4', ENDPOINT 'obs.cn-south-4.myhuaweicloud.com', URL_STYLE 'vhost');`,
    );
    expect(secret({ ...store, endpoint: 'http://127.0.0.1:7480', pathStyle: true })).toBe(
      `${start}, REGION 'cn-south-4', ENDPOINT '127.0.0.1:7480', URL_STYLE 'path', USE_SSL false);`,
    );
    expect(secret(null)).toBe(
      `${start}, REGION '<region>', ENDPOINT '<endpoint>', URL_STYLE 'vhost');`,
    );
  });

  test('with a quote in its prefix is refused: DuckDB finds none of its files', () => {
    expect(duckdb.findFault("s3://lake/it's")).not.toBeNull();
    expect(duckdb.findFault("/it's")).toBeNull();
  });
});

const dayOf = ({ snapshot }: TrueSnapshot) => snapshot.slice(0, 8);

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));
}
