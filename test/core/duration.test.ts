// Tests that a duration is shown in the unit that suits it, and how each kind is rounded.

import { expect, test } from 'vitest';
import {
  chooseUnit,
  describeDifference,
  describeDuration,
  describeWait,
} from '../../lib/core/duration.ts';

test.each([
  [2_400, '2 s'],
  [60_000, '60 s'],
  [900_000, '15 min'],
  [90_000_000, '25 h'],
  [86_400_000, '24 h'],
  [14 * 86_400_000, '14 d'],
  [119_999, '119 s'],
  [15 * 60_000 + 59_999, '15 min'],
  [25 * 3_600_000 + 3_599_999, '25 h'],
  [4 * 86_400_000 - 1, '3 d'],
])('%i ms is %s', (durationMs, text) => {
  expect(describeDuration(durationMs)).toBe(text);
});

test('rounds a wait up', () => {
  expect([1, 60_000, 120_001, 9_000_000].map(describeWait)).toEqual([
    '1 s',
    '60 s',
    '3 min',
    '3 h',
  ]);
});

test('rounds a difference to the nearest', () => {
  expect([1_400, 20 * 60_000 - 300, 10 * 60_000 + 300].map(describeDifference)).toEqual([
    '1 s',
    '20 min',
    '10 min',
  ]);
});

test('the unit changes at two of the next one', () => {
  const bounds = [120_000, 7_200_000, 172_800_000];
  expect(bounds.map((durationMs) => chooseUnit(durationMs - 1))).toEqual(['s', 'min', 'h']);
  expect(bounds.map(chooseUnit)).toEqual(['min', 'h', 'd']);
});
