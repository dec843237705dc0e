// Tests that each list has one ledger, and that all of them are released.

import { expect, test } from 'vitest';
import { openLedgers } from '../../lib/quota/ledgers.ts';

test('opens the ledger of a list once, and releases all although one fails', async () => {
  const released: string[] = [];
  const ledgers = openLedgers((list) => ({
    list,
    async release() {
      released.push(list);
      if (list === 'a') throw new Error('store failed');
    },
  }));
  expect(ledgers.of('a')).toBe(ledgers.of('a'));
  expect(ledgers.of('b').list).toBe('b');
  await expect(ledgers.release()).rejects.toThrow('store failed');
  expect(released).toEqual(['a', 'b']);
});
