// Responsible for finding and reading the sealed snapshots of a target. Not responsible for writing them (seal.ts).

import { CorruptError } from '../core/errors.ts';
import {
  isFutureName,
  manifestKey,
  manifestPrefix,
  parseManifestKey,
  type TargetKey,
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
  const bytes = await store.get(key);
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
 * The newest sealed snapshot that `isWanted` accepts; null if there is none. Leaves out what is not the manifest of its key and
 * what is named more than a day after the store's time.
 */
export async function findNewest(
  store: Store,
  target: TargetKey,
  isWanted: (manifest: Manifest) => boolean = () => true,
): Promise<Sealed | null> {
  for (const snapshot of (await listSnapshots(store, target)).reverse()) {
    if (isFutureName(snapshot, store.nowMs())) continue;
    const { sealed } = await readManifestOrFault(store, target, snapshot);
    if (sealed && isWanted(sealed.manifest)) return sealed;
  }
  return null;
}
