// Responsible for pruning the targets of a store: what retention deletes now, and deleting it so that it can be killed at any point
// and repeated. Not responsible for which snapshots are kept (retention.ts) and for the lease (runs/prune.ts).

import { CorruptError, type ExportError, StoppedError, StoreError } from '../core/errors.ts';
import {
  dataDirectories,
  isFutureTime,
  latestKey,
  manifestsPrefix,
  parseManifestKey,
  parsePartKey,
  parseTombstoneKey,
  type TargetKey,
  targetId,
  tombstoneKey,
  tombstonesPrefix,
} from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import { readEvidenceOrNull, readManifest } from '../snapshots/catalog.ts';
import { decodePointerOrNull, restoreHint, type Sealed } from '../snapshots/manifest.ts';
import { readsMax } from '../snapshots/read-note.ts';
import { readPublicKey, type SigningKey } from '../snapshots/signature.ts';
import { findProven } from './proven-chain.ts';
import {
  type Candidate,
  describeRules,
  type KeptBy,
  type RetentionRules,
  retain,
} from './retention.ts';
import { checkFit, isPrunable, readTombstone, writeTombstone } from './tombstone.ts';
import { openTombstoneKeys, requireSigned, type TombstoneKeys } from './tombstone-signature.ts';

export interface Retention extends RetentionRules {
  /** Parts are deleted this long after the tombstone was written, milliseconds. */
  grace: number;
}

/** What the store holds of a target, by its keys alone. */
export interface StoredTarget {
  target: TargetKey;
  /** The names of its snapshots, oldest first. */
  snapshots: readonly string[];
  /** Snapshots that have a tombstone. */
  tombstones: ReadonlySet<string>;
  /** The stored parts of rows and rejects with their bytes, by snapshot. */
  parts: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

export interface PrunePlan {
  target: TargetKey;
  /** The label in the newest manifest that was read; null: none was read. */
  account: string | null;
  /** Oldest first. Without those that were pruned before and have no part left. */
  snapshots: PlannedSnapshot[];
  /** How many those are. */
  gone: number;
  /** Objects that prevent a decision. Their snapshots are kept. */
  errors: ExportError[];
}

export interface PlannedSnapshot {
  snapshot: string;
  /** Null: its manifest cannot be used. */
  sealed: Sealed | null;
  /**
   * What keeps it, also if it has a tombstone. `pruned`: nothing does. `not judged`: an object that belongs to it cannot be used.
   */
  rule: KeptBy | 'pruned' | 'not judged';
  /** When its tombstone was written, ISO 8601; null: it has none yet. */
  prunedAt: string | null;
  /** Rows and rejects that are stored and that its manifest names. */
  parts: { key: string; bytes: number }[];
  /** True: these parts are deleted now. */
  isDue: boolean;
}

export interface PruneOptions {
  retention: Retention;
  /** Store time. One value for a whole run. */
  nowMs: number;
  /** Null: tombstones are not signed. */
  signingKey: SigningKey | null;
}

interface Growing extends StoredTarget {
  snapshots: string[];
  tombstones: Set<string>;
  parts: Map<string, Map<string, number>>;
}

/** Reads no object, only lists: a few hundred bytes of memory for each. */
export async function listStored(store: Store): Promise<StoredTarget[]> {
  const found = new Map<string, Growing>();
  for (const { key } of await store.list(manifestsPrefix)) {
    const place = parseManifestKey(key);
    if (!place) continue;
    const { target, snapshot } = place;
    const id = targetId(target);
    const empty: Growing = { target, snapshots: [], tombstones: new Set(), parts: new Map() };
    const stored = found.get(id) ?? empty;
    found.set(id, stored);
    stored.snapshots.push(snapshot);
  }
  const tables = new Set([...found.values()].map(({ target }) => target.table));
  for (const directory of new Set([...tables].flatMap(dataDirectories))) {
    for (const { key, bytes } of await store.list(`${directory}/`)) {
      const place = parsePartKey(key);
      const stored = place && isPrunable(place.kind) && found.get(targetId(place.target));
      if (!stored) continue;
      const parts = stored.parts.get(place.snapshot) ?? new Map<string, number>();
      stored.parts.set(place.snapshot, parts.set(key, bytes));
    }
  }
  // After the parts: those that another prune has deleted meanwhile have a tombstone by now.
  for (const { key } of await store.list(tombstonesPrefix)) {
    const place = parseTombstoneKey(key);
    if (place && !place.isSignature)
      found.get(targetId(place.target))?.tombstones.add(place.snapshot);
  }
  return [...found.values()];
}

/**
 * Writes nothing. Reads the manifests that are not pruned, and those whose parts are still to be deleted. With a signing key, all
 * from the oldest of them on.
 */
export async function planPrune(
  store: Store,
  stored: StoredTarget,
  { retention, nowMs, signingKey }: PruneOptions,
): Promise<PrunePlan> {
  const { target, snapshots, tombstones } = stored;
  const hasParts = (snapshot: string) => (stored.parts.get(snapshot)?.size ?? 0) > 0;
  const wanted = snapshots.filter((name) => !tombstones.has(name) || hasParts(name));
  const errors: ExportError[] = [];
  const read = await readManifests(store, target, wanted, errors);
  dropAltered(read, errors);
  const publicKey = signingKey && readPublicKey(signingKey.publicPem);
  const [oldest = ''] = wanted;
  const names = snapshots.filter((name) => name >= oldest);
  const proven = publicKey && (await findProven(store, target, names, publicKey));
  if (proven) dropUnproven(proven.snapshots, read, errors);
  const latest = await readLatest(store, target);
  const judge = (candidates: readonly Candidate[]) => retain(candidates, retention, nowMs, latest);
  const { rules, keptFrom } = judge(listCandidates(stored, read));
  const tombstoneCheck: TombstoneCheck = {
    ...{ store, target, nowMs, keptFrom },
    keys: publicKey && openTombstoneKeys(store, target, publicKey, proven),
    rules: judge(listWithoutTombstones(stored, read)).rules,
  };
  const planned = await mapParallel(
    wanted,
    readsMax,
    async (snapshot): Promise<PlannedSnapshot> => {
      const sealed = read.get(snapshot) ?? null;
      const parts = sealed === null ? [] : listParts(sealed, stored);
      const base = { snapshot, sealed, parts, prunedAt: null, isDue: false };
      if (sealed === null) return { ...base, rule: 'not judged' };
      if (!tombstones.has(snapshot)) {
        const rule = rules.get(snapshot) ?? 'pruned';
        const lost = rule === 'pruned' ? findLost(sealed, stored) : null;
        if (lost !== null) {
          errors.push(new CorruptError(lost, lostMessage, restoreHint));
          return { ...base, rule: 'not judged' };
        }
        return { ...base, rule, isDue: rule === 'pruned' && retention.grace === 0 };
      }
      try {
        const { prunedAt, rule } = await checkTombstone(tombstoneCheck, sealed);
        const isOver = nowMs - Date.parse(prunedAt) >= retention.grace;
        return { ...base, rule, prunedAt, isDue: rule === 'pruned' && isOver };
      } catch (error) {
        addUnusable(error, errors);
        return { ...base, rule: 'not judged' };
      }
    },
  );
  const newest = planned.findLast(({ sealed }) => sealed !== null)?.sealed;
  const account = newest?.manifest.scope.account ?? null;
  return { target, account, snapshots: planned, gone: snapshots.length - wanted.length, errors };
}

type ReadManifests = ReadonlyMap<string, Sealed | null>;

/** The snapshots without a tombstone. */
function listCandidates(stored: StoredTarget, read: ReadManifests): Candidate[] {
  return stored.snapshots.flatMap((name) => {
    const sealed = stored.tombstones.has(name) ? null : read.get(name);
    if (!sealed) return [];
    return [{ ...sealed.manifest, isWhole: findLost(sealed, stored) === null }];
  });
}

/** All snapshots, as if none had a tombstone. One that was pruned before and has no part left counts as complete: it is not read. */
function listWithoutTombstones(stored: StoredTarget, read: ReadManifests): Candidate[] {
  return stored.snapshots.flatMap((name): Candidate[] => {
    const sealed = read.get(name);
    if (sealed === undefined) return [{ snapshot: name, verdict: 'complete' }];
    if (sealed === null) return [];
    const isWhole = stored.tombstones.has(name) || findLost(sealed, stored) === null;
    return [{ ...sealed.manifest, isWhole }];
  });
}

/** Null for a manifest that cannot be used. */
async function readManifests(
  store: Store,
  target: TargetKey,
  names: readonly string[],
  errors: ExportError[],
): Promise<Map<string, Sealed | null>> {
  const entries = await mapParallel(names, readsMax, async (name) => {
    try {
      return [name, await readManifest(store, target, name)] as const;
    } catch (error) {
      addUnusable(error, errors);
      return [name, null] as const;
    }
  });
  return new Map(entries);
}

/** A manifest that was altered since the next one recorded its hash may state another verdict: it decides nothing. */
function dropAltered(read: Map<string, Sealed | null>, errors: ExportError[]): void {
  for (const sealed of [...read.values()]) {
    const previous = sealed?.manifest.previous;
    const before = previous && read.get(previous.snapshot);
    if (!before || before.manifestSha256 === previous.manifestSha256) continue;
    const message = `was altered: ${sealed.manifest.snapshot} recorded another hash of it`;
    errors.push(new CorruptError(before.manifestKey, message, restoreHint));
    read.set(previous.snapshot, null);
  }
}

/** A signed tombstone must not depend on a manifest that another person added or changed for a short time. */
function dropUnproven(
  proven: ReadonlySet<string>,
  read: Map<string, Sealed | null>,
  errors: ExportError[],
): void {
  const unproven = [...read.values()].flatMap((sealed) =>
    sealed === null || proven.has(sealed.manifest.snapshot) ? [] : [sealed],
  );
  for (const { manifest } of unproven) read.set(manifest.snapshot, null);
  const newest = unproven.at(-1);
  if (!newest) return;
  const count = unproven.length - 1;
  const others = count === 1 ? 'is 1 older one' : `are ${count} older ones`;
  const rest = count > 0 ? `, nor ${others}: their rows are kept` : ': its rows are kept';
  const message = `is not in the chain of the newest manifest that the signing key signed${rest}`;
  errors.push(new CorruptError(newest.manifestKey, message, unprovenHint));
}

const unprovenHint =
  'Run `cgs-export verify` with --public-key, and restore what it names. If the exporter signs with another key, use that key for prune too.';

const lostMessage = 'is missing, but no tombstone says that it was pruned';

/** The key of a row or reject that is missing; null: none is. */
function findLost({ manifest }: Sealed, stored: StoredTarget): string | null {
  const present = stored.parts.get(manifest.snapshot);
  const lost = manifest.parts.filter(isPrunable).find(({ key }) => !present?.has(key));
  return lost?.key ?? null;
}

async function readLatest(store: Store, target: TargetKey): Promise<string | null> {
  const key = latestKey(target);
  const bytes = await readEvidenceOrNull(store, key);
  return (bytes && decodePointerOrNull(target, key, bytes))?.snapshot ?? null;
}

/** What is stored under other keys is never deleted. */
function listParts({ manifest }: Sealed, stored: StoredTarget): { key: string; bytes: number }[] {
  const present = stored.parts.get(manifest.snapshot);
  return manifest.parts.filter(isPrunable).flatMap(({ key }) => {
    const bytes = present?.get(key);
    return bytes === undefined ? [] : [{ key, bytes }];
  });
}

/** What the tombstones of a target are checked against. */
interface TombstoneCheck {
  store: Store;
  target: TargetKey;
  nowMs: number;
  /** Null: no signing key is set, and a tombstone need not be signed. */
  keys: TombstoneKeys | null;
  /** This snapshot and later ones are always kept; null: there is none. */
  keptFrom: string | null;
  /** What keeps each snapshot if no tombstone counts; null: nothing does. */
  rules: ReadonlyMap<string, KeptBy | null>;
}

/**
 * Returns when it was written, and what keeps the snapshot all the same: another rule than when it was written, or another person
 * wrote it. Throws CorruptError if nothing may be deleted because of it.
 */
async function checkTombstone(
  { store, target, nowMs, keys, keptFrom, rules }: TombstoneCheck,
  sealed: Sealed,
): Promise<{ prunedAt: string; rule: KeptBy | 'pruned' }> {
  const { snapshot, sealedAt } = sealed.manifest;
  const key = tombstoneKey(target, snapshot);
  const stored = await readTombstone(store, target, snapshot);
  if (!stored) {
    throw new StoreError('STORE_FAILED', `${key} was removed meanwhile`, 'Run the command again.');
  }
  const { prunedAt } = stored.tombstone;
  checkFit(target, stored.tombstone, sealed);
  if (keys) await requireSigned(keys, stored);
  const prunedMs = Date.parse(prunedAt);
  if (isFutureTime(prunedMs, nowMs) || isFutureTime(Date.parse(sealedAt), prunedMs)) {
    const message = `cannot have been written at ${prunedAt}: ${prunedMs > nowMs ? 'that time is in the future' : 'the snapshot was sealed later'}`;
    throw new CorruptError(key, message, impossibleTimeHint);
  }
  if (keptFrom !== null && snapshot < keptFrom) {
    return { prunedAt, rule: rules.get(snapshot) ?? 'pruned' };
  }
  const message = 'is the tombstone of a snapshot that retention always keeps';
  const hint =
    'Nothing of this snapshot is deleted: it is not older than the newest complete snapshot without a tombstone. Find out which program wrote the tombstone, then delete it.';
  throw new CorruptError(key, message, hint);
}

const impossibleTimeHint =
  'Nothing of this snapshot is deleted. Check the clocks of all hosts that prune this store. Otherwise find out which program wrote the tombstone. If all parts of the snapshot still exist, delete it: prune writes another one if no rule keeps the snapshot.';

/** Throws an error that is not about one object. */
function addUnusable(error: unknown, errors: ExportError[]): void {
  const isOfObject = error instanceof CorruptError || isDenied(error);
  if (!isOfObject) throw error;
  errors.push(error);
}

/** The store works, but refuses this object. */
function isDenied(error: unknown): error is StoreError {
  return error instanceof StoreError && ['STORE_DENIED', 'STORE_UNUSABLE'].includes(error.code);
}

export interface PruneWork extends PruneOptions {
  store: Store;
  /** Awaited before each write and each delete. Throws StoppedError if the work must end. */
  keepAlive: () => Promise<void>;
}

export interface PruneCounts {
  /** Tombstones that were written. */
  marked: number;
  /** What was deleted. */
  parts: number;
  bytes: number;
  /** Keys of parts that the store refused to delete. */
  locked: string[];
}

/** Adds to `counts` what was done, also if it throws. Each tombstone is stored before the first part of its snapshot is deleted. */
export async function carryOut(
  { store, signingKey, keepAlive, retention, nowMs }: PruneWork,
  { target, snapshots }: PrunePlan,
  counts: PruneCounts,
): Promise<void> {
  const prunedAt = new Date(nowMs).toISOString();
  // Newest first: a snapshot without a tombstone keeps later ones of its period from being the first. So a killed prune leaves
  // nothing that the next one judges otherwise.
  for (const { snapshot, sealed, rule, parts, isDue, ...planned } of [...snapshots].reverse()) {
    if (sealed === null || rule !== 'pruned') continue;
    if (planned.prunedAt === null) {
      const { manifestSha256, manifest } = sealed;
      const keys = manifest.parts.filter(isPrunable).map(({ key }) => key);
      const content = { snapshot, manifestSha256, parts: keys, prunedAt };
      await keepAlive();
      await writeTombstone(
        store,
        target,
        { ...content, rule: describeRules(retention) },
        signingKey,
      );
      counts.marked += 1;
    }
    if (!isDue) continue;
    for (const { key, bytes } of parts) {
      await keepAlive();
      try {
        await store.delete(key);
      } catch (error) {
        if (error instanceof StoppedError || !isDenied(error)) throw error;
        counts.locked.push(key);
        continue;
      }
      counts.parts += 1;
      counts.bytes += bytes;
    }
  }
}
