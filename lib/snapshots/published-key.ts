// Responsible for the public key of a signing key in the store, where readers find it by its key id. Never overwrites one.

import { CorruptError } from '../core/errors.ts';
import { publicKeyKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { type Fault, readEvidence, toFault } from './catalog.ts';
import type { SigningKey } from './signature.ts';

type Published = Pick<SigningKey, 'keyId' | 'publicPem'>;

/** False: no object has its name. Throws CorruptError if another object has it. */
export async function isKeyPublished(
  store: Store,
  { keyId, publicPem }: Published,
): Promise<boolean> {
  const key = publicKeyKey(keyId);
  const stored = await readEvidence(store, key);
  if (stored === null || Buffer.from(publicPem).equals(stored)) return stored !== null;
  throw new CorruptError(
    key,
    'is not the public key with this key id: it was altered or replaced',
    'Find out what wrote it, and move it away: the next export stores the key again. Snapshots are signed meanwhile. Check their signatures with the copy of the public key outside the store.',
  );
}

/** Stores the key if no object has its name. Returns the fault if another object has it, and leaves that object as it is. */
export async function publishKey(store: Store, key: Published): Promise<Fault | null> {
  try {
    if (!(await isKeyPublished(store, key))) {
      await store.put(publicKeyKey(key.keyId), Buffer.from(key.publicPem));
    }
    return null;
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    return toFault(error);
  }
}
