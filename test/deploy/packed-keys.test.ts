// Tests which files of public keys are in the zip, and that the function finds each of them under its name there.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readPublicKeys } from '../../lib/app/public-keys.ts';
import { readConfig } from '../../lib/config/load.ts';
import { collectPublicKeys } from '../../lib/deploy/packed-keys.ts';
import { createKeyPair } from '../support/signing-keys.ts';

const pairs = [createKeyPair(), createKeyPair(), createKeyPair(), createKeyPair()];
const pems = pairs.map(({ signer }) => signer.publicPem);
const ids = pairs.map(({ signer }) => signer.keyId);
const base = mkdtempSync(join(tmpdir(), 'packed-keys-'));
const folder = join(base, 'checkout');
const write = (path: string, text = '') => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
};
write(join(folder, 'auditor.pem'), pems[0]);
write(join(folder, 'keys/second.pem'), pems[1]);
write(join(base, 'outside.pem'), pems[2]);
const absolute = write(join(base, 'elsewhere/auditor.pem'), pems[3]);

const configOf = (publicKeys: readonly string[], more = '') =>
  `store: obs://lake/cgs
${more}accounts: [{ name: a, targets: [{ region: cn-south-4 }] }]
verify: { publicKeys: ${JSON.stringify(publicKeys)} }
`;
const collect = (...args: Parameters<typeof configOf>) =>
  collectPublicKeys(configOf(...args), 'cgs-export.yml', folder);
const given = ['auditor.pem', './keys/second.pem', 'file:../outside.pem', absolute];

test('the function finds every file of the zip, also those from outside the folder', async () => {
  const files = await collect(given);
  expect(files.map(({ path }) => path)).toEqual([
    'auditor.pem',
    'keys/second.pem',
    'public-keys/2-outside.pem',
    'public-keys/3-auditor.pem',
  ]);
  const unpacked = join(base, 'unpacked');
  for (const { path, bytes } of files) write(join(unpacked, path), String(bytes));
  for (const path of ['outside.pem', 'elsewhere']) rmSync(join(base, path), { recursive: true });
  const options = { env: {}, inFunction: true, needs: 'store' } as const;
  const config = readConfig(configOf(given), join(unpacked, 'cgs-export.yml'), options);
  const keys = await readPublicKeys(config.verify.publicKeys);
  expect(keys.map(({ keyId }) => keyId)).toEqual(ids);
});

test('text, variables and values that are not lists of texts need no file', async () => {
  expect(await collect([pems[0] ?? '', '${AUDITOR}'])).toEqual([]);
  for (const more of ['verify: {}', 'verify: { publicKeys: a.pem }', 'verify: 1', '']) {
    expect(await collectPublicKeys(`store: x\n${more}`, 'cgs-export.yml', folder)).toEqual([]);
  }
});

test('reports every file that is missing or is not a public key, without its text', async () => {
  const privatePem = pairs[0]?.privatePem ?? '';
  write(join(folder, 'private.pem'), privatePem);
  const error = await collect(['nowhere.pem', 'private.pem', 'auditor.pem']).catch(
    (thrown: unknown) => thrown as Error,
  );
  expect(error).toMatchObject({
    code: 'CONFIG',
    issues: [
      {
        path: 'verify.publicKeys.0',
        message: `cannot read ${join(folder, 'nowhere.pem')} (ENOENT)`,
      },
      { path: 'verify.publicKeys.1', message: expect.stringContaining('is a private key') },
    ],
  });
  expect(JSON.stringify(error)).not.toContain(privatePem.split('\n')[1]);
});

test('an absolute path that is not here may be on a mounted file system', async () => {
  expect(await collect(['/mnt/safe/key.pem'], 'mounted: true\n')).toEqual([]);
  await expect(collect(['/mnt/safe/key.pem'])).rejects.toMatchObject({ code: 'CONFIG' });
  await expect(collect(['nowhere.pem'], 'mounted: true\n')).rejects.toMatchObject({
    code: 'CONFIG',
  });
});
