// Tests the command `demo`, and that the commands that it prints work.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listQueries } from '../../lib/cli/demo.ts';
import { openDuck } from '../formats/readers.ts';
import { call, createFolder, exportSome, flagsFor, keyOf, simulate } from './test-runtime.ts';

/** The program and its arguments as a shell parses the line. */
function argumentsOf(line: string): string[] {
  const script = `f() { printf '%s\\0' "$@"; }; f ${line}`;
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

/** What DuckDB prints for the shell command `line` in the folder `cwd`. */
async function runDuckdb(line: string, cwd: string): Promise<unknown[][]> {
  const [program, option, sql = ''] = argumentsOf(line);
  expect([program, option]).toEqual(['duckdb', '-c']);
  const duck = await openDuck();
  const before = process.cwd();
  process.chdir(cwd);
  try {
    return await duck.query(sql);
  } finally {
    process.chdir(before);
    duck.close();
  }
}

/** The lines that the shell command `line` prints in the folder `cwd`. */
function runShell(line: string, cwd: string): string[] {
  const printed = execFileSync('sh', ['-euc', line], { cwd, encoding: 'utf8' });
  return printed.split('\n').slice(0, -1);
}

function nodesIn(rows: readonly unknown[][]): number {
  return rows.reduce((sum, row) => sum + Number(row[3]), 0);
}

/** In the folder of the store, but in none of its data directories. */
const reportFiles = [
  ...['changes.csv', 'report.html', 'report.json', 'snapshots.csv', 'unprotected.csv'],
];

test('exports and verifies, prints queries that work, and writes a report, and adds snapshots in a second run', async () => {
  const cwd = createFolder();
  const first = await call(['demo'], { cwd });
  expect(first.code).toBe(0);
  const text = first.runtime.out();
  expect(text).toContain('verified: 3 manifests, 8 parts');
  expect(text).toMatch(/\n {2}open demo-out\/report\.html\n$/);
  expect(readdirSync(join(cwd, 'demo-out'))).toEqual(expect.arrayContaining(reportFiles));
  expect(text).toMatch(/Parquet +demo-out\/container_nodes\n/);
  const second = await call(['demo', '--json'], { cwd });
  expect(second.code).toBe(0);
  const { status, out, snapshots, verification, queries } = second.runtime.json() as {
    queries: Record<string, string>;
    snapshots: { rows: number; manifest: string; snapshot: string }[];
  } & Record<string, unknown>;
  expect({ status, out }).toEqual({ status: 'sealed', out: join(cwd, 'demo-out') });
  expect(snapshots).toHaveLength(3);
  expect(verification).toMatchObject({ manifests: 6, parts: 17, faults: [], unnamed: reportFiles });
  for (const query of Object.values(queries)) expect(text).toContain(query);

  // The newest snapshot only, not all.
  const duckdb = queries.duckdb ?? '';
  const counts = await runDuckdb(duckdb, cwd);
  expect(new Set(counts.map(([region]) => region))).toEqual(new Set(['cn-south-4']));
  expect(nodesIn(counts)).toBe(snapshots.at(-1)?.rows);

  // So do the shell commands.
  const offline = counts.filter(([, , status]) => status !== 'online');
  expect(runShell(queries.jq ?? '', cwd)).toHaveLength(nodesIn(offline));
});

test('the queries read the newest complete snapshot of each region and project', async () => {
  const { cwd } = await exportSome(2);
  const other = await simulate({ nodes: 7, projectId: 'another-project' });
  const exported = await call(['export', ...flagsFor(other)], { cwd, env: keyOf(other) });
  expect(exported.code).toBe(0);
  const folder = join(cwd, 'lake', '_manifests/container_nodes/rgn=cn-south-4');
  const [project = ''] = readdirSync(folder).filter((name) => !name.includes('another-project'));
  const [oldest = ''] = readdirSync(join(folder, project)).sort();
  const manifest = JSON.parse(readFileSync(join(folder, project, oldest), 'utf8'));
  const drifted = { ...manifest, snapshot: '20991231T000000Z', verdict: 'drifted' };
  writeFileSync(join(folder, project, '20991231T000000Z.json'), JSON.stringify(drifted));
  const ahead = { ...manifest, snapshot: '20991231T000001Z' };
  writeFileSync(join(folder, project, '20991231T000001Z.json'), JSON.stringify(ahead));
  for (const path of ['lake', '.', join(cwd, 'lake')]) {
    const { duckdb, jq } = listQueries(path, 'cgs-export');
    const from = path === '.' ? join(cwd, 'lake') : cwd;
    const counts = await runDuckdb(duckdb, from);
    expect(nodesIn(counts)).toBe(30 + 7);
    const offline = counts.filter(([, , status]) => status !== 'online');
    expect(runShell(jq, from)).toHaveLength(nodesIn(offline));
  }
  // A lost part is an error, not a region less.
  const part = readdirSync(join(cwd, 'lake'), { recursive: true, encoding: 'utf8' }).find((path) =>
    /another-project.*parquet$/.test(path),
  );
  rmSync(join(cwd, 'lake', part ?? ''));
  const { duckdb } = listQueries('lake', 'cgs-export');
  await expect(runDuckdb(duckdb, cwd)).rejects.toThrow(`lake/${part}`);
});

test('quotes a path with spaces, quotes and dollar signs', () => {
  const path = `/tmp/it's "my" $lake`;
  const queries = listQueries(path, 'cgs-export');
  expect(argumentsOf(queries.verify)).toEqual(['cgs-export', 'verify', '--store', `file:${path}`]);
  const sql = argumentsOf(queries.duckdb)[2];
  expect(sql).toContain(`'/tmp/it''s "my" $lake/_manifests/container_nodes/**/*.json'`);
});
