// Measures how long the built function takes to load: a new Node process that requires it, compared with an empty one.
// Run: npm run build && npx tsx test/bench/load.bench.ts

import { measureColdStart } from './cold-start.ts';

const rounds = 21;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const { bytes, emptyMs, loadedMs, overMs } = measureColdStart(rounds);
console.log(`| collect bundle | |
|---|---:|
| size | ${Math.round(bytes / 1_000)} kB |
| empty script, median of ${rounds} | ${median(emptyMs).toFixed(0)} ms |
| loads the bundle, median | ${median(loadedMs).toFixed(0)} ms |
| more than an empty script, median of pairs | ${median(overMs).toFixed(0)} ms |`);
