// Responsible for the snapshots of a target in a period: their manifests, whether they were pruned, and the missed slots. It only
// reads. Not responsible for their rows (part-rows.ts), or for whether a signature proves them.

import {
  isFutureName,
  parseTombstoneKey,
  snapshotName,
  type TargetKey,
  targetId,
  tombstonesPrefix,
} from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import { type Fault, listSnapshots, readManifestOrFault, type Sealed } from './catalog.ts';
import { findGaps, type Gap } from './gaps.ts';

/** Both bounds are inclusive, milliseconds. */
export interface Period {
  sinceMs: number;
  untilMs: number;
}

export interface TimelineSnapshot extends Sealed {
  /** It has a tombstone: its rows are deleted, or will be when the grace period has passed. */
  pruned: boolean;
}

export interface Timeline {
  /** The name of the first stored snapshot of the target, also if it is before the period. Null: there is none. */
  firstStored: string | null;
  /** Oldest first. */
  snapshots: TimelineSnapshot[];
  /** Slots that began in the period and are over. */
  gaps: Gap[];
  /** Manifests in the period that cannot be read. */
  faults: Fault[];
}

const readsMax = 8;

/** Leaves out names of more than a day after the store's time. Memory: the manifests of the period, a few kilobytes each. */
export async function readTimeline(
  store: Store,
  target: TargetKey,
  { sinceMs, untilMs }: Period,
): Promise<Timeline> {
  const nowMs = store.nowMs();
  const [since, until] = [snapshotName(Math.ceil(sinceMs / 1_000) * 1_000), snapshotName(untilMs)];
  const names = (await listSnapshots(store, target)).filter((name) => !isFutureName(name, nowMs));
  const first = names.findIndex((name) => name >= since);
  const inPeriod = names.filter((name) => name >= since && name <= until);
  const pruned = await listPruned(store, target);
  const read = (name: string) => readManifestOrFault(store, target, name);
  const found = await mapParallel(inPeriod, readsMax, read);
  const snapshots = found.flatMap(({ sealed }) =>
    sealed ? [{ ...sealed, pruned: pruned.has(sealed.manifest.snapshot) }] : [],
  );
  // The snapshot before the period says which slots were due at its start. The one after it can be in the last slot of the period.
  const beforeName = first === -1 ? names.at(-1) : names[first - 1];
  const before = beforeName === undefined ? null : (await read(beforeName)).sealed;
  const after = names.find((name) => name > until);
  const scheduled = [
    ...(before ? [before.manifest] : []),
    ...snapshots.map(({ manifest }) => manifest),
    ...(after === undefined ? [] : [{ snapshot: after, scheduleSeconds: 0 }]),
  ];
  return {
    firstStored: names[0] ?? null,
    snapshots,
    gaps: findGaps(scheduled, nowMs, { sinceMs, untilMs }),
    faults: found.flatMap(({ fault }) => fault ?? []),
  };
}

async function listPruned(store: Store, target: TargetKey): Promise<Set<string>> {
  const objects = await store.list(`${tombstonesPrefix}${targetId(target)}/`);
  return new Set(
    objects.flatMap(({ key }) => {
      const found = parseTombstoneKey(key);
      return found && !found.isSignature ? found.snapshot : [];
    }),
  );
}

/**
 * True if `current` has the changes since `previous`, the complete snapshot before it: the rows of one follow from those of the
 * other. False: the scope differs, the rows before could not be read, or an older version sealed it.
 */
export function isContinued(
  { manifest: previous }: Sealed,
  { manifest: current }: Sealed,
): boolean {
  return current.changes?.since === previous.snapshot;
}
