// Tests that every node that is in the list from the first page to the last is read, whatever is added and deleted in the
// meantime, or that the verdict is `drifted`. Method: the paging decisions read 10,000 seeded histories of a moving list with
// small pages, so that every kind of shift happens. The list itself knows which nodes survived.

import { describe, expect, test } from 'vitest';
import {
  type Cursor,
  decidePage,
  judgePass,
  type PassEvidence,
  passesMax,
  startPass,
  trackPass,
} from '../../lib/reading/paging.ts';
import { requestsFor } from '../../lib/runs/cost.ts';
import { createMovingList, createRandom, type History } from '../support/moving-list.ts';

const limits = { limit: 5, offsetMax: 10_000, noun: 'container nodes' };

interface Outcome {
  verdict: 'complete' | 'drifted';
  read: Set<string>;
  requests: number;
  passes: number;
}

function item(id: string) {
  return { key: id, mark: `key:${id}` };
}

/** The loop of runs/run.ts without its side effects. `forget`: as a process that must read its pages back for each request. */
function readList(
  answer: (offset: number) => { totalNum: number; ids: readonly string[] },
  options: { forget?: boolean } = {},
): Outcome {
  const read = new Set<string>();
  let requests = 0;
  let before: PassEvidence | null = null;
  for (let number = 1; ; number += 1) {
    let cursor: Cursor = startPass(number);
    const readBefore = new Set(read);
    const pages: { items: ReturnType<typeof item>[]; from: 'start' | 'anchor' | 'overlap' }[] = [];
    const replay = () => {
      const pass = trackPass();
      for (const page of pages) pass.addPage(page.items, page.from);
      return pass;
    };
    const pass = trackPass();
    for (let ended = false; !ended; ) {
      const { totalNum, ids } = answer(cursor.offset);
      requests += 1;
      if (requests > 20_000) throw new Error('does not end');
      const items = ids.map(item);
      const known = options.forget ? replay().known : pass.known;
      const first = decidePage(cursor, { totalNum, items }, limits, null);
      const step =
        first === 'needsKnown' ? decidePage(cursor, { totalNum, items }, limits, known) : first;
      if (step === 'needsKnown') throw new Error('asked for the known rows twice');
      cursor = step.cursor;
      if (step.kind === 'giveUp') break;
      if (step.kind === 'stepBack') continue;
      pass.addPage(items, step.from);
      pages.push({ items, from: step.from });
      for (const id of ids) read.add(id);
      ended = step.ended;
    }
    const evidence = (options.forget ? replay() : pass).evidence(cursor, readBefore);
    const verdict = judgePass(number, evidence, before);
    if (verdict !== 'again') return { verdict, read, requests, passes: number };
    before = evidence;
  }
}

function readMoving(history: History, options: { forget?: boolean } = {}) {
  const list = createMovingList(history);
  const outcome = readList((offset) => {
    list.step();
    list.answered();
    const ids = list.ids().slice(offset, offset + limits.limit);
    return { totalNum: list.ids().length, ids };
  }, options);
  const missing = [...list.survivors()].filter((id) => !outcome.read.has(id));
  return { ...outcome, missing, moved: list.moved() };
}

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
