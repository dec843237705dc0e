// Tests the checks of values from outside.

import { expect, test } from 'vitest';
import { asRecord, isInt32, isWellFormed } from '../../lib/core/value-shape.ts';

test('asRecord returns an object as it is and an empty object for anything else', () => {
  const object = { a: 1 };
  expect(asRecord(object)).toBe(object);
  for (const value of [null, undefined, 'text', 7, true]) expect(asRecord(value)).toEqual({});
});

test.each([
  [-(2 ** 31), true],
  [2 ** 31 - 1, true],
  [-0, true],
  [2 ** 31, false],
  [-(2 ** 31) - 1, false],
  [0.5, false],
  [Number.NaN, false],
  [Number.POSITIVE_INFINITY, false],
])('isInt32(%d) is %s', (value, expected) => {
  expect(isInt32(value)).toBe(expected);
});

test.each([
  ['', true],
  ['节点 😀', true],
  ['\ud83d', false],
  ['\ude00\ud83d', false],
])('isWellFormed(%j) is %s', (text, expected) => {
  expect(isWellFormed(text)).toBe(expected);
});
