// Tests that a slot that passes without a snapshot of a target is logged once, counted, and reported once per target while it lasts.

import { describe, expect, test } from 'vitest';
import { AuthError } from '../../lib/core/errors.ts';
import { snapshotName } from '../../lib/core/object-keys.ts';
import { slotMs } from '../../lib/runs/schedule.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';
import { limit, minuteMs, scheduleMs, sized, tickFor } from './ticking.ts';

const createWorld = () => createTestExporter({ scheduleMs, limit });
const missedLogs = (world: TestExporter) =>
  world.logs.filter(({ fields }) => fields.slot !== undefined);

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

test('status says since when a target is behind, and that the quota is too small if the others are exported', async () => {
  const world = createWorld();
  const targets = ['t1', 't2', 't3', 't4'].map((name) => sized(world, name, 20));
  await tickFor(world, 11, targets);
  const statuses = await readStatus(world.store, scheduleMs, targets);
  const [first, , , last] = statuses;
  expect(last).toMatchObject({
    last: null,
    slotMissed: true,
    behindSince: '2026-11-24T06:00:00.000Z',
  });
  expect(last?.problems).toMatchObject([
    {
      kind: 'never sealed',
      hint: expect.stringMatching(/more targets than the quota allows.*plan/),
    },
  ]);
  expect(first?.problems).toMatchObject([
    { kind: 'old', hint: expect.stringMatching(/more targets than the quota allows.*plan/) },
  ]);
  // A timer that has stopped is another cause.
  world.clock.advance(scheduleMs * 2);
  const [, , , stopped] = await readStatus(world.store, scheduleMs, targets);
  expect(stopped).toMatchObject({ behindSince: '2026-11-24T06:00:00.000Z' });
  expect(stopped?.problems).toMatchObject([
    { hint: 'Check that the timer runs, or run `cgs-export export`.' },
  ]);
});

describe('a target that misses slots', () => {
  /** Ticks once per minute. Returns the reports by minute. `refused`: targets whose key is refused. */
  async function tickWith(refused: ReadonlySet<string>, count: number) {
    const world = createWorld();
    const names = Array.from({ length: count }, (_, index) => `t${index}`);
    const targets = names.map((name) => {
      const target = sized(world, name, 1);
      return world.createTarget({
        ...target,
        openSource: (projectId) => {
          if (refused.has(name)) throw new AuthError('REFUSED', 'refused', 'check the key');
          return target.openSource(projectId);
        },
      });
    });
    const reports: { minute: number; message: string; status: string }[] = [];
    let minute = 0;
    const tick = async (minutes: number) => {
      for (const endMinute = minute + minutes; minute < endMinute; minute += 1) {
        const { errors, status } = await world.tick({ targets });
        const missed = errors.filter(({ code }) => code === 'SLOT_MISSED');
        for (const { message } of missed) reports.push({ minute, message, status });
        world.clock.advance(minuteMs);
      }
    };
    return { world, targets, reports, tick };
  }

  test('is reported once, and again only for a miss after its next snapshot', async () => {
    const refused = new Set(['t0']);
    const { world, targets, reports, tick } = await tickWith(refused, 2);
    await tick(40);
    expect(reports).toMatchObject([
      { minute: 10, message: expect.stringContaining('container_nodes/rgn=cn-south-4/prj=t0') },
    ]);
    expect(reports[0]?.message).not.toContain('t1');
    // The slot of 06:00 had its snapshot or an open run.
    expect(reports[0]?.message).toMatch(
      /\(account t0, slot 2026-11-24T06:05:00\.000Z\) has missed/,
    );
    const missing = async () =>
      (await readStatus(world.store, scheduleMs, targets)).map(({ slotMissed }) => slotMissed);
    expect(await missing()).toEqual([true, false]);
    refused.clear();
    // Until the hold of the key has ended.
    world.clock.advance(6 * 60 * minuteMs);
    await tick(5);
    expect(await missing()).toEqual([false, false]);
    // While no timer ran, both have missed slots.
    expect(reports.slice(1).map(({ message }) => message)).toEqual([
      expect.stringContaining('prj=t1'),
    ]);
    refused.add('t0');
    await tick(15);
    expect(reports.slice(2).map(({ message }) => message)).toEqual([
      expect.stringContaining('prj=t0'),
    ]);
  });

  test('shares one report with all others, which names the first few and the count', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `t${index}`);
    const { reports, tick } = await tickWith(new Set(names), 200);
    await tick(12);
    const total = reports.reduce((sum, { message }) => {
      return sum + Number(/^(\d+) targets have missed/.exec(message)?.[1] ?? 1);
    }, 0);
    expect(total).toBe(200);
    expect(reports.length).toBeLessThanOrEqual(2);
    for (const { message } of reports) {
      expect(message.length).toBeLessThan(400);
      expect(message.match(/prj=/g)?.length).toBeLessThanOrEqual(3);
      expect(message.match(/, slot 2026-11-24T06:0[05]:00\.000Z\)/g)?.length).toBe(3);
    }
  });

  test('does not make the invocation that reports it fail, and costs no request', async () => {
    const world = createWorld();
    const target = sized(world, 't1', 1);
    await world.tick({ targets: [target] });
    world.clock.advance(3 * scheduleMs);
    const { status, snapshots, errors } = await world.tick({ targets: [target] });
    expect(status).toBe('sealed');
    expect(snapshots).toHaveLength(1);
    expect(errors.map(({ code }) => code)).toEqual(['SLOT_MISSED']);
  });

  test('is reported by the next invocation if the one that counted it was killed', async () => {
    const world = createWorld();
    const target = sized(world, 't1', 1);
    await world.tick({ targets: [target] });
    world.clock.advance(3 * scheduleMs);
    const dying = world.createTarget({
      ...target,
      openSource: () => {
        throw new Error('killed');
      },
    });
    await expect(world.tick({ targets: [dying] })).rejects.toThrow('killed');
    world.clock.advance(minuteMs);
    const { errors } = await world.tick({ targets: [target] });
    expect(errors.map(({ code }) => code)).toEqual(['SLOT_MISSED']);
    expect(missedLogs(world)).toHaveLength(1);
    expect((await world.tick({ targets: [target] })).errors).toEqual([]);
  });
});
