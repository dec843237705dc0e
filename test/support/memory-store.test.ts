// Tests that the store in memory follows the store contract and simulates failures.

import { expect, test } from 'vitest';
import { describeStore } from '../store/contract.ts';
import { makeLocalFile } from '../store/local-files.ts';
import { createMemoryStore, type StoreCall } from './memory-store.ts';

for (const exclusive of [false, true]) {
  describeStore(`memory${exclusive ? ' with putIfAbsent' : ''}`, async () => {
    const store = createMemoryStore({ nowMs: Date.now, exclusive });
    return { store, second: store, close: async () => {} };
  });
}

test('a call that fails before its effect stores nothing, one that fails after it does', async () => {
  let broken: Partial<StoreCall> = {};
  const calls: string[] = [];
  const store = createMemoryStore({
    nowMs: () => 1_000,
    onCall: (call) => {
      calls.push(`${call.index} ${call.phase} ${call.op} ${call.key}`);
      if (call.index === broken.index && call.phase === broken.phase) throw new Error('crash');
    },
  });
  broken = { index: 0, phase: 'before' };
  await expect(store.put('a', Buffer.from('x'))).rejects.toThrow('crash');
  expect(store.dump().size).toBe(0);
  broken = { index: 1, phase: 'after' };
  await expect(store.put('a', Buffer.from('x'))).rejects.toThrow('crash');
  expect(store.dump().get('a')?.modifiedMs).toBe(1_000);
  expect(calls).toEqual(['0 before put a', '1 before put a', '1 after put a']);
});

test('putFile and read fail as put and get do', async () => {
  const file = await makeLocalFile(Buffer.from('x'));
  let isBroken = false;
  const store = createMemoryStore({
    nowMs: Date.now,
    onCall: ({ op, phase }) => {
      if (isBroken && ['put', 'get'].includes(op) && phase === 'before') throw new Error('crash');
    },
  });
  await store.putFile('a', file);
  isBroken = true;
  await expect(store.putFile('b', file)).rejects.toThrow('crash');
  await expect(store.read('a')).rejects.toThrow('crash');
  expect([...store.dump().keys()]).toEqual(['a']);
});

test('restore brings back the objects of a dump', async () => {
  const store = createMemoryStore({ nowMs: () => 1_000, settleMs: 7 });
  await store.put('a', Buffer.from('one'));
  const dump = store.dump();
  await store.put('a', Buffer.from('two'));
  await store.put('b', Buffer.from('three'));
  store.restore(dump);
  expect(store.settleMs).toBe(7);
  expect((await store.list('')).map(({ key }) => key)).toEqual(['a']);
  expect(Buffer.from((await store.get('a')) as Uint8Array).toString()).toBe('one');
});
