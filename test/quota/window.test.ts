// Goal: the arithmetic that promise 1 rests on. Method: examples for every rule, properties where numbers are arbitrary.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import {
  guardMs,
  guardOf,
  type LedgerEntry,
  ledgerBytes,
  parseLedgerEntry,
  planSlots,
  readLedger,
  reservedKey,
  sendWithinMs,
  sentKey,
  throttledKey,
  wholeQuota,
} from '../../lib/quota/window.ts';

const token = '0123456789ab';
const user = 'aaaaaaaaaaaa';
const nowMs = Date.UTC(2026, 10, 24, 6);
const quota = { requests: 5, windowMs: 60_000 };
const requestTimeoutMs = 20_000;

function entryOf(key: string): LedgerEntry {
  return parseLedgerEntry({ key, bytes: ledgerBytes(key).length });
}

function read(keys: string[], atMs: number, more: Partial<Parameters<typeof readLedger>[1]> = {}) {
  const options = { quota, nowMs: atMs, user, requestTimeoutMs, ...more };
  return readLedger(keys.map(entryOf), options);
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

describe('entries', () => {
  test('are told by their keys alone', () => {
    expect(entryOf(reservedKey(nowMs, token, 5))).toMatchObject({
      kind: 'reserved',
      token,
      atMs: nowMs,
      slots: 5,
    });
    expect(entryOf(sentKey(nowMs, token, [nowMs, nowMs + 40]))).toMatchObject({
      kind: 'sent',
      token,
      atMs: nowMs,
      sentMs: [nowMs, nowMs + 40],
    });
    expect(entryOf(throttledKey(nowMs, nowMs + 30_000, user))).toMatchObject({
      kind: 'throttled',
      atMs: nowMs,
      untilMs: nowMs + 30_000,
      user,
    });
  });

  test('no sent request comes back earlier than it was, nor a millisecond later', () => {
    const time = fc.double({ min: 0, max: 30_000, noNaN: true });
    fc.assert(
      fc.property(time, fc.array(time, { minLength: 1, maxLength: 20 }), (start, delays) => {
        const atMs = nowMs + start;
        const sentMs = delays.map((delayMs) => atMs + delayMs);
        const entry = entryOf(sentKey(atMs, token, sentMs));
        if (entry.kind !== 'sent') throw new Error(entry.kind);
        expect(entry.sentMs).toHaveLength(sentMs.length);
        for (const [index, timeMs] of entry.sentMs.entries()) {
          expect(timeMs).toBeGreaterThanOrEqual(sentMs[index] as number);
          expect(timeMs).toBeLessThan((sentMs[index] as number) + 1);
        }
      }),
    );
  });

  test('sent before its reservation, by a clock that stepped back: counted from the reservation', () => {
    const entry = entryOf(sentKey(nowMs, token, [nowMs - 300_000]));
    expect(entry).toMatchObject({ kind: 'sent', sentMs: [nowMs] });
  });

  test.each([
    '',
    'x',
    `${nowMs}-${token}`,
    `${nowMs}-${token}-`,
    `${nowMs}-${token}-2-5`,
    `${nowMs}-${token}-1-5.`,
    `${nowMs}-${token.toUpperCase()}-1`,
    `429-${nowMs}-${nowMs}`,
    `${nowMs}-${token}-5.tmp`,
  ])('%j is none, and is named', (name) => {
    const key = `_quota/${name}`;
    expect(() => entryOf(key)).toThrow(CorruptError);
    expect(() => entryOf(key)).toThrow(key);
  });

  test('one whose object was cut short is none', () => {
    const key = reservedKey(nowMs, token, 5);
    const { length } = ledgerBytes(key);
    for (const bytes of [0, length - 1, length + 1]) {
      expect(() => parseLedgerEntry({ key, bytes })).toThrow(CorruptError);
    }
  });
});

describe('readLedger', () => {
  test('a reservation without an end holds all its slots: 2 s, the time-out, the window and the guard', () => {
    const key = reservedKey(nowMs, token, 3);
    const untilMs = nowMs + sendWithinMs + requestTimeoutMs + quota.windowMs + guardMs;
    expect(read([key], nowMs).expiriesMs).toEqual([untilMs, untilMs, untilMs]);
    expect(read([key], untilMs - 1).expiriesMs).toHaveLength(3);
    expect(read([key], untilMs).expiriesMs).toEqual([]);
  });

  test('a reservation that ended holds what was sent, a window and the guard long', () => {
    const keys = [reservedKey(nowMs, token, 5), sentKey(nowMs, token, [nowMs + 10, nowMs + 900])];
    const endMs = nowMs + quota.windowMs + guardMs;
    expect(read(keys, nowMs + 1_000)).toMatchObject({
      expiriesMs: [endMs + 10, endMs + 900],
      // The reservation says nothing any more.
      spentKeys: [keys[0]],
    });
    expect(read(keys, endMs + 10).expiriesMs).toEqual([endMs + 900]);
  });

  test('ends of several entries come ascending', () => {
    const later = sentKey(nowMs + 5, token, [nowMs + 5]);
    const keys = [sentKey(nowMs, 'ffffffffffff', [nowMs + 700]), later];
    const { expiriesMs } = read(keys, nowMs);
    expect(expiriesMs).toEqual([...expiriesMs].sort((a, b) => a - b));
  });

  test('an entry is spent only when no longer guard could hold it any more', () => {
    const key = sentKey(nowMs, token, [nowMs]);
    const longestMs = nowMs + quota.windowMs + guardMs + 1_600;
    expect(read([key], longestMs - 1).spentKeys).toEqual([]);
    expect(read([key], longestMs).spentKeys).toEqual([key]);
  });

  test("the reader's own reservation may be left out", () => {
    const keys = [reservedKey(nowMs, token, 3), reservedKey(nowMs, 'ffffffffffff', 1)];
    expect(read(keys, nowMs, { withoutToken: token }).expiriesMs).toHaveLength(1);
    expect(read(keys, nowMs).expiriesMs).toHaveLength(4);
  });

  test('a 429 holds its user back and nobody else, takes no slot, and is kept ten windows', () => {
    const key = throttledKey(nowMs, nowMs + 30_000, user);
    expect(read([key], nowMs)).toMatchObject({ notBeforeMs: nowMs + 30_000, expiriesMs: [] });
    expect(read([key], nowMs, { user: 'bbbbbbbbbbbb' }).notBeforeMs).toBe(0);
    expect(read([key], nowMs + 10 * quota.windowMs - 1).spentKeys).toEqual([]);
    expect(read([key], nowMs + 10 * quota.windowMs).spentKeys).toEqual([key]);
  });

  test('a 429 that asks for longer than ten windows is kept until then', () => {
    const untilMs = nowMs + 24 * 3_600_000;
    const key = throttledKey(nowMs, untilMs, user);
    expect(read([key], untilMs - 1)).toMatchObject({ notBeforeMs: untilMs, spentKeys: [] });
    expect(read([key], untilMs).spentKeys).toEqual([key]);
  });
});

describe('guardOf', () => {
  const throttled = (count: number) =>
    Array.from({ length: count }, (_, index) => entryOf(throttledKey(nowMs + index, nowMs, user)));

  test.each([
    [0, 50],
    [1, 100],
    [2, 200],
    [5, 1_600],
    [20, 1_600],
  ])('after %i times 429: %i ms', (count, guard) => {
    expect(guardOf(throttled(count), quota, nowMs + 100)).toBe(guard);
  });

  test('a 429 is forgotten after ten windows', () => {
    expect(guardOf(throttled(1), quota, nowMs + 10 * quota.windowMs)).toBe(50);
    expect(guardOf(throttled(1), quota, nowMs + 10 * quota.windowMs - 1)).toBe(100);
  });

  test('a longer guard holds the slots longer', () => {
    const keys = [sentKey(nowMs, token, [nowMs]), throttledKey(nowMs, nowMs, user)];
    expect(read(keys, nowMs).expiriesMs).toEqual([nowMs + quota.windowMs + 100]);
  });
});

describe('planSlots', () => {
  test('room for all: at once, and never more than the quota', () => {
    expect(planSlots([], quota, nowMs, 3)).toEqual([nowMs, nowMs, nowMs]);
    expect(planSlots([], quota, nowMs, 50)).toHaveLength(5);
  });

  test('no room: as slots come free', () => {
    const ends = [nowMs + 10, nowMs + 20, nowMs + 30, nowMs + 40];
    expect(planSlots(ends, quota, nowMs, 3)).toEqual([nowMs, nowMs + 10, nowMs + 20]);
  });

  test('more live than the quota, since it was lowered: only when enough have ended', () => {
    const ends = [1, 2, 3, 4].map((delayMs) => nowMs + delayMs);
    const one = { requests: 1, windowMs: 60_000 };
    expect(planSlots(ends, one, nowMs, 1)).toEqual([nowMs + 4]);
  });

  test('whoever sends at the planned times holds at most the quota at any moment', () => {
    const ends = fc.array(fc.integer({ min: -5_000, max: 60_000 }), { maxLength: 12 });
    fc.assert(
      fc.property(
        ends,
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 10 }),
        (delays, requests, want) => {
          const expiriesMs = delays.map((delayMs) => nowMs + delayMs);
          const ready = planSlots(expiriesMs, { requests, windowMs: 60_000 }, nowMs, want);
          expect(ready).toHaveLength(Math.min(want, requests));
          for (const [index, readyMs] of ready.entries()) {
            expect(readyMs).toBeGreaterThanOrEqual(index === 0 ? nowMs : (ready[index - 1] ?? 0));
            const live = expiriesMs.filter((timeMs) => timeMs > readyMs).length;
            expect(live + index + 1).toBeLessThanOrEqual(requests);
            // And not later than need be: a moment before, there was no room.
            if (readyMs > nowMs) {
              const before = expiriesMs.filter((timeMs) => timeMs > readyMs - 1).length;
              expect(before + index + 1).toBeGreaterThan(requests);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
