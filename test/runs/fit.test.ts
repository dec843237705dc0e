// Tests whether a schedule fits the quota, and what would fit instead.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findSchedule, judgeFit, splitAccounts } from '../../lib/runs/fit.ts';

const quota = { requests: 5, windowMs: 60_000 };
const hourMs = 3_600_000;

test.each([
  [1_800, 0, true],
  [1_801, 0, false],
  [1_700, 1, null],
  // Each target of unknown size needs at least one request.
  [1_700, 101, false],
  [0, 1, null],
])('%i known requests and %i unknown sizes of 1,800 requests: %s', (known, unknown, fits) => {
  expect(judgeFit(known, unknown, 1_800)).toBe(fits);
});

test('finds the shortest usual schedule that leaves a fifth of the quota', () => {
  const minutes = (requests: number) => (findSchedule(requests, quota) ?? 0) / 60_000;
  // 4 of 5 requests per minute.
  expect([1, 4, 5, 8, 12, 20, 21, 60, 61].map(minutes)).toEqual([1, 1, 2, 2, 3, 5, 10, 15, 20]);
  expect([120, 121, 240, 241].map(minutes)).toEqual([30, 60, 60, 120]);
  expect(findSchedule(1_440, quota)).toBe(6 * hourMs);
  expect(findSchedule(5_760, quota)).toBe(24 * hourMs);
  expect(findSchedule(5_761, quota)).toBe(48 * hourMs);
  expect(findSchedule(5_760 * 367, quota)).toBeNull();
});

describe('splitAccounts', () => {
  test('every configuration fits, every account is in one, and accounts of one key stay together', () => {
    const demand = fc.record({
      user: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      requests: fc.nat(60),
    });
    fc.assert(
      fc.property(fc.array(demand, { minLength: 1, maxLength: 30 }), (given) => {
        const demands = given.map((one, index) => ({ ...one, account: `account-${index}` }));
        const ofUser = (user: string) => demands.filter((one) => one.user === user);
        const sum = (list: readonly { requests: number }[]) =>
          list.reduce((total, { requests }) => total + requests, 0);
        const groups = splitAccounts(demands, 100);
        const isPossible = demands.every(({ user }) => sum(ofUser(user)) <= 100);
        expect(groups !== null).toBe(isPossible);
        if (groups === null) return;
        expect(groups.flat().sort()).toEqual(demands.map(({ account }) => account).sort());
        for (const group of groups) {
          const own = demands.filter(({ account }) => group.includes(account));
          expect(sum(own)).toBeLessThanOrEqual(100);
          for (const { user } of own) {
            expect(ofUser(user).every(({ account }) => group.includes(account))).toBe(true);
          }
        }
      }),
    );
  });
});
