// Tests that two rows of a list that is not reordered have the same order in the sequence, and that swapped rows are counted.
// Method: the list itself is the model. It is read as a run reads it, page by page by the rules of paging.ts.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cursor, decidePage, startPass } from '../../lib/reading/paging.ts';
import { createSequence, type Sequence } from '../../lib/reading/sequence.ts';
import { countCases } from '../support/cases.ts';
import { createMovingList, createRandom, type History } from '../support/moving-list.ts';
import { countTypedBytes } from '../support/typed-memory.ts';

const limits = { limit: 5, offsetMax: 10_000, listed: 'nodes' };

/** Whether `a` is before `b`. Merging a page of two known rows changes nothing. */
function isBefore(sequence: Sequence, a: string, b: string): boolean {
  return sequence.merge([a, b], 'overlap').inversions === 0;
}

/** One pass over a list that moves between any two requests. */
function readPass(history: History) {
  const list = createMovingList(history);
  const sequence = createSequence();
  let cursor: Cursor = startPass(1);
  let inversions = 0;
  const met = new Set<string>();
  for (let ended = false; !ended; ) {
    list.step();
    list.answered();
    const ids = list.ids().slice(cursor.offset, cursor.offset + limits.limit);
    const items = ids.map((id) => ({ key: id, mark: id }));
    const step = decidePage(cursor, { totalNum: list.ids().length, items }, limits, sequence);
    if (step === 'needsKnown') throw new Error('the known rows were given');
    cursor = step.cursor;
    if (step.kind === 'giveUp') break;
    if (step.kind === 'stepBack') continue;
    inversions += sequence.merge(ids, step.from).inversions;
    for (const id of ids) met.add(id);
    ended = step.ended;
  }
  return { sequence, inversions, met, list };
}

describe('a list without moves', () => {
  const histories = countCases(1_500);
  test(`has no inversion, and its rows are in the order of the list, in ${histories} histories`, () => {
    for (let seed = 1; seed <= histories; seed += 1) {
      const history = {
        seed,
        size: 5 + (seed % 60),
        inserts: seed % 4,
        deletes: (seed >> 2) % 4,
        moves: 0,
      };
      const { sequence, inversions, met, list } = readPass(history);
      expect(inversions, `seed ${seed}`).toBe(0);
      expect(sequence.size).toBe(met.size);
      const present = list.ids().filter((id) => sequence.has(id));
      for (const [index, id] of present.entries()) {
        const before = present[index - 1];
        if (before === undefined) continue;
        expect(isBefore(sequence, before, id), `seed ${seed}: ${before} ${id}`).toBe(true);
        expect(isBefore(sequence, id, before), `seed ${seed}: ${id} ${before}`).toBe(false);
      }
    }
  });
});

describe('a page of known rows', () => {
  const page = fc.record({
    size: fc.integer({ min: 2, max: 60 }),
    start: fc.nat(),
    length: fc.integer({ min: 2, max: 12 }),
    swap: fc.nat(),
    seed: fc.integer(),
  });

  /** A page of known rows, some of them deleted and some new rows among them. */
  function cut({
    size,
    start,
    length,
    seed,
  }: {
    size: number;
    start: number;
    length: number;
    seed: number;
  }) {
    const random = createRandom(seed);
    const ids = Array.from({ length: size }, (_, index) => `n${index}`);
    const sequence = createSequence();
    for (let offset = 0; offset < size; offset += limits.limit - 1) {
      sequence.merge(ids.slice(offset, offset + limits.limit), offset === 0 ? 'start' : 'anchor');
    }
    const first = start % (size - 1);
    const known = ids.slice(first, first + length).filter(() => random() < 0.8);
    const keys = known.flatMap((id, index) => (random() < 0.3 ? [`x${index}`, id] : [id]));
    return { sequence, known, keys };
  }

  test('in their order has no inversion, whatever was deleted and added', () => {
    fc.assert(
      fc.property(page, (given) => {
        const { sequence, keys, known } = cut(given);
        const { inversions, added } = sequence.merge(keys, 'overlap');
        expect(inversions).toBe(0);
        expect(added).toBe(keys.length - known.length);
      }),
      { numRuns: countCases(1_000) },
    );
  });

  test('with two neighbours swapped always has an inversion', () => {
    fc.assert(
      fc.property(page, (given) => {
        const { sequence, keys, known } = cut(given);
        fc.pre(known.length >= 2);
        const at = given.swap % (known.length - 1);
        const [a, b] = [known[at] as string, known[at + 1] as string];
        const swapped = keys.map((key) => (key === a ? b : key === b ? a : key));
        expect(sequence.merge(swapped, 'overlap').inversions).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: countCases(1_000) },
    );
  });

  test('with one row moved down has an inversion, because the rows that it passed are known', () => {
    const sequence = createSequence();
    sequence.merge(['a', 'b', 'c', 'd'], 'start');
    expect(sequence.merge(['b', 'c', 'x', 'a', 'd'], 'overlap').inversions).toBe(1);
  });
});

describe('new rows are placed', () => {
  /** Every row with every later one. */
  function expectOrder(sequence: Sequence, text: string): void {
    const keys = text.split('');
    expect(sequence.size).toBe(keys.length);
    for (const [index, a] of keys.entries()) {
      for (const b of keys.slice(index + 1)) {
        expect(isBefore(sequence, a, b), `${a} before ${b}`).toBe(true);
        expect(isBefore(sequence, b, a), `${b} not before ${a}`).toBe(false);
      }
    }
  }
  function read(...pages: [text: string, from: 'start' | 'anchor' | 'overlap'][]): Sequence {
    const sequence = createSequence();
    for (const [text, from] of pages) sequence.merge(text.split(''), from);
    return sequence;
  }

  test('after the row before them in the page', () => {
    expectOrder(read(['abc', 'start'], ['bxc', 'overlap']), 'abxc');
  });
  test('before the first known row, at the start of a page', () => {
    expectOrder(read(['abc', 'start'], ['xyc', 'overlap']), 'abxyc');
  });
  test('at the front, for a page without known rows from the start of the list', () => {
    expectOrder(read(['abc', 'start'], ['xy', 'start']), 'xyabc');
  });
  test('after the page before, for a page with no known row but the anchor', () => {
    expectOrder(read(['abc', 'start'], ['cde', 'anchor'], ['ef', 'anchor']), 'abcdef');
  });
  test('after the page before, if the anchor has no key', () => {
    const sequence = read(['ab', 'start']);
    sequence.merge([null], 'overlap');
    sequence.merge([null, 'c', 'd'], 'anchor');
    sequence.merge([null, 'e'], 'anchor');
    expectOrder(sequence, 'abcde');
  });
  test('in page order, for the first page', () => {
    expectOrder(read(['abc', 'anchor']), 'abc');
  });
  test('in the right order when a thousand rows at one place use up the gaps between labels', () => {
    for (const place of ['ab', 'a', 'b'] as const) {
      const sequence = createSequence();
      sequence.merge(['a', 'b'], 'start');
      const keys = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
      for (const key of keys) {
        // Each directly after `a`, or directly before `b`, or at the front.
        if (place === 'a') sequence.merge(['a', key], 'overlap');
        else if (place === 'b') sequence.merge([key, 'b'], 'overlap');
        else sequence.merge([key], 'start');
      }
      const order =
        place === 'a'
          ? ['a', ...keys.toReversed(), 'b']
          : place === 'b'
            ? ['a', ...keys, 'b']
            : [...keys.toReversed(), 'a', 'b'];
      for (const [index, key] of order.entries()) {
        const before = order[index - 1];
        if (before === undefined) continue;
        expect(isBefore(sequence, before, key), `${before} ${key}`).toBe(true);
        expect(isBefore(sequence, key, before), `${key} ${before}`).toBe(false);
      }
    }
  });
});

describe('the counts', () => {
  test('of added rows include each new key once', () => {
    const sequence = createSequence();
    expect(sequence.merge(['a', 'b', 'c'], 'start').added).toBe(3);
    expect(sequence.merge(['c', 'd'], 'anchor').added).toBe(1);
    expect(sequence.merge(['c', 'd', 'e', 'e'], 'overlap').added).toBe(1);
  });
  test('of keyless records include those after the last known row', () => {
    const sequence = createSequence();
    expect(sequence.merge(['a', null, 'b', null], 'start').keyless).toBe(2);
    // `b` was known, so the record before it was counted with an earlier page.
    expect(sequence.merge([null, 'b', null, 'c'], 'overlap').keyless).toBe(1);
    expect(sequence.merge(['c', 'c', 'd', 'd'], 'anchor')).toMatchObject({
      keyless: 2,
      added: 1,
    });
  });
  test('of keyless records include all but the anchor if a page has no key', () => {
    const sequence = createSequence();
    expect(sequence.merge([null, null], 'start').keyless).toBe(2);
    expect(sequence.merge([null, null, null], 'anchor').keyless).toBe(2);
  });
});

describe('a long list', () => {
  test('needs at most 50 bytes per row, and each row is still in order after it was renumbered', () => {
    const before = countTypedBytes();
    const sequence = createSequence();
    const size = 400_000;
    const page = 200;
    for (let first = 0; first < size; first += page) {
      const keys = Array.from({ length: page }, (_, index) => `n${first + index}`);
      sequence.merge(keys, first === 0 ? 'start' : 'anchor');
    }
    expect(sequence.size).toBe(size);
    const bytes = countTypedBytes() - before;
    expect(bytes / size).toBeLessThanOrEqual(50);
    // So many rows between two neighbours use up the labels there.
    const inserted = Array.from({ length: 100 }, (_, index) => `x${index}`);
    sequence.merge(['n200000', ...inserted, 'n200001'], 'overlap');
    for (const [a, b] of [
      ['n0', 'n1'],
      ['n199999', 'n200000'],
      ['n200000', 'x0'],
      ['x49', 'x50'],
      ['x99', 'n200001'],
      ['n0', 'n399999'],
    ] as const) {
      expect(isBefore(sequence, a, b), `${a} ${b}`).toBe(true);
      expect(isBefore(sequence, b, a), `${b} ${a}`).toBe(false);
    }
  });
});
