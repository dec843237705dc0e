// Tests the command `ddl`: which tables, the location, and that stdout is SQL which DuckDB runs.

import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { dialects } from '../../lib/ddl/dialects.ts';
import { openDuck } from '../formats/readers.ts';
import { writeLakeScript } from '../support/lake-answers.ts';
import { clustersTable, createLakeWorld, type LakeWorld } from '../support/lake-world.ts';
import { call, createFolder } from './test-runtime.ts';

let world: LakeWorld;
beforeAll(async () => {
  world = await createLakeWorld();
});

function createLake(name = 'lake'): string {
  const cwd = createFolder();
  world.writeTo(join(cwd, name));
  return cwd;
}

function writeConfig(cwd: string, store: string, tables = ['container_nodes']): void {
  const targets = tables.map((table) => ({ region: 'cn-south-4', projectId: 'p1', table }));
  const credentials = { ak: 'DDLKEYEXAMPLE', sk: 'ddl-secret-example' };
  const account = { name: 'prod', credentials, targets };
  writeFileSync(join(cwd, 'cgs-export.yml'), JSON.stringify({ store, accounts: [account] }));
}

const ddl = (cwd: string, ...args: string[]) =>
  call(['ddl', '--engine', 'duckdb', ...args], { cwd });

describe('with --store', () => {
  test('prints only SQL, for all stored tables, which DuckDB runs without an edit', async () => {
    const cwd = createLake("it's here");
    const { code, runtime } = await ddl(cwd, '--store', "file:./it's here");
    expect([code, runtime.err()]).toEqual([0, '']);
    const duck = await openDuck();
    try {
      await duck.query(runtime.out());
      const [[nodes], [order]] = [
        await duck.query('SELECT DISTINCT region FROM container_nodes_latest ORDER BY 1 DESC'),
        await duck.query('SELECT count(*) FROM order_snapshots'),
      ] as [[unknown[]], [unknown[]]];
      expect([nodes, order]).toEqual([['cn-south-4'], [1]]);
    } finally {
      duck.close();
    }
  });

  test('--json: engine, location, tables and statements', async () => {
    const cwd = createLake();
    const args = ['--store', 'file:./lake', '--table', 'order'];
    const { code, runtime } = await ddl(cwd, ...args, '--json');
    expect(code).toBe(0);
    const { sql, statements, ...rest } = runtime.json();
    expect(rest).toEqual({
      ...{ status: 'printed', engine: 'duckdb', location: join(cwd, 'lake') },
      ...{ tables: ['order'], errors: [] },
    });
    expect(statements).toHaveLength(6);
    expect((await ddl(cwd, ...args)).runtime.out()).toBe(sql);
  });

  test.each(dialects)('$engine: each table has the columns of its dataset', async (dialect) => {
    const cwd = createLake();
    const args = ['ddl', '--engine', dialect.engine, '--store', 'file:./lake', '--json'];
    const { statements } = (await call(args, { cwd })).runtime.json();
    const root = dialect.locate({ kind: 'file', path: join(cwd, 'lake') });
    const tables = [...world.tables].sort();
    expect(tables).toContain(clustersTable);
    expect(statements).toEqual(writeLakeScript(dialect, tables, root).statements);
  });

  test.each([
    [['--store', 'file:./lake', '--table', 'pods'], 'has no snapshot of a table "pods"'],
    [['--store', 'file:./other'], 'does not exist'],
    [['--store', 'file:.'], 'there is no snapshot'],
    [['--store', 'file:./lake', '--location', '/a\\b'], 'cannot be used: DuckDB'],
    [['--store', 'file:./lake', '--location', '/a\tb'], 'control character'],
    [['--store', 'file:./lake', '--location', 'obs://lake/cgs'], 'cannot be used: DuckDB'],
  ])('%j is an error that says what to do', async (args, message) => {
    const { code, runtime } = await ddl(createLake(), ...args, '--json');
    const [error] = runtime.json().errors as { code: string; message: string; hint: string }[];
    expect([code, error?.code]).toEqual([2, 'CONFIG']);
    expect(error?.message).toContain(message);
    expect(error?.hint).not.toBe('');
  });

  test('an engine that does not exist is an error with the list of engines', async () => {
    const { code, runtime } = await call(['ddl', '--engine', 'oracle', '--store', 'file:./lake']);
    expect(code).toBe(2);
    expect(runtime.err()).toContain('Allowed choices are duckdb,');
  });
});

describe('with a configuration file', () => {
  test('prints the tables of the configuration, also those without a snapshot', async () => {
    const cwd = createLake();
    writeConfig(cwd, 'file:./lake', ['container_nodes', 'pods']);
    const { code, runtime } = await ddl(cwd, '--json');
    expect(code).toBe(0);
    expect(runtime.json().tables).toEqual(['container_nodes', 'pods']);
    const { runtime: picked } = await ddl(cwd, '--json', '--table', 'pods');
    expect(picked.json().tables).toEqual(['pods']);
    expect((await ddl(cwd, '--table', 'order')).code).toBe(2);
  });

  test('a folder that does not exist is an error, unless --location names another place', async () => {
    const cwd = createFolder();
    writeConfig(cwd, 'file:./lake');
    const { code, runtime } = await ddl(cwd, '--json');
    expect([code, JSON.stringify(runtime.json())]).toEqual([
      2,
      expect.stringContaining('does not exist'),
    ]);
    expect((await ddl(cwd, '--location', '/data/lake')).code).toBe(0);
  });

  test('a bucket: its address for the engine, and no key', async () => {
    const cwd = createFolder();
    writeConfig(cwd, 'obs://audit-lake/cgs');
    const { code, runtime } = await ddl(cwd);
    expect(code).toBe(0);
    expect(runtime.out()).toContain("read_json('s3://audit-lake/cgs/_manifests/");
    expect(runtime.out()).toContain("ENDPOINT 'obs.cn-south-4.myhuaweicloud.com'");
    expect(runtime.out()).not.toMatch(/DDLKEY|ddl-secret/);
  });

  test('a bucket by another scheme keeps its endpoint, and another bucket has none', async () => {
    const cwd = createFolder();
    writeConfig(cwd, 'obs://audit-lake/cgs');
    const explain = async (location: string) => {
      const { runtime } = await call(['ddl', '--engine', 'spark', '--location', location], { cwd });
      return runtime.out();
    };
    expect(await explain('s3a://audit-lake/cgs/')).toContain('fs.s3a.endpoint https://obs.cn-sou');
    expect(await explain('s3a://audit-lake/other')).toContain('fs.s3a.endpoint <endpoint>');
  });
});

describe('--location', () => {
  test('a host after file:// is refused, as in the setting store', async () => {
    const { code, runtime } = await ddl(
      createLake(),
      ...['--store', 'file:./lake', '--location', 'file://host/lake', '--json'],
    );
    expect(code).toBe(2);
    expect(JSON.stringify(runtime.json())).toContain('names a host after file://');
  });

  test.each([
    ['./copy', 'copy'],
    ['file:./copy/', 'copy'],
    ['copy', 'copy'],
  ])('%s is a folder, from the working directory', async (location, name) => {
    const cwd = createLake();
    symlinkSync(join(cwd, 'lake'), join(cwd, 'copy'));
    const args = ['--store', 'file:./lake', '--location', location, '--json'];
    expect((await ddl(cwd, ...args)).runtime.json().location).toBe(join(cwd, name));
  });

  test.each([
    ['s3://other/cgs/', 's3://other/cgs'],
    ['file:///data/lake', '/data/lake'],
    ['file:/data/lake', '/data/lake'],
    ['/data/lake/', '/data/lake'],
  ])('%s is used as %s', async (location, root) => {
    const args = ['--store', 'file:./lake', '--location', location, '--json'];
    expect((await ddl(createLake(), ...args)).runtime.json().location).toBe(root);
  });
});
