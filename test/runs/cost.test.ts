import { expect, test } from 'vitest';
import { allowedRequests, quotaShare, requestsFor, spanMs } from '../../lib/runs/cost.ts';

const quota = { requests: 5, windowMs: 60_000 };

// The first page brings 200 rows. Each later page starts with the last row of the page before and brings 199. After a full page,
// one more request shows that it was the last one.
test.each([
  [0, 1],
  [1, 1],
  [199, 1],
  [200, 2],
  [201, 2],
  [398, 2],
  [399, 3],
  [400, 3],
  [1_000, 6],
  [10_000, 51],
  [100_000, 503],
])('%i rows by 200: %i requests', (rows, requests) => {
  expect(requestsFor(rows, 200)).toBe(requests);
});

test.each([
  [1, 0],
  [5, 0],
  [6, 60_000],
  [10, 60_000],
  [11, 120_000],
  [503, 100 * 60_000],
])('%i requests take %i ms from the first to the last', (requests, ms) => {
  expect(spanMs(requests, quota)).toBe(ms);
});

test('computes the share of the quota that a schedule uses', () => {
  expect(quotaShare(300, quota, 3_600_000)).toBe(1);
  expect(quotaShare(72, quota, 24 * 3_600_000)).toBeCloseTo(0.01);
});

test('5 requests per minute are 1,800 in 6 hours', () => {
  expect(allowedRequests(quota, 6 * 3_600_000)).toBe(1_800);
});
