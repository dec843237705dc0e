// Tests the size of a row.

import { expect, test } from 'vitest';
import { countCharacters } from '../../lib/core/row-size.ts';

test('counts the characters of the texts only', () => {
  expect(countCharacters([])).toBe(0);
  expect(countCharacters([1_790_000_000_000, null, true, 'abc', '', '节点'])).toBe(5);
});
