// Responsible for rows with a column of each type and any values.

import fc from 'fast-check';
import type { Cell, Column } from '../../lib/core/ports.ts';

export const everyType: Column[] = [
  { name: 'id', type: 'string', required: true },
  { name: 'text', type: 'string' },
  { name: 'flag', type: 'boolean' },
  { name: 'count', type: 'int32' },
  { name: 'total', type: 'int64' },
  { name: 'at', type: 'timestamp' },
];

/** Often at the limits of an int64 and of a double. */
const anyInt64 = fc
  .oneof(
    fc.constantFrom(...[-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 0n]),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -9n, max: 9n }),
  )
  .map(String);

/** A row of `everyType`. `cellText`: of the second column. */
export function anyRow(
  text: fc.Arbitrary<string>,
  cellText: fc.Arbitrary<string> = text,
): fc.Arbitrary<Cell[]> {
  const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 3 });
  return fc.tuple(
    text,
    nullable(cellText),
    nullable(fc.boolean()),
    nullable(fc.integer()),
    nullable(anyInt64),
    nullable(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })),
  );
}
