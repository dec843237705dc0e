// Responsible for checking a chain of manifests against public keys that the user trusts. Pure.

import { signatureKey } from '../core/object-keys.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { listChain, type TargetChain } from '../snapshots/chain.ts';
import type { SealedSummary } from '../snapshots/manifest.ts';

/**
 * From the first manifest that a trusted key signed, all later ones must have such a signature, the newest one in any case.
 * Returns how many manifests are older than that first one: the chain covers them. `nowMs`: the store's time.
 */
export function checkTrustedKeys(
  chain: TargetChain,
  trusted: ReadonlySet<string>,
  nowMs: number,
  report: (fault: Fault) => void,
): number {
  const listed = listChain(chain, nowMs);
  const signatureOf = ({ manifest }: SealedSummary) => {
    const signature = chain.signatures.get(manifest.snapshot);
    return signature && trusted.has(signature.keyId) ? signature : undefined;
  };
  const first = listed.findLastIndex((sealed) => signatureOf(sealed)?.isValid === true);
  // Without any such signature, the newest manifest is the fault.
  for (const [index, sealed] of listed.slice(0, Math.max(first, 1)).entries()) {
    // What cannot be read is listed as not checked.
    const isValid = signatureOf(sealed)?.isValid;
    if (isValid === true || isValid === null) continue;
    const { manifestKey: key, manifest } = sealed;
    const since = listed[first]?.manifest.snapshot;
    const why =
      index === 0
        ? 'and it is the newest manifest of its target'
        : `although the older snapshot ${since} is: ${signatureOf(sealed) ? 'its signature is missing, or the two do not fit because one was changed' : 'the signature was removed or replaced'}`;
    const message = `is not signed by a given public key, ${why} (${signatureKey(chain.target, manifest.snapshot)})`;
    report({ key, message, hint: unsignedHint });
  }
  return first < 0 ? 0 : listed.length - 1 - first;
}

const unsignedHint =
  'Check that you gave the public key of this exporter. If it signs with a new key, give that one too. If it does not sign yet, set `signing` and export. Otherwise another person wrote this manifest: compare the store with a backup.';
