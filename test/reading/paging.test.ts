// Tests the paging decisions on single shifts of the list and on endpoints that behave oddly. Seeded histories of moving lists:
// paging.property.test.ts.

import { describe, expect, test } from 'vitest';
import { passesMax } from '../../lib/reading/paging.ts';
import { requestsFor } from '../../lib/runs/cost.ts';
import { createRandom } from '../support/moving-list.ts';
import { limits, type Outcome, readList, readMoving } from './read-list.ts';

describe('a list that does not move', () => {
  test.each([0, 1, 4, 5, 6, 9, 10, 11, 100, 997])(
    'of %i nodes needs ceil((N-1)/(limit-1)) requests',
    (size) => {
      const { verdict, read, requests } = readMoving({
        seed: 1,
        size,
        inserts: 0,
        deletes: 0,
        moves: 0,
      });
      expect(verdict).toBe('complete');
      expect(read.size).toBe(size);
      expect(requests).toBe(requestsFor(size, limits.limit));
    },
  );
});

describe('single shifts', () => {
  /** The list at each request; the last state stays. */
  function readStates(states: readonly string[][]): Outcome {
    let request = 0;
    return readList((offset) => {
      const state = states[Math.min(request, states.length - 1)] ?? [];
      request += 1;
      return { totalNum: state.length, ids: state.slice(offset, offset + limits.limit) };
    });
  }
  const letters = (text: string) => text.split('');

  test('anchor deleted: the page overlaps at the row before it', () => {
    const { verdict, read } = readStates([letters('abcdefgh'), letters('abcdfgh')]);
    expect(verdict).toBe('complete');
    expect([...read].sort().join('')).toBe('abcdefgh');
  });
  test('more than a page deleted before the cursor: steps back', () => {
    const { verdict, read, requests } = readStates([
      letters('abcdefghijklmnop'),
      letters('abcdefghijklmnop'),
      letters('abijklmnop'),
    ]);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(16);
    expect(requests).toBeLessThan(10);
  });
  test('every row read so far deleted: continues from offset 0', () => {
    const { verdict, read } = readStates([letters('abcdefghij'), letters('fghij')]);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(10);
  });
  test('more than two pages inserted before the anchor: complete', () => {
    const { verdict, read } = readStates([
      letters('abcdefgh'),
      letters('abcd123456789012ABefgh'.replace('012AB', 'XYZUV')),
    ]);
    expect(verdict).toBe('complete');
    expect(letters('abcdefgh').every((id) => read.has(id))).toBe(true);
  });
  test('all rows deleted: complete', () => {
    const { verdict, read } = readStates([letters('abcdefgh'), []]);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(5);
  });
  test('an unread row moved into the part already read, total unchanged: a second pass is complete', () => {
    const { verdict, read, passes } = readStates([letters('abcdefgh'), letters('habcdefg')]);
    expect(passes).toBe(2);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(8);
  });
  test('a row already read moved into the unread part: an inversion, and a second pass', () => {
    const { passes, verdict } = readStates([
      letters('abcdefghij'),
      letters('acdefghibj'),
      letters('acdefghibj'),
    ]);
    expect(verdict).toBe('complete');
    expect(passes).toBe(2);
  });
  test('a node listed twice in every pass: drifted after two passes', () => {
    const state = letters('abcdefghbj');
    const { verdict, passes } = readStates([state]);
    expect(verdict).toBe('drifted');
    expect(passes).toBe(2);
  });
  test('another order at every request: drifted after the last pass', () => {
    const random = createRandom(7);
    const ids = letters('abcdefghijklmnopqrst');
    const { verdict, passes, read } = readList((offset) => {
      const state = ids.map((id) => ({ id, at: random() })).sort((a, b) => a.at - b.at);
      const page = state.slice(offset, offset + limits.limit).map(({ id }) => id);
      return { totalNum: ids.length, ids: page };
    });
    expect(verdict).toBe('drifted');
    expect(passes).toBeLessThanOrEqual(passesMax);
    expect(read.size).toBeGreaterThan(15);
  });
});

describe('an endpoint that', () => {
  test('ignores offset is reported after few requests', () => {
    let requests = 0;
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const act = () =>
      readList(() => {
        requests += 1;
        return { totalNum: 400, ids };
      });
    expect(act).toThrow(expect.objectContaining({ code: 'PAGES_STAND_STILL' }));
    expect(requests).toBeLessThan(40);
  });
  test('counts nodes that it does not list is reported', () => {
    const ids = Array.from({ length: 12 }, (_, index) => `n${index}`);
    expect(() =>
      readList((offset) => ({ totalNum: 400, ids: ids.slice(offset, offset + 5) })),
    ).toThrow(/have no new record, although the API states 400 container nodes/);
  });
  test('reverses its list at every request: drifted, after a limited number of requests', () => {
    const ids = Array.from({ length: 50 }, (_, index) => `n${index}`);
    const { verdict, requests } = readList((offset) => {
      ids.reverse();
      return { totalNum: ids.length, ids: ids.slice(offset, offset + 5) };
    });
    expect(verdict).toBe('drifted');
    expect(requests).toBeLessThan(1_500);
  });
  test('counts fewer nodes than it lists is read up to a short page', () => {
    const ids = Array.from({ length: 43 }, (_, index) => `n${index}`);
    const { read, verdict } = readList((offset) => ({
      totalNum: 20,
      ids: ids.slice(offset, offset + 5),
    }));
    expect(read.size).toBe(43);
    expect(verdict).toBe('complete');
  });
  test('returns shorter pages than requested is read to its end', () => {
    const ids = Array.from({ length: 12 }, (_, index) => `n${index}`);
    const { verdict, read } = readList((offset) => ({
      totalNum: ids.length,
      ids: ids.slice(offset, offset + 3),
    }));
    expect(verdict).toBe('complete');
    expect(read.size).toBe(12);
  });
  test('has more nodes than offsets can reach is reported', () => {
    expect(() => readList(() => ({ totalNum: 10_006, ids: ['a', 'b', 'c', 'd', 'e'] }))).toThrow(
      /The API can list only the first 10005/,
    );
  });
  test('has exactly as many nodes as offsets can reach is read to its end', () => {
    const { verdict, read } = readList((offset) => {
      if (offset > limits.offsetMax) throw new Error(`offset ${offset}`);
      const end = Math.min(offset + 5, 10_005);
      return {
        totalNum: 10_005,
        ids: Array.from({ length: end - offset }, (_, index) => `n${offset + index}`),
      };
    });
    expect(verdict).toBe('complete');
    expect(read.size).toBe(10_005);
  });
  test('loses most of its list for one answer is read in a second pass', () => {
    const ids = Array.from({ length: 40 }, (_, index) => `n${index}`);
    let requests = 0;
    const { passes, read } = readList((offset) => {
      requests += 1;
      const state = requests === 3 ? ids.slice(0, 6) : ids;
      return { totalNum: state.length, ids: state.slice(offset, offset + 5) };
    });
    expect(passes).toBe(2);
    expect(read.size).toBe(40);
  });
});
