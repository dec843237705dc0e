// Responsible for reading the manifests and pointers of a whole store, a few at a time. Keeps only what the checks need of each.
// Not responsible for whether they match (survey.ts).

import { CorruptError, NewerVersionError } from '../core/errors.ts';
import {
  isPointerKey,
  manifestsPrefix,
  parseManifestKey,
  signatureKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store, StoredObject } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { toFault } from '../snapshots/catalog.ts';
import type { TargetChain } from '../snapshots/chain.ts';
import { decodeSealed, type SealedSummary, summarize } from '../snapshots/manifest.ts';
import {
  checkSignature,
  type KeyFinder,
  type ManifestSignature,
} from '../snapshots/manifest-signature.ts';
import {
  addNotes,
  type Notes,
  type ReadResult,
  readOrNote,
  readsMax,
} from '../snapshots/read-note.ts';
import type { StoreList } from './store-list.ts';

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

/** Of each target, by its id. */
export async function readChains(
  { store, findKey }: EvidenceSource,
  { irregular, onRefused }: Pick<StoreList, 'irregular' | 'onRefused'>,
  notes: Notes,
  onProgress: OnProgress,
): Promise<ReadonlyMap<string, TargetChain>> {
  const others = irregular.filter(({ key }) => key.startsWith(manifestsPrefix));
  const listed = [
    ...(await store.list(manifestsPrefix, onRefused)).map((object) => ({ ...object, isKey: true })),
    ...others.map(({ key, kind }) => ({ key, bytes: 0, isKey: kind !== 'name' })),
  ];
  const isManifest = ({ key, isKey }: { key: string; isKey: boolean }) =>
    isKey && parseManifestKey(key) !== null;
  const objects = listed.filter(isManifest).sort((a, b) => compareUtf8(a.key, b.key));
  for (const one of listed) {
    const { key } = one;
    if (isManifest(one) || !key.endsWith('.json')) continue;
    const hint = 'Find out which program wrote it, then delete it: cgs-export ignores it.';
    notes.faults.push({ key, message: 'is not a manifest of its key', hint });
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
  /** It names a greater version than this program reads. */
  isNewer: boolean;
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
  const nothing = { key, value: null, isNewer: false, signature: null, ...notes };
  if (!bytes) return { ...nothing, hash: null };
  const hash = sha256(bytes);
  try {
    const sealed = decodeSealed(key, bytes);
    const { table, snapshot, scope, signing } = sealed.manifest;
    const target = { table, region: scope.region, projectId: scope.projectId };
    const signed = {
      name: `the manifest of ${snapshot}`,
      key: signatureKey(target, snapshot),
      bytes,
    };
    const signature =
      signing && (await checkSignature(store, findKey, { ...signed, keyId: signing.keyId }));
    return { ...nothing, hash, value: summarize(sealed), signature };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    const isNewer = error instanceof NewerVersionError;
    return { ...nothing, hash, isNewer, fault: toFault(error) };
  }
}

interface GrowingChain {
  target: TargetKey;
  sealed: Map<string, SealedSummary>;
  found: Map<string, string | null>;
  newer: Set<string>;
  signatures: Map<string, ManifestSignature>;
}

function addToChain(
  chains: Map<string, GrowingChain>,
  { key, hash, value, isNewer, signature }: ReadManifest,
): void {
  const place = parseManifestKey(key);
  if (!place) return;
  const { target, snapshot } = place;
  const id = targetId(target);
  const chain: GrowingChain = chains.get(id) ?? {
    ...{ target, sealed: new Map(), found: new Map(), newer: new Set(), signatures: new Map() },
  };
  chains.set(id, chain);
  chain.found.set(key, hash);
  if (value) chain.sealed.set(snapshot, value);
  if (isNewer) chain.newer.add(snapshot);
  if (signature?.value) chain.signatures.set(snapshot, signature.value);
}
