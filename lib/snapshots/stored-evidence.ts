// Responsible for reading the manifests and pointers of a whole store, a few at a time. Keeps only what the checks need of each.
// Not responsible for whether they match (survey.ts).

import { CorruptError } from '../core/errors.ts';
import {
  isPointerKey,
  manifestKey,
  manifestsPrefix,
  parseManifestKey,
  parseTombstoneKey,
  type TargetKey,
  targetId,
  tombstoneKey,
  tombstonesPrefix,
} from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store, StoredObject } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { toFault } from './catalog.ts';
import type { TargetChain } from './chain.ts';
import { decodeSealed, restoreHint, type SealedSummary, summarize } from './manifest.ts';
import { checkSignature, type KeyFinder, type ManifestSignature } from './manifest-signature.ts';
import { addNotes, type Notes, type ReadResult, readOrNote, readsMax } from './read-note.ts';
import { checkFit, decodeTombstone, type Tombstone } from './tombstone.ts';

export interface VerifyProgress {
  unit: 'manifests' | 'parts';
  done: number;
  total: number;
  /** Of those that are done, and of the parts that are being read. */
  bytes: number;
  /** As the store and the manifests state it. */
  bytesTotal: number;
}

/** May throw to stop the verification. Called often. */
export type OnProgress = (progress: VerifyProgress) => void;

/** The bytes of each pointer, by its key. */
export async function readPointers(
  store: Store,
  keys: readonly string[],
  notes: Notes,
): Promise<Map<string, Uint8Array>> {
  const pointers = new Map<string, Uint8Array>();
  const wanted = keys.filter(isPointerKey);
  const results = await mapParallel(wanted, readsMax, async (key) => {
    return { key, ...(await readOrNote(key, () => store.get(key))) };
  });
  for (const result of results) {
    addNotes(notes, result);
    if (result.value) pointers.set(result.key, result.value);
  }
  return pointers;
}

/** Where manifests come from, and the keys of their signatures. */
export interface EvidenceSource {
  store: Store;
  findKey: KeyFinder;
}

/** Of each target, by its id. `irregular`: keys of what is neither a file nor a folder. */
export async function readChains(
  { store, findKey }: EvidenceSource,
  irregular: readonly string[],
  notes: Notes,
  onProgress: OnProgress,
): Promise<ReadonlyMap<string, TargetChain>> {
  const special = irregular.filter((key) => key.startsWith(manifestsPrefix));
  const listed = [
    ...(await store.list(manifestsPrefix)),
    ...special.map((key) => ({ key, bytes: 0 })),
  ];
  const objects = listed
    .filter(({ key }) => parseManifestKey(key) !== null)
    .sort((a, b) => compareUtf8(a.key, b.key));
  for (const { key } of listed) {
    if (parseManifestKey(key) !== null || !key.endsWith('.json')) continue;
    const hint = 'Find out which program wrote it, then delete it: it counts for nothing.';
    notes.faults.push({ key, message: 'is no manifest of its key', hint });
  }
  const chains = new Map<string, GrowingChain>();
  for (const manifest of await readManifests({ store, findKey }, objects, onProgress)) {
    addNotes(notes, manifest);
    if (manifest.signature) addNotes(notes, manifest.signature);
    addToChain(chains, manifest);
  }
  return chains;
}

interface ReadManifest extends ReadResult<SealedSummary> {
  key: string;
  /** SHA-256 of the bytes; null: they could not be read. */
  hash: string | null;
  /** Null: the manifest names no key, or it could not be read. */
  signature: ReadResult<ManifestSignature> | null;
}

function readManifests(
  source: EvidenceSource,
  objects: readonly Pick<StoredObject, 'key' | 'bytes'>[],
  onProgress: OnProgress,
): Promise<ReadManifest[]> {
  const total = objects.length;
  const bytesTotal = objects.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  let bytes = 0;
  return mapParallel(objects, readsMax, async (object) => {
    onProgress({ unit: 'manifests', done, total, bytes, bytesTotal });
    const result = await readSummary(source, object.key);
    done += 1;
    bytes += object.bytes;
    return result;
  });
}

async function readSummary({ store, findKey }: EvidenceSource, key: string): Promise<ReadManifest> {
  const { value: bytes, ...notes } = await readOrNote(key, () => store.get(key));
  const nothing = { key, value: null, signature: null, ...notes };
  if (!bytes) return { ...nothing, hash: null };
  const hash = sha256(bytes);
  try {
    const sealed = decodeSealed(key, bytes);
    const { table, snapshot, scope, signing } = sealed.manifest;
    const target = { table, region: scope.region, projectId: scope.projectId };
    const signature =
      signing &&
      (await checkSignature(store, findKey, { target, snapshot, keyId: signing.keyId, bytes }));
    return { ...nothing, hash, value: summarize(sealed), signature };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return { ...nothing, hash, fault: toFault(error) };
  }
}

/** The tombstones that fit their manifests, by the keys of these manifests. All others are faults. */
export async function readFittingTombstones(
  store: Store,
  chains: ReadonlyMap<string, TargetChain>,
  notes: Notes,
): Promise<Map<string, Tombstone>> {
  const fitting = new Map<string, Tombstone>();
  const places = (await store.list(tombstonesPrefix)).flatMap(({ key }) => {
    const place = parseTombstoneKey(key);
    return place && !place.isSignature ? [{ key, ...place }] : [];
  });
  const results = await mapParallel(places, readsMax, async ({ key, target, snapshot }) => {
    const chain = chains.get(targetId(target));
    const manifest = manifestKey(target, snapshot);
    // The manifest's own finding says more.
    if (chain?.found.has(manifest) && !chain.sealed.has(snapshot)) return null;
    const sealed = chain?.sealed.get(snapshot) ?? null;
    return { manifest, ...(await readFitting(store, { key, target, snapshot }, sealed)) };
  });
  for (const result of results) {
    if (!result) continue;
    addNotes(notes, result);
    if (result.value) fitting.set(result.manifest, result.value);
  }
  return fitting;
}

/** `sealed` null: there is no such manifest. */
async function readFitting(
  store: Store,
  { key, target, snapshot }: { key: string; target: TargetKey; snapshot: string },
  sealed: SealedSummary | null,
): Promise<ReadResult<Tombstone>> {
  try {
    const { value: bytes, ...notes } = await readOrNote(key, () => store.get(key));
    if (!bytes) return { value: null, ...notes };
    const tombstone = decodeTombstone(target, snapshot, bytes);
    if (sealed) {
      checkFit(target, tombstone, sealed);
      return { value: tombstone, ...notes };
    }
    const message = `is a tombstone, but ${manifestKey(target, snapshot)} is missing: pruning keeps every manifest`;
    return { value: null, ...notes, fault: { key, message, hint: restoreHint } };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return { value: null, fault: toFault(error), unchecked: null };
  }
}

/** Whether a tombstone that fits was written since the store was surveyed. */
export async function hasFittingTombstone(store: Store, sealed: SealedSummary): Promise<boolean> {
  const place = parseManifestKey(sealed.manifestKey);
  if (!place) return false;
  const key = tombstoneKey(place.target, place.snapshot);
  return (await readFitting(store, { key, ...place }, sealed)).value !== null;
}

interface GrowingChain {
  target: TargetKey;
  sealed: Map<string, SealedSummary>;
  found: Map<string, string | null>;
  signatures: Map<string, ManifestSignature>;
}

function addToChain(
  chains: Map<string, GrowingChain>,
  { key, hash, value, signature }: ReadManifest,
): void {
  const place = parseManifestKey(key);
  if (!place) return;
  const { target, snapshot } = place;
  const id = targetId(target);
  const empty = { target, sealed: new Map(), found: new Map(), signatures: new Map() };
  const chain = chains.get(id) ?? empty;
  chains.set(id, chain);
  chain.found.set(key, hash);
  if (value) chain.sealed.set(snapshot, value);
  if (signature?.value) chain.signatures.set(snapshot, signature.value);
}
