// Tests that the first items of a long sequence are kept, as sorting all of them would give.

import { expect, test } from 'vitest';
import { openTopList } from '../../lib/reports/top-list.ts';
import { createRandom } from '../../lib/simulator/random.ts';

test('keeps the first ones, and equal ones in the order in which they were added', () => {
  const random = createRandom(1);
  const items = Array.from({ length: 1_000 }, (_, place) => ({
    rank: Math.floor(random() * 20),
    place,
  }));
  const compare = (a: { rank: number }, b: { rank: number }) => a.rank - b.rank;
  const top = openTopList(30, compare);
  expect(top.list()).toEqual([]);
  for (const item of items) {
    const last = top.last();
    // What ranks as the last one or after it cannot be among the first.
    if (!last || item.rank < last.rank) top.add(item);
  }
  expect(top.list()).toEqual([...items].sort(compare).slice(0, 30));
});
