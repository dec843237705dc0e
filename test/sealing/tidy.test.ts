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
  sealRecordKey,
  segmentKey,
  snapshotName,
} from '../../lib/core/object-keys.ts';
import { encodeSealRecord, readSealRecord } from '../../lib/sealing/seal-record.ts';
import { tidyTarget } from '../../lib/sealing/tidy.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
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
    await store.put(segmentKey(prefix, '000000-aa'), Buffer.from('x'));
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

describe('parts that are not in any manifest', () => {
  const hash = '0123456789abcdef';

  /** Seals a run up to the point where its parts are written, and stops there. */
  async function leaveParts(world: ReturnType<typeof createTestExporter>) {
    const { clock, store } = world;
    const run = await storeRun(store, {
      snapshot: snapshotName(clock.nowMs()),
      pages: [{ records: [nodeText('a')] }],
    });
    const keepAlive = async () => {
      if ([...store.dump().keys()].some((key) => /Z-[0-9a-f]{12}\.ndjson/.test(key))) {
        throw new Error('killed');
      }
    };
    const ports = createSealPorts(store, clock, { keepAlive });
    await clock.run(sealStored(ports, run).catch(() => {}));
    const left = keysOf(store).filter((key) => !key.startsWith('_'));
    expect(left).toHaveLength(2);
    return { run, left };
  }

  test('are deleted after a day if a seal record lists them, and then the record', async () => {
    const world = createTestExporter();
    const { clock, store, seal } = world;
    const { run, left } = await leaveParts(world);
    // The run could still be sealed for some minutes, and the next one would wait for it.
    clock.advance(hourMs);
    await seal();
    const before = keysOf(store);
    clock.advance(dayMs - hourMs - 1);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(0);
    clock.advance(1);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(1);
    const { snapshot, run: id } = run.checkpoint;
    const gone = [...left, sealRecordKey(someTarget, snapshot, id)];
    expect(keysOf(store)).toEqual(before.filter((key) => !gone.includes(key)));
    expect(await verifyStore(store, () => {})).toMatchObject({ faults: [], unnamed: [] });
  });

  test('that cannot be deleted while their run is sealed are logged, and the snapshot is sealed', async () => {
    const world = createTestExporter();
    const { clock, store } = world;
    const { run } = await leaveParts(world);
    const { snapshot } = run.checkpoint;
    const recordKey = sealRecordKey(someTarget, snapshot, run.checkpoint.run);
    const record = await readSealRecord(store, someTarget, run.checkpoint);
    if (!record) throw new Error('no record');
    const other = partKey(someTarget, { role: 'rows', format: 'ndjson' }, snapshot, hash);
    await store.put(other, Buffer.from('of an attempt before'));
    const listed = { ...record, parts: [...record.parts, other] };
    await store.put(recordKey, encodeSealRecord(listed));
    const logged: string[] = [];
    const failing = {
      ...store,
      async delete(key: string) {
        if (key === other) throw new Error('denied');
        await store.delete(key);
      },
    };
    const ports = createSealPorts(failing, clock, { log: (level) => logged.push(level) });
    const sealed = await clock.run(sealStored(ports, run));
    expect(sealed.manifest.snapshot).toBe(snapshot);
    expect(logged).toContain('warn');
    expect(keysOf(store)).toContain(other);
  });

  test('are deleted with the state of their run, however it ended', async () => {
    const world = createTestExporter();
    const { clock, store } = world;
    const { left } = await leaveParts(world);
    clock.advance(keepPagesMs + 1_000);
    await tidyTarget(store, someTarget, keepPagesMs);
    expect(keysOf(store).filter((key) => left.includes(key) || key.startsWith('_'))).toEqual([]);
  });

  test('stay if no seal record lists them, however old: another program wrote them', async () => {
    const { clock, store, seal, put } = createTestExporter();
    const { snapshot } = await seal();
    const foreign = [
      await put(partKey(someTarget, rowsParquet, snapshot, hash)),
      await put(partKey(someTarget, rowsNdjson, snapshot, hash)),
      await put(partKey(someTarget, rejectsNdjson, snapshotName(clock.nowMs() + 1_000), hash)),
      await put('container_nodes/notes.txt'),
    ];
    for (let days = 0; days < 20; days += 1) {
      clock.advance(dayMs);
      await tidyTarget(store, someTarget, keepPagesMs);
    }
    expect(keysOf(store)).toEqual(expect.arrayContaining(foreign));
  });

  test('stay if a seal record lists keys that are not of its run', async () => {
    const world = createTestExporter();
    const { clock, store, seal } = world;
    const { run } = await leaveParts(world);
    clock.advance(hourMs);
    const { snapshot } = await seal();
    const { snapshot: lost, run: id } = run.checkpoint;
    const record = await readSealRecord(store, someTarget, { snapshot: lost, run: id });
    if (!record) throw new Error('no record');
    const sealedParts = keysOf(store).filter(
      (key) => key.includes(`/${snapshot}-`) && !key.startsWith('_'),
    );
    expect(sealedParts).toHaveLength(2);
    const bytes = encodeSealRecord({
      ...record,
      parts: [...sealedParts, manifestKey(someTarget, snapshot)],
    });
    await store.put(sealRecordKey(someTarget, lost, id), bytes);
    clock.advance(dayMs);
    expect(await tidyTarget(store, someTarget, keepPagesMs)).toBe(1);
    expect(keysOf(store)).toEqual(expect.arrayContaining(sealedParts));
    expect(keysOf(store)).toContain(manifestKey(someTarget, snapshot));
  });

  test('stay if their manifest is damaged, or was deleted while the chain names it', async () => {
    for (const damage of ['damaged', 'deleted'] as const) {
      const { clock, store, seal } = createTestExporter();
      const { snapshot } = await seal();
      const key = manifestKey(someTarget, snapshot);
      if (damage === 'damaged') await store.put(key, Buffer.from('half'));
      else await store.delete(key);
      const parts = keysOf(store).filter((one) => !one.startsWith('_'));
      clock.advance(dayMs);
      await tidyTarget(store, someTarget, keepPagesMs);
      // The next manifest names it now, instead of _head.
      await seal();
      clock.advance(dayMs);
      await tidyTarget(store, someTarget, keepPagesMs);
      expect(keysOf(store), damage).toEqual(expect.arrayContaining(parts));
    }
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
    // Each has rows in two formats; the first has no changes.
    parts: 14,
    unnamed: [],
  });
});
