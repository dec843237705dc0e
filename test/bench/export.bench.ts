// Measures an export of 100,000 nodes from the built simulator to files with the built CLI, each in its own process.
// Run: npm run build && npx tsx test/bench/export.bench.ts [nodes]

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const nodes = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), 'cgs-bench-'));

/** The peak memory so far in MB. Null: the process has ended. */
function readPeak(child: ChildProcess): number | null {
  try {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
    return peak === undefined ? null : (Number(peak) * 1_024) / 1e6;
  } catch {
    return null;
  }
}

const simulator = spawn(
  process.execPath,
  [
    cli,
    'simulate',
    '--json',
    '--nodes',
    String(nodes),
    '--quota-requests',
    '100000',
    '--quota-window-seconds',
    '1',
  ],
  { stdio: ['ignore', 'pipe', 'ignore'] },
);
const address = await new Promise<{ url: string; ak: string; sk: string; projectId: string }>(
  (resolve) => simulator.stdout?.once('data', (data) => resolve(JSON.parse(String(data)))),
);
try {
  const startMs = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...[cli, 'export', '--json', '--region', 'cn-south-4', '--project', address.projectId],
      ...['--endpoint', address.url, '--store', `file:${folder}`],
      ...['--quota-requests', '1000', '--quota-window-seconds', '1'],
    ],
    {
      env: {
        PATH: process.env.PATH,
        HUAWEICLOUD_SDK_AK: address.ak,
        HUAWEICLOUD_SDK_SK: address.sk,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, readPeak(child) ?? 0);
  }, 20);
  let output = '';
  child.stdout?.on('data', (data) => {
    output += String(data);
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`export exited with ${code}: ${output}`);
  const { requests, snapshots } = JSON.parse(output) as {
    requests: number;
    snapshots: { rows: number }[];
  };
  console.log(`| export of ${nodes} nodes | |
|---|---:|
| rows | ${snapshots[0]?.rows} |
| requests | ${requests} |
| seconds | ${((performance.now() - startMs) / 1_000).toFixed(1)} |
| peak RSS | ${peak.toFixed(0)} MB |`);
} finally {
  simulator.kill();
  rmSync(folder, { recursive: true, force: true });
}
