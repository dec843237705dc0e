// Tests that every node that is in the list from the first page to the last is read, whatever is added and deleted in the
// meantime, or that the verdict is `drifted`: thousands of seeded histories of a moving list with small pages, so that every kind of
// shift happens. The list itself knows which nodes survived.

import { describe, expect, test } from 'vitest';
import { createRandom } from '../support/moving-list.ts';
import { limits, readList, readMoving } from './read-list.ts';

describe('a list that moves', () => {
  test('by inserts and deletes: every survivor is read and the verdict is complete, in 10,000 histories', () => {
    const outcomes = { complete: 0, drifted: 0, passes: 0 };
    for (let seed = 1; seed <= 10_000; seed += 1) {
      const size = (seed * 7) % 60;
      const history = {
        seed,
        size,
        inserts: 1 + (seed % 4),
        deletes: 1 + ((seed >> 2) % 4),
        moves: 0,
      };
      const { verdict, missing, passes } = readMoving(history, { forget: seed % 10 === 0 });
      expect(missing, `seed ${seed}`).toEqual([]);
      outcomes[verdict] += 1;
      outcomes.passes += passes;
    }
    expect(outcomes.drifted).toBe(0);
    expect(outcomes.passes).toBeLessThan(11_500);
  });

  test('by as many inserts as deletes, so that its total does not change: complete', () => {
    for (let seed = 1; seed <= 2_000; seed += 1) {
      const random = createRandom(seed);
      const below = (count: number) => Math.floor(random() * count);
      const ids = Array.from({ length: 10 + (seed % 60) }, (_, index) => `n${index}`);
      const survivors = new Set(ids);
      let next = 0;
      let answered = false;
      const { verdict, read } = readList((offset) => {
        for (let count = answered ? 1 + (seed % 3) : 0; count > 0; count -= 1) {
          survivors.delete(ids.splice(below(ids.length), 1)[0] ?? '');
          ids.splice(below(ids.length + 1), 0, `x${next++}`);
        }
        answered = true;
        return { totalNum: ids.length, ids: ids.slice(offset, offset + limits.limit) };
      });
      expect(
        [...survivors].filter((id) => !read.has(id)),
        `seed ${seed}`,
      ).toEqual([]);
      expect(verdict, `seed ${seed}`).toBe('complete');
    }
  });

  test('by moves only: never complete with a survivor missing, in 5,000 histories', () => {
    let drifted = 0;
    for (let seed = 1; seed <= 5_000; seed += 1) {
      const history = {
        seed,
        size: 10 + (seed % 40),
        inserts: 0,
        deletes: 0,
        moves: 1 + (seed % 3),
      };
      const { verdict, missing } = readMoving(history);
      if (verdict === 'complete') expect(missing, `seed ${seed}`).toEqual([]);
      else drifted += 1;
    }
    expect(drifted).toBeGreaterThan(500);
  });

  test('by inserts, deletes and moves: the undetectable loss stays rare, in 5,000 histories', () => {
    // Known limit: a move can look like an insert and a delete between the same two requests. Short lists with small pages
    // and a move before every request are by far the worst case.
    let lost = 0;
    for (let seed = 1; seed <= 5_000; seed += 1) {
      const history = { seed, size: 10 + (seed % 40), inserts: 2, deletes: 2, moves: 1 };
      const { verdict, missing, moved } = readMoving(history);
      const others = missing.filter((id) => !moved.has(id));
      if (verdict === 'complete' && others.length > 0) lost += 1;
    }
    expect(lost).toBeLessThan(100);
  });
});
