// Owns the proof that a store still holds what its manifests say: parts, chain, pointers. Reads only.

import { CorruptError } from '../core/errors.ts';
import {
  headKey,
  latestKey,
  manifestKey,
  manifestsPrefix,
  parseManifestKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { decodeManifest, decodePointer, type Manifest, type Part } from './manifest.ts';

export interface Fault {
  /** The object's key. */
  key: string;
  message: string;
}

export interface Verification {
  manifests: number;
  parts: number;
  bytes: number;
  /** What does not hold. Empty: every byte is the one that was sealed. */
  faults: Fault[];
  /** Data objects that no manifest names: left by a seal that died, or put there by somebody else. */
  unnamed: string[];
}

interface SealedManifest {
  key: string;
  manifest: Manifest;
  hash: string;
}

/** `onPart` is told before each part is read. */
export async function verifyStore(
  store: Store,
  onPart: (progress: { key: string; done: number; total: number }) => void,
): Promise<Verification> {
  const faults: Fault[] = [];
  const chains = await readChains(store, faults);
  const named = new Map<string, Part>();
  let manifests = 0;
  for (const chain of chains.values()) {
    manifests += chain.length;
    checkChain(chain, faults);
    for (const { manifest } of chain) for (const part of manifest.parts) named.set(part.key, part);
  }
  await checkPointers(store, chains, faults);
  let bytes = 0;
  let done = 0;
  for (const [key, part] of named) {
    onPart({ key, done, total: named.size });
    done += 1;
    bytes += await checkPart(store, part, faults);
  }
  const unnamed = (await store.list(''))
    .map((object) => object.key)
    .filter((key) => !key.startsWith('_') && !named.has(key));
  return { manifests, parts: named.size, bytes, faults, unnamed };
}

/** Every target's manifests that can be read, ascending. */
async function readChains(store: Store, faults: Fault[]): Promise<Map<string, SealedManifest[]>> {
  const chains = new Map<string, SealedManifest[]>();
  for (const { key } of await store.list(manifestsPrefix)) {
    const place = parseManifestKey(key);
    if (!place) {
      faults.push({ key, message: 'is no manifest: nothing else may lie here' });
      continue;
    }
    const id = targetId(place.target);
    const chain = chains.get(id) ?? [];
    chains.set(id, chain);
    const bytes = await store.get(key);
    if (!bytes) continue;
    const manifest = decoded(() => decodeManifest(key, bytes), faults);
    if (!manifest) continue;
    const { table, snapshot, scope } = manifest;
    const own: TargetKey = { table, region: scope.region, projectId: scope.projectId };
    if (manifestKey(own, snapshot) !== key) {
      faults.push({
        key,
        message: `is the manifest of ${targetId(own)} ${snapshot}: it was moved`,
      });
    }
    chain.push({ key, manifest, hash: sha256(bytes) });
  }
  return chains;
}

function decoded<T>(decode: () => T, faults: Fault[]): T | null {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    faults.push({ key: error.key, message: error.message.slice(error.key.length + 2) });
    return null;
  }
}

function checkChain(chain: readonly SealedManifest[], faults: Fault[]): void {
  for (const [index, { key, manifest }] of chain.entries()) {
    const { previous } = manifest;
    const before = chain[index - 1];
    if (!before && !previous) continue;
    if (!previous) {
      faults.push({
        key,
        message: 'says it is the first of its chain, but an older manifest exists',
      });
    } else if (before?.manifest.snapshot !== previous.snapshot) {
      faults.push({
        key,
        message: `follows ${previous.snapshot}, but the manifest before it is ${before?.manifest.snapshot ?? 'missing'}`,
      });
    } else if (before.hash !== previous.manifestSha256) {
      faults.push({
        key: before.key,
        message: `was altered: ${manifest.snapshot} recorded another hash of it`,
      });
    }
  }
}

async function checkPointers(
  store: Store,
  chains: ReadonlyMap<string, readonly SealedManifest[]>,
  faults: Fault[],
): Promise<void> {
  const pointed = new Set<string>();
  for (const [, chain] of chains) {
    const newest = chain[chain.length - 1];
    if (!newest) continue;
    const { table, scope } = newest.manifest;
    const target: TargetKey = { table, region: scope.region, projectId: scope.projectId };
    const complete = chain.filter(({ manifest }) => manifest.verdict === 'complete');
    const pointers = [
      { key: headKey(target), to: newest, what: 'the newest snapshot' },
      {
        key: latestKey(target),
        to: complete[complete.length - 1],
        what: 'the newest complete snapshot',
      },
    ];
    for (const { key, to, what } of pointers) {
      pointed.add(key);
      const bytes = await store.get(key);
      if (!bytes) {
        if (to)
          faults.push({
            key,
            message: `is missing: it should name ${what}, ${to.manifest.snapshot}`,
          });
        continue;
      }
      const pointer = decoded(() => decodePointer(key, bytes), faults);
      if (!pointer) continue;
      if (!to || pointer.snapshot !== to.manifest.snapshot || pointer.manifest !== to.key) {
        faults.push({
          key,
          message: `names ${pointer.snapshot}, but ${what} is ${to?.manifest.snapshot ?? 'none'}`,
        });
      } else if (pointer.manifestSha256 !== to.hash) {
        faults.push({ key: to.key, message: `was altered: ${key} recorded another hash of it` });
      }
    }
  }
  for (const prefix of ['_head/', '_latest/']) {
    for (const { key } of await store.list(prefix)) {
      if (!pointed.has(key)) faults.push({ key, message: 'names a target that has no manifest' });
    }
  }
}

/** The bytes read. */
async function checkPart(store: Store, part: Part, faults: Fault[]): Promise<number> {
  const { key } = part;
  const bytes = await store.get(key);
  if (!bytes) {
    faults.push({ key, message: 'is missing: a manifest names it' });
    return 0;
  }
  if (bytes.length !== part.bytes) {
    faults.push({ key, message: `has ${bytes.length} bytes, the manifest says ${part.bytes}` });
  } else if (sha256(bytes) !== part.sha256) {
    faults.push({ key, message: 'was altered: its hash is not the one in the manifest' });
  }
  return bytes.length;
}
