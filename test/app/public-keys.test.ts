// Tests which texts and files are public keys that a user can give.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readPublicKeys } from '../../lib/app/public-keys.ts';
import { createKeyPair } from '../support/signing-keys.ts';

const { signer, privatePem } = createKeyPair();
const { signer: other } = createKeyPair();
const base64 = signer.publicPem.replaceAll(/-----.*-----|\n/g, '');

function fileOf(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'keys-')), 'key');
  writeFileSync(path, text);
  return path;
}

test('reads PEM and base64 from files, and PEM from the configuration', async () => {
  const keys = await readPublicKeys([
    { name: '--public-key', kind: 'file', paths: [fileOf(signer.publicPem)] },
    { name: '--public-key', kind: 'file', paths: [fileOf(`${base64}\n`)] },
    { name: 'verify.publicKeys.0', kind: 'text', text: signer.publicPem },
  ]);
  expect(keys.map(({ keyId }) => keyId)).toEqual([signer.keyId, signer.keyId, signer.keyId]);
});

test.each([
  ['PEM', signer.publicPem, other.publicPem],
  ['base64', `${base64}\n`, other.publicPem.replaceAll(/-----.*-----|\n/g, '')],
])('reads all keys of one file: %s', async (_, first, second) => {
  const source = (text: string) =>
    ({ name: '--public-key', kind: 'file', paths: [fileOf(text)] }) as const;
  const keys = await readPublicKeys([source(`${first}${second}\n`)]);
  expect(keys.map(({ keyId }) => keyId)).toEqual([signer.keyId, other.keyId]);
  for (const bad of [`${first}${privatePem}`, `${first}x\n${second.slice(0, -20)}`]) {
    await expect(readPublicKeys([source(bad)])).rejects.toMatchObject({ code: 'CONFIG' });
  }
});

test('reports every source without a key, and shows no private key', async () => {
  const error = await readPublicKeys([
    { name: '--public-key', kind: 'file', paths: [fileOf('x')] },
    { name: '--public-key', kind: 'file', paths: ['/nowhere/key.pem'] },
    { name: '--public-key', kind: 'file', paths: [fileOf(privatePem)] },
    { name: 'verify.publicKeys.0', kind: 'text', text: privatePem },
  ]).catch((thrown: unknown) => thrown as Error);
  expect(error).toMatchObject({
    code: 'CONFIG',
    issues: [
      { path: '--public-key', message: expect.stringContaining('is not an Ed25519 public key') },
      { message: 'cannot read /nowhere/key.pem (ENOENT)' },
      { message: expect.stringContaining('is a private key') },
      { path: 'verify.publicKeys.0', message: 'is not an Ed25519 public key' },
    ],
  });
  const secret = privatePem.split('\n')[1] ?? '';
  expect(secret).not.toBe('');
  expect(JSON.stringify(error)).not.toContain(secret);
});
