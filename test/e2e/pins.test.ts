// Tests through the built file what pins and public keys find in a real export, and that what they write survives.

import { generateKeyPairSync } from 'node:crypto';
import { cpSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSigningKey } from '../../lib/snapshots/signature.ts';
import {
  ampleQuota,
  createFolder,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  readTree,
  runCli,
  startEndpoint,
} from './processes.ts';

async function exportTwice() {
  const endpoint = await startEndpoint({ nodes: 30 });
  const cwd = createFolder();
  const run = { cwd, env: keyOf(endpoint) };
  const args = ['export', '--json', ...flagsFor(endpoint, ampleQuota, 'file:./lake')];
  expectCode(await runCli(args, run), 0);
  cpSync(join(cwd, 'lake'), join(cwd, 'before'), { recursive: true });
  expectCode(await runCli(args, run), 0);
  const verify = (...more: string[]) =>
    runCli(['verify', '--json', '--store', 'file:./lake', ...more], { cwd, env: {} });
  return { cwd, verify };
}

test('pins: a store that was set back as a whole is found, and the pins keep what they had', async () => {
  const { cwd, verify } = await exportTwice();
  const pins = join(cwd, 'pins.jsonl');
  expectCode(await verify('--pins', 'pins.jsonl'), 0);
  const text = readFileSync(pins, 'utf8');
  expect(statSync(pins).mode & 0o777).toBe(0o600);
  rmSync(join(cwd, 'lake'), { recursive: true });
  cpSync(join(cwd, 'before'), join(cwd, 'lake'), { recursive: true });
  // Without the pins nothing shows it.
  expectCode(await verify(), 0);
  const ended = await verify('--pins', 'pins.jsonl');
  expectCode(ended, 5);
  const { snapshot } = JSON.parse(text) as { snapshot: string };
  expect(readJson(ended).errors[0]?.message).toMatch(
    new RegExp(`${snapshot}\\.json: is missing: a pin names it`),
  );
  expect(readFileSync(pins, 'utf8')).toBe(text);
  expectCode(await verify('--pins', 'lake/pins.jsonl'), 2);
  symlinkSync('lake', join(cwd, 'link'));
  expectCode(await verify('--pins', 'link/pins.jsonl'), 2);
});

test('public keys: a store without the signature of the given key is found', async () => {
  const { cwd, verify } = await exportTwice();
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signer = readSigningKey(pem);
  writeFileSync(join(cwd, 'auditor.pem'), signer?.publicPem ?? '');
  writeFileSync(join(cwd, 'private.pem'), pem);
  const ended = await verify('--public-key', 'auditor.pem');
  expectCode(ended, 5);
  const [newest = ''] = [...readTree(join(cwd, 'lake', '_manifests')).keys()].sort().reverse();
  expect(readJson(ended).errors.map(({ message }) => message)).toEqual([
    expect.stringContaining(`${newest}: is not signed by a given public key`),
  ]);
  const wrong = await verify('--public-key', 'private.pem');
  expectCode(wrong, 2);
  expect(wrong.out + wrong.err).not.toContain(pem.split('\n')[1]);
});
