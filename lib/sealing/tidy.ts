// Responsible for deleting what a target no longer needs: state of old runs, and parts that killed runs have left.

import { parseRunKey, runsPrefix, sealRecordKey, type TargetKey } from '../core/object-keys.ts';
import type { Store, StoredObject } from '../core/ports.ts';
import { listSnapshots } from '../snapshots/catalog.ts';
import { endSeal, type RunName } from './seal-record.ts';

/** A run whose seal record is older than this, but that is not sealed, was killed or abandoned, milliseconds. */
const deadRecordMs = 24 * 3_600_000;
const deletesAtOnce = 8;

/** The objects of one run under `_runs/`. */
interface RunObjects extends RunName {
  objects: StoredObject[];
}

/** Returns the number of deleted objects under `_runs/`. Call only when the target has no open run. */
export async function tidyTarget(
  store: Store,
  target: TargetKey,
  keepPagesMs: number,
): Promise<number> {
  const sealed = new Set(await listSnapshots(store, target));
  const nowMs = store.nowMs();
  let deleted = 0;
  for (const run of await listRuns(store, target)) {
    const recordKey = sealRecordKey(target, run.snapshot, run.run);
    const record = run.objects.find(({ key }) => key === recordKey);
    if (run.objects.every(({ modifiedMs }) => modifiedMs < nowMs - keepPagesMs)) {
      // While the record exists: it is the only list of what the run may have left.
      if (record) await endSeal(store, target, run);
      await deleteAll(store, run.objects);
      deleted += run.objects.length;
    } else if (record && !sealed.has(run.snapshot) && record.modifiedMs <= nowMs - deadRecordMs) {
      if (await endSeal(store, target, run)) deleted += 1;
    }
  }
  return deleted;
}

/** Several at once: a run of 1,000,000 nodes has about 2,000 objects. */
async function deleteAll(store: Store, objects: readonly StoredObject[]): Promise<void> {
  for (let start = 0; start < objects.length; start += deletesAtOnce) {
    const some = objects.slice(start, start + deletesAtOnce);
    await Promise.all(some.map(({ key }) => store.delete(key)));
  }
}

async function listRuns(store: Store, target: TargetKey): Promise<RunObjects[]> {
  const byName = new Map<string, RunObjects>();
  for (const object of await store.list(runsPrefix(target))) {
    const run = parseRunKey(target, object.key);
    if (!run) continue;
    const name = `${run.snapshot}-${run.run}`;
    const found = byName.get(name);
    if (found) found.objects.push(object);
    else byName.set(name, { ...run, objects: [object] });
  }
  return [...byName.values()];
}
