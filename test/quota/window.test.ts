// Tests the arithmetic of the quota: an example for each rule, and properties for arbitrary numbers.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  currentGuardMs,
  guardMinMs,
  type LedgerEntry,
  placeEntry,
  planSlots,
  sendWithinMs,
  summarizeLedger,
  wholeQuota,
} from '../../lib/quota/window.ts';

const token = '0123456789ab';
const user = 'aaaaaaaaaaaa';
const nowMs = Date.UTC(2026, 10, 24, 6);
const quota = { requests: 5, windowMs: 60_000 };
const requestTimeoutMs = 20_000;

const reserved = (atMs: number, by: string, slots: number): LedgerEntry => {
  return { kind: 'reserved', key: `reserved ${by}`, atMs, token: by, slots };
};
const sent = (atMs: number, by: string, sentMs: number[]): LedgerEntry => {
  return { kind: 'sent', key: `sent ${by}`, atMs, token: by, sentMs };
};
const throttledAt = (atMs: number, untilMs: number, by: string): LedgerEntry => {
  return { kind: 'throttled', key: `429 ${atMs}`, atMs, untilMs, user: by };
};

function summarize(
  entries: LedgerEntry[],
  atMs: number,
  more: Partial<Parameters<typeof summarizeLedger>[1]> = {},
) {
  const options = { quota, nowMs: atMs, user, requestTimeoutMs, ignoreToken: null, ...more };
  return summarizeLedger(entries, options);
}

describe('wholeQuota', () => {
  test.each([
    [5, 60, { requests: 5, windowMs: 60_000 }],
    [2.5, 60, { requests: 2, windowMs: 60_000 }],
    [1, 60, { requests: 1, windowMs: 60_000 }],
    [0.5, 60, { requests: 1, windowMs: 120_000 }],
    [0.1, 0.2, { requests: 1, windowMs: 2_000 }],
  ])('%d requests in %d s', (requests, windowSeconds, whole) => {
    expect(wholeQuota(requests, windowSeconds)).toEqual(whole);
  });

  test('never allows more than was configured', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 1_000, noNaN: true }),
        fc.double({ min: 0.001, max: 10_000, noNaN: true }),
        (requests, windowSeconds) => {
          const whole = wholeQuota(requests, windowSeconds);
          expect(Number.isInteger(whole.requests) && whole.requests >= 1).toBe(true);
          const rate = whole.requests / whole.windowMs;
          expect(rate).toBeLessThanOrEqual((requests / (windowSeconds * 1_000)) * (1 + 1e-12));
          expect(whole.windowMs).toBeGreaterThanOrEqual(windowSeconds * 1_000);
        },
      ),
    );
  });
});

test('placeEntry counts from the time when the entry was written', () => {
  const stamp = { writtenMs: 1, modifiedMs: 2, writer: null };
  const at = (entry: Parameters<typeof placeEntry>[0]) => placeEntry(entry, nowMs);
  expect(at({ kind: 'reserved', key: 'a', stamp, token, slots: 3 })).toEqual({
    ...reserved(nowMs, token, 3),
    key: 'a',
  });
  expect(at({ kind: 'sent', key: 'b', stamp, token, agesMs: [900, 0] })).toEqual({
    ...sent(nowMs, token, [nowMs - 900, nowMs]),
    key: 'b',
  });
  expect(at({ kind: 'throttled', key: 'c', stamp, waitMs: 30_000, user })).toEqual({
    ...throttledAt(nowMs, nowMs + 30_000, user),
    key: 'c',
  });
});

describe('summarizeLedger', () => {
  test('a reservation that is not settled holds all its slots for 2 s, the time-out, the window and the guard', () => {
    const key = reserved(nowMs, token, 3);
    const untilMs = nowMs + sendWithinMs + requestTimeoutMs + quota.windowMs + guardMinMs;
    expect(summarize([key], nowMs).slotEndsMs).toEqual([untilMs, untilMs, untilMs]);
    expect(summarize([key], untilMs - 1).slotEndsMs).toHaveLength(3);
    expect(summarize([key], untilMs).slotEndsMs).toEqual([]);
  });

  test('a settled reservation holds a slot for each sent request, for the window and the guard', () => {
    const keys = [reserved(nowMs, token, 5), sent(nowMs, token, [nowMs + 10, nowMs + 900])];
    const endMs = nowMs + quota.windowMs + guardMinMs;
    expect(summarize(keys, nowMs + 1_000)).toMatchObject({
      slotEndsMs: [endMs + 10, endMs + 900],
      // The reservation has no effect any more.
      expiredKeys: [`reserved ${token}`],
    });
    expect(summarize(keys, endMs + 10).slotEndsMs).toEqual([endMs + 900]);
  });

  test('slot ends of several entries are in ascending order', () => {
    const later = sent(nowMs + 5, token, [nowMs + 5]);
    const keys = [sent(nowMs, 'ffffffffffff', [nowMs + 700]), later];
    const { slotEndsMs } = summarize(keys, nowMs);
    expect(slotEndsMs).toEqual([...slotEndsMs].sort((a, b) => a - b));
  });

  test('an entry has expired only when the longest guard could not extend it', () => {
    const key = sent(nowMs, token, [nowMs]);
    const longestMs = nowMs + quota.windowMs + guardMinMs + 1_600;
    expect(summarize([key], longestMs - 1).expiredKeys).toEqual([]);
    expect(summarize([key], longestMs).expiredKeys).toEqual([key.key]);
  });

  test('ignores the reservation with the given token', () => {
    const keys = [reserved(nowMs, token, 3), reserved(nowMs, 'ffffffffffff', 1)];
    expect(summarize(keys, nowMs, { ignoreToken: token }).slotEndsMs).toHaveLength(1);
    expect(summarize(keys, nowMs).slotEndsMs).toHaveLength(4);
  });

  test('a 429 delays only its user, takes no slot, and is kept for ten windows', () => {
    const key = throttledAt(nowMs, nowMs + 30_000, user);
    expect(summarize([key], nowMs)).toMatchObject({ notBeforeMs: nowMs + 30_000, slotEndsMs: [] });
    expect(summarize([key], nowMs, { user: 'bbbbbbbbbbbb' }).notBeforeMs).toBe(
      Number.NEGATIVE_INFINITY,
    );
    expect(summarize([key], nowMs + 10 * quota.windowMs - 1).expiredKeys).toEqual([]);
    expect(summarize([key], nowMs + 10 * quota.windowMs).expiredKeys).toEqual([key.key]);
  });

  test('a 429 with a time of more than ten windows is kept until that time', () => {
    const untilMs = nowMs + 24 * 3_600_000;
    const key = throttledAt(nowMs, untilMs, user);
    expect(summarize([key], untilMs - 1)).toMatchObject({ notBeforeMs: untilMs, expiredKeys: [] });
    expect(summarize([key], untilMs).expiredKeys).toEqual([key.key]);
  });
});

describe('currentGuardMs', () => {
  const throttled = (count: number) =>
    Array.from({ length: count }, (_, index) => throttledAt(nowMs + index, nowMs, user));

  test.each([
    [0, 50],
    [1, 100],
    [2, 200],
    [5, 1_600],
    [20, 1_600],
  ])('after %i answers with 429: %i ms', (count, guard) => {
    expect(currentGuardMs(throttled(count), quota, nowMs + 100)).toBe(guard);
  });

  test('a 429 is forgotten after ten windows', () => {
    expect(currentGuardMs(throttled(1), quota, nowMs + 10 * quota.windowMs)).toBe(50);
    expect(currentGuardMs(throttled(1), quota, nowMs + 10 * quota.windowMs - 1)).toBe(100);
  });

  test('a longer guard holds slots longer', () => {
    const keys = [sent(nowMs, token, [nowMs]), throttledAt(nowMs, nowMs, user)];
    expect(summarize(keys, nowMs).slotEndsMs).toEqual([nowMs + quota.windowMs + 100]);
  });
});

describe('planSlots', () => {
  test('with enough free slots: at once, and never more than the quota', () => {
    expect(planSlots([], quota, nowMs, 3)).toEqual([nowMs, nowMs, nowMs]);
    expect(planSlots([], quota, nowMs, 50)).toHaveLength(5);
  });

  test('without free slots: when slots become free', () => {
    const ends = [nowMs + 10, nowMs + 20, nowMs + 30, nowMs + 40];
    expect(planSlots(ends, quota, nowMs, 3)).toEqual([nowMs, nowMs + 10, nowMs + 20]);
  });

  test('with more slots in use than the quota allows: when enough of them have ended', () => {
    const ends = [1, 2, 3, 4].map((delayMs) => nowMs + delayMs);
    const one = { requests: 1, windowMs: 60_000 };
    expect(planSlots(ends, one, nowMs, 1)).toEqual([nowMs + 4]);
  });

  test('requests at the planned times never use more slots than the quota', () => {
    const ends = fc.array(fc.integer({ min: -5_000, max: 60_000 }), { maxLength: 12 });
    fc.assert(
      fc.property(
        ends,
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 10 }),
        (delays, requests, want) => {
          const slotEndsMs = delays.map((delayMs) => nowMs + delayMs);
          const ready = planSlots(slotEndsMs, { requests, windowMs: 60_000 }, nowMs, want);
          expect(ready).toHaveLength(Math.min(want, requests));
          for (const [index, readyMs] of ready.entries()) {
            expect(readyMs).toBeGreaterThanOrEqual(index === 0 ? nowMs : (ready[index - 1] ?? 0));
            const live = slotEndsMs.filter((timeMs) => timeMs > readyMs).length;
            expect(live + index + 1).toBeLessThanOrEqual(requests);
            // And not later than necessary: one millisecond before, no slot was free.
            if (readyMs > nowMs) {
              const before = slotEndsMs.filter((timeMs) => timeMs > readyMs - 1).length;
              expect(before + index + 1).toBeGreaterThan(requests);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
