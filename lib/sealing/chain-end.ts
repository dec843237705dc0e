// Responsible for where a target's chain of manifests ends: what the next manifest names as its predecessor, and which faults
// of the evidence show there. It only reads. The rules are explained in docs/design/commit.md.

import {
  headKey,
  isFutureName,
  latestKey,
  manifestKey,
  parseRunKey,
  scheduleKey,
  sealingPrefix,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { type Fault, readManifestOrFault } from '../snapshots/catalog.ts';
import {
  type Pointer,
  type Previous,
  pointerHint,
  restoreHint,
  type Sealed,
} from '../snapshots/manifest.ts';
import { readNames, type SnapshotNames } from './snapshot-names.ts';
import { checkNamed, checkPointersTo, type EndSearch } from './witness-check.ts';

/** An older seal record explains nothing, by the store's time, milliseconds. `verify` has the same rule. */
export const underWayMs = 24 * 3_600_000;

export interface ChainEnd extends SnapshotNames {
  /** What the next manifest must name as its predecessor; null: it is the first. */
  previous: Previous | null;
  /** The newest complete snapshot of the chain, as checkPointersTo() returns it. Absent: the chain has a fault, and was not searched. */
  newestComplete?: Sealed | null;
  /** Each object at most once. Sealing continues in spite of them. */
  faults: readonly Fault[];
}

/** `remembered`: the newest snapshot that was sealed, as the schedule remembers it; null: it remembers none. */
export async function readChainEnd(
  store: Store,
  target: TargetKey,
  remembered: Previous | null,
): Promise<ChainEnd> {
  const faults = new Map<string, Fault>();
  const report = (fault: Fault) => {
    if (!faults.has(fault.key)) faults.set(fault.key, fault);
  };
  const names = await readNames(store, target, remembered, report);
  const search: EndSearch = { store, target, names, remembered, report };
  const { newest, head } = names;
  const end = head ? await findEndFromHead(search, head) : await findEndWithoutHead(search);
  const previous = await continueRemembered(search, end);
  // Otherwise a seal was interrupted, or what is wrong is reported already.
  if (newest && isSamePrevious(previous, head) && isSamePrevious(head, toPrevious(newest))) {
    const newestComplete = await checkPointersTo(search, newest);
    return { ...names, previous, newestComplete, faults: [...faults.values()] };
  }
  return { ...names, previous, faults: [...faults.values()] };
}

/** `_head` decides, also if the manifest that it names is lost or altered: so the gap stays visible in the chain. */
async function findEndFromHead(search: EndSearch, head: Pointer): Promise<Previous> {
  const { store, target, remembered, report } = search;
  const { newest } = search.names;
  const { snapshot, manifestSha256 } = head;
  await checkNamed(search, headKey(target), head);
  const isHeadFuture = isFutureName(snapshot, store.nowMs());
  if (newest && (newest.manifest.snapshot > snapshot || isHeadFuture)) {
    const steps = await countSteps(store, target, newest, head);
    if (steps !== null) {
      // The schedule remembers a snapshot only after the pointers were moved.
      const isOver = remembered !== null && remembered.snapshot >= newest.manifest.snapshot;
      const isInterrupted = steps === 1 && !isOver && (await isUnderWay(store, target, newest));
      if (!isInterrupted) report(describeBehind(target, newest));
      return toPrevious(newest);
    }
    // A snapshot before one with a future name is older than `_head`, as it should be.
    if (!isHeadFuture) {
      const message = `does not continue the chain that ends with ${headKey(target)}`;
      report({ key: newest.manifestKey, message, hint: restoreHint });
    }
  }
  return { snapshot, manifestSha256 };
}

/**
 * Without `_head`, the manifests say where the chain ends, or `_latest` if it names a newer one. Whether even newer ones were
 * deleted cannot be known.
 */
async function findEndWithoutHead(search: EndSearch): Promise<Previous | null> {
  const { store, target, remembered, report } = search;
  const { newest, future, taken, latest, isHeadMissing } = search.names;
  const candidates = newest ? [...future, newest] : future;
  const isNamed = ({ manifest }: Sealed) =>
    candidates.some((other) => other.manifest.previous?.snapshot === manifest.snapshot);
  const end = candidates.findLast((sealed) => !isNamed(sealed)) ?? null;
  // The process may have been killed between the first manifest of the target and `_head`.
  const isFirst = end !== null && end.manifest.previous === null;
  const isOnly = latest === null || latest.snapshot === end?.manifest.snapshot;
  const isInterrupted =
    isFirst && isOnly && remembered === null && (await isUnderWay(store, target, end));
  if (isHeadMissing && (taken.length > 0 || latest || remembered) && !isInterrupted) {
    const message =
      'is missing, although the target has snapshots: newer ones may have been deleted';
    report({ key: headKey(target), message, hint: pointerHint(headKey(target)) });
  }
  const isNewer =
    latest !== null &&
    !isFutureName(latest.snapshot, store.nowMs()) &&
    latest.snapshot >= (newest?.manifest.snapshot ?? '');
  if (!isNewer) return end && toPrevious(end);
  await checkNamed(search, latestKey(target), latest);
  const { snapshot, manifestSha256 } = latest;
  // With a future name, the end of the chain may be newer all the same.
  const isFollowed = end !== newest && end !== null && newest?.manifest.snapshot === snapshot;
  return isFollowed ? toPrevious(end) : { snapshot, manifestSha256 };
}

/**
 * What the schedule remembers is the predecessor if its manifest is lost or has other bytes, or if the chain up to `end` leaves it
 * out: so the gap stays visible.
 */
async function continueRemembered(
  search: EndSearch,
  end: Previous | null,
): Promise<Previous | null> {
  const { store, target, remembered, report } = search;
  if (!remembered || isFutureName(remembered.snapshot, store.nowMs())) return end;
  if (isSamePrevious(end, remembered)) return end;
  if (end && end.snapshot > remembered.snapshot) {
    if (await continues(search, end, remembered)) return end;
    const message = `does not continue the chain that ${scheduleKey} records`;
    report({ key: manifestKey(target, end.snapshot), message, hint: restoreHint });
  }
  await checkNamed(search, scheduleKey, remembered);
  return remembered;
}

/** False if the chain of `end` certainly does not contain `earlier`. What cannot be read is a fault of its own. */
async function continues(
  { store, target, names }: EndSearch,
  end: Previous,
  earlier: Previous,
): Promise<boolean> {
  const known = [...names.future, names.newest].find(
    (sealed) => sealed !== null && isSamePrevious(toPrevious(sealed), end),
  );
  let at: Previous | null = end;
  let sealed = known ?? null;
  while (at && at.snapshot > earlier.snapshot) {
    sealed ??= (await readManifestOrFault(store, target, at.snapshot)).sealed;
    if (!sealed || !isSamePrevious(at, toPrevious(sealed))) return true;
    at = sealed.manifest.previous;
    sealed = null;
  }
  return isSamePrevious(at, earlier);
}

/**
 * How many manifests the chain has from `head` to `newest`; null if `newest` does not continue it. Reads each of them: only so is
 * it known that they continue it. The seal then moves `_head` to the end, so this does not happen at each seal.
 */
async function countSteps(
  store: Store,
  target: TargetKey,
  newest: Sealed,
  head: Pointer,
): Promise<number | null> {
  let at = newest;
  for (let steps = 1; ; steps += 1) {
    const { previous } = at.manifest;
    if (!previous) return null;
    if (isSamePrevious(previous, head)) return steps;
    if (previous.snapshot <= head.snapshot) return null;
    const { sealed } = await readManifestOrFault(store, target, previous.snapshot);
    if (!sealed || !isSamePrevious(previous, toPrevious(sealed))) return null;
    at = sealed;
  }
}

/** A young seal record shows that the exporter may have been killed before it moved `_head`. */
async function isUnderWay(store: Store, target: TargetKey, { manifest }: Sealed): Promise<boolean> {
  if (isFutureName(manifest.snapshot, store.nowMs())) return false;
  const records = await store.list(sealingPrefix(target));
  return records.some(
    ({ key, modifiedMs }) =>
      modifiedMs > store.nowMs() - underWayMs &&
      parseRunKey(target, key)?.snapshot === manifest.snapshot,
  );
}

function describeBehind(target: TargetKey, { manifest }: Sealed): Fault {
  const message = `does not name the newest snapshot, ${manifest.snapshot}: it was set back`;
  return { key: headKey(target), message, hint: pointerHint(headKey(target)) };
}

function toPrevious({ manifest, manifestSha256 }: Sealed): Previous {
  return { snapshot: manifest.snapshot, manifestSha256 };
}

export function isSamePrevious(a: Previous | null, b: Previous | null): boolean {
  return a?.snapshot === b?.snapshot && a?.manifestSha256 === b?.manifestSha256;
}
