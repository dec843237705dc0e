// Responsible for reading the manifests and pointers of a whole store, a few at a time. Keeps only what the checks need of each.
// Not responsible for whether they match (survey.ts).

import { CorruptError, StoreError, UnusableObjectError } from '../core/errors.ts';
import {
  isPointerKey,
  manifestsPrefix,
  parseManifestKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store, StoredObject } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { describeIrregular, type Fault, irregularHint, toFault } from './catalog.ts';
import type { TargetChain } from './chain.ts';
import { decodeSealed, type SealedSummary, summarize } from './manifest.ts';

/** At a time. A bucket answers each request after some milliseconds; more would only use more memory. */
export const readsMax = 8;

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

/** What was read of one object. `value` null: nothing, because it does not exist, or because of `fault` or `unchecked`. */
export interface ReadResult<T> {
  value: T | null;
  /** The object is a link, a pipe or a device. */
  fault: Fault | null;
  /** It exists but may not be read. */
  unchecked: Fault | null;
}

/** Throws the errors of `read` that are about the store as a whole. */
export async function readOrNote<T>(
  key: string,
  read: () => Promise<T | null>,
): Promise<ReadResult<T>> {
  try {
    return { value: await read(), fault: null, unchecked: null };
  } catch (error) {
    if (error instanceof UnusableObjectError) {
      const fault = { key, message: describeIrregular(error), hint: irregularHint };
      return { value: null, fault, unchecked: null };
    }
    if (!(error instanceof StoreError) || error.code !== 'STORE_DENIED') throw error;
    const { message, hint } = error;
    return { value: null, fault: null, unchecked: { key, message, hint } };
  }
}

/** Where the findings about single objects are collected. */
export interface Notes {
  faults: Fault[];
  /** Objects that exist but could not be read, with the reason. */
  unchecked: Fault[];
}

export function addNotes(
  { faults, unchecked }: Notes,
  result: Pick<ReadResult<unknown>, 'fault' | 'unchecked'>,
): void {
  if (result.fault) faults.push(result.fault);
  if (result.unchecked) unchecked.push(result.unchecked);
}

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

/** Of each target, by its id. `irregular`: keys of what is neither a file nor a folder. */
export async function readChains(
  store: Store,
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
  for (const manifest of await readManifests(store, objects, onProgress)) {
    addNotes(notes, manifest);
    addToChain(chains, manifest);
  }
  return chains;
}

interface ReadManifest extends ReadResult<SealedSummary> {
  key: string;
  /** SHA-256 of the bytes; null: they could not be read. */
  hash: string | null;
}

function readManifests(
  store: Store,
  objects: readonly Pick<StoredObject, 'key' | 'bytes'>[],
  onProgress: OnProgress,
): Promise<ReadManifest[]> {
  const total = objects.length;
  const bytesTotal = objects.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  let bytes = 0;
  return mapParallel(objects, readsMax, async (object) => {
    onProgress({ unit: 'manifests', done, total, bytes, bytesTotal });
    const result = await readSummary(store, object.key);
    done += 1;
    bytes += object.bytes;
    return result;
  });
}

async function readSummary(store: Store, key: string): Promise<ReadManifest> {
  const { value: bytes, ...notes } = await readOrNote(key, () => store.get(key));
  if (!bytes) return { key, hash: null, value: null, ...notes };
  const hash = sha256(bytes);
  try {
    return { key, hash, value: summarize(decodeSealed(key, bytes)), ...notes };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return { key, hash, value: null, ...notes, fault: toFault(error) };
  }
}

interface GrowingChain {
  target: TargetKey;
  sealed: Map<string, SealedSummary>;
  found: Map<string, string | null>;
}

function addToChain(chains: Map<string, GrowingChain>, { key, hash, value }: ReadManifest): void {
  const place = parseManifestKey(key);
  if (!place) return;
  const { target, snapshot } = place;
  const id = targetId(target);
  const chain = chains.get(id) ?? { target, sealed: new Map(), found: new Map() };
  chains.set(id, chain);
  chain.found.set(key, hash);
  if (value) chain.sealed.set(snapshot, value);
}
