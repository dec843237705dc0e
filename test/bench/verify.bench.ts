// Measures `verify` with the built CLI, each time in its own process, on stores of files that this script writes directly.
// Run: npm run build && npx tsx test/bench/verify.bench.ts [--cli dist/cli.js] [--rounds 3]
// Method: the median of the rounds for CPU, the largest for memory. Peak RSS is of the whole process.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type HistoryOptions, listHistory } from '../support/sealed-history.ts';

const { values } = parseArgs({
  options: {
    cli: { type: 'string', default: join(import.meta.dirname, '../../dist/cli.js') },
    rounds: { type: 'string', default: '3' },
  },
});

const newestMs = Date.UTC(2026, 10, 24, 6);
const hourMs = 3_600_000;

/** `limitMb`: of the peak. */
const stores: { name: string; limitMb: number; histories: () => HistoryOptions[] }[] = [
  {
    name: 'no snapshot but one of two small parts',
    limitMb: 120,
    histories: () => [{ count: 1, newestMs }],
  },
  {
    name: '1,000,000 nodes: parts of 45 and 75 MB',
    limitMb: 120,
    histories: () => [
      {
        count: 1,
        newestMs,
        bytesOf: () => ({ parquet: randomBytes(45e6), ndjson: randomBytes(75e6) }),
      },
    ],
  },
  {
    name: '10,000 manifests, 20,000 small parts',
    limitMb: 150,
    histories: () => [{ count: 10_000, newestMs, scheduleMs: hourMs }],
  },
  {
    name: '200 targets, 50 snapshots each',
    limitMb: 150,
    histories: () =>
      Array.from({ length: 200 }, (_, index) => ({
        target: { table: 'container_nodes', region: 'cn-south-4', projectId: `p${index}` },
        ...{ count: 50, newestMs, scheduleMs: hourMs },
      })),
  },
];

/** Prints CPU milliseconds and peak RSS in MB when the process ends. Not maxRSS, which includes the process that started it. */
const meter = `data:text/javascript,${encodeURIComponent(`
import { readFileSync } from 'node:fs';
process.on('exit', () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const [, kilobytes] = /VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  const usage = { cpuMs: (userCPUTime + systemCPUTime) / 1e3, peakMb: kilobytes * 1024 / 1e6 };
  process.stderr.write('usage ' + JSON.stringify(usage));
});`)}`;

interface Usage {
  cpuMs: number;
  peakMb: number;
}

function verify(folder: string): Usage {
  const args = ['--import', meter, values.cli, 'verify', '--json', '--store', `file:${folder}`];
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1e9 });
  const usage = /usage (.*)$/.exec(child.stderr)?.[1];
  if (child.status !== 0 || usage === undefined) throw new Error(child.stdout + child.stderr);
  return JSON.parse(usage) as Usage;
}

console.log('| verify of | CPU s | peak RSS, MB | limit, MB |\n|---|---:|---:|---:|');
for (const { name, limitMb, histories } of stores) {
  const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-'));
  try {
    for (const history of histories()) {
      for (const { key, bytes } of listHistory(history)) {
        const path = join(folder, key);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
    }
    const usages = Array.from({ length: Number(values.rounds) }, () => verify(folder));
    const cpu = usages.map(({ cpuMs }) => cpuMs).sort((a, b) => a - b)[usages.length >> 1] ?? 0;
    const peakMb = Math.max(...usages.map((usage) => usage.peakMb));
    console.log(`| ${name} | ${(cpu / 1e3).toFixed(2)} | ${peakMb.toFixed(0)} | ${limitMb} |`);
    if (peakMb > limitMb) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
