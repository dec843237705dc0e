// Tests that a duration is shown in the unit that suits it.

import { expect, test } from 'vitest';
import { describeDuration } from '../../lib/core/duration.ts';

test.each([
  [2_400, '2 s'],
  [60_000, '60 s'],
  [900_000, '15 min'],
  [90_000_000, '25 h'],
  [86_400_000, '24 h'],
  [14 * 86_400_000, '14 d'],
])('%i ms is %s', (durationMs, text) => {
  expect(describeDuration(durationMs)).toBe(text);
});
