// Responsible for how much memory V8 uses. Results do not depend on it.

import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Two halves of 4 MiB, bytes. */
const youngBytes = 8 * 2 ** 20;

/**
 * Makes V8 collect garbage earlier. By default V8 lets the heap double first, so the peak is far above the data in use. A function is
 * billed by its memory size and killed above it. `export` of 100,000 nodes, whole process (measured 2026-11-26, Node 20.20): peak
 * 122-129 MB and 12.4 s of CPU; growth of 20 % instead of 10 %: 129-132 MB; V8's defaults: 203-214 MB and 11.2 s. V8 reads these
 * flags at every collection, so they work after the start.
 */
export function saveMemory(): void {
  setFlagsFromString('--heap-growing-percent=10');
  fillYoungSpace();
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Lets the heap grow more before V8 collects garbage. For a seal that reads the snapshot before: its rows are more data in use, and
 * with 10 % a third of the CPU time would go into garbage. A seal of 1,000,000 nodes of which all changed, against one without a base
 * (measured 2026-11-26, Node 20.20): 1.33 times the CPU, and 196 MB.
 */
export function spendMemory(): void {
  setFlagsFromString('--heap-growing-percent=40');
}

/**
 * Creates objects until the space for new objects has grown to its size, in steps of two. Takes 3 to 7 ms. With 1 MB, V8 would
 * collect so often that a seal needs half as much CPU time again.
 */
function fillYoungSpace(): void {
  let kept: unknown[] = [];
  for (let count = 0; count < 4_000; count += 1) {
    kept.push(new Array(128).fill(count));
    if (kept.length > 800) kept = kept.slice(400);
    if (count % 100 === 0 && readYoungBytes() >= youngBytes) return;
  }
}

function readYoungBytes(): number {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  return young?.space_size ?? youngBytes;
}
