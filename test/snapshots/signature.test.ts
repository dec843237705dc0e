// Tests Ed25519 keys and signatures, against keys that node:crypto makes.

import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readPublicKey, readSigningKey } from '../../lib/snapshots/signature.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const spki = publicKey.export({ type: 'spki', format: 'der' });
const keyId = createHash('sha256').update(spki).digest('hex').slice(0, 16);
const bytes = Buffer.from('a manifest\n');

test.each([
  ['PEM', privatePem],
  ['PEM with \\n for line breaks', privatePem.replaceAll('\n', '\\n')],
  ['base64 of the DER', privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')],
])('a private key as %s signs, and its public half accepts the signature', (_form, text) => {
  const signer = readSigningKey(text);
  expect(signer).toMatchObject({ keyId, publicPem });
  const signature = signer?.sign(bytes) ?? new Uint8Array();
  expect(signature).toHaveLength(64);
  const key = readPublicKey(signer?.publicPem ?? '');
  expect(key?.keyId).toBe(keyId);
  expect(key?.isSignatureOf(bytes, signature)).toBe(true);
  expect(key?.isSignatureOf(Buffer.from('another manifest\n'), signature)).toBe(false);
  expect(key?.isSignatureOf(bytes, signature.subarray(0, 63))).toBe(false);
  expect(key?.isSignatureOf(bytes, new Uint8Array())).toBe(false);
});

describe('is null for', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const x25519 = generateKeyPairSync('x25519');
  const encrypted = privateKey.export({
    ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  });
  test.each([
    ['an RSA key', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['an X25519 key', x25519.privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['an encrypted key', encrypted],
    ['a public key', publicPem],
    ['no key', 'hello'],
    ['an empty text', ''],
  ])('%s in place of a private key', (_what, text) => {
    expect(readSigningKey(String(text))).toBeNull();
  });

  test.each([
    ['an RSA key', rsa.publicKey.export({ type: 'spki', format: 'pem' })],
    ['a private key', privatePem],
    ['no key', 'pem'],
    ['an empty text', ''],
  ])('%s in place of a public key', (_what, text) => {
    expect(readPublicKey(String(text))).toBeNull();
  });
});

test('another key does not accept the signature', () => {
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  const signature = readSigningKey(privatePem)?.sign(bytes) ?? new Uint8Array();
  expect(readPublicKey(String(other))?.isSignatureOf(bytes, signature)).toBe(false);
});
