// Tests which days are not proven, and what the integrity of a report comes to.

import { expect, test } from 'vitest';
import type { DayState } from '../../../lib/reports/figures.ts';
import {
  describeDays,
  describeTimes,
  judgeIntegrity,
  listUnprovenDays,
} from '../../../lib/reports/page/page-summary.ts';
import { makeFigures } from '../seeded-figures.ts';

function withStates(states: readonly DayState[]) {
  const [target] = makeFigures({ days: states.length }).targets;
  if (!target) throw new Error('no target');
  return {
    ...target,
    days: target.days.map((day, index) => ({ ...day, state: states[index] ?? 'none', missed: 1 })),
  };
}

test('days in a row with one unproven state are one range', () => {
  const target = withStates([
    'missing',
    'missing',
    'drifted',
    'complete',
    'missing',
    'none',
    'missing',
  ]);
  expect(listUnprovenDays(target)).toEqual([
    { from: '2026-11-19', to: '2026-11-20', state: 'missing', missed: 2 },
    { from: '2026-11-21', to: '2026-11-21', state: 'drifted', missed: 1 },
    { from: '2026-11-23', to: '2026-11-23', state: 'missing', missed: 1 },
    { from: '2026-11-25', to: '2026-11-25', state: 'missing', missed: 1 },
  ]);
});

test('a day is proven only if no target is drifted or missing on it', () => {
  const targets = [
    withStates(['complete', 'drifted', 'none', 'none', 'pruned']),
    withStates(['complete', 'complete', 'missing', 'none', 'complete']),
  ];
  expect(describeDays(targets)).toEqual({ due: 4, unproven: 2 });
});

test('the times are those of the newest complete snapshots', () => {
  const { targets } = makeFigures();
  expect(describeTimes(targets)).toEqual({
    from: '2026-11-25T18:00:00Z',
    to: '2026-11-25T18:00:00Z',
  });
  expect(describeTimes(targets.map((target) => ({ ...target, newestComplete: null })))).toBeNull();
});

test('a fault counts more than anything else', () => {
  const { integrity } = makeFigures();
  const one = { total: 1, shown: [] };
  expect(judgeIntegrity(integrity)).toBe('anchored');
  expect(judgeIntegrity({ ...integrity, unchecked: one })).toBe('unchecked');
  expect(judgeIntegrity({ ...integrity, status: 'notVerified', unchecked: one })).toBe(
    'notVerified',
  );
  expect(judgeIntegrity({ ...integrity, status: 'notVerified', faults: one })).toBe('failed');
  expect(judgeIntegrity({ ...integrity, status: 'failed' })).toBe('failed');
});
