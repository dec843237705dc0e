import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createQuotaCounter, describeQuota } from '../../lib/simulator/request-window.ts';

test('sliding: what was rejected counts too, and a slot is free exactly one window later', () => {
  const arrive = createQuotaCounter({ requests: 2, windowSeconds: 10 });
  expect(arrive('a', 0).admitted).toBe(true);
  expect(arrive('a', 4_000).admitted).toBe(true);
  // In the window of three arrivals, the second oldest has to go before one more is let through.
  expect(arrive('a', 5_000)).toEqual({ admitted: false, retryAfterMs: 9_000 });
  expect(arrive('a', 10_000).admitted).toBe(false);
  expect(arrive('a', 15_001).admitted).toBe(true);
  expect(arrive('b', 15_001).admitted).toBe(true);
});

test('sliding: waiting for retryAfterMs is enough, and one millisecond less is not', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 30 }),
      (requests, gaps) => {
        const replay = (lastGap: number | null) => {
          const arrive = createQuotaCounter({ requests, windowSeconds: 2 });
          let atMs = 0;
          let last = { admitted: true, retryAfterMs: 0 };
          for (const gap of gaps) {
            atMs += gap;
            last = arrive('a', atMs);
          }
          return lastGap === null ? last : arrive('a', atMs + lastGap);
        };
        const { admitted, retryAfterMs } = replay(null);
        if (admitted) return;
        expect(replay(retryAfterMs).admitted).toBe(true);
        expect(replay(retryAfterMs - 1).admitted).toBe(false);
      },
    ),
  );
});

test('fixed: everything is forgotten when the next window begins', () => {
  const arrive = createQuotaCounter({ requests: 1, windowSeconds: 10, mode: 'fixed' });
  expect(arrive('a', 9_000).admitted).toBe(true);
  expect(arrive('a', 9_500)).toEqual({ admitted: false, retryAfterMs: 500 });
  expect(arrive('a', 10_000).admitted).toBe(true);
});

test.each([
  [60, '1 minute'],
  [2, '2 second'],
  [90, '90 second'],
  [120, '2 minute'],
  [3_600, '1 hour'],
  [172_800, '2 day'],
  [0.5, '0.5 second'],
])('%d seconds are told as %s', (windowSeconds, text) => {
  expect(describeQuota({ requests: 5, windowSeconds })).toBe(`limit:5,time:${text}`);
});
