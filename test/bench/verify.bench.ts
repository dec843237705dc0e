// Measures `verify` with the built CLI, each time in its own process, on stores of files that this script writes directly.
// Run: npm run build && npx tsx test/bench/verify.bench.ts [--cli dist/cli.js] [--rounds 3]
//   [--only 1,000,000]
// Method: the median of the rounds for CPU and wall time, the largest for memory. Peak RSS is of the whole process.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Encoder, Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { encodingOptions } from '../formats/encoding.ts';
import { createRows } from '../formats/inventory.ts';
import { type HistoryOptions, listHistory } from '../support/sealed-history.ts';
import { createKeyPair } from '../support/signing-keys.ts';
import { scopeOf, someTarget } from '../support/stored-run.ts';

const { values } = parseArgs({
  options: {
    cli: { type: 'string', default: join(import.meta.dirname, '../../dist/cli.js') },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
});

const newestMs = Date.UTC(2026, 10, 24, 6);
const hourMs = 3_600_000;

interface Parts {
  parquet: Uint8Array;
  ndjson: Uint8Array;
}

const rowsPerBatch = 10_000;

/** The parts of a snapshot with so many rows, which agree with the manifest of listHistory(). */
async function encodeParts(nodes: number, snapshotMs: number, projectId = 'p1'): Promise<Parts> {
  const { account, region } = scopeOf(someTarget);
  const stated: Record<string, Row[number]> = {
    ...{ snapshot_at: snapshotMs, verdict: 'complete', account, region, project_id: projectId },
  };
  async function encode(encoder: Encoder): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    const sink = (bytes: Uint8Array) => void chunks.push(Uint8Array.from(bytes));
    const writer = encoder.open({ ...encodingOptions, sink });
    for (let start = 0; start < nodes; start += rowsPerBatch) {
      const rows = createRows(Math.min(rowsPerBatch, nodes - start), start + 1);
      const toRow = (row: Row, at: number): Row =>
        containerNodes.columns.map(({ name }, c) => {
          if (name === 'host_id') return `host-${String(start + at).padStart(7, '0')}`;
          return stated[name] ?? row[c] ?? null;
        });
      await writer.write(rows.map(toRow));
    }
    await writer.end();
    return Buffer.concat(chunks);
  }
  return { parquet: await encode(parquetEncoder), ndjson: await encode(ndjsonEncoder) };
}

/** A history with parts of one row each. */
async function smallHistory(count: number, projectId = 'p1'): Promise<HistoryOptions> {
  const parts: Parts[] = [];
  for (let age = 0; age < count; age += 1) {
    parts.push(await encodeParts(1, newestMs - age * hourMs, projectId));
  }
  const target = { ...someTarget, projectId };
  const bytesOf = (age: number) => parts[age] as Parts;
  return { target, count, newestMs, scheduleMs: hourMs, rows: 1, bytesOf };
}

const { signer } = createKeyPair();

interface BenchStore {
  name: string;
  /** Of the peak. */
  limitMb: number;
  histories: () => Promise<HistoryOptions[]>;
  options?: readonly string[];
}

const stores: BenchStore[] = [
  {
    name: 'one snapshot of two small parts',
    limitMb: 120,
    histories: async () => [await smallHistory(1)],
  },
  {
    name: '1,000,000 nodes in both formats',
    limitMb: 120,
    histories: async () => {
      const parts = await encodeParts(1_000_000, newestMs);
      return [{ count: 1, newestMs, rows: 1_000_000, bytesOf: () => parts }];
    },
  },
  {
    name: '10,000 manifests, 20,000 small parts',
    limitMb: 150,
    histories: async () => [await smallHistory(10_000)],
  },
  {
    name: '10,000 signed manifests with `--manifests-only`',
    limitMb: 150,
    histories: async () => [{ ...(await smallHistory(10_000)), signerOf: () => signer }],
    options: ['--manifests-only'],
  },
  {
    name: '200 targets, 50 snapshots each',
    limitMb: 150,
    histories: () =>
      Promise.all(Array.from({ length: 200 }, (_, index) => smallHistory(50, `p${index}`))),
  },
];

/** Prints CPU and wall milliseconds and peak RSS in MB when the process ends. Not maxRSS, which includes the process that started it. */
const meter = `data:text/javascript,${encodeURIComponent(`
import { readFileSync } from 'node:fs';
process.on('exit', () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const [, kilobytes] = /VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  const cpuMs = (userCPUTime + systemCPUTime) / 1e3;
  const usage = { cpuMs, wallMs: performance.now(), peakMb: kilobytes * 1024 / 1e6 };
  process.stderr.write('usage ' + JSON.stringify(usage));
});`)}`;

interface Usage {
  cpuMs: number;
  wallMs: number;
  peakMb: number;
}

function verify(folder: string, options: readonly string[]): Usage {
  const command = ['verify', '--json', '--store', `file:${folder}`, ...options];
  const args = ['--import', meter, values.cli, ...command];
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1e9 });
  const usage = /usage (.*)$/.exec(child.stderr)?.[1];
  if (child.status !== 0 || usage === undefined) throw new Error(child.stdout + child.stderr);
  return JSON.parse(usage) as Usage;
}

const medianOf = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

console.log('| verify of | CPU s | wall s | peak RSS, MB | limit, MB |\n|---|---:|---:|---:|---:|');
for (const { name, limitMb, histories, options = [] } of stores) {
  if (!name.includes(values.only)) continue;
  const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-'));
  try {
    for (const history of await histories()) {
      for (const { key, bytes } of listHistory(history)) {
        const path = join(folder, key);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
    }
    const usages = Array.from({ length: Number(values.rounds) }, () => verify(folder, options));
    const [cpu, wall] = [usages.map(({ cpuMs }) => cpuMs), usages.map(({ wallMs }) => wallMs)];
    const peakMb = Math.max(...usages.map((usage) => usage.peakMb));
    const [cpuS, wallS] = [cpu, wall].map((all) => (medianOf(all) / 1e3).toFixed(2));
    console.log(`| ${name} | ${cpuS} | ${wallS} | ${peakMb.toFixed(0)} | ${limitMb} |`);
    if (peakMb > limitMb) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
