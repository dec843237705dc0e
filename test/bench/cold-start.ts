// Responsible for measuring the collect bundle: its size, and how long a new Node process needs to load it.

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

const bundle = join(import.meta.dirname, '../../dist/functions/collect/index.js');

function timeNode(script: string): number {
  const startMs = performance.now();
  const { status } = spawnSync(process.execPath, ['-e', script], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`node exited with ${status}`);
  return performance.now() - startMs;
}

/** Milliseconds of each round: an empty script, and one that loads the bundle. */
export function measureColdStart(rounds: number) {
  const emptyMs: number[] = [];
  const loadedMs: number[] = [];
  timeNode('');
  for (let round = 0; round < rounds; round += 1) {
    emptyMs.push(timeNode(''));
    loadedMs.push(timeNode(`require(${JSON.stringify(bundle)})`));
  }
  const overMs = loadedMs.map((ms, index) => ms - (emptyMs[index] ?? 0));
  return { bytes: statSync(bundle).size, emptyMs, loadedMs, overMs };
}
