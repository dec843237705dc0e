// Responsible for which tombstones of a store allow rows to be missing, and for what is wrong with the others. It only reads. Not
// responsible for their bytes (tombstone.ts) and for the parts (part-check.ts).

import { CorruptError } from '../core/errors.ts';
import {
  manifestKey,
  parseManifestKey,
  parseTombstoneKey,
  type TargetKey,
  targetId,
  tombstoneKey,
} from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import { findNewest, toFault } from '../snapshots/catalog.ts';
import type { TargetChain } from '../snapshots/chain.ts';
import { restoreHint, type SealedSummary } from '../snapshots/manifest.ts';
import type { KeyFinder } from '../snapshots/manifest-signature.ts';
import {
  addNotes,
  type Notes,
  type ReadResult,
  readOrNote,
  readsMax,
} from '../snapshots/read-note.ts';
import { findKeptFrom } from './retention.ts';
import { checkFit, decodeTombstone, type Tombstone } from './tombstone.ts';
import { checkTombstoneSignature } from './tombstone-signature.ts';

interface TombstoneSource {
  store: Store;
  findKey: KeyFinder;
  /** Ids of the keys that the user trusts. Empty: the user gave none, and the keys of the store count. */
  trusted: ReadonlySet<string>;
  /** By targetId(). */
  chains: ReadonlyMap<string, TargetChain>;
}

export interface TombstoneContext extends TombstoneSource {
  /** Of each target, by targetId(): prune keeps this snapshot and later ones. */
  keptFrom: ReadonlyMap<string, string | null>;
}

export function openTombstones(source: TombstoneSource): TombstoneContext {
  const { store, chains } = source;
  const keptFrom = [...chains].map(([id, { found, sealed }]) => {
    const names = [...found.keys()].flatMap((key) => parseManifestKey(key)?.snapshot ?? []);
    const candidates = names.map((snapshot) => {
      // A manifest that cannot be read may be that of the newest complete snapshot.
      return { snapshot, verdict: sealed.get(snapshot)?.manifest.verdict ?? 'complete' };
    });
    return [id, findKeptFrom(candidates, store.nowMs())] as const;
  });
  return { ...source, keptFrom: new Map(keptFrom) };
}

interface Place {
  target: TargetKey;
  snapshot: string;
}

/**
 * The manifests' keys of the tombstones that count. All others are faults. `keys`: of a list of the store that is older than the
 * chains, so that no tombstone comes before its manifest.
 */
export async function checkTombstones(
  context: TombstoneContext,
  keys: readonly string[],
  notes: Notes,
): Promise<Set<string>> {
  const pruned = new Set<string>();
  const places = keys.flatMap((key) => {
    const place = parseTombstoneKey(key);
    return place ? [{ key, ...place }] : [];
  });
  const results = await mapParallel(places, readsMax, async ({ key, isSignature, ...place }) => {
    const { target, snapshot } = place;
    const chain = context.chains.get(targetId(target));
    const named = manifestKey(target, snapshot);
    const sealed = chain?.sealed.get(snapshot);
    // A signature without a tombstone remains of a prune that was killed between the two. It allows nothing.
    if (sealed && isSignature) return null;
    if (sealed) return { named, ...(await checkTombstone(context, place, sealed)) };
    // The manifest's own finding says more.
    if (chain?.found.has(named)) return null;
    const what = isSignature ? 'the signature of a tombstone' : 'a tombstone';
    const message = `is ${what}, but ${named} is missing: prune deletes no manifest`;
    return { named, value: null, fault: { key, message, hint: restoreHint }, unchecked: null };
  });
  for (const result of results) {
    if (!result) continue;
    addNotes(notes, result);
    if (result.value) pruned.add(result.named);
  }
  return pruned;
}

/** Looks for the tombstone of a snapshot now. `value` null: none counts. */
export async function readPruned(
  context: TombstoneContext,
  sealed: SealedSummary,
): Promise<ReadResult<Tombstone>> {
  const place = parseManifestKey(sealed.manifestKey);
  if (!place) return { value: null, fault: null, unchecked: null };
  return checkTombstone(context, place, sealed);
}

async function checkTombstone(
  context: TombstoneContext,
  place: Place,
  sealed: SealedSummary,
): Promise<ReadResult<Tombstone>> {
  const { target, snapshot } = place;
  const key = tombstoneKey(target, snapshot);
  const { value: bytes, ...notes } = await readOrNote(key, () => context.store.get(key));
  if (!bytes) return { value: null, ...notes };
  try {
    const tombstone = decodeTombstone(target, snapshot, bytes);
    checkFit(target, tombstone, sealed);
    await requirePrunable(context, place);
    requireTrusted(key, tombstone, context.trusted);
    return await checkTombstoneSignature(context, target, { tombstone, bytes });
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return { value: null, fault: toFault(error), unchecked: null };
  }
}

/** Throws CorruptError for the newest complete snapshot of a target and those after it: prune never deletes their rows. */
async function requirePrunable(
  { store, keptFrom }: TombstoneContext,
  { target, snapshot }: Place,
): Promise<void> {
  const isKept = (from: string | null) => from !== null && snapshot >= from;
  if (!isKept(keptFrom.get(targetId(target)) ?? null)) return;
  // Another exporter may have sealed a newer one meanwhile.
  const key = tombstoneKey(target, snapshot);
  const { value: newest, unchecked } = await readOrNote(key, () =>
    findNewest(store, target, ({ verdict }) => verdict === 'complete'),
  );
  // A manifest that may not be read is listed already.
  if (unchecked || !isKept(newest?.manifest.snapshot ?? snapshot)) return;
  const message =
    'is the tombstone of the newest complete snapshot, or of a later one: prune always keeps them';
  throw new CorruptError(key, message, forgedHint);
}

/** Throws CorruptError: without the signature of a key that the user trusts, another person may have deleted the rows. */
function requireTrusted(
  key: string,
  { signing }: Tombstone,
  trusted: TombstoneContext['trusted'],
): void {
  if (trusted.size === 0 || (signing && trusted.has(signing.keyId))) return;
  const by = signing
    ? `is signed by the key ${signing.keyId}, which is not given`
    : 'is not signed, but public keys are given';
  throw new CorruptError(key, `${by}: no part of the snapshot may be missing`, untrustedHint);
}

const forgedHint =
  'So no part of the snapshot may be missing. If a newer complete snapshot was deleted, restore its manifest. Otherwise find out which program wrote this object, then delete it, and restore missing parts from a backup.';
const untrustedHint =
  'If the exporter signed with an older key, give that public key too. If prune wrote it before `signing` was set, sign it as docs/audit.md explains. Otherwise another person may have deleted the rows: compare the store with a backup.';
