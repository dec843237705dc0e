// Responsible for keys that sign manifests in tests. They are new in each process.

import { generateKeyPairSync } from 'node:crypto';
import {
  type PublicKey,
  readPublicKey,
  readSigningKey,
  type SigningKey,
} from '../../lib/snapshots/signature.ts';

export interface KeyPair {
  signer: SigningKey;
  publicKey: PublicKey;
  privatePem: string;
}

export function createSigningPem(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function createKeyPair(): KeyPair {
  const privatePem = createSigningPem();
  const signer = readSigningKey(privatePem);
  const publicKey = signer && readPublicKey(signer.publicPem);
  if (!signer || !publicKey) throw new Error('a new key cannot be read');
  return { signer, publicKey, privatePem };
}

export function createSigningKey(): SigningKey {
  return createKeyPair().signer;
}
