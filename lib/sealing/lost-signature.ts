// Responsible for noticing, when a run is sealed, that the newest manifest has lost its signature although manifests were signed
// before. It reads few manifests. `verify` checks all signatures (trusted-keys.ts).

import { signatureKey, type TargetKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { type Fault, readManifestOrFault } from '../snapshots/catalog.ts';
import type { Sealed } from '../snapshots/manifest.ts';
import { checkSignature, openKeys } from '../snapshots/manifest-signature.ts';
import { readOrNote } from '../snapshots/read-note.ts';
import { readPublicKey, type SigningKey } from '../snapshots/signature.ts';

/** A target that was never signed is searched this far, once: its next manifest is signed. */
const searchedMax = 20;

/**
 * The signature that the newest manifest lacks. Null: none, or it may not be read. A history in which each manifest was replaced
 * by one that is not signed shows nothing.
 */
export async function findLostSignature(
  store: Store,
  target: TargetKey,
  newest: Sealed,
  signing: SigningKey,
): Promise<Fault | null> {
  const { manifestKey: key, manifest } = newest;
  const publicKey = readPublicKey(signing.publicPem);
  if (!publicKey) return null;
  if (manifest.signing?.keyId === signing.keyId) {
    const { value: bytes } = await readOrNote(key, () => store.get(key));
    const { fault } = await checkSignature(store, openKeys(store, [publicKey]), {
      ...{ name: `the manifest of ${manifest.snapshot}`, keyId: signing.keyId },
      ...{ key: signatureKey(target, manifest.snapshot), bytes: bytes ?? new Uint8Array() },
    });
    return fault;
  }
  const older = await findSigned(store, target, newest, signing.keyId);
  if (!older) return null;
  const message = `is not signed by the key of \`signing\` (${signing.keyId}), although the older snapshot ${older} is`;
  return { key, message, hint };
}

/** The newest of the snapshots before `newest` whose manifest names the key; null: none of the nearest ones does. */
async function findSigned(
  store: Store,
  target: TargetKey,
  newest: Sealed,
  keyId: string,
): Promise<string | null> {
  let { previous } = newest.manifest;
  for (let count = 0; previous && count < searchedMax; count += 1) {
    const { sealed } = await readManifestOrFault(store, target, previous.snapshot);
    if (!sealed) return null;
    if (sealed.manifest.signing?.keyId === keyId) return sealed.manifest.snapshot;
    previous = sealed.manifest.previous;
  }
  return null;
}

const hint =
  'If `signing` was switched off or had another key meanwhile, nothing was changed. Otherwise another person replaced the manifest: compare the store with pins and with a backup. The new snapshot is signed, and its signature covers what is stored now: see docs/audit.md.';
