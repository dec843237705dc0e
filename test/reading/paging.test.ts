// Goal: promise 2. Every node that stood in the list from the first page to the last is read exactly once, whatever came and
// went, or the verdict says `drifted`. Method: the pure paging decisions against 10,000 seeded histories of a moving list with
// a small page, so that every kind of shift happens; the oracle is the list itself, which knows its survivors.

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

/** The loop of run.ts without its effects. */
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
      // A resumed process knows nothing until it reads its pages back.
      const known = options.forget ? replay().known : pass.known;
      const first = decidePage(cursor, { totalNum, items }, limits, null);
      const step =
        first === 'needsKnown' ? decidePage(cursor, { totalNum, items }, limits, known) : first;
      if (step === 'needsKnown') throw new Error('asks twice');
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

describe('a list that stands still', () => {
  test.each([0, 1, 4, 5, 6, 9, 10, 11, 100, 997])(
    '%i nodes cost ceil((N-1)/(limit-1)) requests',
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
  test('10,000 histories of inserts and deletes: every survivor is read, and none is called drifted', () => {
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

  test('as many inserts as deletes between any two requests, so that the total never moves: complete all the same', () => {
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

  test('5,000 histories of moves alone: never complete with a survivor missing', () => {
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

  test('5,000 histories of everything: what cannot be told apart stays rare', () => {
    // A move that hides behind an insert plus a delete of the same request looks like nothing else happened: the README says
    // so. Lists of some fifty nodes read by fives, with moves between all requests, are the worst case by far.
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
  /** The list before each request; the last one stays. */
  function readStates(states: readonly string[][]): Outcome {
    let request = 0;
    return readList((offset) => {
      const state = states[Math.min(request, states.length - 1)] ?? [];
      request += 1;
      return { totalNum: state.length, ids: state.slice(offset, offset + limits.limit) };
    });
  }
  const letters = (text: string) => text.split('');

  test('the anchor deleted: step over to the known row before it', () => {
    const { verdict, read } = readStates([letters('abcdefgh'), letters('abcdfgh')]);
    expect(verdict).toBe('complete');
    expect([...read].sort().join('')).toBe('abcdefgh');
  });
  test('more than a page deleted before the cursor: stepped back', () => {
    const { verdict, read, requests } = readStates([
      letters('abcdefghijklmnop'),
      letters('abcdefghijklmnop'),
      letters('abijklmnop'),
    ]);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(16);
    expect(requests).toBeLessThan(10);
  });
  test('every row read so far deleted: on from row 0', () => {
    const { verdict, read } = readStates([letters('abcdefghij'), letters('fghij')]);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(10);
  });
  test('a block longer than two pages inserted right before the anchor', () => {
    const { verdict, read } = readStates([
      letters('abcdefgh'),
      letters('abcd123456789012ABefgh'.replace('012AB', 'XYZUV')),
    ]);
    expect(verdict).toBe('complete');
    expect(letters('abcdefgh').every((id) => read.has(id))).toBe(true);
  });
  test('the list emptied while it is read', () => {
    const { verdict, read } = readStates([letters('abcdefgh'), []]);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(5);
  });
  test('an unread row moved back over the cursor, total unmoved: read again, then complete', () => {
    const { verdict, read, passes } = readStates([letters('abcdefgh'), letters('habcdefg')]);
    expect(passes).toBe(2);
    expect(verdict).toBe('complete');
    expect(read.size).toBe(8);
  });
  test('a read row moved forward over the cursor is seen as out of order', () => {
    const { passes, verdict } = readStates([
      letters('abcdefghij'),
      letters('acdefghibj'),
      letters('acdefghibj'),
    ]);
    expect(verdict).toBe('complete');
    expect(passes).toBe(2);
  });
  test('a node listed twice for good: drifted after two passes, not after five', () => {
    const state = letters('abcdefghbj');
    const { verdict, passes } = readStates([state]);
    expect(verdict).toBe('drifted');
    expect(passes).toBe(2);
  });
  test('a list in another order at every request: drifted after the last pass', () => {
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

describe('an endpoint that cannot be believed', () => {
  test('ignores offset: named, after few requests', () => {
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
  test('counts nodes that it does not list', () => {
    const ids = Array.from({ length: 12 }, (_, index) => `n${index}`);
    expect(() =>
      readList((offset) => ({ totalNum: 400, ids: ids.slice(offset, offset + 5) })),
    ).toThrow(/have no new record, although the API states 400 container nodes/);
  });
  test('turns its list around at every request: drifted, and it ends', () => {
    const ids = Array.from({ length: 50 }, (_, index) => `n${index}`);
    const { verdict, requests } = readList((offset) => {
      ids.reverse();
      return { totalNum: ids.length, ids: ids.slice(offset, offset + 5) };
    });
    expect(verdict).toBe('drifted');
    expect(requests).toBeLessThan(1_500);
  });
  test('counts fewer nodes than it lists: read to a short page', () => {
    const ids = Array.from({ length: 43 }, (_, index) => `n${index}`);
    const { read, verdict } = readList((offset) => ({
      totalNum: 20,
      ids: ids.slice(offset, offset + 5),
    }));
    expect(read.size).toBe(43);
    expect(verdict).toBe('complete');
  });
  test('gives shorter pages than asked: read on', () => {
    const ids = Array.from({ length: 12 }, (_, index) => `n${index}`);
    const { verdict, read } = readList((offset) => ({
      totalNum: ids.length,
      ids: ids.slice(offset, offset + 3),
    }));
    expect(verdict).toBe('complete');
    expect(read.size).toBe(12);
  });
  test('has more nodes than offsets reach', () => {
    expect(() => readList(() => ({ totalNum: 10_006, ids: ['a', 'b', 'c', 'd', 'e'] }))).toThrow(
      /The API can list only the first 10005/,
    );
  });
  test('has exactly as many as offsets reach', () => {
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
  test('loses most of its list for one answer: read once more', () => {
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
