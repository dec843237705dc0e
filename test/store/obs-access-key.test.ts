// Tests which access key is used after the store has refused one.

import { expect, test } from 'vitest';
import { StoreError } from '../../lib/core/errors.ts';
import { type AccessKey, createAccessKeys } from '../../lib/store/obs-access-key.ts';

const first: AccessKey = { ak: 'a', sk: 's', securityToken: 'first' };
const second: AccessKey = { ...first, securityToken: 'second' };
const error = new StoreError('STORE_DENIED', 'refused', 'check the key');

test('holds a refused key for 15 minutes, and does not hold other keys', async () => {
  let provided = first;
  let monotonicMs = 1_000;
  const keys = createAccessKeys(async () => provided, { monotonicMs: () => monotonicMs });
  expect(keys.current()).toBeNull();
  keys.hold(error);
  expect(keys.holdReason()).toBeNull();
  await keys.next(null);
  expect(keys.current()).toEqual(first);
  keys.hold(error);
  expect(keys.holdReason()).toBe(error);
  provided = second;
  await keys.next(first);
  expect(keys.holdReason()).toBeNull();
  provided = { ...first };
  await keys.next(null);
  expect(keys.holdReason()).toBe(error);
  monotonicMs += 15 * 60_000 - 1;
  expect(keys.holdReason()).toBe(error);
  monotonicMs += 1;
  expect(keys.holdReason()).toBeNull();
});

test('passes the refused key to the provider and reports whether it returned another one', async () => {
  const refused: (AccessKey | null)[] = [];
  let replacement = first;
  const provider = async (key: AccessKey | null) => {
    refused.push(key);
    return key === null ? first : replacement;
  };
  const keys = createAccessKeys(provider, { monotonicMs: () => 0 });
  await keys.next(null);
  expect(await keys.hasReplacement()).toBe(false);
  replacement = second;
  expect(await keys.hasReplacement()).toBe(true);
  // Only next() changes the key in use.
  expect(keys.current()).toEqual(first);
  expect(refused).toEqual([null, first, first]);
});
