// Tests that a spool stores the same bytes with the same hashes on both sides of its limit, and leaves no file behind.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createMemoryFile } from '../../lib/platform/memory-file.ts';
import { openSpool } from '../../lib/sealing/spool.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const hex = (name: string, bytes: Uint8Array) => createHash(name).update(bytes).digest('hex');
const openStore = () => {
  const puts: string[] = [];
  const store = createMemoryStore({
    nowMs: () => 1_000,
    onCall: ({ phase, op, key, putOptions }) => {
      if (phase === 'before') puts.push(`${op} ${key} ${putOptions?.durability}`);
    },
  });
  return { store, puts };
};

test.each([
  [0, 0],
  [10, 0],
  [11, 1],
  [1_000, 1],
])('%i bytes with a limit of 10 need %i files', async (bytes, files) => {
  const content = Buffer.from(Array.from({ length: bytes }, (_, index) => index % 251));
  const scratch = createTestScratch();
  const spool = openSpool(scratch, 10);
  for (let at = 0; at < bytes; at += 7) await spool.append(content.subarray(at, at + 7));
  const spooled = await spool.finish();
  expect(scratch.opened()).toBe(files);
  expect(spooled).toMatchObject({ bytes, sha256: hex('sha256', content) });
  expect(Buffer.from(spooled.md5).toString('hex')).toBe(hex('md5', content));
  const { store, puts } = openStore();
  await spooled.put(store, 'a', { durability: 'checksummed' });
  await spooled.put(store, 'b');
  expect(puts).toEqual(['put a checksummed', 'put b undefined']);
  for (const key of ['a', 'b'])
    expect(store.dump().get(key)?.bytes).toEqual(Uint8Array.from(content));
  await spooled.remove();
  await spooled.remove();
  expect(scratch.left()).toBe(0);
});

test('the caller may reuse its buffer', async () => {
  const { store } = openStore();
  for (const limit of [0, 100]) {
    const spool = openSpool(createTestScratch(), limit);
    const buffer = Buffer.from('one');
    await spool.append(buffer);
    buffer.write('two');
    await spool.append(buffer);
    const spooled = await spool.finish();
    await spooled.put(store, 'a');
    expect(String(Buffer.from((await store.get('a')) ?? []))).toBe('onetwo');
    await spooled.remove();
  }
});

test('stores the bytes of a file in memory', async () => {
  const content = Buffer.from('more than ten bytes');
  const file = createMemoryFile({ reserve: () => {}, release: () => {} });
  const spool = openSpool({ open: async () => file }, 10);
  for (let at = 0; at < content.length; at += 7) await spool.append(content.subarray(at, at + 7));
  const spooled = await spool.finish();
  const { store, puts } = openStore();
  await spooled.put(store, 'a', { durability: 'checksummed' });
  await spooled.put(store, 'b');
  expect(puts).toEqual(['put a checksummed', 'put b undefined']);
  for (const key of ['a', 'b'])
    expect(store.dump().get(key)?.bytes).toEqual(Uint8Array.from(content));
});

describe('remove', () => {
  test('before the end deletes the file', async () => {
    const scratch = createTestScratch();
    const spool = openSpool(scratch, 2);
    await spool.append(Buffer.from('more'));
    expect(scratch.left()).toBe(1);
    await spool.remove();
    expect(scratch.left()).toBe(0);
  });

  test('of an empty spool does nothing', async () => {
    const scratch = createTestScratch();
    await openSpool(scratch).remove();
    expect(scratch.opened()).toBe(0);
  });
});

test('by default, 2 MiB stay in memory', async () => {
  const scratch = createTestScratch();
  const spool = openSpool(scratch);
  await spool.append(Buffer.alloc(2 * 2 ** 20));
  expect(scratch.opened()).toBe(0);
  await spool.append(Buffer.alloc(1));
  expect(scratch.opened()).toBe(1);
  await spool.remove();
});

test('is removed without an error after a write failed, and takes no more bytes', async () => {
  const scratch = createTestScratch();
  const full = async () => {
    throw new Error('the disk is full');
  };
  const spool = openSpool(
    { ...scratch, open: async () => ({ ...(await scratch.open()), append: full }) },
    10,
  );
  const failed = spool.append(new Uint8Array(11));
  await expect(failed).rejects.toThrow('the disk is full');
  await spool.remove();
  expect(scratch.left()).toBe(0);
  await expect(spool.append(new Uint8Array(1))).rejects.toThrow('the spool was removed');
});
