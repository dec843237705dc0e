// Responsible for the signing key of the configuration: whether it can be used, and whether readers find its public half.

import type { Config } from '../config/model.ts';
import { type ConfigError, configFault, ExportError } from '../core/errors.ts';
import { publicKeyKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { isKeyPublished } from '../snapshots/published-key.ts';
import { readSigningKey, type SigningKey } from '../snapshots/signature.ts';
import { type Check, failed, ok, type Subject } from './check-result.ts';

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
export async function checkSigningKey(store: Store, signing: Config['signing']): Promise<Check[]> {
  const subject: Subject = { check: 'signing-key' };
  try {
    const key = openSigningKey(signing);
    if (key === null) return [];
    const stored = (await isKeyPublished(store, key))
      ? 'is in the store'
      : 'is not in the store yet: the next export stores it';
    return [
      ok(subject, `manifests are signed with ${key.keyId}; ${publicKeyKey(key.keyId)} ${stored}`),
    ];
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    return [failed(subject, error)];
  }
}
