// Tests the check of the signing key: what can be used, what doctor says, and that no text of the key is shown.

import { describe, expect, test } from 'vitest';
import { checkSigningKey, openSigningKey } from '../../lib/app/signing-check.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { publicKeyKey } from '../../lib/core/object-keys.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createSigningPem } from '../support/signing-keys.ts';

const privateKey = createSigningPem();
/** `trusted`: texts of public keys. */
const configOf = (privateKey: string, ...trusted: string[]) => ({
  signing: { privateKey },
  verify: {
    pins: null,
    since: null,
    publicKeys: trusted.map((text) => ({ kind: 'text' as const, name: 'verify.publicKeys', text })),
  },
});
const openStore = () => createMemoryStore({ nowMs: () => 0 });

describe('a key that cannot be used', () => {
  const unusable = privateKey.replace('MC4C', 'MC5C');
  test('is a fault of its setting, without its text', () => {
    let fault: unknown;
    try {
      openSigningKey({ privateKey: unusable });
    } catch (error) {
      fault = error;
    }
    expect(fault).toBeInstanceOf(ConfigError);
    const { issues, message, hint } = fault as ConfigError;
    expect(issues).toMatchObject([{ path: 'signing.privateKey' }]);
    expect(`${message}${hint}`).not.toContain(unusable.split('\n')[1]);
  });

  test('fails the check', async () => {
    expect(await checkSigningKey(openStore(), configOf(unusable))).toMatchObject([
      { check: 'signing-key', status: 'failed', error: { code: 'CONFIG' } },
    ]);
  });
});

test('without a key there is no check and no signature', async () => {
  expect(openSigningKey(null)).toBeNull();
  expect(await checkSigningKey(openStore(), { ...configOf(privateKey), signing: null })).toEqual(
    [],
  );
});

test('says the key id, and whether the public key is in the store', async () => {
  const key = openSigningKey({ privateKey });
  const name = publicKeyKey(key?.keyId ?? '');
  const store = openStore();
  const check = async () => (await checkSigningKey(store, configOf(privateKey)))[0];
  expect(await check()).toMatchObject({
    status: 'ok',
    message: `manifests are signed with ${key?.keyId}; ${name} is not in the store yet: the next export stores it`,
  });
  expect(store.dump().size).toBe(0);
  await store.put(name, Buffer.from(key?.publicPem ?? ''));
  expect(await check()).toMatchObject({
    status: 'ok',
    message: expect.stringMatching(/ is in the store$/),
  });
  await store.put(name, Buffer.from('another key'));
  expect(await check()).toMatchObject({ status: 'failed', error: { code: 'CORRUPT' } });
});

test('warns if verify.publicKeys lacks the key that signs, or has no key', async () => {
  const publicPem = openSigningKey({ privateKey })?.publicPem ?? '';
  const other = openSigningKey({ privateKey: createSigningPem() });
  const check = (...trusted: string[]) =>
    checkSigningKey(openStore(), configOf(privateKey, ...trusted));
  const otherPem = other?.publicPem ?? '';
  expect(await check(otherPem, publicPem)).toHaveLength(1);
  expect(await check(otherPem)).toMatchObject([
    { status: 'ok' },
    { status: 'warning', message: expect.stringContaining(`publicKeys has ${other?.keyId}`) },
  ]);
  expect(await check('no key')).toMatchObject([
    { status: 'ok' },
    { status: 'warning', message: expect.stringContaining('is not an Ed25519 public key') },
  ]);
});
