// Tests that the status shows what the store holds, and changes nothing.

import { describe, expect, test } from 'vitest';
import {
  AuthError,
  ProtocolError,
  RateLimitedError,
  StoreError,
  TransientError,
} from '../../lib/core/errors.ts';
import {
  headKey,
  latestKey,
  manifestKey,
  scheduleKey,
  sealRecordKey,
  targetId,
} from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { emptySchedule, encodeSchedule, targetStateOf } from '../../lib/runs/schedule.ts';
import { readStatus, type TargetStatus } from '../../lib/runs/target-status.ts';
import { many } from '../support/sealed-run.ts';
import { type StoredRun, someTarget, storeRun } from '../support/stored-run.ts';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

async function statusOf(world: TestExporter, target = world.createTarget()): Promise<TargetStatus> {
  const before = world.store.dump();
  const [status] = await readStatus(world.store, dayMs, [target]);
  expect(world.store.dump()).toEqual(before);
  return status as TargetStatus;
}

function failing(world: TestExporter, error: Error) {
  return world.createTarget({
    openSource: () => ({
      fetchPage: async () => {
        throw error;
      },
    }),
  });
}

test('shows a target without an export as due', async () => {
  expect(await statusOf(createTestExporter())).toEqual({
    account: 'prod',
    table: 'container_nodes',
    region: 'cn-south-4',
    projectId: 'p1',
    open: null,
    last: null,
    latest: null,
    scheduleSeconds: 86_400,
    due: true,
    heldUntil: null,
    failure: null,
    abandoned: null,
    missedSlots: 0,
    slotMissed: false,
    behindSince: null,
    problems: [
      { kind: 'never sealed', code: null, message: expect.any(String), hint: expect.any(String) },
    ],
  });
});

test('shows snapshot, verdict and age after an export, and that the target is due at the next slot', async () => {
  const world = createTestExporter({ ids: ['a', 'b'] });
  await world.exportNow();
  world.clock.advance(90_000);
  const status = await statusOf(world);
  expect(status).toMatchObject({
    open: null,
    last: { snapshot: '20261124T060000Z', verdict: 'complete', rows: 2, ageSeconds: 90 },
    latest: '20261124T060000Z',
    due: false,
  });
  world.clock.advance(18 * hourMs - 90_001);
  expect((await statusOf(world)).due).toBe(false);
  world.clock.advance(1);
  expect((await statusOf(world)).due).toBe(true);
});

test('shows a target as not due in the slot of its timer snapshot', async () => {
  const world = createTestExporter({ ids: ['a'] });
  await world.tick();
  expect(await statusOf(world)).toMatchObject({ latest: '20261124T000000Z', due: false });
});

test('shows the progress of an open run', async () => {
  const world = createTestExporter({
    ids: Array.from({ length: 3_000 }, (_, index) => `n${index}`),
  });
  const startedAt = new Date(world.clock.nowMs()).toISOString();
  world.endpoint.latencyMs = () => 100;
  await world.tick();
  const status = await statusOf(world);
  expect(status.open).toEqual({
    snapshot: '20261124T000000Z',
    startedAt,
    lastPageAt: expect.stringMatching(/^2026-11-24T06:00:00\.5/),
    phase: 'collecting',
    pages: 5,
    rows: 200 + 4 * 197,
    total: 3_000,
    sealAttempts: 0,
    waitsFor: null,
  });
  expect(status).toMatchObject({ last: null, latest: null, due: true });
});

test('shows an open run before its first page, and nothing without a checkpoint', async () => {
  const world = createTestExporter();
  expect((await world.tick({}, 1_500)).status).toBe('paused');
  expect((await statusOf(world)).open).toMatchObject({ pages: 0, rows: null, total: null });
  const key = [...world.store.dump().keys()].find((name) => name.endsWith('checkpoint.json')) ?? '';
  await world.store.delete(key);
  expect((await statusOf(world)).open).toBeNull();
});

test('shows a drifted snapshot as the last one, and the older complete one as latest', async () => {
  const world = createTestExporter({ ids: ['a'], limit: 10 });
  await world.exportNow();
  world.endpoint.ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'];
  world.endpoint.beforeAnswer = () => world.endpoint.ids.reverse();
  world.clock.advance(hourMs);
  const result = await world.exportNow();
  expect(result.snapshots[0]?.manifest.verdict).toBe('drifted');
  const status = await statusOf(world);
  expect(status.last).toMatchObject({
    verdict: 'drifted',
    rows: result.snapshots[0]?.manifest.rows,
  });
  expect(status.last?.snapshot).toBe(result.snapshots[0]?.manifest.snapshot);
  expect(status.latest).toBe('20261124T060000Z');
});

describe('a hold', () => {
  test('shows until when a failing target is held off', async () => {
    const world = createTestExporter();
    const target = failing(world, new ProtocolError('NOT_A_PAGE', 'no page', 'look'));
    const startMs = world.clock.nowMs();
    await world.tick({ targets: [target] });
    const until = new Date(startMs + 5 * 60_000).toISOString();
    expect((await statusOf(world, target)).heldUntil).toBe(until);
    world.clock.advance(5 * 60_000);
    expect((await statusOf(world, target)).heldUntil).toBeNull();
  });

  test('shows until when a refused key is held, even before its project is known', async () => {
    const world = createTestExporter();
    const refused = new AuthError('UNAUTHORIZED', 'refused', 'check');
    const target = {
      ...failing(world, refused),
      projectId: null,
      findProjectId: async () => {
        throw refused;
      },
    };
    const startMs = world.clock.nowMs();
    await world.tick({ targets: [target] });
    expect(await statusOf(world, target)).toMatchObject({
      projectId: null,
      due: true,
      heldUntil: new Date(startMs + 15 * 60_000).toISOString(),
    });
    const known = { ...target, projectId: 'p1' };
    expect((await statusOf(world, known)).heldUntil).toBe(
      new Date(startMs + 15 * 60_000).toISOString(),
    );
    world.clock.advance(15 * 60_000);
    expect((await statusOf(world, target)).heldUntil).toBeNull();
  });
});

test('finds a project id from IAM in the schedule', async () => {
  const world = createTestExporter({ ids: ['a'] });
  const target = world.createTarget({ projectId: null, findProjectId: async () => 'p9' });
  expect((await statusOf(world, target)).projectId).toBeNull();
  await world.exportNow({ targets: [target] });
  expect(await statusOf(world, target)).toMatchObject({
    projectId: 'p9',
    latest: '20261124T060000Z',
  });
});

describe('problems', () => {
  const kindsOf = ({ problems }: TargetStatus) => problems.map(({ kind }) => kind);

  test('none after an export; old after more than two schedules, counted from the name of the snapshot', async () => {
    const world = createTestExporter({ ids: ['a'] });
    await world.exportNow();
    expect(kindsOf(await statusOf(world))).toEqual([]);
    world.clock.advance(2 * dayMs);
    expect(kindsOf(await statusOf(world))).toEqual([]);
    world.clock.advance(1_000);
    expect(kindsOf(await statusOf(world))).toEqual(['old']);
  });

  test('ahead: a clock was wrong, until the name of the newest snapshot has passed', async () => {
    const world = createTestExporter({ ids: ['a'] });
    world.clock.step(6 * hourMs);
    await world.exportNow();
    world.clock.step(-6 * hourMs);
    const status = await statusOf(world);
    expect(kindsOf(status)).toEqual(['ahead']);
    expect(status.problems[0]?.message).toMatch(/is named 6 h after the store's time/);
    expect(status.problems[0]?.hint).toContain('check the clocks');
    world.clock.advance(6 * hourMs);
    expect(kindsOf(await statusOf(world))).toEqual([]);
  });

  test('a name more than 24 hours ahead is shown, although the snapshot is ignored', async () => {
    const world = createTestExporter({ ids: ['a'] });
    world.clock.step(400 * dayMs);
    await world.exportNow();
    world.clock.step(-400 * dayMs);
    const status = await statusOf(world);
    expect(status.last).toBeNull();
    expect(kindsOf(status)).toEqual(['unreadable']);
    expect(status.problems[0]?.message).toMatch(/2027\d{4}T.*more than 24 hours after/);
    await world.exportNow();
    expect(kindsOf(await statusOf(world))).toEqual([]);
  });

  test('drifted: the newest snapshot, until a complete one is sealed', async () => {
    const world = createTestExporter({ ids: ['a'], limit: 10 });
    world.endpoint.ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'];
    world.endpoint.beforeAnswer = () => world.endpoint.ids.reverse();
    await world.exportNow();
    const status = await statusOf(world);
    expect(kindsOf(status)).toEqual(['drifted']);
    expect(status.problems[0]?.message).toMatch(
      /20261124T060000Z is drifted; no complete one among the newest 100$/,
    );
    world.endpoint.ids = ['a'];
    world.clock.advance(hourMs);
    await world.exportNow();
    expect(kindsOf(await statusOf(world))).toEqual([]);
  });

  test('held: since when, until when, why, how often and what to do', async () => {
    const world = createTestExporter();
    const target = failing(world, new ProtocolError('NOT_A_PAGE', 'no page', 'look there'));
    const startMs = world.clock.nowMs();
    await world.tick({ targets: [target] });
    world.clock.advance(6 * 60_000);
    await world.tick({ targets: [target] });
    const status = await statusOf(world, target);
    expect(status.failure).toEqual({
      ofKey: false,
      code: 'NOT_A_PAGE',
      message: 'no page',
      hint: 'look there',
      since: new Date(startMs).toISOString(),
      last: new Date(startMs + 6 * 60_000).toISOString(),
      failures: 2,
    });
    expect(status.problems[0]).toMatchObject({
      kind: 'held',
      code: 'NOT_A_PAGE',
      hint: expect.stringMatching(/^look there\nA timer tries again/),
    });
    expect(status.problems[0]?.message).toMatch(
      /^held until 2026-.*since 2026-.*\(2 in a row\): no page$/,
    );
  });

  test('held: every target of a refused key, with the reason of the key', async () => {
    const world = createTestExporter();
    const target = failing(world, new AuthError('REFUSED', 'refused', 'check the key'));
    await world.tick({ targets: [target] });
    const sibling = { ...target, table: 'other_nodes' };
    const status = await statusOf(world, sibling);
    expect(status.failure).toMatchObject({ ofKey: true, code: 'REFUSED', failures: 1 });
    expect(kindsOf(status)).toEqual(['held', 'never sealed']);
  });

  test('never sealed: why, if an attempt failed without a hold', async () => {
    const world = createTestExporter();
    const target = failing(world, new TransientError('TIMEOUT', 'no answer', 'check the proxy'));
    await world.tick({ targets: [target] });
    expect((await statusOf(world, target)).problems).toEqual([
      {
        ...{ kind: 'never sealed', code: 'TIMEOUT', hint: 'check the proxy' },
        message: 'it has no snapshot; its newest attempt failed: no answer',
      },
    ]);
  });

  test('a failure without a hold is not a problem of its own, but its reason is shown', async () => {
    const world = createTestExporter({ ids: ['a'] });
    await world.exportNow();
    world.clock.advance(dayMs);
    const target = failing(world, new TransientError('TIMEOUT', 'no answer', 'wait'));
    await world.tick({ targets: [target] });
    const status = await statusOf(world, target);
    expect(status).toMatchObject({ heldUntil: null, failure: { code: 'TIMEOUT', failures: 1 } });
    expect(kindsOf(status)).toEqual([]);
    world.clock.advance(60_000);
    await world.tick();
    expect((await statusOf(world)).failure).toBeNull();
  });

  test('a throttled target shows why no page arrives', async () => {
    const world = createTestExporter();
    const target = failing(world, new RateLimitedError('too many', 'wait', 60_000));
    await world.tick({ targets: [target] });
    expect((await statusOf(world, target)).failure).toMatchObject({ code: 'RATE_LIMITED' });
  });

  test('a key that must wait is held, with its reason and no promise that an export helps', async () => {
    const world = createTestExporter();
    const target = failing(world, new RateLimitedError('too many', 'wait', dayMs));
    await world.tick({ targets: [target] });
    const status = await statusOf(world, target);
    const heldUntil = '2026-11-25T06:00:00.000Z';
    expect(status).toMatchObject({ heldUntil, failure: { ofKey: true, code: 'RATE_LIMITED' } });
    expect(status.problems[0]).toMatchObject({ kind: 'held', code: 'RATE_LIMITED', hint: 'wait' });
    expect(status.problems[0]?.message).toContain(`its access key is held until ${heldUntil}`);
  });

  test('abandoned: before and after an invocation gives the run up, until the next snapshot', async () => {
    const world = createTestExporter({ scheduleMs: 6 * hourMs });
    await world.tick();
    world.clock.advance(25 * hourMs);
    const reading = async () =>
      (await readStatus(world.store, 6 * hourMs, [world.createTarget()]))[0];
    expect(kindsOf((await reading()) as TargetStatus)).toEqual(['abandoned', 'never sealed']);
    await world.tick();
    const status = (await reading()) as TargetStatus;
    expect(status.abandoned?.snapshot).toBe('20261124T060000Z');
    expect(kindsOf(status)).toEqual(['abandoned', 'never sealed']);
    await world.exportNow();
    expect(((await reading()) as TargetStatus).problems).toEqual([]);
  });
});

describe('a damaged object', () => {
  async function exported(): Promise<TestExporter> {
    const world = createTestExporter({ ids: ['a'] });
    await world.exportNow({ targets: bothOf(world) });
    return world;
  }
  const bothOf = (world: TestExporter) => [
    world.createTarget(),
    world.createTarget({ projectId: 'p2' }),
  ];
  const statusesOf = (world: TestExporter) => readStatus(world.store, dayMs, bothOf(world));
  const unreadable = (key: string) => {
    return { kind: 'unreadable', code: 'CORRUPT', message: expect.stringContaining(key) };
  };
  const manifest = manifestKey(someTarget, '20261124T060000Z');

  test.each([
    ['_head, altered', headKey(someTarget), Buffer.from('{')],
    ['_head, missing', headKey(someTarget), null],
    ['_latest, altered', latestKey(someTarget), Buffer.from('{')],
  ])(
    '%s: its target shows the fault and the snapshot, the others are shown',
    async (_name, key, bytes) => {
      const world = await exported();
      if (bytes) await world.store.put(key, bytes);
      else await world.store.delete(key);
      const [damaged, other] = await statusesOf(world);
      expect(damaged?.problems).toMatchObject([unreadable(key)]);
      expect(damaged?.last).toMatchObject({ snapshot: '20261124T060000Z', rows: 1 });
      expect(other).toMatchObject({ problems: [], last: { rows: 1 } });
    },
  );

  test.each([
    ['altered', Buffer.from('{')],
    ['missing', null],
  ])('the newest manifest, %s: the target does not count as never sealed', async (_name, bytes) => {
    const world = await exported();
    if (bytes) await world.store.put(manifest, bytes);
    else await world.store.delete(manifest);
    const [damaged, other] = await statusesOf(world);
    expect(damaged?.problems[0]).toMatchObject(unreadable(manifest));
    expect(damaged?.problems.map(({ kind }) => kind)).not.toContain('never sealed');
    expect(other).toMatchObject({ problems: [], last: { rows: 1 } });
  });

  test('a first seal that has written its manifest but not yet _head is not a fault', async () => {
    const world = createTestExporter({ ids: ['a'] });
    const { store } = world;
    const stopping: Store = {
      ...store,
      put: async (key, ...rest) => {
        if (key.startsWith('_head/')) throw new StoreError('STORE_FAILED', 'no answer', 'wait');
        await store.put(key, ...rest);
      },
    };
    await world.tick({ store: stopping });
    expect([...store.dump().keys()]).toContain(manifestKey(someTarget, '20261124T000000Z'));
    const status = await statusOf(world);
    expect(status).toMatchObject({ last: null, problems: [{ kind: 'never sealed' }] });
  });

  test('a manifest with other bytes than its pointer names', async () => {
    const world = await exported();
    const bytes = world.store.dump().get(manifest)?.bytes ?? new Uint8Array();
    await world.store.put(manifest, Buffer.from(`${Buffer.from(bytes).toString()} `));
    expect((await statusesOf(world))[0]?.problems[0]).toMatchObject(unreadable(manifest));
  });

  test('the schedule: every target shows the fault and its snapshot', async () => {
    const world = await exported();
    await world.store.put(scheduleKey, Buffer.from('{'));
    for (const status of await statusesOf(world)) {
      expect(status).toMatchObject({ problems: [unreadable(scheduleKey)], last: { rows: 1 } });
    }
  });

  test('a checkpoint: the snapshots are shown', async () => {
    const world = await exported();
    world.clock.advance(dayMs);
    world.endpoint.ids = Array.from({ length: 3_000 }, (_, index) => `n${index}`);
    await world.tick();
    const keys = [...world.store.dump().keys()];
    const key =
      keys.find((name) => name.endsWith('checkpoint.json') && name.includes('20261125')) ?? '';
    await world.store.put(key, Buffer.from('{'));
    expect(await statusOf(world)).toMatchObject({
      problems: [unreadable(key)],
      open: null,
      last: { rows: 1 },
    });
  });

  test('an object that may not be read is a problem of its target; a store that fails is an error', async () => {
    const world = await exported();
    const { store } = world;
    const failingFor = (code: string): Store => ({
      ...store,
      get: async (key) => {
        if (key === headKey(someTarget)) throw new StoreError(code, `${key}: no`, 'grant it');
        return store.get(key);
      },
    });
    const [denied, other] = await readStatus(failingFor('STORE_DENIED'), dayMs, bothOf(world));
    expect(denied?.problems).toMatchObject([{ kind: 'unreadable', code: 'STORE_DENIED' }]);
    expect(other?.problems).toEqual([]);
    const failed = readStatus(failingFor('STORE_FAILED'), dayMs, bothOf(world));
    await expect(failed).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

test('shows a target as held, with the reason, if IAM does not return its project id', async () => {
  const world = createTestExporter();
  const error = new ProtocolError('NO_PROJECT_ID', 'not an id', 'set projectId');
  const target = world.createTarget({
    projectId: null,
    findProjectId: async () => {
      throw error;
    },
  });
  await world.tick({ targets: [target] });
  expect(await statusOf(world, target)).toMatchObject({
    heldUntil: expect.any(String),
    failure: { code: 'NO_PROJECT_ID' },
  });
});

test('shows how often sealing was started', async () => {
  const world = createTestExporter({ ids: ['a'] });
  const killed = () => {
    throw new Error('killed');
  };
  const { store } = world;
  const put: Store['put'] = (key, ...rest) =>
    key.startsWith('_manifests/') || key.includes('/sealing/') ? killed() : store.put(key, ...rest);
  let kills = 0;
  const dying: Store = {
    ...store,
    put: async (key, bytes, options) => {
      // After the kill nothing is written any more, not even the count.
      if (kills > 0) return killed();
      if (key.includes('/sealing/')) kills += 1;
      return put(key, bytes, options);
    },
  };
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    kills = 0;
    await world.tick({ store: dying }).catch(() => {});
    world.clock.advance(2 * 60_000);
    expect((await statusOf(world)).open).toMatchObject({ phase: 'sealing', sealAttempts: attempt });
  }
});

test('shows no snapshot that is named after tomorrow, and never a negative age', async () => {
  const world = createTestExporter({ ids: ['a'] });
  await world.exportNow();
  world.clock.step(400 * dayMs);
  await world.exportNow();
  world.clock.step(-400 * dayMs);
  expect(await statusOf(world)).toMatchObject({ latest: '20261124T060000Z' });
  world.clock.step(-6 * hourMs);
  expect((await statusOf(world)).last).toMatchObject({ ageSeconds: 0 });
});

test('shows which run must seal first, and for how long at most', async () => {
  const world = createTestExporter({ ids: ['a'] });
  const older = await storeRun(world.store, { snapshot: '20261124T000000Z', pages: [many] });
  const own = await storeRun(world.store, { snapshot: '20261124T060000Z', pages: [many] });
  const recordKey = (run: StoredRun) =>
    sealRecordKey(someTarget, run.checkpoint.snapshot, run.checkpoint.run);
  await world.store.put(recordKey(older), Buffer.from('x'));
  const { snapshot, run } = own.checkpoint;
  const targets = {
    [targetId(someTarget)]: { ...targetStateOf(emptySchedule(), ''), open: { snapshot, run } },
  };
  await world.store.put(scheduleKey, encodeSchedule({ ...emptySchedule(), targets }));
  world.clock.advance(60_000);
  const expected = { snapshot: '20261124T000000Z', run: older.checkpoint.run, leftSeconds: 540 };
  expect((await statusOf(world)).open?.waitsFor).toEqual(expected);
  world.clock.advance(540_000);
  expect((await statusOf(world)).open?.waitsFor).toBeNull();
});
