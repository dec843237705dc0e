// Tests promise 8 at the size of a fleet: 200 targets need more requests than the quota allows, for 7 simulated days, or 2.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { snapshotName } from '../../lib/core/object-keys.ts';
import type { Agenda } from '../../lib/runs/invocation.ts';
import { pickNextTask } from '../../lib/runs/next-task.ts';
import { policies } from '../../lib/runs/policy.ts';
import { listTasks } from '../../lib/runs/projects.ts';
import {
  countPassedSlots,
  emptySchedule,
  encodeSchedule,
  sealedState,
  slotMs,
  targetStateOf,
} from '../../lib/runs/schedule.ts';
import type { Sealed } from '../../lib/snapshots/catalog.ts';
import { caseStep } from '../support/cases.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const minuteMs = 60_000;
const scheduleMs = 6 * 60 * minuteMs;
const days = Math.max(2, 7 / caseStep);
const tickMs = 15 * minuteMs;
const requestsPerTick = 15;

interface Simulated {
  /** Snapshots of each target. */
  counts: number[];
  /** The largest difference between two targets at any time. */
  spread: number;
  /** Of the schedule at the end, bytes. */
  scheduleBytes: number;
}

/**
 * Lets a timer tick every 15 minutes with a quota of 15 requests per tick: 360 requests per slot. Which target is next, and what is stored of it, is
 * decided by the real code; requests and seals are only counted. `sizes`: requests per snapshot. `fails`: attempts always fail.
 */
function simulate(
  sizes: readonly number[],
  fails: (index: number) => boolean = () => false,
): Simulated {
  const world = createTestExporter({ scheduleMs });
  const targets = sizes.map((_, index) =>
    world.createTarget({ account: `a${index}`, user: `u${index}`, projectId: `p${index}` }),
  );
  const schedule = emptySchedule();
  const agenda: Agenda = { ...world.createPorts({ targets }), policy: policies.timer, schedule };
  const tasks = listTasks(agenda);
  const left = new Map<string, number>();
  const counts = sizes.map(() => 0);
  let spread = 0;
  let sealings = 0;
  const endMs = world.clock.nowMs() + days * 24 * 60 * minuteMs;
  for (; world.clock.nowMs() < endMs; world.clock.advance(tickMs)) {
    const nowMs = world.clock.nowMs();
    const isNewSlot = slotMs(nowMs, scheduleMs) > slotMs(nowMs - tickMs, scheduleMs);
    for (const { id } of isNewSlot ? tasks : []) {
      const state = targetStateOf(schedule, id);
      schedule.targets[id] = { ...state, missed: countPassedSlots(state, nowMs, scheduleMs) };
    }
    const tried = new Set<string>();
    for (let requests = requestsPerTick; requests > 0; ) {
      const task = pickNextTask(agenda, tasks, ({ id }) => tried.has(id));
      if (!task) break;
      const { id, projectId } = task;
      const index = Number(projectId?.slice(1));
      const state = targetStateOf(schedule, id);
      if (fails(index)) {
        requests -= 1;
        tried.add(id);
        const failure = { code: 'X', message: '', hint: '', sinceMs: nowMs, lastMs: nowMs };
        const failures = state.failures + 1;
        schedule.targets[id] = { ...state, failures, failure, retryAtMs: nowMs + minuteMs };
        continue;
      }
      const open = state.open ?? { snapshot: snapshotName(slotMs(nowMs, scheduleMs)), run: 'r' };
      const needed = left.get(id) ?? sizes[index] ?? 1;
      const sent = Math.min(needed, requests);
      requests -= sent;
      left.set(id, needed - sent);
      schedule.targets[id] = { ...state, open };
      if (needed > sent) continue;
      left.delete(id);
      counts[index] = (counts[index] ?? 0) + 1;
      sealings += 1;
      const working = counts.filter((_, one) => !fails(one));
      spread = Math.max(spread, Math.max(...working) - Math.min(...working));
      const manifest = { snapshot: open.snapshot };
      const sealed = { manifest, manifestSha256: 'a'.repeat(64) } as unknown as Sealed;
      // Sealed one after the other within a tick.
      schedule.targets[id] = sealedState({ ...state, open }, sealed, nowMs + sealings);
    }
  }
  return { counts, spread, scheduleBytes: encodeSchedule(schedule).length };
}

test('200 targets of equal size: the most and the fewest snapshots of a target differ by 1 at most', () => {
  // 800 requests per slot are needed, and 360 are possible.
  const { counts, spread, scheduleBytes } = simulate(Array(200).fill(4));
  expect(spread).toBe(1);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.floor(days * 4 * (360 / 800)));
  // The state that every invocation reads does not grow with the number of snapshots.
  expect(scheduleBytes).toBeLessThan(100_000);
}, 20_000);

test('200 targets of any sizes: no other target is sealed twice while one waits', () => {
  const size = fc.integer({ min: 2, max: 200 });
  fc.assert(
    fc.property(fc.array(size, { minLength: 200, maxLength: 200 }), (sizes) => {
      expect(simulate(sizes).spread).toBe(1);
    }),
    { numRuns: 2 },
  );
});

test('targets that always fail do not keep the others from their turns', () => {
  const isFailing = (index: number) => index % 10 === 0;
  const { counts, spread } = simulate(Array(200).fill(4), isFailing);
  const working = counts.filter((_, index) => !isFailing(index));
  expect(spread).toBe(1);
  expect(Math.min(...working)).toBeGreaterThanOrEqual(Math.floor(days * (10 / 7)));
}, 20_000);
