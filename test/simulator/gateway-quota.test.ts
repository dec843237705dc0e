// Tests the gateway's quota: sliding and fixed windows, and the text that describes a quota.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createQuotaCounter, describeQuota } from '../../lib/simulator/gateway-quota.ts';

test('sliding: rejected requests count too, and a slot is free exactly one window later', () => {
  const isAdmitted = createQuotaCounter({ requests: 2, windowSeconds: 10 });
  expect(isAdmitted('a', 0)).toBe(true);
  expect(isAdmitted('a', 4_000)).toBe(true);
  // Three requests are in the window: the two oldest must leave it before another one is admitted.
  expect(isAdmitted('a', 5_000)).toBe(false);
  expect(isAdmitted('a', 10_000)).toBe(false);
  expect(isAdmitted('a', 15_000)).toBe(true);
  expect(isAdmitted('b', 15_000)).toBe(true);
  expect(isAdmitted('b', 15_000)).toBe(true);
  expect(isAdmitted('b', 24_999)).toBe(false);
});

test.each(['sliding', 'fixed'] as const)('%s: admits a request if its window has room', (mode) => {
  const windowMs = 2_000;
  const isSameWindow = (earlierMs: number, laterMs: number) =>
    mode === 'sliding'
      ? laterMs - earlierMs < windowMs
      : Math.floor(earlierMs / windowMs) === Math.floor(laterMs / windowMs);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.constantFrom(0, 1, 333, 499, 500, 501, 667, 1_000), { maxLength: 30 }),
      (requests, gaps) => {
        const isAdmitted = createQuotaCounter({ requests, windowSeconds: 2, mode });
        const arrivals: number[] = [];
        for (const gap of gaps) {
          const atMs = (arrivals.at(-1) ?? 0) + gap;
          arrivals.push(atMs);
          const inWindow = arrivals.filter((earlierMs) => isSameWindow(earlierMs, atMs)).length;
          expect(isAdmitted('a', atMs)).toBe(inWindow <= requests);
        }
      },
    ),
  );
});

test('fixed: the count starts again with each window', () => {
  const isAdmitted = createQuotaCounter({ requests: 1, windowSeconds: 10, mode: 'fixed' });
  expect(isAdmitted('a', 9_000)).toBe(true);
  expect(isAdmitted('a', 9_999)).toBe(false);
  expect(isAdmitted('a', 10_000)).toBe(true);
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
