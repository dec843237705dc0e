// Tests under which name a run starts, and what damaged or misplaced evidence means for exports and timers.

import { describe, expect, test } from 'vitest';
import { exitCodeOfResult } from '../../lib/cli/exit-code.ts';
import { headKey, manifestKey, runsPrefix, scheduleKey } from '../../lib/core/object-keys.ts';
import { decodeSchedule, listLastSealed } from '../../lib/runs/schedule.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { makeNewer } from '../support/newer-store.ts';
import { someTarget } from '../support/stored-run.ts';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const first = '20261124T060000Z';
const keyOf = (snapshot: string) => manifestKey(someTarget, snapshot);

async function exportedWorld() {
  const world = createTestExporter({ ids: ['a', 'b'] });
  const { snapshots } = await world.exportNow();
  expect(snapshots[0]?.manifest.snapshot).toBe(first);
  world.clock.advance(hourMs);
  return world;
}

async function deleteAll({ store }: TestExporter, prefix: string) {
  for (const { key } of await store.list(prefix)) await store.delete(key);
}

const nameOf = (result: { snapshots: { manifest: { snapshot: string } }[] }) =>
  result.snapshots.map(({ manifest }) => manifest.snapshot);

describe('a name', () => {
  test('is not used again if its manifest was deleted, not even by the timer of the same slot', async () => {
    const world = createTestExporter({ ids: ['a'] });
    expect(nameOf(await world.tick())).toEqual(['20261124T000000Z']);
    await world.store.delete(keyOf('20261124T000000Z'));
    await deleteAll(world, '_runs/');
    world.clock.advance(hourMs);
    const result = await world.tick();
    // Without its manifest the snapshot does not exist, so the target is due.
    expect(nameOf(result)).toEqual(['20261124T000001Z']);
    expect(result.snapshots[0]?.manifest.previous?.snapshot).toBe('20261124T000000Z');
    expect(result).toMatchObject({ status: 'sealed', errors: [{ code: 'CORRUPT' }] });
  });

  test('is not taken from an object that has it already', async () => {
    const world = await exportedWorld();
    const bytes = world.store.dump().get(keyOf(first))?.bytes ?? new Uint8Array();
    await world.store.put(keyOf('20261124T070000Z'), bytes);
    const result = await world.exportNow();
    expect(nameOf(result)).toEqual(['20261124T070001Z']);
    expect(result).toMatchObject({ status: 'sealed', errors: [{ code: 'CORRUPT' }] });
    expect(world.store.dump().get(keyOf('20261124T070000Z'))?.bytes).toEqual(bytes);
  });

  test('up to 24 hours ahead counts: the next one is a second later, with a warning', async () => {
    const world = await exportedWorld();
    world.clock.step(6 * hourMs);
    await world.exportNow();
    world.clock.step(-6 * hourMs);
    expect(world.logs.filter(({ level }) => level === 'warn')).toEqual([]);
    const result = await world.exportNow();
    expect(nameOf(result)).toEqual(['20261124T130001Z']);
    expect([result.errors, exitCodeOfResult(result, 'command')]).toEqual([[], 0]);
    const warnings = world.logs.filter(({ level }) => level === 'warn');
    expect(warnings).toMatchObject([
      {
        message: expect.stringContaining('a clock was or is wrong'),
        fields: { newest: '20261124T130000Z' },
      },
    ]);
  });
});

describe('a snapshot that was sealed and is gone with both pointers', () => {
  test.each([
    ['it alone', (key: string) => key.includes('20261124T070000Z')],
    ['with the whole target', (key: string) => !key.startsWith('_runs/')],
  ])(
    '%s: is the predecessor for ever, is waited for by no run, and is reported once',
    async (_, isLost) => {
      const world = await exportedWorld();
      await world.exportNow();
      world.clock.advance(60_000);
      const gone = '20261124T070000Z';
      for (const key of [...world.store.dump().keys()]) {
        const isPointer = key.startsWith('_head/') || key.startsWith('_latest/');
        if (isPointer || (isLost(key) && !key.startsWith('_runs/'))) await world.store.delete(key);
      }
      const startMs = world.clock.nowMs();
      const result = await world.exportNow();
      expect(world.clock.nowMs() - startMs).toBeLessThan(60_000);
      expect(result.status).toBe('sealed');
      expect(result.errors.map(({ message }) => message)).toContainEqual(
        `${keyOf(gone)}: is missing, but _runs/schedule.json names it`,
      );
      expect(result.snapshots[0]?.manifest.previous?.snapshot).toBe(gone);
      world.clock.advance(60_000);
      expect(await world.exportNow()).toMatchObject({ status: 'sealed', errors: [] });
      const { faults } = await verifyStore(world.store, () => {});
      expect(faults.map(({ key }) => key)).toContain(keyOf(gone));
    },
  );

  test('is a fault for verify, and its parts are not those of a seal under way', async () => {
    const world = await exportedWorld();
    for (const key of [...world.store.dump().keys()]) {
      if (/^_(head|latest|manifests)/.test(key)) await world.store.delete(key);
    }
    const schedule = decodeSchedule(await world.store.get(scheduleKey));
    const options = { lastSealed: listLastSealed(schedule) };
    const { faults, underWay } = await verifyStore(world.store, () => {}, options);
    expect(underWay).toEqual([]);
    expect(faults).toMatchObject([
      { key: keyOf(first), message: 'is missing: _runs/schedule.json says that it was sealed' },
      { key: expect.stringMatching(/parquet$/), hint: expect.stringContaining('restore') },
      { key: expect.stringMatching(/ndjson.gz$/), hint: expect.stringContaining('restore') },
    ]);
  });
});

describe('a snapshot that is named after tomorrow', () => {
  test.each(['command', 'timer'] as const)(
    'does not stop a %s; CORRUPT is raised once',
    async (mode) => {
      const world = await exportedWorld();
      world.clock.step(400 * dayMs);
      await world.exportNow();
      world.clock.step(-400 * dayMs);
      world.clock.advance(dayMs);
      const exportOrTick = () => (mode === 'command' ? world.exportNow() : world.tick());
      const result = await exportOrTick();
      expect(nameOf(result)).toEqual([
        mode === 'command' ? '20261125T070000Z' : '20261125T000000Z',
      ]);
      expect(result).toMatchObject({ status: 'sealed', errors: [{ code: 'CORRUPT' }] });
      expect(exitCodeOfResult(result, mode)).toBe(5);
      world.clock.advance(dayMs);
      const next = await exportOrTick();
      expect([next.status, next.errors, exitCodeOfResult(next, mode)]).toEqual(['sealed', [], 0]);
      expect((await verifyStore(world.store, () => {})).faults).toEqual([]);
    },
  );

  test('is not made by an open run whose clock was wrong: the run is abandoned', async () => {
    const world = createTestExporter({
      ids: Array.from({ length: 2_000 }, (_, index) => `n${index}`),
    });
    world.clock.step(400 * dayMs);
    await world.tick();
    world.clock.step(-400 * dayMs);
    // What the ledger says in this case is not tested here.
    await deleteAll(world, '_quota/');
    world.clock.advance(60_000);
    const result = await world.exportNow();
    expect(nameOf(result)).toEqual(['20261124T060100Z']);
    expect(world.logs).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: expect.stringContaining('named more than 24 hours'),
      }),
    );
  });
});

describe('CORRUPT', () => {
  test('is raised once per fault, by the invocation that seals, which still counts as sealed', async () => {
    const world = await exportedWorld();
    await world.store.put(keyOf('20991231T000000Z'), Buffer.from('{}\n'));
    await world.store.put(headKey(someTarget), Buffer.from('{'));
    const result = await world.exportNow();
    expect(result.status).toBe('sealed');
    const message = (text: string) => ({ code: 'CORRUPT', message: expect.stringContaining(text) });
    expect(result.errors).toMatchObject([message('20991231T000000Z'), message('_head/')]);
    expect(exitCodeOfResult(result, 'command')).toBe(5);
    for (let days = 0; days < 2; days += 1) {
      world.clock.advance(dayMs);
      expect((await world.tick()).errors).toEqual([]);
    }
    // The working state remembers it; a new fault of the same object is new.
    await world.store.put(headKey(someTarget), Buffer.from('{'));
    world.clock.advance(dayMs);
    expect((await world.tick()).errors).toMatchObject([message('_head/')]);
  });

  test('is raised by the next invocation if the first was killed after the manifest', async () => {
    let isArmed = false;
    let isDead = false;
    const world = createTestExporter({
      ids: ['a'],
      store: {
        onCall: ({ op, key, phase }) => {
          if (isDead) throw new Error('killed');
          isDead = isArmed && op === 'put' && key.startsWith('_head/') && phase === 'after';
        },
      },
    });
    await world.exportNow();
    await world.store.delete(keyOf(first));
    world.clock.advance(hourMs);
    isArmed = true;
    await world.exportNow().catch(() => {});
    expect(isDead).toBe(true);
    isDead = false;
    isArmed = false;
    world.clock.advance(hourMs);
    const result = await world.exportNow();
    expect(nameOf(result)).toEqual(['20261124T070000Z']);
    expect(result.errors).toMatchObject([{ code: 'CORRUPT', key: keyOf(first) }]);
  });
});

test('an abandoned run leaves no part and no seal record', async () => {
  const world = createTestExporter({ ids: ['a'] });
  let isDead = false;
  const store = {
    ...world.store,
    put: async (key: string, bytes: Uint8Array) => {
      isDead ||= key.startsWith('_manifests/');
      if (isDead) throw new Error('killed');
      await world.store.put(key, bytes);
    },
  };
  await world.exportNow({ store }).catch(() => {});
  const parts = () => [...world.store.dump().keys()].filter((key) => key.startsWith('container_'));
  expect(parts()).toHaveLength(2);
  const abandoned = parts();
  // Another scope: the open run cannot be continued.
  const target = world.createTarget();
  const scopeOf = (projectId: string) => ({
    ...target.scopeOf(projectId),
    filters: { hostName: 'a' },
  });
  world.clock.advance(hourMs);
  const result = await world.exportNow({ targets: [{ ...target, scopeOf }] });
  expect(result.status).toBe('sealed');
  expect(parts().filter((key) => abandoned.includes(key))).toEqual([]);
  const records = (await world.store.list(runsPrefix(someTarget))).filter(({ key }) =>
    key.includes('/sealing/'),
  );
  expect(records).toHaveLength(1);
  expect(await verifyStore(world.store, () => {})).toMatchObject({ faults: [], unnamed: [] });
});

describe('a target whose newest manifest a newer version wrote', () => {
  const wroteIt = `${keyOf(first)}: was written by a newer version of cgs-export (manifestVersion 2; this version reads 1)`;
  const bytesOf = ({ store }: TestExporter) =>
    new Map([...store.dump()].map(([key, { bytes }]) => [key, bytes]));

  /** Two snapshots, or one and an open run. Those that `isNewer` names get the greater version. */
  async function newerWorld(isNewer?: (snapshot: string) => boolean, hasOpenRun = false) {
    const world = createTestExporter({ limit: 1, ids: ['a', 'b', 'c'], quota: twoPages });
    await world.exportNow();
    world.clock.advance(dayMs);
    if (hasOpenRun) expect((await world.tick()).status).toBe('paused');
    for (const [key, bytes] of makeNewer(bytesOf(world), isNewer))
      await world.store.put(key, bytes);
    world.clock.advance(hourMs);
    return world;
  }
  const twoPages = { requests: 2, windowSeconds: 60 };

  /** Without the state of the whole exporter. */
  const ofTarget = (world: TestExporter) =>
    [...bytesOf(world)].filter(([key]) => key !== scheduleKey && !/^_(lease|quota)\//.test(key));

  test.each([
    ['export', false],
    ['export', true],
    ['tick', false],
    ['tick', true],
  ] as const)(
    '%s refuses it before the first request, and writes nothing for it (open run: %s)',
    async (mode, hasOpenRun) => {
      const world = await newerWorld(undefined, hasOpenRun);
      const before = { objects: ofTarget(world), requests: world.endpoint.arrivals.length };
      const result = mode === 'tick' ? await world.tick() : await world.exportNow();
      expect(result).toMatchObject({ status: 'failed', snapshots: [], requests: 0 });
      expect(result.errors).toMatchObject([
        { code: 'CORRUPT', message: wroteIt, hint: expect.stringMatching(/^Update cgs-export/) },
      ]);
      expect(exitCodeOfResult(result, mode === 'tick' ? 'timer' : 'command')).toBe(5);
      expect(world.endpoint.arrivals).toHaveLength(before.requests);
      expect(ofTarget(world)).toEqual(before.objects);
    },
  );

  test('is not sealed if that manifest appears while the run is open', async () => {
    const world = createTestExporter({ ids: ['a', 'b'] });
    world.endpoint.beforeAnswer = () => {
      const bytes = Buffer.from('{"manifestVersion":2}\n');
      void world.store.put(keyOf(first), bytes);
    };
    world.clock.advance(1_000);
    const result = await world.exportNow();
    expect(result).toMatchObject({
      status: 'failed',
      snapshots: [],
      errors: [{ message: wroteIt }],
    });
    expect(ofTarget(world).filter(([key]) => !key.startsWith('_runs/'))).toHaveLength(1);
  });

  test('is exported again once this program reads that version', async () => {
    const world = await newerWorld();
    await world.exportNow();
    for (const [key, bytes] of makeNewer(bytesOf(world), () => false)) {
      const text = Buffer.from(bytes)
        .toString()
        .replace('"manifestVersion":2', '"manifestVersion":1');
      await world.store.put(key, Buffer.from(text));
    }
    expect((await world.exportNow()).snapshots).toHaveLength(1);
  });

  test('is exported if only an older manifest is of a newer version', async () => {
    const world = createTestExporter({ ids: ['a'] });
    await world.exportNow();
    world.clock.advance(hourMs);
    await world.exportNow();
    for (const [key, bytes] of makeNewer(bytesOf(world), (name) => name === first)) {
      await world.store.put(key, bytes);
    }
    world.clock.advance(hourMs);
    expect((await world.exportNow()).snapshots).toHaveLength(1);
  });
});
