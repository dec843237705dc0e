// Tests which versions of a stored object are those of a newer program.

import { expect, test } from 'vitest';
import { CorruptError, NewerVersionError } from '../../lib/core/errors.ts';
import { refuseNewer } from '../../lib/core/stored-version.ts';

const check = (found: unknown) => () =>
  refuseNewer('some/key', { member: 'someVersion', found, read: 2, hint: 'h' });

test.each([3, 4, 2 ** 40])('refuses %s where version 2 is read', (found) => {
  const message = `some/key: was written by a newer version of cgs-export (someVersion ${found}; this version reads 2)`;
  expect(check(found)).toThrow(message);
  expect(check(found)).toThrow(NewerVersionError);
  // It proves nothing, so it is a fault all the same.
  expect(check(found)).toThrow(CorruptError);
});

test.each([2, 1, 0, -3, 2.5, Number.NaN, Number.POSITIVE_INFINITY, '3', [3], null, undefined])(
  'says nothing about %s',
  (found) => {
    expect(check(found)).not.toThrow();
  },
);
