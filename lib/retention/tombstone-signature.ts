// Responsible for the signature of a tombstone, and for which tombstones count for an exporter that has a signing key. It only
// reads. Not responsible for the keys that the user of `verify` trusts (tombstone-check.ts).

import { CorruptError, StoreError } from '../core/errors.ts';
import {
  publicKeyKey,
  type TargetKey,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import {
  checkSignature,
  type KeyFinder,
  missingKeyHint,
  openKeys,
} from '../snapshots/manifest-signature.ts';
import type { ReadResult } from '../snapshots/read-note.ts';
import type { PublicKey } from '../snapshots/signature.ts';
import type { Proven } from './proven-chain.ts';
import type { StoredTombstone, Tombstone } from './tombstone.ts';

/** `value` null: the tombstone is signed, and its signature is not valid, or could not be checked. */
export async function checkTombstoneSignature(
  { store, findKey }: { store: Store; findKey: KeyFinder },
  target: TargetKey,
  { tombstone, bytes }: StoredTombstone,
): Promise<ReadResult<Tombstone>> {
  if (!tombstone.signing) return { value: tombstone, fault: null, unchecked: null };
  const { keyId } = tombstone.signing;
  const { snapshot } = tombstone;
  const name = `the tombstone of ${snapshot}`;
  const key = tombstoneSignatureKey(target, snapshot);
  const { value, fault, unchecked } = await checkSignature(store, findKey, {
    ...{ name, key, keyId, bytes },
  });
  if (value?.isValid === true) return { value: tombstone, fault, unchecked };
  if (fault || unchecked) return { value: null, fault, unchecked };
  const publicKey = publicKeyKey(keyId);
  if ((await findKey(keyId)).unchecked) {
    const message = `its public key ${publicKey} may not be read`;
    const hint = 'Grant the right to read that key, or give it with --public-key.';
    return { value: null, fault, unchecked: { key, message, hint } };
  }
  const message = `cannot be checked: its key ${keyId} is not given, and ${publicKey} is missing or is not that key`;
  return { value: null, fault: { key, message, hint: missingKeyHint }, unchecked };
}

/** Decides which tombstones of a target count for an exporter. */
export interface TombstoneKeys {
  store: Store;
  target: TargetKey;
  findKey: KeyFinder;
  /** Ids. */
  accepted: ReadonlySet<string>;
}

/** `own`: the key that the exporter signs with. `proven`: as findProven() returns it for that key. */
export function openTombstoneKeys(
  store: Store,
  target: TargetKey,
  own: PublicKey,
  proven: Proven | null,
): TombstoneKeys {
  const accepted = new Set([own.keyId, ...(proven?.keyIds ?? [])]);
  return { store, target, findKey: openKeys(store, [own]), accepted };
}

/**
 * Throws CorruptError unless the own key signed the tombstone, or a key that a proven manifest names: another person could have
 * written it, to get rows deleted. StoreError if an object that says so may not be read.
 */
export async function requireSigned(keys: TombstoneKeys, stored: StoredTombstone): Promise<void> {
  const { snapshot, signing } = stored.tombstone;
  const key = tombstoneKey(keys.target, snapshot);
  if (!signing)
    throw new CorruptError(key, 'is not signed, but the setting `signing` is set', unsignedHint);
  if (!keys.accepted.has(signing.keyId)) {
    const message = `is signed by the key ${signing.keyId}, which is neither the key of \`signing\` nor one of its proven chain`;
    throw new CorruptError(key, message, unsignedHint);
  }
  const { fault, unchecked } = await checkTombstoneSignature(keys, keys.target, stored);
  if (fault) throw new CorruptError(fault.key, fault.message, fault.hint);
  if (unchecked)
    throw new StoreError('STORE_DENIED', `${unchecked.key}: ${unchecked.message}`, unchecked.hint);
}

const unsignedHint =
  'prune ignores it, and deletes nothing of this snapshot. If the key was changed, run `export` first, so that the new key signs the chain. If prune wrote it before `signing` was set, sign it as docs/audit.md explains. Otherwise find out which program wrote it, then delete it.';
