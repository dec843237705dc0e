// Tests for whom a run waits before it is sealed, for how long, and what it says meanwhile.

import { describe, expect, test } from 'vitest';
import {
  checkpointKey,
  headKey,
  manifestKey,
  runPrefix,
  sealRecordKey,
} from '../../lib/core/object-keys.ts';
import type { SealPorts } from '../../lib/sealing/seal.ts';
import { createRecordedStore, first, many, second, third } from '../support/sealed-run.ts';
import {
  createSealPorts,
  type StoredRun,
  sealStored,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';

const minuteMs = 60_000;

/** A run that is ready to be sealed, and the record of an older run that was killed while it sealed. */
async function createRivals() {
  const { clock, store, recorded } = createRecordedStore();
  const older = await storeRun(recorded, { snapshot: first, pages: [many] });
  const own = await storeRun(recorded, { snapshot: second, pages: [many] });
  const recordKey = (run: StoredRun) =>
    sealRecordKey(someTarget, run.checkpoint.snapshot, run.checkpoint.run);
  await store.put(recordKey(older), Buffer.from('killed'));
  const messages: string[] = [];
  const waits: number[] = [];
  const ports = createSealPorts(recorded, clock, {
    log: (_level, message) => messages.push(message),
    onWait: (leftMs) => waits.push(leftMs),
  });
  const seal = async (overrides: Partial<SealPorts> = {}) => {
    const startMs = clock.monotonicMs();
    await clock.run(sealStored({ ...ports, ...overrides }, own));
    return clock.monotonicMs() - startMs;
  };
  return { clock, store, older, own, recordKey, messages, waits, seal };
}

test('a command waits for at most ten minutes, and says for what and how long', async () => {
  const { older, messages, waits, seal } = await createRivals();
  expect(await seal()).toBe(10 * minuteMs);
  const { snapshot, run } = older.checkpoint;
  const message = `another run of this target must seal first: ${snapshot} (run ${run}); waiting, for at most 600 s`;
  expect(messages).toEqual([message]);
  expect([waits[0], waits.at(-1)]).toEqual([600_000, 1_000]);
});

test('of several runs, names the one that it waits for longest', async () => {
  const { clock, store, messages, seal } = await createRivals();
  clock.advance(minuteMs);
  const young = { snapshot: '20261124T060001Z', run: '0123456789ab' };
  await store.put(checkpointKey(runPrefix(someTarget, young.snapshot, young.run)), Buffer.from(''));
  await store.put(sealRecordKey(someTarget, young.snapshot, young.run), Buffer.from(''));
  expect(await seal()).toBe(10 * minuteMs);
  expect(messages[0]).toContain(`${young.snapshot} (run ${young.run}); waiting, for at most 600 s`);
});

test('a timer says it once, and pauses', async () => {
  const { messages, seal } = await createRivals();
  await expect(seal({ mayWait: false })).rejects.toThrow('not its turn');
  expect(messages).toEqual([expect.stringContaining('the next invocation tries again')]);
});

describe('does not wait for', () => {
  test('a run that was deleted: its checkpoint is gone', async () => {
    const { store, older, seal } = await createRivals();
    await store.delete(`${older.prefix}checkpoint.json`);
    expect(await seal()).toBe(0);
  });

  test('a finished run whose manifest was lost: _head names its snapshot', async () => {
    const { clock, store, own, recordKey, waits, seal } = await createRivals();
    await store.delete(recordKey({ ...own, checkpoint: { ...own.checkpoint, snapshot: first } }));
    await seal();
    await store.delete(manifestKey(someTarget, second));
    const later = await storeRun(store, { snapshot: third, pages: [many] });
    const count = waits.length;
    await clock.run(
      sealStored(createSealPorts(store, clock, { onWait: () => waits.push(0) }), later),
    );
    expect(waits).toHaveLength(count);
    expect(store.dump().has(headKey(someTarget))).toBe(true);
  });

  test('a record of a clock that was far ahead', async () => {
    const { clock, store, older, recordKey, seal } = await createRivals();
    clock.step(60 * minuteMs);
    await store.put(recordKey(older), Buffer.from('killed'));
    clock.step(-60 * minuteMs);
    expect(await seal()).toBe(0);
  });
});

test('waits no longer than ten minutes, even if the time of the store does not move', async () => {
  const { clock, store, seal } = await createRivals();
  const nowMs = store.nowMs();
  expect(await seal({ store: { ...store, nowMs: () => nowMs } })).toBeLessThanOrEqual(
    10 * minuteMs,
  );
  expect(clock.monotonicMs()).toBeGreaterThan(0);
});
