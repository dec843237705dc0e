// Tests which snapshots and which missed slots of a target belong to a period.

import { describe, expect, test } from 'vitest';
import { headKey, manifestKey, tombstoneKey } from '../../lib/core/object-keys.ts';
import { isContinued, readTimeline, type Timeline } from '../../lib/snapshots/timeline.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { listHistory } from '../support/sealed-history.ts';
import { someTarget } from '../support/stored-run.ts';

const day = 86_400_000;
const newestMs = Date.UTC(2026, 10, 24);
const namesOf = ({ snapshots }: Timeline) => snapshots.map(({ manifest }) => manifest.snapshot);

/** Daily snapshots of 20 to 24 November. */
async function openHistory(nowMs = newestMs + 3_600_000) {
  const store = createMemoryStore({ nowMs: () => nowMs });
  const history = listHistory({ count: 5, newestMs, scheduleMs: day });
  for (const { key, bytes } of history) await store.put(key, bytes);
  return store;
}

describe('the snapshots of a period', () => {
  test('are those named within it, bounds included, oldest first', async () => {
    const store = await openHistory();
    const period = { sinceMs: newestMs - 3 * day, untilMs: newestMs - day };
    expect(namesOf(await readTimeline(store, someTarget, period))).toEqual([
      '20261121T000000Z',
      '20261122T000000Z',
      '20261123T000000Z',
    ]);
    const within = { sinceMs: newestMs - 3 * day + 1, untilMs: newestMs - day - 1 };
    const timeline = await readTimeline(store, someTarget, within);
    expect(namesOf(timeline)).toEqual(['20261122T000000Z']);
    expect(timeline.firstStored).toBe('20261120T000000Z');
  });

  test('are pruned if they have a tombstone', async () => {
    const store = await openHistory();
    await store.put(tombstoneKey(someTarget, '20261121T000000Z'), Buffer.from('{}\n'));
    const { snapshots } = await readTimeline(store, someTarget, { sinceMs: 0, untilMs: newestMs });
    expect(snapshots.map(({ pruned }) => pruned)).toEqual([false, true, false, false, false]);
  });

  test('leave out a manifest that cannot be read, which is a fault', async () => {
    const store = await openHistory();
    const key = manifestKey(someTarget, '20261122T000000Z');
    await store.put(key, Buffer.from('{'));
    const timeline = await readTimeline(store, someTarget, { sinceMs: 0, untilMs: newestMs });
    expect(namesOf(timeline)).toHaveLength(4);
    expect(timeline.faults.map((fault) => fault.key)).toEqual([key]);
  });
});

describe('a manifest that is gone', () => {
  const nameOf = (date: number) => `202611${date}T000000Z`;
  const openWithout = async (date: number) => {
    const store = await openHistory();
    await store.delete(manifestKey(someTarget, nameOf(date)));
    return store;
  };
  const all = { sinceMs: 0, untilMs: newestMs };

  test.each([
    ['the next manifest', 22, manifestKey(someTarget, nameOf(23))],
    ['_head', 24, headKey(someTarget)],
  ])('is a fault and no missed slot if %s names it', async (_, date, by) => {
    const store = await openWithout(date);
    const { faults, gaps } = await readTimeline(store, someTarget, all);
    const key = manifestKey(someTarget, nameOf(date));
    expect(faults).toMatchObject([{ key, message: `is missing: ${by} names it` }]);
    expect(gaps).toEqual([]);
  });

  test('is a fault only of a period that has it, also if the manifest after the period names it', async () => {
    const store = await openWithout(22);
    const keysOf = async (sinceMs: number, untilMs: number) =>
      (await readTimeline(store, someTarget, { sinceMs, untilMs })).faults.map(({ key }) => key);
    expect(await keysOf(0, newestMs - 2 * day)).toEqual([manifestKey(someTarget, nameOf(22))]);
    expect(await keysOf(newestMs - day, newestMs)).toEqual([]);
  });

  test('is not a fault if its name is in the future', async () => {
    const store = await openHistory(newestMs - 2 * day);
    await store.delete(manifestKey(someTarget, nameOf(24)));
    const { faults } = await readTimeline(store, someTarget, all);
    expect(faults).toEqual([]);
  });
});

test('a manifest that cannot be read is not a missed slot', async () => {
  const store = await openHistory();
  await store.put(manifestKey(someTarget, '20261122T000000Z'), Buffer.from('{'));
  expect((await readTimeline(store, someTarget, { sinceMs: 0, untilMs: newestMs })).gaps).toEqual(
    [],
  );
});

describe('the gaps of a period', () => {
  const gapsOf = async (nowMs: number, sinceMs: number, untilMs: number) =>
    (await readTimeline(await openHistory(nowMs), someTarget, { sinceMs, untilMs })).gaps;

  test('have the slots after the newest snapshot that are over', async () => {
    const nowMs = newestMs + 3 * day + 1;
    const gaps = [{ from: '20261125T000000Z', to: '20261126T000000Z', slots: 2 }];
    expect(await gapsOf(nowMs, 0, nowMs)).toEqual(gaps);
  });

  test('have only slots that begin in it, also if no snapshot is in it', async () => {
    const nowMs = newestMs + 9 * day;
    const untilMs = newestMs + 4 * day - 1_000;
    expect(await gapsOf(nowMs, newestMs + 2 * day, untilMs)).toEqual([
      { from: '20261126T000000Z', to: '20261127T000000Z', slots: 2 },
    ]);
  });

  test('do not have the last slot if a snapshot after the period is in it', async () => {
    expect(await gapsOf(newestMs + 1, newestMs - 2 * day, newestMs - day - 1)).toEqual([]);
  });
});

test('a snapshot continues the one that its changes name, and no other', async () => {
  const store = await openHistory();
  const { snapshots } = await readTimeline(store, someTarget, { sinceMs: 0, untilMs: newestMs });
  const [first, second, third] = snapshots;
  if (!first || !second || !third) throw new Error('the history is too short');
  const changes = { since: second.manifest.snapshot, added: 0, removed: 0, changed: 0 };
  const changed = { ...third, manifest: { ...third.manifest, changes } };
  expect(isContinued(second, changed)).toBe(true);
  expect(isContinued(first, changed)).toBe(false);
  expect(isContinued(second, third)).toBe(false);
});
