// Responsible for finding and reading the sealed snapshots of a target. Not responsible for writing them (seal.ts).

import { CorruptError, UnusableObjectError } from '../core/errors.ts';
import {
  isFutureName,
  manifestKey,
  manifestPrefix,
  manifestsPrefix,
  parseManifestKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { decodeSealed, type Manifest, type Sealed } from './manifest.ts';

export type { Sealed } from './manifest.ts';

/** A stored object that is not as it was sealed. */
export interface Fault {
  /** The object's key. */
  key: string;
  /** What is wrong, without the key. */
  message: string;
  hint: string;
}

export function toFault({ key, message, hint }: CorruptError): Fault {
  return { key, message: message.slice(key.length + 2), hint };
}

/** Null if the object does not exist. Throws CorruptError if something else is in its place, such as a link or a pipe. */
export async function readEvidence(store: Store, key: string): Promise<Uint8Array | null> {
  try {
    return await store.get(key);
  } catch (cause) {
    if (!(cause instanceof UnusableObjectError)) throw cause;
    throw new CorruptError(key, describeIrregular(cause), irregularHint, { cause });
  }
}

/** As readEvidence, but null if something else is in its place. */
export async function readEvidenceOrNull(store: Store, key: string): Promise<Uint8Array | null> {
  return readEvidence(store, key).catch((error: unknown) => {
    if (error instanceof CorruptError) return null;
    throw error;
  });
}

export function describeIrregular({ message }: UnusableObjectError): string {
  return `is not the object that was sealed: ${message}`;
}

export const irregularHint =
  'Links, pipes and devices in a store are never followed or read. Find out which program put it there, move it away, and restore the object from a backup.';

/** Every target that has an object with the key of a manifest, by targetId(). */
export async function listTargets(store: Store): Promise<Map<string, TargetKey>> {
  const targets = new Map<string, TargetKey>();
  for (const { key } of await store.list(manifestsPrefix)) {
    const target = parseManifestKey(key)?.target;
    if (target) targets.set(targetId(target), target);
  }
  return targets;
}

/** Names under which the target has manifests, oldest first. The objects may not be manifests of their keys. */
export async function listSnapshots(store: Store, target: TargetKey): Promise<string[]> {
  const objects = await store.list(manifestPrefix(target));
  return objects
    .map(({ key }) => parseManifestKey(key)?.snapshot)
    .filter((name): name is string => name !== undefined);
}

/** Null if the snapshot is not sealed. Throws CorruptError if the object is not the manifest of its key. */
export async function readManifest(
  store: Store,
  target: TargetKey,
  snapshot: string,
): Promise<Sealed | null> {
  const key = manifestKey(target, snapshot);
  const bytes = await readEvidence(store, key);
  return bytes && decodeSealed(key, bytes);
}

/** As readManifest, but returns the fault of an object that is not the manifest of its key. */
export async function readManifestOrFault(
  store: Store,
  target: TargetKey,
  snapshot: string,
): Promise<{ sealed: Sealed | null; fault: Fault | null }> {
  try {
    return { sealed: await readManifest(store, target, snapshot), fault: null };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return { sealed: null, fault: toFault(error) };
  }
}

/**
 * A search for a snapshot ends after this many manifests. A target that always drifts has no complete snapshot, and each `status`
 * and each seal would read all its manifests.
 */
export const searchedMax = 100;

/**
 * The newest sealed snapshot that `isWanted` accepts; null if none of the newest `searchedMax` is one. Leaves out what is not the
 * manifest of its key and what is named more than a day after the store's time. `notAfter`: the newest name to consider.
 */
export async function findNewest(
  store: Store,
  target: TargetKey,
  isWanted: (manifest: Manifest) => boolean = () => true,
  notAfter: string | null = null,
): Promise<Sealed | null> {
  const names = await listSnapshots(store, target);
  const nowMs = store.nowMs();
  const present = names.filter(
    (name) => !isFutureName(name, nowMs) && (notAfter === null || name <= notAfter),
  );
  for (const snapshot of present.slice(-searchedMax).reverse()) {
    const { sealed } = await readManifestOrFault(store, target, snapshot);
    if (sealed && isWanted(sealed.manifest)) return sealed;
  }
  return null;
}
