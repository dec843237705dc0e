// Responsible for deleting what a target no longer needs: state of old runs, and parts that no manifest names.

import {
  parsePartKey,
  parseRunKey,
  partKinds,
  partPrefix,
  runsPrefix,
  snapshotName,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Store, StoredObject } from '../core/ports.ts';
import { listSnapshots, readManifest } from './catalog.ts';

const dayMs = 24 * 3_600_000;
/** Younger parts without a manifest are kept: a run may still be sealing them. */
const unnamedPartMs = dayMs;
/** Days to search for unnamed parts. A run that was killed leaves its parts on the date of its snapshot. */
const lookBackDays = 3;

/** Returns the number of deleted objects. Call only when the target has no open run. */
export async function tidyTarget(
  store: Store,
  target: TargetKey,
  keepPagesMs: number,
): Promise<number> {
  const keys = [
    ...(await findOldRunObjects(store, target, keepPagesMs)),
    ...(await findUnnamedParts(store, target)),
  ];
  for (const key of keys) await store.delete(key);
  return keys.length;
}

/** All objects of each run whose newest object is older than `keepPagesMs`. */
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
    for (const kind of partKinds) {
      for (const { key, modifiedMs } of await store.list(partPrefix(target, kind, date))) {
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
