// Responsible for stores whose snapshots have given times, nodes and verdicts, sealed by the exporter's own seal.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { snapshotName, type TargetKey } from '../../lib/core/object-keys.ts';
import type { Scope } from '../../lib/reading/checkpoint.ts';
import type { Sealed } from '../../lib/snapshots/manifest.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import { createSealPorts, nodeText, sealStored, someTarget, storeRun } from './stored-run.ts';
import { createClock } from './virtual-clock.ts';

/** A node as the API lists it, without its host_id. */
export type SeededNode = Record<string, unknown>;

export interface SeededSnapshot {
  target?: TargetKey;
  /** Of its name. */
  timeMs: number;
  /** When its rows were read. Default: `timeMs`. */
  startedAtMs?: number;
  /** By host_id. */
  nodes: Record<string, SeededNode>;
  /** Default: complete. */
  verdict?: 'complete' | 'drifted';
  scope?: Partial<Scope>;
}

/** `snapshots`: those of one target by time, oldest first. */
export async function seedStore(snapshots: readonly SeededSnapshot[], scheduleMs: number) {
  const clock = createClock();
  const store = createMemoryStore({ nowMs: () => Date.now() });
  const sealed: Sealed[] = [];
  for (const {
    target = someTarget,
    timeMs,
    nodes,
    verdict = 'complete',
    scope,
    ...one
  } of snapshots) {
    const startedAtMs = one.startedAtMs ?? timeMs;
    const records = Object.entries(nodes).map(([hostId, more]) => nodeText(hostId, more));
    const run = await storeRun(store, {
      ...{ target, verdict, snapshot: snapshotName(timeMs), startedAtMs },
      ...(scope && { scope }),
      pages: [{ records, fetchedAtMs: startedAtMs + 1_000 }],
    });
    sealed.push(await clock.run(sealStored(createSealPorts(store, clock, { scheduleMs }), run)));
  }
  return { store, sealed };
}

/** Copies the objects into a folder, which is then a `file:` store. */
export function copyToFolder({ dump }: MemoryStore, folder: string): void {
  for (const [key, { bytes }] of dump()) {
    const path = join(folder, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}
