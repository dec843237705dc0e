// Tests the command `keygen`: the pair that it makes, what it writes, and that it overwrites nothing.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readPublicKey, readSigningKey } from '../../lib/snapshots/signature.ts';
import { call, createFolder } from './test-runtime.ts';

/** Checks that the keys are a pair, and returns its id. */
function expectPair(privateKey: string, publicKey: string): string {
  const signer = readSigningKey(privateKey);
  const bytes = Buffer.from('a manifest');
  const checker = readPublicKey(publicKey);
  expect(checker?.isSignatureOf(bytes, signer?.sign(bytes) ?? bytes)).toBe(true);
  expect(signer?.publicPem).toBe(publicKey);
  return checker?.keyId ?? '';
}

test('prints a new pair each time, its key id and what to do next', async () => {
  const ids = new Set<string>();
  for (let round = 0; round < 2; round += 1) {
    const { code, runtime } = await call(['keygen']);
    expect(code).toBe(0);
    const out = runtime.out();
    const [privateKey = '', publicKey = ''] = out.match(/-----BEGIN.*\n.*\n-----END.*\n/g) ?? [];
    const id = expectPair(privateKey, publicKey);
    ids.add(id);
    expect(out).toContain(`key id: ${id}\n`);
    expect(out).toContain('signing: { privateKey: "${CGS_SIGNING_KEY}" }');
    expect(out).toMatch(/keep it outside the store/);
    expect(runtime.err()).toBe('');
    expect(readdirSync(runtime.cwd)).toEqual([]);
  }
  expect(ids.size).toBe(2);
});

test('--json prints the pair as one object', async () => {
  const { code, runtime } = await call(['keygen', '--json']);
  expect(code).toBe(0);
  const { keyId, privateKey, publicKey, ...rest } = runtime.json() as Record<string, unknown>;
  expect(expectPair(String(privateKey), String(publicKey))).toBe(keyId);
  expect(rest).toEqual({ status: 'printed', errors: [] });
});

test('--out in a place that allows no new folder is an error, and ends', async () => {
  const { code, runtime } = await call(['keygen', '--out', '/proc/cgs-keys']);
  expect(code).toBe(2);
  expect(runtime.err()).toContain('/proc/cgs-keys cannot be created (ENOENT)');
});

test('--out writes both keys to a new folder, the private one only for its owner', async () => {
  const before = process.umask(0o000);
  try {
    const { code, runtime } = await call(['keygen', '--out', 'deep/keys', '--json']);
    expect(code).toBe(0);
    const folder = join(runtime.cwd, 'deep', 'keys');
    const files = ['signing-private.pem', 'signing-public.pem'].map((name) => join(folder, name));
    const [privateFile = '', publicFile = ''] = files;
    const keyId = expectPair(readFileSync(privateFile, 'utf8'), readFileSync(publicFile, 'utf8'));
    expect(runtime.json()).toEqual({
      ...{ status: 'written', keyId, errors: [] },
      privateKeyFile: privateFile,
      publicKeyFile: publicFile,
    });
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o644]);
    expect(runtime.out()).not.toContain(readFileSync(privateFile, 'utf8').split('\n')[1]);
  } finally {
    process.umask(before);
  }
});

test.each(['signing-private.pem', 'signing-public.pem'])(
  '--out overwrites no file, and does not leave one key alone: %s exists',
  async (name) => {
    const cwd = createFolder();
    writeFileSync(join(cwd, name), 'mine');
    const { code, runtime } = await call(['keygen', '--out', '.', '--json'], { cwd });
    expect(code).toBe(2);
    expect(runtime.json().errors).toMatchObject([
      { code: 'CONFIG', message: `--out: ${join(cwd, name)} exists already` },
    ]);
    expect(readdirSync(cwd)).toEqual([name]);
    expect(readFileSync(join(cwd, name), 'utf8')).toBe('mine');
  },
);

test('--out names a file in place of a folder: exit 2', async () => {
  const cwd = createFolder();
  writeFileSync(join(cwd, 'file'), '');
  const { code, runtime } = await call(['keygen', '--out', 'file', '--json'], { cwd });
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    { message: expect.stringContaining('cannot be created (EEXIST)') },
  ]);
});
