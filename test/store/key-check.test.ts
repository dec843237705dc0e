import { expect, test } from 'vitest';
import { ProtocolError } from '../../lib/core/errors.ts';
import { checkKey } from '../../lib/store/key-check.ts';

test.each(['', 'a//b', '/a', 'a/', '.', '../a', 'a/..', 'a\0b', '\ud800'])(
  '%j is no key',
  (key) => {
    expect(() => checkKey(key)).toThrow(ProtocolError);
  },
);

test.each(['a', '_runs/schedule.json', 'a b/ä/😀+%?#', '...', 'a/.b', '-'])('%j is one', (key) => {
  expect(() => checkKey(key)).not.toThrow();
});
