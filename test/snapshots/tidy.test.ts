// Tests that tidying deletes what no snapshot needs, and nothing else. A store with several runs and snapshots is tidied at chosen
// times, and the remaining keys are compared.

import { describe, expect, test } from 'vitest';
import {
  checkpointKey,
  headKey,
  manifestKey,
  partKey,
  runPrefix,
  runsPrefix,
  scheduleKey,
  segmentKey,
  snapshotName,
} from '../../lib/core/object-keys.ts';
import { tidyTarget } from '../../lib/snapshots/tidy.ts';
import { verifyStore } from '../../lib/snapshots/verification.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import {
  createSealPorts,
  nodeText,
  sealStored,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createClock } from '../support/virtual-clock.ts';

const rowsParquet = { role: 'rows', format: 'parquet' } as const;
const rowsNdjson = { role: 'rows', format: 'ndjson' } as const;
const rejectsNdjson = { role: 'rejects', format: 'ndjson' } as const;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const keepPagesMs = 7 * dayMs;

function createTestExporter() {
  const clock = createClock();
  const store = createMemoryStore({ nowMs: clock.nowMs });
  async function seal(target = someTarget) {
    const snapshot = snapshotName(clock.nowMs());
    const records = [nodeText('a'), nodeText(`n-${snapshot}`)];
    const run = await storeRun(store, { snapshot, pages: [{ records }], target });
    await clock.run(sealStored(createSealPorts(store, clock), run));
    return { ...run, snapshot };
  }
  const put = async (key: string) => {
    await store.put(key, Buffer.from('x'));
    return key;
  };
  return { clock, store, seal, put };
}

function keysOf(store: MemoryStore): string[] {
  return [...store.dump().keys()].sort();
}

describe('working state of runs', () => {
  test('is deleted when the whole run is older than the pages are kept; snapshots stay', async () => {
    const { clock, store, seal } = createTestExporter();
    const old = await seal();
    clock.advance(keepPagesMs - 1_000);
    const young = await seal();
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(0);
    clock.advance(1_001);
    const before = keysOf(store);
    // The checkpoint and the seal record.
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(2);
    const ofOld = `${old.checkpoint.snapshot}-${old.checkpoint.run}`;
    expect(keysOf(store)).toEqual(
      before.filter((key) => !key.startsWith('_runs/') || !key.includes(ofOld)),
    );
    expect(keysOf(store).some((key) => key.startsWith(young.prefix))).toBe(true);
    expect(await verifyStore(store, () => {})).toMatchObject({ faults: [], manifests: 2 });
  });

  test('stays complete while any object of the run is young: a long run keeps its first pages', async () => {
    const { clock, store } = createTestExporter();
    const prefix = runPrefix(someTarget, snapshotName(clock.nowMs()), '0123456789ab');
    await store.put(segmentKey(prefix, 0, 'aa'), Buffer.from('x'));
    clock.advance(10 * dayMs);
    await store.put(checkpointKey(prefix), Buffer.from('x'));
    clock.advance(6 * dayMs);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(0);
  });

  test('of another target stays, as do objects that belong to no run', async () => {
    const { clock, store, seal, put } = createTestExporter();
    await seal({ ...someTarget, projectId: 'p12' });
    await put(scheduleKey);
    await put(`${runsPrefix(someTarget)}junk`);
    await put('_quota/junk');
    clock.advance(100 * dayMs);
    const before = keysOf(store);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(0);
    expect(keysOf(store)).toEqual(before);
  });
});

describe('parts that no manifest names', () => {
  const hash = '0123456789abcdef';

  test('are deleted after a day, from a killed run and beside other parts of a snapshot', async () => {
    const { clock, store, seal, put } = createTestExporter();
    const { snapshot } = await seal();
    const died = snapshotName(clock.nowMs() + 1_000);
    const doomed = [
      await put(partKey(someTarget, rowsParquet, died, hash)),
      await put(partKey(someTarget, rowsNdjson, died, hash)),
      await put(partKey(someTarget, rejectsNdjson, died, hash)),
      await put(partKey(someTarget, rowsNdjson, snapshot, hash)),
    ];
    const before = keysOf(store);
    clock.advance(dayMs - 1);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(0);
    clock.advance(1);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(4);
    expect(keysOf(store)).toEqual(before.filter((key) => !doomed.includes(key)));
    expect(await verifyStore(store, () => {})).toMatchObject({ faults: [], unnamed: [] });
  });

  test('stay if they were just written, whatever their date: a run may be sealing', async () => {
    const { clock, store, seal, put } = createTestExporter();
    await seal();
    clock.advance(2 * dayMs);
    await put(partKey(someTarget, rowsNdjson, snapshotName(clock.nowMs() - dayMs), hash));
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(0);
  });

  test('stay if they belong to another target, have another name, or are older than three dates', async () => {
    const { clock, store, seal, put } = createTestExporter();
    const { snapshot } = await seal();
    await put(partKey({ ...someTarget, projectId: 'p12' }, rowsNdjson, snapshot, hash));
    await put(partKey({ ...someTarget, table: 'other' }, rowsNdjson, snapshot, hash));
    const own = partKey(someTarget, rowsNdjson, snapshot, hash);
    await put(own.replace(/[^/]+$/, 'notes.txt'));
    clock.advance(2 * dayMs);
    const late = await put(partKey(someTarget, rowsNdjson, '20261120T060000Z', hash));
    clock.advance(dayMs);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(0);
    expect(keysOf(store)).toContain(late);
  });

  test('stay if their manifest cannot be read', async () => {
    const { clock, store, seal } = createTestExporter();
    const { snapshot } = await seal();
    await store.put(manifestKey(someTarget, snapshot), Buffer.from('half'));
    clock.advance(dayMs);
    const before = keysOf(store);
    await expect(tidyTarget(store, someTarget, keepPagesMs)).rejects.toMatchObject({
      code: 'CORRUPT',
      key: manifestKey(someTarget, snapshot),
    });
    expect(keysOf(store)).toEqual(before);
  });
});

test('never deletes snapshots, pointers or manifests, however old', async () => {
  const { clock, store, seal } = createTestExporter();
  for (let count = 0; count < 5; count += 1) {
    await seal();
    clock.advance(dayMs);
  }
  clock.advance(1_000 * dayMs);
  await tidyTarget(store, someTarget, keepPagesMs);
  expect(keysOf(store).filter((key) => key.startsWith('_runs/'))).toEqual([]);
  expect(keysOf(store)).toContain(headKey(someTarget));
  expect(await verifyStore(store, () => {})).toMatchObject({
    faults: [],
    manifests: 5,
    parts: 5,
    unnamed: [],
  });
});
