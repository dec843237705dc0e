import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs } from '../../lib/core/error-policy.ts';
import { CorruptError } from '../../lib/core/errors.ts';
import { snapshotName } from '../../lib/core/object-keys.ts';
import {
  abandonAfterMs,
  behindSinceMs,
  countPassedSlots,
  decodeSchedule,
  emptySchedule,
  encodeSchedule,
  holdEndsMs,
  holdOffMs,
  isOutpaced,
  missesSlot,
  passedSlots,
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

describe('slots that pass without a snapshot', () => {
  const name = (minute: number) => snapshotName(minute * minuteMs);
  const scheduleMs = 10 * minuteMs;
  const missed = (untilMinute: number, more = {}) => {
    return { count: 3, untilMs: untilMinute * minuteMs, scheduleMs, ...more };
  };
  const run = (minute: number) => ({ snapshot: name(minute), run: 'aaaaaaaaaaaa' });
  const passed = (state: Parameters<typeof passedSlots>[0], minute: number) => {
    const found = passedSlots(state, minute * minuteMs, scheduleMs);
    return found && [found.count, found.firstMs / minuteMs, found.newestMs / minuteMs];
  };

  test.each<[string, Parameters<typeof passedSlots>[0], number, number[] | null]>([
    ['none before the count starts', { sealed: null, open: null }, 95, null],
    [
      'the slot that has begun has not passed',
      { missed: missed(90), sealed: null, open: null },
      95,
      null,
    ],
    [
      'every slot since the last count',
      { missed: missed(60), sealed: null, open: null },
      95,
      [3, 60, 80],
    ],
    [
      'not the slot of the newest snapshot',
      { missed: missed(60), sealed: name(73), open: null },
      95,
      [1, 80, 80],
    ],
    [
      'not the slot of an open run',
      { missed: missed(60), sealed: null, open: run(80) },
      95,
      [2, 60, 70],
    ],
    [
      'slots after that of an open run',
      { missed: missed(60), sealed: null, open: run(60) },
      95,
      [2, 70, 80],
    ],
    [
      'not the slot of an open run again',
      { missed: missed(90, { openMs: 60 * minuteMs }), sealed: null, open: run(60) },
      95,
      null,
    ],
    [
      'the slot of a run that was given up',
      { missed: missed(90, { openMs: 60 * minuteMs }), sealed: null, open: run(90) },
      95,
      [1, 60, 60],
    ],
    [
      'not the slot of a run that was sealed late',
      { missed: missed(90, { openMs: 60 * minuteMs }), sealed: name(60), open: null },
      95,
      null,
    ],
    [
      'slots since the last count, if a name is far ahead',
      { missed: missed(60), sealed: name(1_000_000), open: null },
      95,
      [3, 60, 80],
    ],
    [
      'none of another schedule',
      { missed: missed(60, { scheduleMs: minuteMs }), sealed: null, open: null },
      95,
      null,
    ],
    ['none if the clock stepped back', { missed: missed(200), sealed: null, open: null }, 95, null],
  ])('%s', (_name, state, minute, expected) => {
    expect(passed(state, minute)).toEqual(expected);
    const counted = { ...state, missed: countPassedSlots(state, minute * minuteMs, scheduleMs) };
    expect(counted.missed.count).toBe((state.missed?.count ?? 0) + (expected?.[0] ?? 0));
    expect(passed(counted, minute)).toBeNull();
    const sinceMs = expected ? (expected[1] ?? 0) * minuteMs : null;
    for (const one of [state, counted]) {
      expect(behindSinceMs(one, minute * minuteMs, scheduleMs)).toBe(sinceMs);
    }
  });

  const behind = (state: Parameters<typeof passedSlots>[0], minute: number) => {
    const sinceMs = behindSinceMs(state, minute * minuteMs, scheduleMs);
    return sinceMs && sinceMs / minuteMs;
  };
  const count = (state: Parameters<typeof passedSlots>[0], minute: number) => {
    return { ...state, missed: countPassedSlots(state, minute * minuteMs, scheduleMs) };
  };

  test('a target is behind since its first missed slot, until its next snapshot', () => {
    const first = count({ missed: missed(60), sealed: name(50), open: null }, 75);
    expect([75, 95, 300].map((minute) => behind(first, minute))).toEqual([60, 60, 60]);
    const later = count(count(first, 95), 200);
    expect(behind(later, 205)).toBe(60);
    const sealed = { ...later, sealed: name(200) };
    expect(behind(sealed, 205)).toBeNull();
    expect(behind(count(sealed, 225), 225)).toBe(210);
  });

  test('the slot of a run that was given up is the first one, if it is older than the others', () => {
    const waiting = count({ missed: missed(60), sealed: null, open: run(60) }, 95);
    expect(behind(waiting, 95)).toBe(70);
    const other = { ...waiting, open: run(90) };
    expect([behind(other, 95), behind(count(other, 95), 95)]).toEqual([60, 60]);
  });

  test('since when is not known if the state does not have it', () => {
    const old = { missed: missed(90, { after: null }), sealed: null, open: null };
    expect([behind(old, 95), behind(count(old, 115), 115)]).toEqual([null, null]);
    expect(missesSlot(old, 95 * minuteMs, scheduleMs)).toBe(true);
  });
});

describe('a target is outpaced', () => {
  const state = { open: null, sealed: null, failures: 0, retryAtMs: 0 };
  const missed = {
    count: 2,
    untilMs: 90 * minuteMs,
    scheduleMs: 10 * minuteMs,
    sinceMs: 70 * minuteMs,
  };
  const waiting = { ...state, missed: { ...missed, after: null } };
  const failure = { code: 'NETWORK', message: '', hint: '', sinceMs: 0, lastMs: 0 };
  const open = { snapshot: '20261124T060000Z', run: '0123456789ab' };
  const sealedAt = (minute: number) => ({ ...state, sealedAtMs: minute * minuteMs });
  const outpaced = (a: Schedule['targets'][string], b: Schedule['targets'][string], minute = 95) =>
    isOutpaced({ ...emptySchedule(), targets: { a, b } }, 'a', minute * minuteMs, 10 * minuteMs);

  test('if it misses slots while a timer seals others', () => {
    expect(outpaced(waiting, sealedAt(80))).toBe(true);
    expect(outpaced(waiting, { ...state, open })).toBe(true);
  });

  test('not if the timer stopped, if an attempt failed, if it has its turn, or if no other one is sealed', () => {
    expect(outpaced(waiting, sealedAt(80), 115)).toBe(false);
    expect(outpaced({ ...waiting, failure }, sealedAt(80))).toBe(false);
    expect(outpaced({ ...waiting, open }, sealedAt(80))).toBe(false);
    expect(outpaced(waiting, sealedAt(60))).toBe(false);
    expect(outpaced(waiting, { ...state, open, failure })).toBe(false);
    expect(outpaced({ ...state, missed }, sealedAt(80))).toBe(false);
  });
});

describe('a target', () => {
  const nowMs = Date.UTC(2026, 10, 24, 6);
  const heldBy = (untilMs: number, failures: number, retryAtMs: number) => {
    const schedule = { ...emptySchedule(), holds: { user: { failures, untilMs } } };
    const { keyMs, ownMs } = holdEndsMs(schedule, 'user', { retryAtMs }, nowMs);
    return Math.max(keyMs, ownMs);
  };

  test('is held until the later of its own hold and the hold of its key', () => {
    expect(heldBy(nowMs + 10 * minuteMs, 1, nowMs + 5 * minuteMs)).toBe(nowMs + 10 * minuteMs);
    expect(heldBy(nowMs + 10 * minuteMs, 1, nowMs + hourMs)).toBe(nowMs + hourMs);
    expect(heldBy(nowMs + 6 * hourMs, 9, 0)).toBe(nowMs + 6 * hourMs);
    expect(heldBy(nowMs, 1, nowMs)).toBe(0);
    const none = holdEndsMs(emptySchedule(), 'user', { retryAtMs: 0 }, nowMs);
    expect(none).toEqual({ keyMs: 0, ownMs: 0 });
  });

  test('is not held until a time that was stored while a clock was ahead', () => {
    expect(heldBy(nowMs + 15 * minuteMs, 1, 0)).toBe(nowMs + 15 * minuteMs);
    expect(heldBy(nowMs + 15 * minuteMs + 1, 1, 0)).toBe(0);
    expect(heldBy(nowMs + 400 * 24 * hourMs, 9, nowMs + 6 * hourMs)).toBe(0);
    expect(heldBy(0, 0, nowMs + hourMs + 1)).toBe(0);
  });
});
