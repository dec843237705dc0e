// Responsible for the names that a target's snapshots have or had, and for the newest of them. It reads no more manifests than
// it needs for that, however many there are. Not responsible for the order of the chain (chain-end.ts).

import { CorruptError, NewerVersionError } from '../core/errors.ts';
import { headKey, isFutureName, latestKey, type TargetKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import {
  type Fault,
  listSnapshots,
  readEvidence,
  readManifest,
  toFault,
} from '../snapshots/catalog.ts';
import { decodePointer, type Pointer, type Previous, type Sealed } from '../snapshots/manifest.ts';

export type Report = (fault: Fault) => void;

export interface SnapshotNames {
  /** Names under which an object exists among the target's manifests, whatever it holds; oldest first. */
  taken: readonly string[];
  /** The newest sealed snapshot, as findNewest() finds it; null if there is none. */
  newest: Sealed | null;
  /** The newest name that a snapshot has or had, by the manifests and the pointers; null: none. Names after tomorrow do not count. */
  newestName: string | null;
  /** Snapshots that are named more than a day after the store's time, oldest first. */
  future: readonly Sealed[];
  /** Null: it does not exist, or cannot be read. */
  head: Pointer | null;
  latest: Pointer | null;
  isHeadMissing: boolean;
}

/**
 * `remembered`: the newest snapshot that was sealed, as the schedule remembers it; null: it remembers none. Throws NewerVersionError
 * if the newest manifest names a greater version: this program must not continue its chain.
 */
export async function readNames(
  store: Store,
  target: TargetKey,
  remembered: Previous | null,
  report: Report = () => {},
): Promise<SnapshotNames> {
  const { taken, newest, future } = await readNewest(store, target, report);
  const head = await readPointer(store, target, headKey(target), report);
  const latest = await readPointer(store, target, latestKey(target), report);
  const pointers = [asPointer(head), asPointer(latest), remembered];
  const known = [newest?.manifest.snapshot, ...pointers.map((one) => one?.snapshot)]
    .filter((name) => name !== undefined)
    .filter((name) => !isFutureName(name, store.nowMs()))
    .sort();
  return {
    ...{ taken, newest, future },
    newestName: known.at(-1) ?? null,
    head: asPointer(head),
    latest: asPointer(latest),
    isHeadMissing: head === null,
  };
}

/** Reads the manifests from the newest name on, until one counts as the newest snapshot. */
async function readNewest(
  store: Store,
  target: TargetKey,
  report: Report,
): Promise<Pick<SnapshotNames, 'taken' | 'newest' | 'future'>> {
  const taken = await listSnapshots(store, target);
  const future: Sealed[] = [];
  for (const snapshot of [...taken].reverse()) {
    const sealed = await readManifest(store, target, snapshot).catch((error: unknown) => {
      if (!(error instanceof CorruptError) || error instanceof NewerVersionError) throw error;
      report(toFault(error));
      return null;
    });
    if (!sealed) continue;
    if (!isFutureName(snapshot, store.nowMs())) return { taken, newest: sealed, future };
    future.unshift(sealed);
    report({
      key: sealed.manifestKey,
      message: "is named more than 24 hours after the store's time",
      hint: 'The snapshot stays in the chain, but is never the newest one. Check the clocks of all hosts that export to this store. If none was wrong, another program wrote this object.',
    });
  }
  return { taken, newest: null, future };
}

async function readPointer(
  store: Store,
  target: TargetKey,
  key: string,
  report: Report,
): Promise<Pointer | 'unreadable' | null> {
  try {
    const bytes = await readEvidence(store, key);
    return bytes && decodePointer(target, key, bytes);
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    report(toFault(error));
    return 'unreadable';
  }
}

function asPointer(found: Pointer | 'unreadable' | null): Pointer | null {
  return found === 'unreadable' ? null : found;
}
