// Tests what an invocation of the function `verify` returns and throws as its time runs out. The built function is tested in
// test/e2e/verify-function.test.ts.

import { expect, test } from 'vitest';
import type { Connection } from '../../lib/app/connect.ts';
import { openVerifyInvocation } from '../../lib/app/verify-invocation.ts';
import { ConfigError, StoreError } from '../../lib/core/errors.ts';
import type { Store } from '../../lib/core/ports.ts';
import type { ProcessScratch } from '../../lib/platform/scratch.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { listHistory } from '../support/sealed-history.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const newestMs = Date.UTC(2026, 10, 24, 6);
const dayMs = 86_400_000;

async function createHistory(count: number) {
  const store = createMemoryStore({ nowMs: () => newestMs });
  for (const { key, bytes } of listHistory({ count, newestMs })) await store.put(key, bytes);
  return store;
}

interface Given {
  timeLeftMs?: () => number;
  since?: string;
  pins?: Store;
}

async function invoke(store: Store, { timeLeftMs = () => 60_000, since, pins }: Given = {}) {
  const lines: unknown[] = [];
  const scratch: ProcessScratch = {
    ...{ ...createTestScratch(), parent: '', freeBytes: async () => null },
    ...{ findFault: async () => null, removeLeft: async () => {} },
  };
  const connection: Partial<Connection> = {
    store,
    scratch,
    // The parts are text, so no rows are read.
    rowCheck: { scratch, datasets: [], decoders: [] },
    targets: [],
    verify: { pins: null, publicKeys: [], since: since ?? null },
    pins: pins ? { name: 'verify.pins', store: pins, key: 'pins' } : null,
    limit: (_timeLeftMs, work) => work(),
  };
  const outcome = await openVerifyInvocation().run({
    connect: async () => connection as Connection,
    timeLeftMs,
    memoryMb: 256,
    log: (...line) => void lines.push(line),
    scrubber: createScrubber(),
  });
  return { ...outcome, lines };
}

/** Reads `count` parts, then the time is up. */
function stopAfter(store: Store, count: number) {
  let reads = 0;
  const counting: Store = {
    ...store,
    read: async (key) => {
      reads += 1;
      return store.read(key);
    },
  };
  return { store: counting, timeLeftMs: () => (reads >= count ? 4_999 : 60_000) };
}

test('verifies everything if there is time, and returns no list of what it did not reach', async () => {
  const { json, alert, done, lines } = await invoke(await createHistory(3));
  expect(alert).toBeNull();
  expect(json).toMatchObject({ status: 'verified', parts: 6, notReached: [] });
  expect(done).toMatchObject({ status: 'verified', faults: 0, notReached: 0 });
  expect(lines).toEqual([]);
});

test('stops in time: the newest parts were hashed, the rest is listed, and the pins are brought up to date', async () => {
  const pins = createMemoryStore({ nowMs: () => newestMs });
  const stopped = stopAfter(await createHistory(30), 20);
  const { json, alert, done, lines } = await invoke(stopped.store, { ...stopped, pins });
  expect(alert).toBeNull();
  expect(json.status).toBe('verified');
  expect(json.manifests).toBe(30);
  expect(json.parts + json.notReached.length).toBe(60);
  expect(json.notReached.length).toBeGreaterThanOrEqual(40);
  const { since, parts } = json.notHashed;
  expect(parts).toBe(json.notReached.length);
  expect(Date.parse(since ?? '')).toBeLessThanOrEqual(newestMs - 4 * dayMs);
  expect(json.proven).toContain(`every part of the snapshots from ${since} on has the bytes`);
  expect(json.notProven).toContain(`There was not enough time for ${parts} of them.`);
  expect(json.pins).toMatchObject({ isCreated: true });
  expect(done).toMatchObject({ notReached: parts });
  expect(lines).toMatchObject([
    ['warn', 'there was not enough time to hash all parts', { notReached: parts }],
  ]);
});

test('lists at most 1,000 parts that it did not reach, and counts all', async () => {
  const stopped = stopAfter(await createHistory(600), 4);
  const { json } = await invoke(stopped.store, stopped);
  expect(json.notReached).toHaveLength(1_000);
  expect(json.notHashed.parts).toBeGreaterThan(1_180);
});

test('throws if the time does not even suffice for the newest snapshot', async () => {
  const store = await createHistory(5);
  const stopped = stopAfter(store, 1);
  const isOfNewest = (key: string) => key.includes('20261124T060000Z');
  const slow: Store = {
    ...stopped.store,
    read: async (key) => {
      const chunks = await stopped.store.read(key);
      if (isOfNewest(key)) throw new StoreError('STORE_FAILED', 'no time left', '');
      return chunks;
    },
  };
  const { alert, json } = await invoke(slow, stopped);
  expect(json.notHashed).toMatchObject({ since: null });
  expect(alert).toMatchObject({
    code: 'TIME_TOO_SHORT',
    message: expect.stringContaining('the parts of the newest snapshots could not be hashed'),
  });
});

test('a store that fails because the time is up is reported as such', async () => {
  let leftMs = 60_000;
  const get = async () => {
    leftMs = 0;
    throw new StoreError('STORE_FAILED', 'the invocation has no time left for it', 'hint');
  };
  const store = { ...(await createHistory(1)), get };
  await expect(invoke(store, { timeLeftMs: () => leftMs })).rejects.toMatchObject({
    code: 'TIME_TOO_SHORT',
    hint: expect.stringContaining('serverless.yml'),
  });
  await expect(invoke(store)).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('names the first ten findings, says how many more there are, and is not a long message', async () => {
  const store = await createHistory(20);
  for (const key of store.dump().keys()) if (!key.startsWith('_')) await store.delete(key);
  const { alert } = await invoke(store);
  expect(alert).toMatchObject({ code: 'CORRUPT' });
  expect(alert?.message).toMatch(/40 faults, 0 objects/);
  expect(alert?.message.match(/^- /gm)).toHaveLength(10);
  expect(alert?.message).toContain('and 30 more');
  expect(alert?.message.length).toBeLessThan(4_000);
});

test('throws for an object that may not be read', async () => {
  const store = await createHistory(2);
  const read = async () => {
    throw new StoreError('STORE_DENIED', 'refused', 'Grant it.');
  };
  const { alert, json } = await invoke({ ...store, read });
  expect(json.status).toBe('failed');
  expect(alert).toMatchObject({ code: 'STORE_DENIED' });
  expect(alert?.message).toContain('0 faults, 4 objects that could not be read');
});

test('hashes the parts since verify.since only, and that causes no warning', async () => {
  const { json, lines } = await invoke(await createHistory(10), { since: '3d' });
  expect(json).toMatchObject({ parts: 8, notHashed: { parts: 12 }, notReached: [] });
  expect(lines).toEqual([]);
});

test('a wrong configuration is thrown with its hint', async () => {
  const run = openVerifyInvocation().run({
    connect: async () => {
      throw new ConfigError([{ path: 'store', message: 'is missing', hint: 'Write one.' }]);
    },
    timeLeftMs: () => 60_000,
    memoryMb: undefined,
    log: () => {},
    scrubber: createScrubber(),
  });
  await expect(run).rejects.toMatchObject({
    name: 'ConfigError',
    code: 'CONFIG',
    message: 'CONFIG: store: is missing\nWrite one.',
  });
});
