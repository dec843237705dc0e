// Tests pruning: grace, dry runs, object lock, damaged objects, the lease, and which targets are covered.

import { describe, expect, test } from 'vitest';
import { configFault, StoppedError, StoreError } from '../../lib/core/errors.ts';
import { latestKey, manifestKey, snapshotName, tombstoneKey } from '../../lib/core/object-keys.ts';
import type { Log, Store } from '../../lib/core/ports.ts';
import { takeLease } from '../../lib/quota/lease.ts';
import { encodeTombstone } from '../../lib/retention/tombstone.ts';
import { decodeSealed, encodePointer, pointerTo } from '../../lib/snapshots/manifest.ts';
import { createPruningWorld, dayMs, onlyNewest } from '../support/pruning-world.ts';
import { someTarget } from '../support/stored-run.ts';

const snapshotAt = (nowMs: number, age: number) => snapshotName(nowMs - 3_600_000 - age * dayMs);

test('deletes the parts of pruned snapshots with grace 0, and nothing else', async () => {
  const { prune, prunable, lasting } = await createPruningWorld();
  const before = lasting();
  const result = await prune();
  expect(result).toMatchObject({ marked: 5, parts: 15, locked: [], errors: [], notCovered: [] });
  expect(result.bytes).toBeGreaterThan(100);
  expect(prunable()).toHaveLength(3);
  expect(lasting()).toEqual(expect.arrayContaining(before));
  const [target] = result.targets;
  expect(target?.snapshots.map(({ rule }) => rule)).toEqual([
    ...Array.from({ length: 5 }, () => 'pruned'),
    'newest',
  ]);
  const again = await prune();
  expect(again).toMatchObject({ marked: 0, parts: 0, targets: [{ gone: 5 }] });
});

test('deletes the parts at least the grace period after the tombstone, and not before', async () => {
  const { prune, prunable, clock } = await createPruningWorld();
  const retention = { ...onlyNewest, grace: 7 * dayMs };
  expect(await prune({ retention })).toMatchObject({ marked: 5, parts: 0 });
  clock.advance(7 * dayMs - 60_000);
  expect(await prune({ retention })).toMatchObject({ marked: 0, parts: 0 });
  expect(prunable()).toHaveLength(18);
  clock.advance(60_000);
  expect(await prune({ retention })).toMatchObject({ marked: 0, parts: 15 });
  expect(prunable()).toHaveLength(3);
});

test('a dry run shows the same and writes nothing, no lease either', async () => {
  let writes = 0;
  let isArmed = false;
  const { prune } = await createPruningWorld({
    onCall: ({ op }) => {
      if (isArmed && ['put', 'putIfAbsent', 'delete'].includes(op)) writes += 1;
    },
    exclusive: true,
  });
  isArmed = true;
  const planned = await prune({ isDryRun: true });
  expect(writes).toBe(0);
  expect(planned).toMatchObject({ marked: 0, parts: 0, errors: [] });
  const real = await prune();
  expect(writes).toBeGreaterThan(20);
  expect(planned.targets).toEqual(real.targets);
});

test('a dry run on a file store warns if the clock of this host does not fit the newest snapshot', async () => {
  const { prune, store, clock } = await createPruningWorld();
  const warnings = async (offMs: number, call: Partial<Parameters<typeof prune>[0]> = {}) => {
    const seen: string[] = [];
    const log: Log = (level, message) => void (level === 'warn' && seen.push(message));
    const readClock = async () => ({ kind: 'host' as const, nowMs: clock.nowMs() });
    const offStore = { ...store, nowMs: () => clock.nowMs() + offMs, readClock };
    await prune({ isDryRun: true, store: offStore, log, ...call });
    return seen;
  };
  expect(await warnings(0)).toEqual([]);
  expect(await warnings(1.5 * dayMs)).toEqual([]);
  expect(await warnings(10 * dayMs)).toEqual([expect.stringContaining('is old by the clock')]);
  expect(await warnings(-2 * 3_600_000)).toEqual([expect.stringContaining('is later than')]);
  // The real one asks the file system. A bucket has a clock of its own.
  expect(await warnings(10 * dayMs, { isDryRun: false })).toEqual([]);
  expect(await warnings(0, { store })).toEqual([]);
});

test('the newest snapshot of all targets counts for the clock of a dry run', async () => {
  const other = { ...someTarget, projectId: 'p2' };
  const { prune, store, clock } = await createPruningWorld({
    histories: [{}, { target: other, newestMs: Date.UTC(2026, 0, 1) }],
  });
  const seen: string[] = [];
  const log: Log = (level, message) => void (level === 'warn' && seen.push(message));
  const readClock = async () => ({ kind: 'host' as const, nowMs: clock.nowMs() });
  const offStore = { ...store, readClock };
  await prune({ isDryRun: true, store: offStore, log, targets: [someTarget, other] });
  expect(seen).toEqual([]);
});

describe('deletes nothing of a snapshot', () => {
  test('whose tombstone does not fit, or is of a snapshot that is always kept', async () => {
    const { prune, prunable, store, clock } = await createPruningWorld();
    const content = {
      ...{ ...someTarget, manifestSha256: '0'.repeat(64), parts: prunable() },
      ...{ prunedAt: '2026-01-01T00:00:00.000Z', rule: 'all: 0s', signing: null },
    };
    for (const age of [0, 3]) {
      const snapshot = snapshotAt(clock.nowMs(), age);
      await store.put(
        tombstoneKey(someTarget, snapshot),
        encodeTombstone({ ...content, snapshot }),
      );
    }
    const { errors, targets } = await prune();
    expect(errors.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/^CORRUPT .*does not fit its manifest/),
      expect.stringMatching(/^CORRUPT .*does not fit its manifest/),
    ]);
    const rules = targets[0]?.snapshots.map(({ rule }) => rule);
    // The newest snapshot without a tombstone is kept.
    expect(rules).toEqual(['pruned', 'pruned', 'not judged', 'pruned', 'newest', 'not judged']);
    expect(prunable()).toHaveLength(9);
  });

  test('whose fitting tombstone is as new as the newest complete snapshot', async () => {
    const { prune, prunable, store, clock } = await createPruningWorld();
    await prune({ retention: { ...onlyNewest, grace: dayMs } });
    // The newest snapshot is lost: the one before it becomes the newest complete one, but has a tombstone.
    await store.delete(manifestKey(someTarget, snapshotAt(clock.nowMs(), 0)));
    const { errors } = await prune();
    expect(errors.map(({ message }) => message)).toEqual(
      Array.from({ length: 5 }, () => expect.stringContaining('retention always keeps')),
    );
    expect(prunable()).toHaveLength(18);
  });

  test('whose manifest was altered or cannot be read; the others are pruned', async () => {
    const { prune, prunable, store, clock } = await createPruningWorld();
    const [one = '', two = ''] = [2, 4].map((age) =>
      manifestKey(someTarget, snapshotAt(clock.nowMs(), age)),
    );
    const text = Buffer.from(store.dump().get(one)?.bytes ?? []).toString();
    await store.put(one, Buffer.from(text.replace('"complete"', '"drifted"')));
    await store.put(two, Buffer.from('{'));
    const { errors, marked } = await prune();
    expect(errors.map(({ message }) => message).sort()).toEqual(
      [`${one}: was altered`, `${two}: does not parse`]
        .sort()
        .map((start) => expect.stringContaining(start)),
    );
    expect(marked).toBe(3);
    expect(prunable()).toHaveLength(9);
  });

  test('that _latest names, or of a later one, even if a newer one is complete', async () => {
    const { prune, prunable, store, clock } = await createPruningWorld();
    const key = manifestKey(someTarget, snapshotAt(clock.nowMs(), 2));
    const sealed = decodeSealed(key, store.dump().get(key)?.bytes ?? new Uint8Array());
    await store.put(latestKey(someTarget), encodePointer(pointerTo(sealed)));
    expect(await prune()).toMatchObject({ marked: 3, errors: [] });
    expect(prunable()).toHaveLength(9);
  });
});

test('skips and lists what the store refuses to delete, and tries it again', async () => {
  const { prune, prunable, store } = await createPruningWorld();
  const [locked = ''] = prunable();
  const locking: Store = {
    ...store,
    async delete(key) {
      if (key === locked) throw new StoreError('STORE_DENIED', 'refused', 'object lock');
      return store.delete(key);
    },
  };
  const first = { ...(await prune({ store: locking })) };
  expect(first).toMatchObject({ parts: 14, locked: [locked], errors: [] });
  expect(prunable()).toHaveLength(4);
  expect(await prune({ store: locking })).toMatchObject({ parts: 0, locked: [locked], errors: [] });
  expect(await prune()).toMatchObject({ parts: 1, locked: [] });
});

test('an error of the store as a whole ends with the error, and what was done is counted', async () => {
  const { prune, store } = await createPruningWorld();
  let deletes = 0;
  const failing: Store = {
    ...store,
    async delete(key) {
      if (!key.startsWith('_') && ++deletes > 2) throw new StoreError('STORE_FAILED', 'down', 'x');
      return store.delete(key);
    },
  };
  const result = await prune({ store: failing });
  expect(result).toMatchObject({ marked: 1, parts: 2, errors: [{ code: 'STORE_FAILED' }] });
});

describe('targets', () => {
  const other = { ...someTarget, projectId: 'p2' };

  test('that the configuration does not cover are named and not pruned', async () => {
    const { prune, prunable } = await createPruningWorld({ histories: [{}, { target: other }] });
    const result = await prune();
    expect(result).toMatchObject({ notCovered: [other], targets: [{ projectId: 'p1' }] });
    expect(prunable().filter((key) => key.includes('prj=p2'))).toHaveLength(18);
  });

  test('that are not selected are not pruned; a selection that throws ends before any write', async () => {
    const { prune, prunable } = await createPruningWorld({ histories: [{}, { target: other }] });
    const targets = [someTarget, other];
    const failed = await prune({
      targets,
      pick() {
        throw configFault('--region', 'unknown', 'x');
      },
    });
    expect(failed).toMatchObject({ marked: 0, errors: [{ code: 'CONFIG' }] });
    const result = await prune({ targets, pick: () => [other] });
    expect(result).toMatchObject({ marked: 5, notCovered: [] });
    expect(prunable().filter((key) => key.includes('prj=p1'))).toHaveLength(18);
  });
});

test('waits for the exporter that holds the lease', async () => {
  const { prune, clock, store } = await createPruningWorld();
  const host = { identity: 'exporter', name: 'exporter', boot: null, isGone: () => false };
  await takeLease({ store, clock, host, log: () => {}, random: Math.random });
  const startMs = clock.nowMs();
  expect(await prune()).toMatchObject({ marked: 5, errors: [] });
  expect(clock.nowMs() - startMs).toBeGreaterThan(29_000);
});

test('does nothing while another exporter holds the lease, if it does not wait', async () => {
  const { prune, prunable, clock, store } = await createPruningWorld();
  const host = { identity: 'exporter', name: 'exporter', boot: null, isGone: () => false };
  await takeLease({ store, clock, host, log: () => {}, random: Math.random });
  const result = await prune({ waitsForOthers: false });
  expect(result).toMatchObject({ isLeased: true, marked: 0, parts: 0, targets: [], errors: [] });
  expect(prunable()).toHaveLength(18);
});

test('ends with the reason of a signal', async () => {
  const { prune, store } = await createPruningWorld();
  const stopper = new AbortController();
  const stopping: Store = {
    ...store,
    async delete(key) {
      stopper.abort(new StoppedError('STOPPED', 'The command was stopped.', 'again'));
      return store.delete(key);
    },
  };
  const result = await prune({ store: stopping, signal: stopper.signal });
  expect(result).toMatchObject({
    ...{ parts: 1, errors: [{ code: 'STOPPED', message: 'The command was stopped.' }] },
  });
});

test('writes no tombstone for a snapshot whose rows are lost already, and names the part', async () => {
  const { prune, prunable, store } = await createPruningWorld();
  const [lost = ''] = prunable();
  await store.delete(lost);
  const { errors, marked } = await prune();
  expect(errors).toMatchObject([{ code: 'CORRUPT', key: lost }]);
  expect(marked).toBe(4);
  expect(prunable()).toHaveLength(5);
});
