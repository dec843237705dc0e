// Responsible for the snapshots of a target in a period: their manifests, whether they were pruned, and the missed slots. It only
// reads. Not responsible for their rows (part-rows.ts), or for whether a signature proves them.

import {
  headKey,
  isFutureName,
  latestKey,
  manifestKey,
  parseTombstoneKey,
  snapshotName,
  type TargetKey,
  targetId,
  tombstonesPrefix,
} from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import {
  type Fault,
  listSnapshots,
  readEvidenceOrNull,
  readManifestOrFault,
  type Sealed,
} from './catalog.ts';
import { findGaps, type Gap } from './gaps.ts';
import { decodePointerOrNull, restoreHint } from './manifest.ts';

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
  /** Manifests in the period that cannot be read, or that another object names and that do not exist. By key. */
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
  // The pointers come first: a snapshot that is sealed in between has its manifest before its pointer.
  const pointed = await readPointers(store, target);
  const listed = (await listSnapshots(store, target)).filter((name) => !isFutureName(name, nowMs));
  const first = listed.findIndex((name) => name >= since);
  const inPeriod = listed.filter((name) => name >= since && name <= until);
  const pruned = await listPruned(store, target);
  const read = (name: string) => readManifestOrFault(store, target, name);
  // The snapshot before the period says which slots were due at its start. The one after it can be in the last slot of the period.
  const around = [
    first === -1 ? listed.at(-1) : listed[first - 1],
    listed.find((name) => name > until),
  ].flatMap((name) => name ?? []);
  const found = await mapParallel(inPeriod, readsMax, read);
  const beside = await mapParallel(around, readsMax, read);
  const sealed = [...found, ...beside].flatMap((one) => one.sealed ?? []);
  const witnesses = [...pointed, ...sealed.flatMap(listPrevious)];
  const missing = findMissing(witnesses, { listed, nowMs });
  const schedules = new Map(
    sealed.map(({ manifest }) => [manifest.snapshot, manifest.scheduleSeconds]),
  );
  const isFault = (name: string) => name >= since && name <= until && !pruned.has(name);
  const faults = [
    ...found.flatMap(({ fault }) => fault ?? []),
    ...[...missing]
      .filter(([name]) => isFault(name))
      .map(([name, by]) => toMissing(target, name, by)),
  ];
  return {
    firstStored: listed[0] ?? null,
    snapshots: found.flatMap((one) =>
      one.sealed ? [{ ...one.sealed, pruned: pruned.has(one.sealed.manifest.snapshot) }] : [],
    ),
    gaps: findGaps(addSchedules([...inPeriod, ...around, ...missing.keys()], schedules), nowMs, {
      sinceMs,
      untilMs,
    }),
    faults: faults.sort((a, b) => (a.key < b.key ? -1 : 1)),
  };
}

/** A name of a snapshot, and the key of the object that names it. */
interface Witness {
  snapshot: string;
  key: string;
}

/** What `_head` and `_latest` name. Nothing for one that does not exist or cannot be read: `status` and `verify` report it. */
async function readPointers(store: Store, target: TargetKey): Promise<Witness[]> {
  const read = async (key: string): Promise<Witness[]> => {
    const bytes = await readEvidenceOrNull(store, key);
    const pointer = bytes && decodePointerOrNull(target, key, bytes);
    return pointer ? [{ snapshot: pointer.snapshot, key }] : [];
  };
  return (await Promise.all([headKey(target), latestKey(target)].map(read))).flat();
}

function listPrevious({ manifest, manifestKey: key }: Sealed): Witness[] {
  return manifest.previous ? [{ snapshot: manifest.previous.snapshot, key }] : [];
}

/** Names without a manifest, each with the key of an object that names it. */
function findMissing(
  witnesses: readonly Witness[],
  { listed, nowMs }: { listed: readonly string[]; nowMs: number },
): Map<string, string> {
  const present = new Set(listed);
  const missing = new Map<string, string>();
  for (const { snapshot, key } of witnesses) {
    if (present.has(snapshot) || isFutureName(snapshot, nowMs) || missing.has(snapshot)) continue;
    missing.set(snapshot, key);
  }
  return missing;
}

function toMissing(target: TargetKey, snapshot: string, by: string): Fault {
  const key = manifestKey(target, snapshot);
  return { key, message: `is missing: ${by} names it`, hint: restoreHint };
}

/** Oldest first. A snapshot without a readable manifest has the schedule of the nearest one before it, or of the first one. */
function addSchedules(names: readonly string[], schedules: ReadonlyMap<string, number>) {
  const sorted = [...new Set(names)].sort();
  const known = sorted.find((name) => schedules.has(name));
  let scheduleSeconds = schedules.get(known ?? '') ?? 0;
  return sorted.map((snapshot) => {
    scheduleSeconds = schedules.get(snapshot) ?? scheduleSeconds;
    return { snapshot, scheduleSeconds };
  });
}

/** The names of the snapshots that have a tombstone. */
export async function listPruned(store: Store, target: TargetKey): Promise<Set<string>> {
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
