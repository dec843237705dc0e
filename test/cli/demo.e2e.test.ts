// Tests the command `demo`, and that the commands that it prints work.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { listQueries } from '../../lib/cli/demo.ts';
import { call, createFolder } from './test-runtime.ts';

/** The program and its arguments as a shell parses the line. */
function argumentsOf(line: string): string[] {
  const script = `f() { printf '%s\\0' "$@"; }; f ${line}`;
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

test('exports and verifies, prints queries that work, and adds a snapshot in a second run', async () => {
  const cwd = createFolder();
  const first = await call(['demo'], { cwd });
  expect(first.code).toBe(0);
  const text = first.runtime.out();
  expect(text).toContain('verified: 1 manifest, 2 parts');
  expect(text).toMatch(/Parquet +demo-out\/container_nodes\n/);
  const second = await call(['demo', '--json'], { cwd });
  expect(second.code).toBe(0);
  const { status, out, snapshots, verification, queries } = second.runtime.json() as {
    queries: Record<string, string>;
    snapshots: { rows: number }[];
  } & Record<string, unknown>;
  expect({ status, out }).toEqual({ status: 'sealed', out: join(cwd, 'demo-out') });
  expect(verification).toMatchObject({ manifests: 2, parts: 4, faults: [] });
  for (const query of Object.values(queries)) expect(text).toContain(query);

  const sql = argumentsOf(queries.duckdb ?? '')[2] ?? '';
  const database = await DuckDBInstance.create();
  const connection = await database.connect();
  await connection.run(`SET file_search_path = '${cwd}'`);
  const counts = (await connection.runAndReadAll(sql)).getRowObjectsJS();
  connection.closeSync();
  const nodes = counts.reduce((sum, row) => sum + Number(row.nodes), 0);
  const manifests = readdirSync(join(cwd, 'demo-out', '_manifests'), {
    recursive: true,
    encoding: 'utf8',
  }).filter((path) => path.endsWith('.json'));
  const rows = manifests.map(
    (path) =>
      JSON.parse(readFileSync(join(cwd, 'demo-out', '_manifests', path), 'utf8')).rows as number,
  );
  expect(nodes).toBe(rows.reduce((sum, one) => sum + one, 0));
  expect(rows).toContain(snapshots[0]?.rows);

  const glob = (queries.jq ?? '').replace(/^zcat (\S+) .*$/, '$1');
  const files = execFileSync('sh', ['-c', `ls ${glob}`], { cwd, encoding: 'utf8' }).trim();
  expect(files.split('\n')).toHaveLength(2);
  const [line = ''] = gunzipSync(readFileSync(join(cwd, files.split('\n')[0] ?? '')))
    .toString('utf8')
    .split('\n');
  expect(Object.keys(JSON.parse(line))).toEqual(
    expect.arrayContaining(['host_name', 'agent_status', 'private_ip']),
  );
});

test('quotes a path with spaces, quotes and dollar signs', () => {
  const path = `/tmp/it's "my" $lake`;
  const queries = listQueries(path, 'cgs-export');
  expect(argumentsOf(queries.verify)).toEqual(['cgs-export', 'verify', '--store', `file:${path}`]);
  const sql = argumentsOf(queries.duckdb)[2];
  expect(sql).toContain(`'/tmp/it''s "my" $lake/container_nodes/**/*.parquet'`);
});
