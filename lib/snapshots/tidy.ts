// Owns what may be deleted after a snapshot is sealed: working state of old runs and parts that no manifest names.

import {
  parsePartKey,
  parseRunKey,
  partPrefix,
  runsPrefix,
  snapshotName,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Store, StoredObject } from '../core/ports.ts';
import { listSnapshots, readManifest } from './seal.ts';

const dayMs = 24 * 3_600_000;
/** Parts without a manifest are left alone this long: a run may still be sealing them. */
const unnamedPartMs = dayMs;
/** How far back unnamed parts are looked for: a run that dies leaves them on its own date. */
const lookBackDays = 3;

/** How many objects were deleted. */
export async function tidyTarget(
  store: Store,
  target: TargetKey,
  keepPagesMs: number,
): Promise<number> {
  const doomed = [
    ...(await findOldRunObjects(store, target, keepPagesMs)),
    ...(await findUnnamedParts(store, target)),
  ];
  for (const key of doomed) await store.delete(key);
  return doomed.length;
}

/** Everything of a run whose newest object is older than `keepPagesMs`. The open run was just sealed: there is no other. */
async function findOldRunObjects(
  store: Store,
  target: TargetKey,
  keepPagesMs: number,
): Promise<string[]> {
  const byRun = new Map<string, StoredObject[]>();
  for (const object of await store.list(runsPrefix(target))) {
    const run = parseRunKey(target, object.key);
    if (!run) continue;
    const name = `${run.snapshot}-${run.run}`;
    const objects = byRun.get(name);
    if (objects) objects.push(object);
    else byRun.set(name, [object]);
  }
  const oldestMs = store.nowMs() - keepPagesMs;
  return [...byRun.values()]
    .filter((objects) => objects.every(({ modifiedMs }) => modifiedMs < oldestMs))
    .flatMap((objects) => objects.map(({ key }) => key));
}

async function findUnnamedParts(store: Store, target: TargetKey): Promise<string[]> {
  const sealed = new Set(await listSnapshots(store, target));
  const unnamed: string[] = [];
  for (let day = 1; day <= lookBackDays; day += 1) {
    const date = snapshotName(store.nowMs() - day * dayMs);
    for (const format of ['parquet', 'ndjson', 'rejects'] as const) {
      for (const { key, modifiedMs } of await store.list(partPrefix(target, format, date))) {
        const part = parsePartKey(key);
        if (!part || modifiedMs > store.nowMs() - unnamedPartMs) continue;
        const named = sealed.has(part.snapshot)
          ? (await readManifest(store, target, part.snapshot))?.manifest.parts
          : [];
        if (named && !named.some((other) => other.key === key)) unnamed.push(key);
      }
    }
  }
  return unnamed;
}
