// Tests the command `demo`, and that the commands that it prints work.

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { listQueries } from '../../lib/cli/demo.ts';
import { openDuck } from '../formats/readers.ts';
import { call, createFolder } from './test-runtime.ts';

/** The program and its arguments as a shell parses the line, without the file that the output goes to. */
function argumentsOf(line: string): string[] {
  const script = `f() { printf '%s\\0' "$@"; }; f ${line.replace(/ > cgs\.sql$/, '')}`;
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

/** What the command of this program in `line` prints in the folder `cwd`. */
async function runLine(line: string, cwd: string): Promise<string> {
  const [program, ...args] = argumentsOf(line);
  expect(program).toBe('cgs-export');
  const { code, runtime } = await call(args, { cwd });
  expect({ code, warnings: runtime.err().match(/^.*warn.*$/gim) }).toEqual({
    code: 0,
    warnings: null,
  });
  return runtime.out();
}

/** What DuckDB answers to the shell command `line` after it has run `script`. */
async function runDuckdb(line: string, script: string): Promise<unknown[][]> {
  const [program, init, file, option, sql = ''] = argumentsOf(line);
  expect([program, init, file, option]).toEqual(['duckdb', '-init', 'cgs.sql', '-c']);
  const duck = await openDuck();
  try {
    await duck.query(script);
    return await duck.query(sql);
  } finally {
    duck.close();
  }
}

const reportFiles = [
  ...['changes.csv', 'report.html', 'report.json', 'snapshots.csv', 'unprotected.csv'],
];

test('exports and verifies, prints queries that work, and writes a report, and adds snapshots in a second run', async () => {
  const cwd = createFolder();
  const first = await call(['demo'], { cwd });
  expect(first.code).toBe(0);
  const text = first.runtime.out();
  expect(text).toContain('verified: 3 manifests, 8 parts');
  const [, page = ''] = /\nOpen (\S+) in a browser: .*\n$/.exec(text) ?? [];
  expect(page).toMatch(/^demo-out\/_reports\/\d{4}-\d\d-\d\d\/report\.html$/);
  const lines = text.slice(text.indexOf('Try next:')).split('\n');
  expect(lines.filter(({ length }) => length > 120)).toEqual([]);
  expect(readdirSync(join(cwd, dirname(page))).sort()).toEqual(reportFiles);
  expect(text).toMatch(/Parquet +demo-out\/container_nodes\n/);
  expect(text).not.toContain('earlier runs');
  const second = await call(['demo', '--json'], { cwd });
  expect(second.code).toBe(0);
  const { status, out, report, snapshots, verification, queries } = second.runtime.json() as {
    queries: Record<string, string>;
    snapshots: { rows: number; manifest: string; snapshot: string }[];
  } & Record<string, unknown>;
  expect({ status, out }).toEqual({ status: 'sealed', out: join(cwd, 'demo-out') });
  expect(readdirSync(dirname(String(report))).sort()).toEqual(reportFiles);
  expect(snapshots).toHaveLength(3);
  const clean = { faults: [], unnamed: [], foreign: [] };
  expect(verification).toMatchObject({ manifests: 6, parts: 17, ...clean });
  for (const query of Object.values(queries)) expect(text).toContain(query);

  const { nodes = '', diff = '', verify = '', ddl = '', duckdb = '' } = queries;
  expect(await runLine(nodes, cwd)).toMatch(/unprotected/);
  expect(await runLine(diff, cwd)).toMatch(/changed/);
  const verified = await runLine(verify, cwd);
  expect(verified).toContain('verified: 6 manifests');
  expect(verified).not.toMatch(/unnamed|foreign/);

  expect(await runLine(queries.status ?? '', cwd)).toContain(snapshots.at(-1)?.snapshot);
  const counts = await runDuckdb(duckdb, await runLine(ddl, cwd));
  expect(counts).toHaveLength(6);
  const rows = counts.map((count) => Number(count[6]));
  expect(rows).toEqual(expect.arrayContaining(snapshots.map((snapshot) => snapshot.rows)));
  const third = await call(['demo'], { cwd });
  expect(third.runtime.out()).toContain('Added to 6 snapshots of earlier runs.\n');
});

test('quotes a path with spaces, quotes and dollar signs', () => {
  const path = `/tmp/it's "my" $lake`;
  const queries = listQueries(path, 'cgs-export');
  const commands = Object.values(queries).map(([command]) => argumentsOf(command));
  const ofStore = commands.filter(([program]) => program === 'cgs-export');
  expect(ofStore).toHaveLength(5);
  for (const args of ofStore) expect(args).toContain(`file:${path}`);
});
