// Goal: two rows that still stand in a list that nobody reorders stand in the same order here, and any two that were swapped are
// seen. Method: the list itself is the model; it is read as a run reads it, page by page by the rules of paging.ts.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cursor, decidePage, startPass } from '../../lib/reading/paging.ts';
import { createSequence, type Sequence } from '../../lib/reading/sequence.ts';
import { createMovingList, createRandom, type History } from '../support/moving-list.ts';

const limits = { limit: 5, offsetMax: 10_000, noun: 'container nodes' };

/** Whether `a` stands before `b`: a page that holds these two, both known, changes no order. */
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
    if (step === 'needsKnown') throw new Error('it knows');
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
  test('3,000 histories: no inversion, and what still stands is in the order of the list', () => {
    for (let seed = 1; seed <= 3_000; seed += 1) {
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
      const standing = list.ids().filter((id) => sequence.has(id));
      for (const [index, id] of standing.entries()) {
        const before = standing[index - 1];
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

  /** Some rows of the list, a few of them gone and a few new ones among them. */
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

  test('in their order: no inversion, whatever is gone or new among them', () => {
    fc.assert(
      fc.property(page, (given) => {
        const { sequence, keys, known } = cut(given);
        const { inversions, repeated, added } = sequence.merge(keys, 'overlap');
        expect(inversions).toBe(0);
        expect(repeated).toBe(known.length);
        expect(added).toBe(keys.length - known.length);
      }),
      { numRuns: 1_000 },
    );
  });

  test('two neighbours swapped: always seen', () => {
    fc.assert(
      fc.property(page, (given) => {
        const { sequence, keys, known } = cut(given);
        fc.pre(known.length >= 2);
        const at = given.swap % (known.length - 1);
        const [a, b] = [known[at] as string, known[at + 1] as string];
        const swapped = keys.map((key) => (key === a ? b : key === b ? a : key));
        expect(sequence.merge(swapped, 'overlap').inversions).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 1_000 },
    );
  });

  test('one moved down over new rows: seen, since the rows that it passed are known', () => {
    const sequence = createSequence();
    sequence.merge(['a', 'b', 'c', 'd'], 'start');
    expect(sequence.merge(['b', 'c', 'x', 'a', 'd'], 'overlap').inversions).toBe(1);
  });
});

describe('where new rows go', () => {
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

  test('behind the one before them in the page', () => {
    expectOrder(read(['abc', 'start'], ['bxc', 'overlap']), 'abxc');
  });
  test('at the start of a page: right before its first known row', () => {
    expectOrder(read(['abc', 'start'], ['xyc', 'overlap']), 'abxyc');
  });
  test('a page that knows none, from the start: in front', () => {
    expectOrder(read(['abc', 'start'], ['xy', 'start']), 'xyabc');
  });
  test('a page that knows none, behind an anchor: behind the page before', () => {
    expectOrder(read(['abc', 'start'], ['cde', 'anchor'], ['ef', 'anchor']), 'abcdef');
  });
  test('behind an anchor without a key: behind the page before', () => {
    const sequence = read(['ab', 'start']);
    sequence.merge([null], 'overlap');
    sequence.merge([null, 'c', 'd'], 'anchor');
    sequence.merge([null, 'e'], 'anchor');
    expectOrder(sequence, 'abcde');
  });
  test('a page that knows none, at first: as it comes', () => {
    expectOrder(read(['abc', 'anchor']), 'abc');
  });
  test('a thousand at one place: the gaps between labels are used up, and the order holds', () => {
    for (const place of ['ab', 'a', 'b'] as const) {
      const sequence = createSequence();
      sequence.merge(['a', 'b'], 'start');
      const keys = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
      for (const key of keys) {
        // Each right behind `a`, or right before `b`, or in front of everything.
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

describe('what is counted', () => {
  test('the anchor is no repeat; every other row met again is', () => {
    const sequence = createSequence();
    expect(sequence.merge(['a', 'b', 'c'], 'start')).toMatchObject({ added: 3, repeated: 0 });
    expect(sequence.merge(['c', 'd'], 'anchor')).toMatchObject({ added: 1, repeated: 0 });
    expect(sequence.merge(['c', 'd', 'e'], 'overlap')).toMatchObject({ added: 1, repeated: 2 });
  });
  test('records without a key and doubles count where they stand behind what was known', () => {
    const sequence = createSequence();
    expect(sequence.merge(['a', null, 'b', null], 'start').keyless).toBe(2);
    // `b` was known: the record before it was counted with the page before.
    expect(sequence.merge([null, 'b', null, 'c'], 'overlap').keyless).toBe(1);
    expect(sequence.merge(['c', 'c', 'd', 'd'], 'anchor')).toMatchObject({
      keyless: 2,
      repeated: 2,
      added: 1,
    });
  });
  test('a page of nothing but records without a key, behind an anchor: all but the anchor', () => {
    const sequence = createSequence();
    expect(sequence.merge([null, null], 'start').keyless).toBe(2);
    expect(sequence.merge([null, null, null], 'anchor').keyless).toBe(2);
  });
});
