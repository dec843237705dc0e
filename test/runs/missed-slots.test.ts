// Tests that a slot that passes without a snapshot of a target is logged once and counted.

import { expect, test } from 'vitest';
import { AuthError } from '../../lib/core/errors.ts';
import { snapshotName } from '../../lib/core/object-keys.ts';
import { slotMs } from '../../lib/runs/schedule.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';
import { limit, minuteMs, scheduleMs, sized, tickFor } from './ticking.ts';

const createWorld = () => createTestExporter({ scheduleMs, limit });
const missedLogs = (world: TestExporter) =>
  world.logs.filter(({ message }) => message.includes('passed without a snapshot'));

test('warns once for each target and slot without a snapshot, and status counts them', async () => {
  const world = createWorld();
  const targets = ['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8'].map((name) =>
    sized(world, name, 5),
  );
  const sealings = await tickFor(world, 8 * 5 + 1, targets);
  const warned = missedLogs(world).map(({ level, fields }) => {
    expect(level).toBe('warn');
    return `${fields.account} ${fields.slot}`;
  });
  expect(new Set(warned).size).toBe(warned.length);
  const statuses = await readStatus(world.store, scheduleMs, targets);
  const begun = snapshotName(slotMs(world.clock.nowMs(), scheduleMs));
  const named = [...sealings, ...statuses.flatMap(({ open }) => open ?? [])];
  // 8 slots of 8 targets have passed.
  expect(warned.length).toBe(64 - named.filter(({ snapshot }) => snapshot < begun).length);
  expect(warned.length).toBeGreaterThan(20);
  const counted = statuses.reduce((sum, { missedSlots }) => sum + missedSlots, 0);
  expect(counted).toBe(warned.length);
});

test('a target that is held warns once for each slot that passes', async () => {
  const world = createWorld();
  const target = world.createTarget({
    openSource: () => ({
      async fetchPage() {
        throw new AuthError('REFUSED', 'refused', 'check the key');
      },
    }),
  });
  await tickFor(world, 21, [target]);
  const slots = missedLogs(world).map(({ fields }) => fields.slot);
  // The run of the first slot is still open.
  expect(slots.map((slot) => String(slot).slice(11, 16))).toEqual(['06:05', '06:10', '06:15']);
});

test('a schedule that changes counts no slot of the schedule before', async () => {
  const world = createWorld();
  await tickFor(world, 1, [sized(world, 't1', 1)]);
  world.clock.advance(4 * minuteMs);
  await world.tick({ targets: [sized(world, 't1', 1)], scheduleMs: minuteMs });
  expect(missedLogs(world)).toEqual([]);
});

test('the slots that a target missed before its project was known still count', async () => {
  const world = createTestExporter({ scheduleMs, limit, ids: ['a'] });
  let known = false;
  const target = world.createTarget({
    projectId: null,
    findProjectId: async () => {
      if (!known) throw new AuthError('REFUSED', 'refused', 'check the key');
      return 'p9';
    },
  });
  await tickFor(world, 11, [target]);
  expect(missedLogs(world)).toHaveLength(2);
  known = true;
  world.clock.advance(15 * minuteMs);
  await tickFor(world, 5, [target]);
  const [status] = await readStatus(world.store, scheduleMs, [target]);
  expect(status).toMatchObject({ projectId: 'p9', latest: expect.any(String), missedSlots: 5 });
});

test('status counts slots that pass while no timer runs', async () => {
  const world = createWorld();
  const target = sized(world, 't1', 1);
  await tickFor(world, 1, [target]);
  world.clock.advance(scheduleMs * 3 - minuteMs);
  expect(await readStatus(world.store, scheduleMs, [target])).toMatchObject([{ missedSlots: 2 }]);
});
