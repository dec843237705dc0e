// Responsible for where a target's chain of manifests ends: what the next manifest names as its predecessor, and which faults
// of the evidence show there. It only reads. The rules are explained in docs/design/commit.md.

import { CorruptError } from '../core/errors.ts';
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
import { sha256 } from '../core/state.ts';
import {
  type Fault,
  listSnapshots,
  readEvidence,
  readManifestOrFault,
  toFault,
} from './catalog.ts';
import {
  decodePointer,
  encodePointer,
  type Pointer,
  type Previous,
  pointerHint,
  pointerTo,
  restoreHint,
  type Sealed,
} from './manifest.ts';

/** An older seal record explains nothing, by the store's time, milliseconds. `verify` has the same rule. */
export const underWayMs = 24 * 3_600_000;

export interface ChainEnd {
  /** Names under which an object exists among the target's manifests, whatever it holds; oldest first. */
  taken: readonly string[];
  /** The newest sealed snapshot, as findNewest() finds it; null if there is none. */
  newest: Sealed | null;
  /** The newest name that a snapshot has or had, by the manifests and `_head`; null: none. Names after tomorrow do not count. */
  newestName: string | null;
  /** What the next manifest must name as its predecessor; null: it is the first. */
  previous: Previous | null;
  /** Each object at most once. Sealing continues in spite of them. */
  faults: readonly Fault[];
}

/** What the target's manifests show by their names. */
interface Names {
  taken: readonly string[];
  newest: Sealed | null;
  /** Snapshots that are named more than a day after the store's time, oldest first. */
  future: readonly Sealed[];
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
  const names = await readNames(store, target, report);
  const head = await readPointer(store, target, headKey(target), report);
  const latest = asPointer(await readPointer(store, target, latestKey(target), report));
  const headPointer = asPointer(head);
  const witnesses = { latest, remembered, report };
  const end = headPointer
    ? await findEndFromHead(store, target, names, { head: headPointer, ...witnesses })
    : await findEndWithoutHead(store, target, names, { isMissing: head === null, ...witnesses });
  const previous = await continueRemembered(store, target, names, { end, remembered, report });
  const { newest } = names;
  // Otherwise a seal was interrupted, or what is wrong is reported already.
  if (newest && headPointer && isSamePrevious(previous, headPointer)) {
    if (isSamePrevious(headPointer, toPrevious(newest))) {
      if (!isPointerTo(headPointer, newest)) report(describeAltered(headKey(target), newest));
      await checkLatest(store, target, { newest, latest, report });
    }
  }
  const pointers = [headPointer, latest, remembered];
  const known = [newest?.manifest.snapshot, ...pointers.map((one) => one?.snapshot)]
    .filter((name) => name !== undefined)
    .filter((name) => !isFutureName(name, store.nowMs()))
    .sort();
  return {
    taken: names.taken,
    newest,
    newestName: known.at(-1) ?? null,
    previous,
    faults: [...faults.values()],
  };
}

function asPointer(found: Pointer | 'unreadable' | null): Pointer | null {
  return found === 'unreadable' ? null : found;
}

type Report = (fault: Fault) => void;

/** Reads the manifests from the newest name on, until one counts as the newest snapshot. */
async function readNames(store: Store, target: TargetKey, report: Report): Promise<Names> {
  const taken = await listSnapshots(store, target);
  const future: Sealed[] = [];
  for (const snapshot of [...taken].reverse()) {
    const { sealed, fault } = await readManifestOrFault(store, target, snapshot);
    if (fault) report(fault);
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

/** `_head` decides, also if the manifest that it names is lost or altered: so the gap stays visible in the chain. */
async function findEndFromHead(
  store: Store,
  target: TargetKey,
  { newest, future }: Names,
  { head, remembered, report }: { head: Pointer; remembered: Previous | null; report: Report },
): Promise<Previous> {
  const { snapshot, manifestSha256 } = head;
  await checkNamed(
    store,
    target,
    { newest, future },
    { key: headKey(target), pointer: head, report },
  );
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

/** Reports the manifest that a pointer names if it is missing or altered. */
async function checkNamed(
  store: Store,
  target: TargetKey,
  { newest, future }: Pick<Names, 'newest' | 'future'>,
  { key: pointerKey, pointer, report }: { key: string; pointer: Previous; report: Report },
): Promise<void> {
  const { snapshot, manifestSha256 } = pointer;
  const known = [...future, newest].find((sealed) => sealed?.manifest.snapshot === snapshot);
  const key = manifestKey(target, snapshot);
  let foundSha256 = known?.manifestSha256 ?? null;
  if (!known) {
    try {
      const bytes = await readEvidence(store, key);
      foundSha256 = bytes && sha256(bytes);
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      report(toFault(error));
      return;
    }
  }
  if (foundSha256 === null) {
    report({ key, message: `is missing, but ${pointerKey} names it`, hint: restoreHint });
  } else if (foundSha256 !== manifestSha256) {
    const message = `does not match the hash in ${pointerKey}: it was altered`;
    report({ key, message, hint: restoreHint });
  }
}

/**
 * Without `_head`, the manifests say where the chain ends, or `_latest` if it names a newer one. Whether even newer ones were
 * deleted cannot be known.
 */
async function findEndWithoutHead(
  store: Store,
  target: TargetKey,
  { newest, future, taken }: Names,
  { latest, remembered, isMissing, report }: Witnesses & { isMissing: boolean; report: Report },
): Promise<Previous | null> {
  const candidates = newest ? [...future, newest] : future;
  const isNamed = ({ manifest }: Sealed) =>
    candidates.some((other) => other.manifest.previous?.snapshot === manifest.snapshot);
  const end = candidates.findLast((sealed) => !isNamed(sealed)) ?? null;
  // The process may have been killed between the first manifest of the target and `_head`.
  const isFirst = end !== null && end.manifest.previous === null;
  const isOnly = latest === null || latest.snapshot === end?.manifest.snapshot;
  const isInterrupted =
    isFirst && isOnly && remembered === null && (await isUnderWay(store, target, end));
  if (isMissing && (taken.length > 0 || latest || remembered) && !isInterrupted) {
    const message =
      'is missing, although the target has snapshots: newer ones may have been deleted';
    report({ key: headKey(target), message, hint: pointerHint(headKey(target)) });
  }
  const isNewer =
    latest !== null &&
    !isFutureName(latest.snapshot, store.nowMs()) &&
    latest.snapshot >= (newest?.manifest.snapshot ?? '');
  if (!isNewer) return end && toPrevious(end);
  const key = latestKey(target);
  await checkNamed(store, target, { newest, future }, { key, pointer: latest, report });
  const { snapshot, manifestSha256 } = latest;
  // With a future name, the end of the chain may be newer all the same.
  const isFollowed = end !== newest && end !== null && newest?.manifest.snapshot === snapshot;
  return isFollowed ? toPrevious(end) : { snapshot, manifestSha256 };
}

interface Witnesses {
  latest: Pointer | null;
  remembered: Previous | null;
}

/** If a newer snapshot than `end` was sealed, its manifest is the predecessor, also if it is lost: so the gap stays visible. */
async function continueRemembered(
  store: Store,
  target: TargetKey,
  names: Names,
  context: { end: Previous | null; remembered: Previous | null; report: Report },
): Promise<Previous | null> {
  const { end, remembered, report } = context;
  if (!remembered || isFutureName(remembered.snapshot, store.nowMs())) return end;
  if (end && end.snapshot >= remembered.snapshot) return end;
  await checkNamed(store, target, names, { key: scheduleKey, pointer: remembered, report });
  return remembered;
}

/** More drifted snapshots in a row than this are not read at each seal to find the complete one before them. */
const driftedMax = 100;

/** Reports `_latest` if it does not name the newest complete snapshot up to `newest`. */
async function checkLatest(
  store: Store,
  target: TargetKey,
  context: { newest: Sealed; latest: Pointer | null; report: Report },
): Promise<void> {
  const { newest, latest, report } = context;
  const key = latestKey(target);
  let at = newest;
  for (let steps = 0; at.manifest.verdict !== 'complete'; steps += 1) {
    const { previous } = at.manifest;
    if (previous === null || steps === driftedMax) return;
    const { sealed } = await readManifestOrFault(store, target, previous.snapshot);
    if (!sealed) return;
    at = sealed;
  }
  const { snapshot } = at.manifest;
  if (latest?.snapshot !== snapshot) {
    const found = latest ? `names ${latest.snapshot}` : 'is missing or cannot be read';
    const message = `${found}, but the newest complete snapshot is ${snapshot}`;
    report({ key, message, hint: pointerHint(key) });
  } else if (!isPointerTo(latest, at)) report(describeAltered(key, at));
}

function isPointerTo(pointer: Pointer, sealed: Sealed): boolean {
  return Buffer.compare(encodePointer(pointer), encodePointer(pointerTo(sealed))) === 0;
}

function describeAltered(key: string, { manifestKey: named }: Sealed): Fault {
  const message = `does not match ${named}, which it names: it was altered`;
  return { key, message, hint: pointerHint(key) };
}

/** How many manifests the chain has from `head` to `newest`; null if `newest` does not continue it. */
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
