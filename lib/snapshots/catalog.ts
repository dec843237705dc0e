// Responsible for finding and reading the sealed snapshots of a target. Not responsible for writing them (seal.ts).

import {
  manifestKey,
  manifestPrefix,
  parseManifestKey,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { decodeManifest, decodePointer, type Manifest } from './manifest.ts';

export interface Sealed {
  manifestKey: string;
  manifest: Manifest;
  /** Of the manifest's bytes as stored. */
  manifestSha256: string;
}

/** Names of the target's sealed snapshots, oldest first. */
export async function listSnapshots(store: Store, target: TargetKey): Promise<string[]> {
  const objects = await store.list(manifestPrefix(target));
  return objects
    .map(({ key }) => parseManifestKey(key)?.snapshot)
    .filter((name): name is string => name !== undefined);
}

/** Null if the snapshot is not sealed. Throws CorruptError if its manifest cannot be decoded. */
export async function readManifest(
  store: Store,
  target: TargetKey,
  snapshot: string,
): Promise<Sealed | null> {
  const key = manifestKey(target, snapshot);
  const bytes = await store.get(key);
  if (!bytes) return null;
  const manifest = decodeManifest(key, bytes);
  return { manifestKey: key, manifest, manifestSha256: sha256(bytes) };
}

/** The manifest that a pointer (`_head` or `_latest`) names. Null if either does not exist. Throws CorruptError. */
export async function readPointed(
  store: Store,
  target: TargetKey,
  pointerKey: string,
): Promise<Manifest | null> {
  const bytes = await store.get(pointerKey);
  if (!bytes) return null;
  const { snapshot } = decodePointer(pointerKey, bytes);
  return (await readManifest(store, target, snapshot))?.manifest ?? null;
}
