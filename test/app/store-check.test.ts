// Tests that the checks of a store find each fault, and that nothing else depends on the fault.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Check } from '../../lib/app/check-result.ts';
import { canCount, checkStore } from '../../lib/app/store-check.ts';
import { StoreError } from '../../lib/core/errors.ts';
import { doctorPrefix } from '../../lib/core/object-keys.ts';
import { systemClock } from '../../lib/platform/clock.ts';
import { openFileStore } from '../../lib/store/file.ts';
import { createMemoryStore, type MemoryStoreOptions } from '../support/memory-store.ts';

const random = () => 0.5;
const clock = { nowMs: () => 1_000_000 };

const statusesOf = (checks: readonly Check[]) =>
  Object.fromEntries(checks.map(({ check, status }) => [check, status]));

function check(options: Partial<MemoryStoreOptions> = {}, store = openMemory(options)) {
  return checkStore(store, { clock, random, folder: null });
}

function openMemory(options: Partial<MemoryStoreOptions> = {}) {
  return createMemoryStore({ nowMs: clock.nowMs, ...options });
}

const deny = (denied: string) => ({
  onCall: ({ op }: { op: string }) => {
    if (op === denied) throw new StoreError('STORE_DENIED', `cannot ${op}`, 'Grant it.');
  },
});

test('a good store passes every check and has no object afterwards', async () => {
  const store = openMemory({ exclusive: true });
  const checks = await check({}, store);
  expect(checks.map(({ status }) => status)).not.toContain('failed');
  expect(Object.keys(statusesOf(checks))).toEqual([
    ...['store-write', 'store-read', 'store-list', 'store-overwrite', 'store-delete'],
    ...['store-lease', 'store-clock'],
  ]);
  expect(canCount(checks)).toBe(true);
  expect([...store.dump().keys()]).toEqual([]);
});

test('if the write fails, no other check is tried', async () => {
  const checks = await check(deny('put'));
  expect(statusesOf(checks)).toMatchObject({ 'store-write': 'failed', 'store-delete': 'skipped' });
  expect(checks.filter(({ status }) => status === 'failed')).toHaveLength(1);
  expect(checks[0]).toMatchObject({ message: 'cannot put', hint: 'Grant it.' });
  expect(canCount(checks)).toBe(false);
});

test.each([
  ['get', { 'store-write': 'ok', 'store-read': 'failed', 'store-overwrite': 'skipped' }, true],
  ['list', { 'store-read': 'ok', 'store-list': 'failed', 'store-clock': 'skipped' }, false],
  ['delete', { 'store-overwrite': 'ok', 'store-delete': 'failed', 'store-clock': 'ok' }, false],
])('a store that cannot %s', async (op, statuses, isCounting) => {
  const checks = await check(deny(op));
  expect(statusesOf(checks)).toMatchObject(statuses);
  expect(canCount(checks)).toBe(isCounting);
});

test('deletes its object also if it cannot read it', async () => {
  const store = openMemory(deny('get'));
  expect(statusesOf(await check({}, store))['store-delete']).toBe('ok');
  expect([...store.dump().keys()]).toEqual([]);
});

test('finds a store that returns old bytes after an overwrite', async () => {
  const store = openMemory();
  const written = new Map<string, Uint8Array>();
  const stale = {
    ...store,
    async put(key: string, bytes: Uint8Array) {
      if (!written.has(key)) written.set(key, bytes);
      await store.put(key, bytes);
    },
    get: async (key: string) =>
      (await store.get(key)) === null ? null : (written.get(key) ?? null),
  };
  const checks = await checkStore(stale, { clock, random, folder: null });
  expect(statusesOf(checks)).toMatchObject({
    'store-read': 'ok',
    'store-overwrite': 'failed',
    'store-delete': 'ok',
  });
  expect(canCount(checks)).toBe(true);
});

test('finds a store that lets two writers create one object', async () => {
  const store = openMemory({ exclusive: true });
  const careless = { ...store, putIfAbsent: async () => true };
  const checks = await checkStore(careless, { clock, random, folder: null });
  expect(statusesOf(checks)['store-lease']).toBe('failed');
});

test.each([
  [1_000_000, 'ok'],
  // A stamp in whole seconds.
  [999_000, 'ok'],
  [1_000_000 + 61_000, 'warning'],
  [1_000_000 - 62_000, 'warning'],
  [1_000_000 + 901_000, 'failed'],
])('judges the time stamp %i of a store', async (nowMs, status) => {
  const checks = await check({ nowMs: () => nowMs });
  expect(statusesOf(checks)['store-clock']).toBe(status);
});

test('deletes what an earlier doctor left, but not what a running one uses', async () => {
  let nowMs = 0;
  const store = openMemory({ nowMs: () => nowMs });
  await store.put(`${doctorPrefix}old`, Buffer.from('x'));
  nowMs = 11 * 60_000;
  await store.put(`${doctorPrefix}young`, Buffer.from('x'));
  await checkStore(store, { clock: { nowMs: () => nowMs }, random, folder: null });
  expect([...store.dump().keys()]).toEqual([`${doctorPrefix}young`]);
});

test('throws errors that are not faults of the store', async () => {
  const broken = { ...openMemory(), put: () => Promise.reject(new TypeError('a bug')) };
  await expect(checkStore(broken, { clock, random, folder: null })).rejects.toThrow('a bug');
});

test('checks which users have access to a folder', async () => {
  const root = mkdtempSync(join(tmpdir(), 'cgs-check-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const store = openFileStore({ root, clock: systemClock });
  const folder = { root, fileMode: 0o666, umask: 0o022 };
  const checks = await checkStore(store, { clock: systemClock, random: Math.random, folder });
  expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(statusesOf(checks)['store-mode']).toBe('ok');
});

test('a folder that does not exist is reported before it is created, once', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'store-check-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  const root = join(parent, 'mistyped');
  const store = openFileStore({ root, clock: systemClock });
  const folder = { root, fileMode: 0o600, umask: 0o022 };
  const [first, second] = await checkStore(store, { clock: systemClock, random, folder });
  expect(first).toMatchObject({
    ...{ check: 'store-folder', status: 'warning' },
    message: `the folder ${root} does not exist: it is created now`,
    hint: expect.stringContaining("store's address"),
  });
  expect(second).toMatchObject({ check: 'store-write', status: 'ok' });
  const again = await checkStore(store, { clock: systemClock, random, folder });
  expect(again[0]).toMatchObject({ check: 'store-write', status: 'ok' });
});
