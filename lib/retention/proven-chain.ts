// Responsible for which snapshots of a target a signature proves, and which keys: those in the chain behind the newest manifest
// that one key signed. It only reads. Not responsible for naming every fault of a chain (chain.ts).

import { CorruptError } from '../core/errors.ts';
import { manifestKey, signatureKey, type TargetKey } from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { findChainEnd, findPredecessor, type TargetChain } from '../snapshots/chain.ts';
import { decodeSealed, type SealedSummary, summarize } from '../snapshots/manifest.ts';
import { readOrNote, readsMax } from '../snapshots/read-note.ts';
import type { PublicKey } from '../snapshots/signature.ts';

interface Found extends SealedSummary {
  /** Null: the manifest is not signed. */
  keyId: string | null;
}

/** What a key proves. Both are empty if none of its signatures is valid. */
export interface Proven {
  /** Names. */
  snapshots: ReadonlySet<string>;
  /** Ids of the keys that the manifests of these snapshots name, its own included. */
  keyIds: ReadonlySet<string>;
}

/**
 * Null: the key has signed no manifest of the chain, so it proves nothing. `names`: of all snapshots from the oldest that matters
 * to the newest. Each manifest is read.
 */
export async function findProven(
  store: Store,
  target: TargetKey,
  names: readonly string[],
  publicKey: PublicKey,
): Promise<Proven | null> {
  const sealed = new Map<string, Found>();
  for (const one of await mapParallel(names, readsMax, (name) => readFound(store, target, name))) {
    if (one) sealed.set(one.manifest.snapshot, one);
  }
  const unknown = { found: new Map(), newer: new Set<string>(), signatures: new Map() };
  const listed = listLinked({ target, sealed, ...unknown }, store);
  const keyIdOf = ({ manifest }: SealedSummary) => sealed.get(manifest.snapshot)?.keyId;
  const isOwn = (one: SealedSummary) => keyIdOf(one) === publicKey.keyId;
  if (!listed.some(isOwn)) return null;
  for (const [index, one] of listed.entries()) {
    if (!isOwn(one) || !(await isSigned(store, target, one, publicKey))) continue;
    const proven = listed.slice(index);
    const keyIds = proven.flatMap((found) => keyIdOf(found) ?? []);
    return { snapshots: new Set(proven.map(nameOf)), keyIds: new Set(keyIds) };
  }
  return { snapshots: new Set(), keyIds: new Set() };
}

function nameOf({ manifest }: SealedSummary): string {
  return manifest.snapshot;
}

/** Null: there is no manifest of this name that can be read. */
async function readFound(store: Store, target: TargetKey, name: string): Promise<Found | null> {
  const key = manifestKey(target, name);
  const { value } = await readOrNote(key, () => store.get(key));
  if (!value) return null;
  try {
    const found = decodeSealed(key, value);
    return { ...summarize(found), keyId: found.manifest.signing?.keyId ?? null };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return null;
  }
}

/** From the end of the chain as far as each manifest has the hash that the next one names, newest first. */
function listLinked(chain: TargetChain, store: Store): SealedSummary[] {
  const listed: SealedSummary[] = [];
  let at = findChainEnd(chain, store.nowMs());
  while (at) {
    listed.push(at);
    const hash = at.manifest.previous?.manifestSha256;
    const before = findPredecessor(chain, at);
    at = before?.manifestSha256 === hash ? before : null;
  }
  return listed;
}

/** The bytes are read again, so that they need not stay in memory. */
async function isSigned(
  store: Store,
  target: TargetKey,
  { manifestKey: key, manifestSha256, manifest }: SealedSummary,
  publicKey: PublicKey,
): Promise<boolean> {
  const place = signatureKey(target, manifest.snapshot);
  const { value: signature } = await readOrNote(place, () => store.get(place));
  const { value: bytes } = await readOrNote(key, () => store.get(key));
  if (!signature || !bytes || sha256(bytes) !== manifestSha256) return false;
  return publicKey.isSignatureOf(bytes, signature);
}
