// Tests that DuckDB, ClickHouse and Spark read a bucket with the SQL of `ddl` and the settings that it names, on the real store that
// test/support/rgw.sh started. They find the bucket in the path of an address and, as on OBS, in its host.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTempDir } from '../formats/readers.ts';
import { findWrongAnswer, readQuestion } from '../support/lake-answers.ts';
import { listQuestions } from '../support/lake-oracle.ts';
import type { Answer } from '../support/lake-truth.ts';
import { createLakeWorld, datasetOfTable, type LakeWorld } from '../support/lake-world.ts';
import { createBucket, openStore, rgw } from '../support/rgw.ts';
import { askPython } from './python-engine.ts';
import { openSpark } from './spark-session.ts';

const root = join(import.meta.dirname, '../..');
const temp = createTempDir();
/** With what an address must encode. */
const prefix = 'my lake/100%é';
let world: LakeWorld;
let bucket: string;
beforeAll(async () => {
  world = await createLakeWorld();
  const folder = temp.path('lake');
  world.writeTo(folder);
  bucket = await createBucket();
  const store = openStore(bucket, { prefix });
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    const key = path.slice(folder.length + 1);
    await store.put(key, readFileSync(path), { durability: 'acknowledged' });
  }
  store.close();
});
afterAll(() => temp.remove());

interface Printed {
  statements: string[];
  /** With comments. */
  text: string;
}

const hostUrl = rgw.url.replace('http://127.0.0.1', 'https://s3.localhost');
/** Hosts like <bucket>.s3.localhost have no address: programs that use the gateway as a proxy do not look it up. */
const throughGateway = { http_proxy: rgw.url };

/**
 * Runs the built command with a configuration file, which names no key. The configuration accepts http only for an address of this
 * host, so for the name of a host it has https, and the result http.
 */
function printDdl(engine: string, isPathStyle: boolean, ...options: string[]): Printed {
  const config = temp.path(`${engine}-${isPathStyle}.yml`);
  // Only the hss API lists clusters.
  const api = 'api: hss, endpoint: "https://hss.cn-south-4.myhuaweicloud.com"';
  const targets = world.tables.map((table) => {
    const datasets = `datasets: [${datasetOfTable(table).name}]`;
    return `{ region: cn-south-4, projectId: "${'0'.repeat(32)}", table: ${table}, ${api}, ${datasets} }`;
  });
  const lines = [
    `store: ${JSON.stringify(`obs://${bucket}/${prefix}`)}`,
    `obs: { endpoint: "${isPathStyle ? rgw.url : hostUrl}", pathStyle: ${isPathStyle} }`,
    `accounts: [{ name: prod, targets: [${targets.join(', ')}] }]`,
  ];
  writeFileSync(config, lines.join('\n'));
  const args = ['ddl', '--engine', engine, '--config', config, '--json', ...options];
  const { ak, sk } = rgw.key;
  const out = execFileSync(process.execPath, [join(root, 'dist/cli.js'), ...args], {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    env: { PATH: process.env.PATH, HUAWEICLOUD_SDK_AK: ak, HUAWEICLOUD_SDK_SK: sk },
  });
  expect(out).not.toContain(ak);
  expect(out).not.toContain(sk);
  const { statements, sql } = JSON.parse(out.replaceAll('https://', 'http://'));
  return { statements, text: sql };
}

/** The lines of the first comment that are for the engine, with the key in place of what the user must replace. */
function readSettings({ text }: Printed): string[] {
  const [comment = ''] = text.split('\n\n');
  return [...comment.matchAll(/^-- {3}(.*)$/gm)].map(([, line = '']) =>
    line
      .replace('<access key>', rgw.key.ak)
      .replace('<secret key>', rgw.key.sk)
      .replace('<access_key_id>...', `<access_key_id>${rgw.key.ak}`)
      .replace('<secret_access_key>...', `<secret_access_key>${rgw.key.sk}`),
  );
}

function listWrongAnswers(found: readonly { rows: Answer[][] }[]) {
  const wrong = listQuestions(world, Date.now()).map((question, q) =>
    findWrongAnswer(question, found[q]?.rows ?? []),
  );
  return wrong.filter((one) => one !== null);
}

function listQueries(printed: Printed): string[] {
  return listQuestions(world, Date.now()).map((question) => readQuestion(question, printed));
}

describe.each([
  ['path', true],
  ['host', false],
])('with the bucket in the %s', (_place, isPathStyle) => {
  test('DuckDB answers all questions', () => {
    const printed = printDdl('duckdb', isPathStyle);
    const packages = join(root, 'coverage/duckdb-s3');
    const folder = join(packages, 'duckdb_extension_httpfs/extensions');
    const [name = ''] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.duckdb_extension'),
    );
    const [install, secret = ''] = readSettings(printed);
    expect(install).toBe('INSTALL httpfs; LOAD httpfs;');
    const plain = isPathStyle ? secret : secret.replace(/\);$/, ', USE_SSL false);');
    const statements = [`LOAD '${join(folder, name)}'`, plain, ...printed.statements];
    const env = { PYTHONPATH: packages };
    const found = askPython('duckdb', statements, listQueries(printed), { env });
    expect(listWrongAnswers(found)).toEqual([]);
  });

  test('ClickHouse answers all questions', () => {
    const printed = printDdl('clickhouse', isPathStyle);
    const config = temp.path('clickhouse.xml');
    writeFileSync(config, readSettings(printed).join('\n'));
    const database = `${temp.path(`clickhouse-${isPathStyle}`)}?config-file=${config}`;
    const env = isPathStyle ? {} : throughGateway;
    const queries = listQueries(printed);
    const found = askPython('chdb', printed.statements, queries, { env, database });
    expect(listWrongAnswers(found)).toEqual([]);
  });
});

test('Spark reads the bucket with the S3 client of Hadoop', async () => {
  const [table = ''] = world.tables;
  const location = `s3a://${bucket}/${prefix}`;
  const printed = printDdl('spark', false, '--location', location, '--table', table);
  const { hostname, port } = new URL(rgw.url);
  const settings = [
    ...readSettings(printed).map((line) => line.replace(' ', '=')),
    `spark.hadoop.fs.s3a.proxy.host=${hostname}`,
    `spark.hadoop.fs.s3a.proxy.port=${port}`,
    `spark.driver.extraClassPath=${join(root, 'coverage/s3-jars/*')}`,
  ];
  const env = { AWS_ACCESS_KEY_ID: rgw.key.ak, AWS_SECRET_ACCESS_KEY: rgw.key.sk };
  const spark = openSpark('in-memory', temp.path('spark'), { settings, env });
  try {
    for (const statement of printed.statements) await spark.run(statement);
    // Each one takes a second. These read all tables and views.
    const names = /^(?:nulls|the newest|what|the changes|the pruned|as of .*T13)/;
    const asked = listQuestions(world, Date.now()).filter(
      (one) => one.table === table && names.test(one.name),
    );
    expect(asked).toHaveLength(6);
    for (const question of asked) {
      const rows = await spark.run(readQuestion(question, printed, '`'));
      expect(findWrongAnswer(question, rows as Answer[][])).toBeNull();
    }
  } finally {
    await spark.close();
  }
});
