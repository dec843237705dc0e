// Responsible for the signing key of the configuration: whether it can be used, and whether readers find its public half.

import type { Config } from '../config/model.ts';
import { ConfigError, configFault, ExportError } from '../core/errors.ts';
import { publicKeyKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { isKeyPublished } from '../snapshots/published-key.ts';
import { readSigningKey, type SigningKey } from '../snapshots/signature.ts';
import { type Check, failed, ok, type Subject, warning } from './check-result.ts';
import { readPublicKeys } from './public-keys.ts';

/** Null: manifests are not signed. Throws ConfigError, without the text of the key, if the key cannot be used. */
export function openSigningKey(signing: Config['signing']): SigningKey | null {
  if (signing === null) return null;
  const key = readSigningKey(signing.privateKey);
  if (key === null) throw unusableKey();
  return key;
}

function unusableKey(): ConfigError {
  return configFault(
    'signing.privateKey',
    'is not an Ed25519 private key that can be used (PKCS#8, PEM or its base64, not encrypted)',
    'Set the variable to the single base64 line of the private key, between BEGIN and END, or to the whole PEM with these two lines; its line breaks may be written as \\n. `cgs-export keygen` makes a new key.',
  );
}

/** No check if no key is configured. */
export async function checkSigningKey(
  store: Store,
  { signing, verify }: Pick<Config, 'signing' | 'verify'>,
): Promise<Check[]> {
  const subject: Subject = { check: 'signing-key' };
  try {
    const key = openSigningKey(signing);
    if (key === null) return [];
    const stored = (await isKeyPublished(store, key))
      ? 'is in the store'
      : 'is not in the store yet: the next export stores it';
    const text = `manifests are signed with ${key.keyId}; ${publicKeyKey(key.keyId)} ${stored}`;
    return [ok(subject, text), ...(await checkTrust(subject, key, verify))];
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    return [failed(subject, error)];
  }
}

/** An export needs no public keys, so nothing here is more than a warning. */
async function checkTrust(
  subject: Subject,
  { keyId }: SigningKey,
  { publicKeys }: Config['verify'],
): Promise<Check[]> {
  if (publicKeys.length === 0) return [];
  try {
    const trusted = (await readPublicKeys(publicKeys)).map((key) => key.keyId);
    if (trusted.includes(keyId)) return [];
    const message = `verify.publicKeys has ${trusted.join(', ')}, but not the key ${keyId} that signs: verify reports each new manifest as a fault`;
    const hint =
      'Add the public half of the signing key to verify.publicKeys, or sign with the key whose public half is there.';
    return [warning(subject, message, hint)];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [warning(subject, error.message, error.hint)];
  }
}
