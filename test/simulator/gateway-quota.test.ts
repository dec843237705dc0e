// Tests the gateway's quota: sliding and fixed windows, and the text that describes a quota.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createQuotaCounter, describeQuota } from '../../lib/simulator/gateway-quota.ts';

test('sliding: rejected requests count too, and a slot is free exactly one window later', () => {
  const arrive = createQuotaCounter({ requests: 2, windowSeconds: 10 });
  expect(arrive('a', 0).isAdmitted).toBe(true);
  expect(arrive('a', 4_000).isAdmitted).toBe(true);
  // Three arrivals are in the window: the two oldest must leave it before another one is admitted.
  expect(arrive('a', 5_000)).toEqual({ isAdmitted: false, retryAfterMs: 9_000 });
  expect(arrive('a', 10_000).isAdmitted).toBe(false);
  expect(arrive('a', 15_001).isAdmitted).toBe(true);
  expect(arrive('b', 15_001).isAdmitted).toBe(true);
});

test('sliding: a request is admitted after retryAfterMs and not one millisecond earlier', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 30 }),
      (requests, gaps) => {
        const replay = (lastGap: number | null) => {
          const arrive = createQuotaCounter({ requests, windowSeconds: 2 });
          let atMs = 0;
          let last = { isAdmitted: true, retryAfterMs: 0 };
          for (const gap of gaps) {
            atMs += gap;
            last = arrive('a', atMs);
          }
          return lastGap === null ? last : arrive('a', atMs + lastGap);
        };
        const { isAdmitted, retryAfterMs } = replay(null);
        if (isAdmitted) return;
        expect(replay(retryAfterMs).isAdmitted).toBe(true);
        expect(replay(retryAfterMs - 1).isAdmitted).toBe(false);
      },
    ),
  );
});

test('fixed: the count starts again with each window', () => {
  const arrive = createQuotaCounter({ requests: 1, windowSeconds: 10, mode: 'fixed' });
  expect(arrive('a', 9_000).isAdmitted).toBe(true);
  expect(arrive('a', 9_500)).toEqual({ isAdmitted: false, retryAfterMs: 500 });
  expect(arrive('a', 10_000).isAdmitted).toBe(true);
});

test.each([
  [60, '1 minute'],
  [2, '2 second'],
  [90, '90 second'],
  [120, '2 minute'],
  [3_600, '1 hour'],
  [172_800, '2 day'],
  [0.5, '0.5 second'],
])('describes a window of %d seconds as %s', (windowSeconds, text) => {
  expect(describeQuota({ requests: 5, windowSeconds })).toBe(`limit:5,time:${text}`);
});
