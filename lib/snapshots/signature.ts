// Responsible for Ed25519 keys and signatures: key texts, key ids, signing and checking, and the MAC of working state. Pure.

import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import type { StateKey } from '../core/state.ts';

/** A key that signs, and its public half. */
export interface SigningKey extends StateKey {
  /** Of the public half, as it is stored under `_keys/`. */
  publicPem: string;
  /** 64 bytes. Equal bytes give equal signatures. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** A key that checks signatures. */
export interface PublicKey {
  keyId: string;
  isSignatureOf(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** PEM, also with line breaks written as `\n`, or the base64 of the DER in one line. Throws Error for any other text. */
function toKeyInput<T extends 'pkcs8' | 'spki'>(text: string, type: T) {
  const key = text.trim().replaceAll('\\n', '\n');
  if (key.startsWith('-----BEGIN ')) return { key, format: 'pem' } as const;
  return { key: Buffer.from(key, 'base64'), format: 'der', type } as const;
}

/** The first 16 hex digits of the SHA-256 of the key's SPKI DER. */
function keyIdOf(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** Null: the text is not an unencrypted Ed25519 private key (PKCS#8). The text is in no error. */
export function readSigningKey(text: string): SigningKey | null {
  try {
    const key = createPrivateKey(toKeyInput(text, 'pkcs8'));
    if (key.asymmetricKeyType !== 'ed25519') return null;
    const publicKey = createPublicKey(key);
    const secret = key.export({ type: 'pkcs8', format: 'der' });
    const macKey = Buffer.from(hkdfSync('sha256', secret, '', 'cgs-export working state', 32));
    return {
      keyId: keyIdOf(publicKey),
      publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      sign: (bytes) => sign(null, bytes, key),
      mac: (bytes) => createHmac('sha256', macKey).update(bytes).digest('hex'),
    };
  } catch {
    return null;
  }
}

/**
 * One key or several: PEM blocks, or one base64 of a DER in each line. Null: there is none, or one of them is not an Ed25519 public
 * key (SPKI).
 */
export function readPublicKeyList(text: string): PublicKey[] | null {
  const lines = text.replaceAll('\\n', '\n');
  const blocks = lines.match(/-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----/g);
  const texts = blocks ?? lines.split('\n').filter((line) => line.trim() !== '');
  // Also counts a block without an end.
  const count = lines.match(/-----BEGIN /g)?.length ?? texts.length;
  const keys = texts.map(readPublicKey).filter((key) => key !== null);
  return keys.length > 0 && keys.length === count ? keys : null;
}

/** Null: the text is not an Ed25519 public key (SPKI). A private key is not accepted in its place. */
export function readPublicKey(text: string): PublicKey | null {
  if (text.includes('PRIVATE KEY')) return null;
  try {
    const key = createPublicKey(toKeyInput(text, 'spki'));
    if (key.asymmetricKeyType !== 'ed25519') return null;
    return {
      keyId: keyIdOf(key),
      isSignatureOf: (bytes, signature) => verify(null, bytes, key, signature),
    };
  } catch {
    return null;
  }
}
