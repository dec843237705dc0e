// Measures `diff` with the built CLI on two stored snapshots, and DuckDB's join of the same two files, each in its own process.
// Run: npm run build && npx tsx test/bench/diff.bench.ts [--nodes 100000] [--changed 0.02] [--rounds 3]
// Method: the median of the rounds for CPU, the largest for memory. Peak RSS is of the whole process. `changed`: the share of the
// nodes of which an agent status differs.

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { parsePartKey } from '../../lib/core/object-keys.ts';
import type { Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { encodeRows } from '../formats/encoding.ts';
import { createRows } from '../formats/inventory.ts';
import { listHistory } from '../support/sealed-history.ts';

const { values } = parseArgs({
  options: {
    cli: { type: 'string', default: join(import.meta.dirname, '../../dist/cli.js') },
    nodes: { type: 'string', default: '100000' },
    changed: { type: 'string', default: '0.02' },
    rounds: { type: 'string', default: '3' },
  },
});
const nodes = Number(values.nodes);
const step = Math.max(1, Math.round(1 / Number(values.changed)));

/** Prints CPU milliseconds and peak RSS in MB when the process ends. Not maxRSS, which includes the process that started it. */
const meter = `data:text/javascript,${encodeURIComponent(`
import { readFileSync } from 'node:fs';
process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  const [, peakKb] = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
  console.error('METER ' + JSON.stringify({ cpuMs: (user + system) / 1000, peakMb: peakKb / 1024 }));
});`)}`;

const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-diff-'));
try {
  const parts = await writeStore(folder);
  const store = `file:${folder}`;
  const diff = measure([values.cli, 'diff', '--store', store, '--format', 'ndjson']);
  const joined = measure(['--input-type=module', '--eval', joinWithDuckDb(parts)]);
  const percent = (100 / step).toFixed(1);
  console.log(`${nodes} nodes, ${percent} % changed, median CPU of ${values.rounds}, largest peak`);
  for (const [name, found] of Object.entries({ diff, 'DuckDB join': joined })) {
    console.log(
      `${name.padEnd(12)} ${found.cpuMs.toFixed(0)} ms CPU, ${found.peakMb.toFixed(0)} MB`,
    );
  }
  console.log(`diff / join  ${(diff.cpuMs / joined.cpuMs).toFixed(2)} of the CPU`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Returns the paths of the two files, the older one first. */
async function writeStore(root: string): Promise<string[]> {
  const index = (name: string) => containerNodes.columns.findIndex((one) => one.name === name);
  const status = index('agent_status');
  const time = index('snapshot_at');
  const rows = createRows(nodes);
  const newer: Row[] = rows.map((row, i) => {
    const later = row.with(time, (row[time] as number) + 86_400_000);
    return i % step === 0 ? later.with(status, 'installing') : later;
  });
  const encoded = [await encodeRows(parquetEncoder, newer), await encodeRows(parquetEncoder, rows)];
  const ndjson = (age: number) => Buffer.from(`not read: ${age}`);
  const paths: string[] = [];
  for (const { key, bytes } of listHistory({
    ...{ count: 2, newestMs: Date.UTC(2026, 10, 25, 6), rows: nodes },
    bytesOf: (age) => ({ parquet: encoded[age] as Buffer, ndjson: ndjson(age) }),
  })) {
    const path = join(root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    if (parsePartKey(key)?.kind.format === 'parquet') paths.push(path);
  }
  return paths;
}

function joinWithDuckDb([older = '', newer = '']: readonly string[]): string {
  const skipped = ['host_id', ...containerNodes.uncomparedColumns];
  const compared = containerNodes.columns.filter(({ name }) => !skipped.includes(name));
  const differs = compared
    .map(({ name }) => `a."${name}" IS DISTINCT FROM b."${name}"`)
    .join(' OR ');
  const to = join(folder, 'join.ndjson');
  const sql = `COPY (SELECT a, b FROM '${older}' a FULL OUTER JOIN '${newer}' b USING (host_id) WHERE ${differs} OR a.host_id IS NULL OR b.host_id IS NULL ORDER BY host_id) TO '${to}' (FORMAT json)`;
  return `import { DuckDBInstance } from '@duckdb/node-api';
const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
await connection.run(${JSON.stringify(sql)});`;
}

function measure(args: readonly string[]): { cpuMs: number; peakMb: number } {
  const found = Array.from({ length: Number(values.rounds) }, () => {
    const out = openSync(join(folder, 'out'), 'w');
    const ended = spawnSync(process.execPath, ['--import', meter, ...args], {
      cwd: join(import.meta.dirname, '../..'),
      stdio: ['ignore', out, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(out);
    const line = ended.stderr.split('\n').find((one) => one.startsWith('METER '));
    if (ended.status !== 0 || !line) throw new Error(ended.stderr);
    return JSON.parse(line.slice('METER '.length)) as { cpuMs: number; peakMb: number };
  });
  const cpu = found.map(({ cpuMs }) => cpuMs).sort((a, b) => a - b);
  return {
    cpuMs: cpu[Math.floor(cpu.length / 2)] ?? 0,
    peakMb: Math.max(...found.map(({ peakMb }) => peakMb)),
  };
}
