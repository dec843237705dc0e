// Tests where pins are read and written, and that two verifications at once lose no newer one.

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPins, requireOutside, updatePins } from '../../lib/app/pin-file.ts';
import { systemClock } from '../../lib/platform/clock.ts';
import { openFileStore } from '../../lib/store/file.ts';
import { encodePins, listNewest } from '../../lib/verification/pins.ts';
import { verifyWithChains } from '../../lib/verification/verification.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { listHistory } from '../support/sealed-history.ts';

const dayMs = 86_400_000;
const newestMs = Date.UTC(2026, 10, 24, 6);
const nowMs = newestMs + 3_600_000;
const clock = { nowMs: () => nowMs };
const key = 'pins.jsonl';
const name = '--pins';

async function readChains(count: number, endMs: number) {
  const store = createMemoryStore(clock);
  for (const { key, bytes } of listHistory({ count, newestMs: endMs })) await store.put(key, bytes);
  return (await verifyWithChains(store, () => {})).chains;
}
const older = await readChains(2, newestMs - dayMs);
const newer = await readChains(3, newestMs);
const bytesOf = (chains: typeof older) => Buffer.from(encodePins(listNewest(chains, nowMs)));

test('a missing file is created, and changed only if there is something new', async () => {
  const root = mkdtempSync(join(tmpdir(), 'pins-'));
  const place = { name, store: openFileStore({ root, clock: systemClock }), key };
  expect(await readPins(place)).toBeNull();
  expect(await updatePins(place, older, nowMs)).toBe(true);
  expect(await updatePins(place, older, nowMs)).toBe(false);
  expect(await updatePins(place, newer, nowMs)).toBe(true);
  expect(readFileSync(join(root, key))).toEqual(bytesOf(newer));
  expect(await updatePins(place, older, nowMs)).toBe(false);
  expect(readFileSync(join(root, key))).toEqual(bytesOf(newer));
});

test('a file that is replaced keeps its permissions, and nothing else is left beside it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'pins-'));
  const place = { name, store: openFileStore({ root, isShared: true, clock: systemClock }), key };
  await updatePins(place, older, nowMs);
  const modeOf = () => (statSync(join(root, key)).mode & 0o777).toString(8);
  expect(modeOf()).toBe('600');
  chmodSync(join(root, key), 0o444);
  expect(await updatePins(place, newer, nowMs)).toBe(true);
  expect([modeOf(), readdirSync(root)]).toEqual(['444', [key]]);
});

test('many writers of one file do not disturb each other', async () => {
  const root = mkdtempSync(join(tmpdir(), 'pins-'));
  const stores = Array.from({ length: 8 }, () =>
    openFileStore({ root, isShared: true, clock: systemClock }),
  );
  await Promise.all(stores.map((store) => updatePins({ name, store, key }, newer, nowMs)));
  expect(readdirSync(root)).toEqual([key]);
});

test('a newer pin that was lost to a write at the same time is written again', async () => {
  let isReplaced = false;
  const store = createMemoryStore({
    ...clock,
    onCall: async ({ op, phase }) => {
      if (op !== 'put' || phase !== 'after' || isReplaced) return;
      isReplaced = true;
      await store.put(key, bytesOf(older));
    },
  });
  await updatePins({ name, store, key }, newer, nowMs);
  expect(isReplaced).toBe(true);
  expect(Buffer.from((await store.get(key)) ?? [])).toEqual(bytesOf(newer));
});

test('a damaged file is an error of configuration, and is never overwritten', async () => {
  for (const damaged of ['', 'x\n', bytesOf(newer).toString().slice(0, -1)]) {
    const store = createMemoryStore(clock);
    await store.put(key, Buffer.from(damaged));
    const place = { name, store, key };
    await expect(readPins(place)).rejects.toMatchObject({ code: 'CONFIG' });
    await expect(updatePins(place, newer, nowMs)).rejects.toMatchObject({ code: 'CONFIG' });
    expect(Buffer.from((await store.get(key)) ?? []).toString()).toBe(damaged);
  }
});

describe('a file inside the store is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pins-'));
  const root = join(folder, 'lake');
  mkdirSync(join(root, 'sub'), { recursive: true });
  symlinkSync(root, join(folder, 'link'));
  writeFileSync(join(folder, 'x'), '');
  const open = (path: string) => openFileStore({ root: path, clock: systemClock });
  const check = (path: string, store = root) =>
    requireOutside({ name, store: open(path), key }, open(store));

  test.each(['lake', 'lake/sub', 'lake/missing/deep', 'link', 'link/sub'])(
    'in %s',
    async (path) => {
      await expect(check(join(folder, path))).rejects.toMatchObject({
        code: 'CONFIG',
        message: expect.stringContaining('is inside the store'),
      });
    },
  );

  test('also if the store is given by a link', async () => {
    await expect(check(root, join(folder, 'link'))).rejects.toMatchObject({ code: 'CONFIG' });
  });

  test('but not beside it', async () => {
    await check(folder);
    await check(join(folder, 'lake-pins'));
  });
});
