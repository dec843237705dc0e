// Tests that the public key is stored once, and that another object in its place is a fault and stays.

import { expect, test } from 'vitest';
import { StoreError, UnusableObjectError } from '../../lib/core/errors.ts';
import { isKeyPublished, publishKey } from '../../lib/snapshots/published-key.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const key = { keyId: '0123456789abcdef', publicPem: 'the public key\n' };
const textOf = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString();
const objectKey = '_keys/0123456789abcdef.pem';

function createStore() {
  const puts: string[] = [];
  const store = createMemoryStore({
    nowMs: () => 0,
    onCall: ({ op, key: put, phase }) => {
      if (op === 'put' && phase === 'before') puts.push(put);
    },
  });
  return { store, puts };
}

test('stores the key once', async () => {
  const { store, puts } = createStore();
  expect(await isKeyPublished(store, key)).toBe(false);
  expect(await publishKey(store, key)).toBeNull();
  expect(await publishKey(store, key)).toBeNull();
  expect(await isKeyPublished(store, key)).toBe(true);
  expect(puts).toEqual([objectKey]);
  expect(textOf(await store.get(objectKey))).toBe(key.publicPem);
});

test.each(['', 'the public key', 'the public key\n\n', 'another one'])(
  'another object in its place is a fault, and stays: %j',
  async (text) => {
    const { store, puts } = createStore();
    await store.put(objectKey, Buffer.from(text));
    await expect(isKeyPublished(store, key)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(await publishKey(store, key)).toMatchObject({
      key: objectKey,
      hint: expect.stringContaining('move it away'),
    });
    expect(puts).toEqual([objectKey]);
    expect(textOf(await store.get(objectKey))).toBe(text);
  },
);

test('a link in its place is a fault', async () => {
  const { store } = createStore();
  const linked = {
    ...store,
    get: async () => {
      throw new UnusableObjectError(objectKey, new StoreError('STORE_UNUSABLE', 'a link', 'x'));
    },
  };
  expect(await publishKey(linked, key)).toMatchObject({ key: objectKey });
});
