// Tests the check of the signing key: what can be used, what doctor says, and that no text of the key is shown.

import { describe, expect, test } from 'vitest';
import { checkSigningKey, openSigningKey } from '../../lib/app/signing-check.ts';
import { ConfigError } from '../../lib/core/errors.ts';
import { publicKeyKey } from '../../lib/core/object-keys.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createSigningPem } from '../support/signing-keys.ts';

const privateKey = createSigningPem();
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
    expect(await checkSigningKey(openStore(), { privateKey: unusable })).toMatchObject([
      { check: 'signing-key', status: 'failed', error: { code: 'CONFIG' } },
    ]);
  });
});

test('without a key there is no check and no signature', async () => {
  expect(openSigningKey(null)).toBeNull();
  expect(await checkSigningKey(openStore(), null)).toEqual([]);
});

test('says the key id, and whether the public key is in the store', async () => {
  const key = openSigningKey({ privateKey });
  const name = publicKeyKey(key?.keyId ?? '');
  const store = openStore();
  const check = async () => (await checkSigningKey(store, { privateKey }))[0];
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
