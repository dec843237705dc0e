// Measures how long the built function takes to load: a new Node process that requires it, compared with an empty one.
// Run: npm run build && npx tsx test/bench/load.bench.ts

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const bundle = join(root, 'dist/functions/collect/index.js');
const rounds = 21;

function timeNode(script: string): number {
  const startMs = performance.now();
  const { status } = spawnSync(process.execPath, ['-e', script], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`node exited with ${status}`);
  return performance.now() - startMs;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const empty: number[] = [];
const loaded: number[] = [];
timeNode('');
for (let round = 0; round < rounds; round += 1) {
  empty.push(timeNode(''));
  loaded.push(timeNode(`require(${JSON.stringify(bundle)})`));
}
const over = loaded.map((ms, index) => ms - (empty[index] ?? 0));
const kb = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;

console.log(`| collect bundle | |
|---|---:|
| size | ${kb(statSync(bundle).size)} |
| empty script, median of ${rounds} | ${median(empty).toFixed(0)} ms |
| loads the bundle, median | ${median(loaded).toFixed(0)} ms |
| more than an empty script, median of pairs | ${median(over).toFixed(0)} ms |`);
