// Tests that the status shows what the store holds, and changes nothing.

import { describe, expect, test } from 'vitest';
import { AuthError, CorruptError, ProtocolError } from '../../lib/core/errors.ts';
import { latestKey, scheduleKey } from '../../lib/core/object-keys.ts';
import { readStatus, type TargetStatus } from '../../lib/runs/target-status.ts';
import { someTarget } from '../support/stored-run.ts';
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
    table: 'container_nodes',
    region: 'cn-south-4',
    projectId: 'p1',
    open: null,
    last: null,
    latest: null,
    due: true,
    heldUntil: null,
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
    rows: 200 + 4 * 199,
    total: 3_000,
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
  world.endpoint.ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'b'];
  world.clock.advance(hourMs);
  const result = await world.exportNow();
  expect(result.snapshots[0]?.manifest.verdict).toBe('drifted');
  const status = await statusOf(world);
  expect(status.last).toMatchObject({ verdict: 'drifted', rows: 10 });
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

test('throws CorruptError for an altered schedule or pointer', async () => {
  const world = createTestExporter({ ids: ['a'] });
  await world.exportNow();
  const pointer = latestKey(someTarget);
  for (const key of [pointer, scheduleKey]) {
    const whole = world.store.dump();
    await world.store.put(key, Buffer.from('{'));
    const failed = readStatus(world.store, dayMs, [world.createTarget()]);
    await expect(failed).rejects.toThrow(CorruptError);
    await expect(failed).rejects.toMatchObject({ key });
    world.store.restore(whole);
  }
});
