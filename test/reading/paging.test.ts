// Tests the paging decisions on single shifts of the list and on endpoints that behave oddly. Seeded histories of moving lists:
// paging.property.test.ts.

import { describe, expect, test } from 'vitest';
import { passesMax } from '../../lib/reading/pass-evidence.ts';
import { requestsFor } from '../../lib/runs/cost.ts';
import { createRandom } from '../support/moving-list.ts';
import { limits, type Outcome, readList } from './read-list.ts';

const nodes = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);

/** A list that does not move, with its true total unless another one is given. */
function readQuiet(
  ids: readonly string[],
  { limit = limits.limit, totalNum = ids.length }: { limit?: number; totalNum?: number } = {},
): Outcome {
  return readList((offset) => ({ totalNum, ids: ids.slice(offset, offset + limit) }), { limit });
}

describe('a list that does not move', () => {
  const pageEnds = (limit: number) =>
    [1, 2, 3, 4, 5, 25].flatMap((pages) => [-2, -1, 0, 1, 2].map((k) => pages * (limit - 1) + k));
  test.each([
    [5, [0, 1, ...pageEnds(5)]],
    [20, [0, 1, ...pageEnds(20)]],
    [50, [0, 1, ...pageEnds(50)]],
    [200, [0, 1, ...pageEnds(200)]],
  ])(
    'by %i needs ceil((N-1)/(limit-1)) requests, one more if its last page is full',
    (limit, sizes) => {
      for (const size of sizes) {
        const { verdict, read, requests, evidence } = readQuiet(nodes(size), { limit });
        const isFullAtEnd = size > 1 && (size - 1) % (limit - 1) === 0;
        const pages = Math.max(1, Math.ceil((size - 1) / (limit - 1)));
        expect(requests, `${size} nodes`).toBe(pages + (isFullAtEnd ? 1 : 0));
        expect(requests).toBe(requestsFor(size, limit));
        expect(read.size).toBe(size);
        expect(evidence.missing).toBe(0);
        expect(verdict).toBe('complete');
      }
    },
  );
});

describe('a stated total that is', () => {
  test.each([200, 399, 598, 797, 0, 1, 999])(
    'too small, %i of 1,000, does not end a pass: the list is read to its end',
    (totalNum) => {
      const { read, verdict, passes, requests } = readQuiet(nodes(1_000), { limit: 200, totalNum });
      expect([read.size, verdict, passes]).toEqual([1_000, 'complete', 1]);
      // One more request than for the true total.
      expect(requests).toBe(7);
    },
  );
  test('much too small, in a long list: not given up', () => {
    const { read, verdict } = readQuiet(nodes(1_000), { totalNum: 1 });
    expect([read.size, verdict]).toEqual([1_000, 'complete']);
  });
  test('too small, when the list has become shorter: the rows before are read again', () => {
    const ids = nodes(201);
    const { verdict, passes } = readList((offset) => {
      if (offset === 200 && ids.length === 201) ids.pop();
      return { totalNum: 50, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect([verdict, passes]).toEqual(['complete', 1]);
  });
  test('late, when the list has become shorter: complete in one pass', () => {
    let requests = 0;
    const { verdict, passes, read } = readList((offset) => {
      requests += 1;
      const ids = requests < 3 ? nodes(12) : nodes(12).slice(4);
      // The total follows the list three requests later.
      const totalNum = requests < 6 ? 12 : 8;
      return { totalNum, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect([verdict, passes, read.size]).toEqual(['complete', 1, 12]);
  });
  test('too large by 3 on every page: drifted after two passes, with 3 missing', () => {
    const { verdict, read, passes, requests, evidence } = readQuiet(nodes(450), {
      limit: 200,
      totalNum: 453,
    });
    expect([verdict, read.size, passes, requests]).toEqual(['drifted', 450, 2, 8]);
    expect(evidence.missing).toBe(3);
  });
  test('too large, while the list moves: drifted, with what is missing at the end', () => {
    const ids = nodes(60);
    const { verdict, evidence, passes } = readList((offset) => {
      ids.splice(3, 1);
      ids.splice(1, 0, `x${offset}`, `y${offset}`);
      return { totalNum: ids.length + 2, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect([verdict, passes]).toEqual(['drifted', 2]);
    expect(evidence.missing).toBeGreaterThan(0);
  });
  test('too large on the last page only: complete after one more request', () => {
    let requests = 0;
    const { verdict, passes, read } = readList((offset) => {
      requests += 1;
      const ids = nodes(12).slice(offset, offset + limits.limit);
      return { totalNum: requests === 3 ? 13 : 12, ids };
    });
    expect([verdict, passes, read.size, requests]).toEqual(['complete', 1, 12, 4]);
  });
  test('one, of an empty list: drifted, with 1 missing', () => {
    const { verdict, evidence, requests } = readQuiet([], { totalNum: 1 });
    expect([verdict, evidence.missing]).toEqual(['drifted', 1]);
    expect(requests).toBeLessThan(10);
  });
  test('equal to the end of a short page in the middle: the list is read to its end', () => {
    // Pages of 3 where 5 were requested: the first short page is not the end, so no other one is without a further request.
    const ids = nodes(20);
    const { verdict, read } = readList((offset) => ({
      totalNum: 7,
      ids: ids.slice(offset, offset + 3),
    }));
    expect([verdict, read.size]).toEqual(['complete', 20]);
  });
});

describe('a list that falls below half of what it was', () => {
  const falling = (states: readonly { totalNum: number; size: number }[]) => {
    let request = 0;
    const ids = nodes(450);
    return readList(
      (offset) => {
        const state = states[Math.min(request, states.length - 1)] ?? { totalNum: 0, size: 0 };
        request += 1;
        return {
          totalNum: state.totalNum,
          ids: ids.slice(0, state.size).slice(offset, offset + 200),
        };
      },
      { limit: 200 },
    );
  };
  const full = { totalNum: 450, size: 450 };

  test('to nothing, for ever: drifted, because a second pass over the short list proves nothing', () => {
    const { verdict, evidence, read, requests } = falling([full, { totalNum: 0, size: 0 }]);
    expect([verdict, read.size]).toEqual(['drifted', 200]);
    // By the largest total that the run has seen.
    expect(evidence.missing).toBe(250);
    expect(requests).toBeLessThan(6);
  });
  test('to nothing, while the stated total stays: drifted, and rows that the run has met are not missing', () => {
    const { verdict, evidence, read } = falling([full, { totalNum: 450, size: 0 }]);
    expect([verdict, read.size, evidence.missing]).toEqual(['drifted', 200, 250]);
  });
  test('to a few, for ever: drifted', () => {
    expect(falling([full, { totalNum: 224, size: 224 }]).verdict).toBe('drifted');
  });
  test('to exactly half: complete, as after deletions', () => {
    expect(falling([full, { totalNum: 225, size: 225 }]).verdict).toBe('complete');
  });
  test('between two passes: drifted', () => {
    const more = { totalNum: 451, size: 450 };
    // The first pass ends with one row missing. The second one finds a short list.
    const few = { totalNum: 20, size: 20 };
    expect(falling([more, more, more, more, few]).verdict).toBe('drifted');
  });
  test('for one answer: complete if the next pass reads as many rows again, else drifted', () => {
    const dip = { totalNum: 3, size: 3 };
    expect(falling([full, dip, full])).toMatchObject({ verdict: 'complete', passes: 2 });
    expect(falling([full, dip, { totalNum: 449, size: 449 }]).verdict).toBe('drifted');
  });
  test('while the stated total stays too small: drifted', () => {
    // The total alone shows no fall: the rows that were listed before do.
    const { verdict } = falling([
      { totalNum: 10, size: 450 },
      { totalNum: 10, size: 450 },
      { totalNum: 10, size: 450 },
      { totalNum: 10, size: 10 },
    ]);
    expect(verdict).toBe('drifted');
  });
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
  test.each([1, 2])('%i rows deleted, pages of 200: costs no request', (count) => {
    // 4,250 nodes leave 128 rows of the last page unused, so that each page can repeat three.
    const state = nodes(4_250);
    const { verdict, requests } = readList(
      (offset) => {
        if (offset > 1_000 && state.length === 4_250) state.splice(500, count);
        return { totalNum: state.length, ids: state.slice(offset, offset + 200) };
      },
      { limit: 200 },
    );
    expect([verdict, requests]).toEqual(['complete', requestsFor(4_250, 200)]);
  });
  test('a block of 600 rows deleted, pages of 200: one step back reaches the rows before it', () => {
    const state = nodes(4_250);
    const { verdict, requests } = readList(
      (offset) => {
        if (offset > 2_000 && state.length === 4_250) state.splice(500, 600);
        return { totalNum: state.length, ids: state.slice(offset, offset + 200) };
      },
      { limit: 200 },
    );
    expect([verdict, requests]).toEqual(['complete', requestsFor(4_250, 200) + 1]);
  });
  test('more than two pages inserted before the anchor: complete', () => {
    const { verdict, read } = readStates([
      letters('abcdefgh'),
      letters('abcd123456789012ABefgh'.replace('012AB', 'XYZUV')),
    ]);
    expect(verdict).toBe('complete');
    expect(letters('abcdefgh').every((id) => read.has(id))).toBe(true);
  });
  test('all rows deleted: drifted, because the list may come back', () => {
    const { verdict, read } = readStates([letters('abcdefgh'), []]);
    expect(verdict).toBe('drifted');
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
    for (const size of [5, 3, 2]) {
      for (const totals of [[400], [8], [400, 401, 13]]) {
        let requests = 0;
        const act = () =>
          readList(() => {
            requests += 1;
            return { totalNum: totals[requests % totals.length] ?? 0, ids: nodes(size) };
          });
        expect(act, `${size} of ${totals}`).toThrow(
          expect.objectContaining({ code: 'PAGES_STAND_STILL' }),
        );
        expect(requests).toBeLessThan(40);
      }
    }
  });
  test('counts many nodes that it does not list: drifted, with the number of missing nodes', () => {
    const { verdict, evidence, read, requests } = readQuiet(nodes(12), { totalNum: 400 });
    expect([verdict, evidence.missing, read.size]).toEqual(['drifted', 388, 12]);
    expect(requests).toBeLessThan(10);
  });
  test('lists nothing beyond some offset: drifted, with the number of missing nodes', () => {
    const { verdict, evidence, read, requests } = readList((offset) => ({
      totalNum: 100,
      ids: offset > 20 ? [] : nodes(100).slice(offset, offset + limits.limit),
    }));
    expect([verdict, evidence.missing, read.size]).toEqual(['drifted', 75, 25]);
    expect(requests).toBeLessThan(40);
  });
  test('returns one page without rows by mistake: complete', () => {
    for (const failing of [1, 2, 3, 4, 5]) {
      let requests = 0;
      const { verdict, read } = readList((offset) => {
        requests += 1;
        const ids = requests === failing ? [] : nodes(18).slice(offset, offset + limits.limit);
        return { totalNum: 18, ids };
      });
      expect([verdict, read.size]).toEqual(['complete', 18]);
    }
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
    const ids = nodes(10_100);
    expect(() =>
      readList((offset) => ({ totalNum: 9_000, ids: ids.slice(offset, offset + 5) })),
    ).toThrow(/has at least 10005, but states 9000 nodes/);
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
