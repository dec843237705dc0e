// Tests which slots count as missed.

import { expect, test } from 'vitest';
import { findGaps } from '../../lib/snapshots/gaps.ts';

const hour = 3_600;
const nowMs = Date.UTC(2026, 10, 24, 23, 59);
const at = (time: string, scheduleSeconds = 6 * hour) => ({
  snapshot: `20261124T${time}Z`,
  scheduleSeconds,
});

test('a slot with a snapshot anywhere in it is not missed', () => {
  expect(findGaps([at('000000'), at('115959'), at('120000'), at('180001')], nowMs)).toEqual([]);
});

test('slots in a row without a snapshot are one gap, as the schedule before the gap counts them', () => {
  const gaps = findGaps([at('000000', hour), at('040000'), at('180000')], nowMs);
  expect(gaps).toEqual([
    { from: '20261124T010000Z', to: '20261124T030000Z', slots: 3 },
    { from: '20261124T060000Z', to: '20261124T120000Z', slots: 2 },
  ]);
});

test('after the newest snapshot, only slots that are over are missed', () => {
  const missed = { from: '20261124T060000Z', to: '20261124T120000Z', slots: 2 };
  expect(findGaps([at('000000')], nowMs)).toEqual([missed]);
  expect(findGaps([], nowMs)).toEqual([]);
});

test('a manifest without a schedule has no gap after it', () => {
  expect(findGaps([at('000000', 0)], nowMs)).toEqual([]);
});

test('with bounds, only slots that begin within them count', () => {
  const bounds = { sinceMs: Date.UTC(2026, 10, 24, 3), untilMs: Date.UTC(2026, 10, 24, 7, 30) };
  const gaps = findGaps([at('000000', hour), at('230000', hour)], nowMs, bounds);
  expect(gaps).toEqual([{ from: '20261124T030000Z', to: '20261124T070000Z', slots: 5 }]);
  expect(findGaps([at('080000', hour), at('120000', hour)], nowMs, bounds)).toEqual([]);
});
