// Responsible for rows with a column of each type and any values.

import fc from 'fast-check';
import type { Cell, Column } from '../../lib/core/ports.ts';

export const everyType: Column[] = [
  { name: 'id', type: 'string', required: true },
  { name: 'text', type: 'string' },
  { name: 'flag', type: 'boolean' },
  { name: 'count', type: 'int32' },
  { name: 'at', type: 'timestamp' },
];

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
    nullable(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })),
  );
}
