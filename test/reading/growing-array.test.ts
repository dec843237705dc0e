// Tests that a growing array keeps every number, at the ends of its chunks too.

import { expect, test } from 'vitest';
import { createGrowingArray } from '../../lib/reading/growing-array.ts';

test.each([
  ['Float64Array', Float64Array, (index: number) => index / 3],
  ['Int32Array', Int32Array, (index: number) => -index],
  ['Uint32Array', Uint32Array, (index: number) => 2 ** 32 - 1 - index],
] as const)('keeps 100,000 numbers of a %s, set in order and again', (_, Type, numberAt) => {
  const array = createGrowingArray(Type);
  const size = 100_000;
  for (let index = 0; index < size; index += 1) array.set(index, numberAt(index));
  for (let index = 0; index < size; index += 1) {
    if (array.get(index) !== numberAt(index)) expect(array.get(index)).toBe(numberAt(index));
  }
  for (let index = 0; index < size; index += 1_000) array.set(index, 7);
  expect([0, 1_000, 99_000].map(array.get)).toEqual([7, 7, 7]);
  expect([1, 16_383, 16_384, 99_999].map(array.get)).toEqual(
    [1, 16_383, 16_384, 99_999].map(numberAt),
  );
});
