// Responsible for how much memory V8 uses. Results do not depend on it.

import { setFlagsFromString } from 'node:v8';

/**
 * Makes V8 collect garbage earlier. By default V8 lets the heap double first, so the peak is far above the data in use.
 * Sealing 100,000 nodes: peak 214 MB instead of 325 MB, 1.6 times the time (measured 2026-11-24, Node 20.20). A function is
 * billed by its memory size and killed above it. V8 reads both flags at every collection, so they work after the start.
 */
export function saveMemory(): void {
  setFlagsFromString('--heap-growing-percent=20');
  setFlagsFromString('--semi-space-growth-factor=1');
}
