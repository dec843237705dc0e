// Responsible for checking the signatures of manifests and tombstones, and the public keys that are stored beside them. It only
// reads. Not responsible for which keys the user trusts (trusted-keys.ts, tombstone-check.ts).

import { keysPrefix, parsePublicKeyKey, publicKeyKey } from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import type { Fault } from './catalog.ts';
import { restoreHint } from './manifest.ts';
import { type Notes, type ReadResult, readOrNote, readsMax } from './read-note.ts';
import { type PublicKey, readPublicKey } from './signature.ts';

/** What is known of the signature of an object that names a key. */
export interface ManifestSignature {
  keyId: string;
  /** Null: it could not be checked, because the signature may not be read, or the key is missing, wrong or may not be read. */
  isValid: boolean | null;
}

/** Finds a key by its id. `value` null: no such key, or it cannot be read. */
export type KeyFinder = (keyId: string) => Promise<ReadResult<PublicKey>>;

/** `given`: they count before the keys of the store. Each key of the store is read once. */
export function openKeys(store: Store, given: readonly PublicKey[]): KeyFinder {
  const known = new Map(
    given.map((key) => [key.keyId, Promise.resolve({ value: key, fault: null, unchecked: null })]),
  ) as Map<string, Promise<ReadResult<PublicKey>>>;
  return (keyId) => {
    const found = known.get(keyId) ?? readStoredKey(store, keyId);
    known.set(keyId, found);
    return found;
  };
}

function readStoredKey(store: Store, keyId: string): Promise<ReadResult<PublicKey>> {
  const key = publicKeyKey(keyId);
  return readOrNote(key, async () => {
    const bytes = await store.get(key);
    const publicKey = bytes && readPublicKey(Buffer.from(bytes).toString());
    return publicKey?.keyId === keyId ? publicKey : null;
  });
}

/** Every `*.pem` under `_keys/` must be a public key with the id in its name. Other names there are foreign. */
export async function checkStoredKeys(
  store: Store,
  keys: readonly string[],
  notes: Notes,
): Promise<void> {
  const stored = keys.filter((key) => key.startsWith(keysPrefix) && key.endsWith('.pem'));
  await mapParallel(stored, readsMax, async (key) => {
    const keyId = parsePublicKeyKey(key);
    const result = keyId === null ? null : await readStoredKey(store, keyId);
    if (result?.fault) notes.faults.push(result.fault);
    else if (result?.unchecked) notes.unchecked.push(result.unchecked);
    else if (!result?.value) {
      const message = 'is not an Ed25519 public key with the id in its name';
      const hint = `If the name is a key id, restore the key from a backup, or from the person who made it. Otherwise find out which program wrote the object, then delete it.`;
      notes.faults.push({ key, message, hint });
    }
  });
}

/**
 * Every key that a manifest names must be in the store, so that other programs can check the signature. `isHidden`: whether a key
 * that `keys` lack may exist all the same.
 */
export function checkNamedKeys(
  { keys, isHidden }: { keys: readonly string[]; isHidden: (key: string) => boolean },
  signatures: Iterable<ManifestSignature>,
  notes: Notes,
): void {
  const stored = new Set(keys);
  const counts = new Map<string, number>();
  for (const { keyId } of signatures) counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
  for (const [keyId, count] of counts) {
    const key = publicKeyKey(keyId);
    if (stored.has(key) || isHidden(key)) continue;
    const message = `is missing: ${count === 1 ? '1 manifest names' : `${count} manifests name`} it as the key of ${count === 1 ? 'its signature' : 'their signatures'}`;
    notes.faults.push({ key, message, hint: missingKeyHint });
  }
}

interface SignedObject {
  /** As in messages: `the manifest of 20261124T060000Z`. */
  name: string;
  /** Of its signature. */
  key: string;
  /** Of the key that it names. */
  keyId: string;
  /** As stored. */
  bytes: Uint8Array;
}

/** For an object that names the key `keyId`. `value` is never null. */
export async function checkSignature(
  store: Store,
  findKey: KeyFinder,
  { name, key, keyId, bytes }: SignedObject,
): Promise<ReadResult<ManifestSignature>> {
  const signature = await readOrNote(key, () => store.get(key));
  const resultOf = (isValid: boolean | null, fault: Fault | null = null) => ({
    value: { keyId, isValid },
    fault,
    unchecked: signature.unchecked,
  });
  if (signature.unchecked) return resultOf(null);
  if (signature.fault) return resultOf(false, signature.fault);
  const faultOf = (message: string, hint: string) => resultOf(false, { key, message, hint });
  if (!signature.value) {
    return faultOf(`is missing: ${name} says that it is signed`, restoreHint);
  }
  const found = await findKey(keyId);
  // checkStoredKeys() or checkNamedKeys() reports the key itself, once.
  if (!found.value) return resultOf(null);
  if (found.value.isSignatureOf(bytes, signature.value)) return resultOf(true);
  return faultOf(
    `is not the signature of ${name} by the key ${keyId}: one of the two was altered`,
    restoreHint,
  );
}

export const missingKeyHint =
  'If the key is yours, restore its object from a backup, or from the person who made it. Otherwise another person signed the object: compare the store with a backup.';
