// Responsible for keys that sign manifests in tests. They are new in each process.

import { generateKeyPairSync } from 'node:crypto';
import { readSigningKey, type SigningKey } from '../../lib/snapshots/signature.ts';

export function createSigningPem(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function createSigningKey(): SigningKey {
  const key = readSigningKey(createSigningPem());
  if (!key) throw new Error('a new key cannot be read');
  return key;
}
