import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from '../../lib/core/error-policy.ts';
import { CorruptError } from '../../lib/core/errors.ts';
import {
  abandonAfterMs,
  decodeSchedule,
  emptySchedule,
  encodeSchedule,
  holdOffMs,
  type Schedule,
  slotMs,
  targetStateOf,
} from '../../lib/runs/schedule.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

test('finds the newest slot that has begun, counted from the epoch', () => {
  const atMs = Date.UTC(2026, 10, 24, 7, 59, 59, 999);
  expect(slotMs(atMs, 6 * hourMs)).toBe(Date.UTC(2026, 10, 24, 6));
  expect(slotMs(Date.UTC(2026, 10, 24, 6), 6 * hourMs)).toBe(Date.UTC(2026, 10, 24, 6));
  expect(slotMs(Date.UTC(2026, 10, 24, 6) - 1, 6 * hourMs)).toBe(Date.UTC(2026, 10, 24));
  fc.assert(
    fc.property(fc.nat(2 ** 41), fc.integer({ min: 1, max: 60 * 24 * 7 }), (nowMs, minutes) => {
      const scheduleMs = minutes * minuteMs;
      const slot = slotMs(nowMs, scheduleMs);
      expect(slot % scheduleMs).toBe(0);
      expect(nowMs - slot).toBeGreaterThanOrEqual(0);
      expect(nowMs - slot).toBeLessThan(scheduleMs);
    }),
  );
});

test('holds off a failing target for 5 minutes, doubling to an hour', () => {
  expect([0, 1, 2, 3, 4, 5, 100].map(holdOffMs)).toEqual(
    [5, 5, 10, 20, 40, 60, 60].map((minutes) => minutes * minuteMs),
  );
});

test('holds a refused key for 15 minutes, doubling to 6 hours', () => {
  expect([1, 2, 3, 4, 5, 6, 100].map(backoffMs)).toEqual(
    [0.25, 0.5, 1, 2, 4, 6, 6].map((hours) => hours * hourMs),
  );
});

test('abandons a run without a page after two slots, but not before a day', () => {
  expect(abandonAfterMs(6 * hourMs)).toBe(24 * hourMs);
  expect(abandonAfterMs(7 * 24 * hourMs)).toBe(14 * 24 * hourMs);
});

test('decodes what it encoded; without a stored object the schedule is empty', () => {
  const schedule: Schedule = {
    targets: {
      'container_nodes/rgn=a/prj=b': {
        open: { snapshot: '20261124T060000Z', run: '0123456789ab' },
        sealed: null,
        failures: 2,
        retryAtMs: 5,
      },
    },
    holds: { aaaaaaaaaaaa: { failures: 1, untilMs: 7 } },
    projects: { 'aaaaaaaaaaaa https://iam a': 'b' },
  };
  expect(decodeSchedule(encodeSchedule(schedule))).toEqual(schedule);
  expect(decodeSchedule(null)).toEqual(emptySchedule());
  expect(() => decodeSchedule(new Uint8Array())).toThrow(CorruptError);
  expect(() => decodeSchedule(new Uint8Array())).toThrow(/^_runs\/schedule\.json: /);
});

test('an unknown target is neither open nor held', () => {
  const fresh = { open: null, sealed: null, failures: 0, retryAtMs: 0 };
  expect(targetStateOf(emptySchedule(), 'x')).toEqual(fresh);
});
