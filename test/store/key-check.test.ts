// Tests which object keys every store accepts.

import { expect, test } from 'vitest';
import { ProtocolError } from '../../lib/core/errors.ts';
import { checkKey } from '../../lib/store/key-check.ts';

test.each(['', 'a//b', '/a', 'a/', '.', '../a', 'a/..', 'a\0b', '\ud800'])(
  'rejects the key %j',
  (key) => {
    expect(() => checkKey(key)).toThrow(ProtocolError);
  },
);

test.each(['a', '_runs/schedule.json', 'a b/ä/😀+%?#', '...', 'a/.b', '-'])(
  'accepts the key %j',
  (key) => {
    expect(() => checkKey(key)).not.toThrow();
  },
);
