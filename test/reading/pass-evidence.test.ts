// Tests what a pass over a list proves where it has nodes at two places, and where its pages repeat several rows.

import { describe, expect, test } from 'vitest';
import { limits, type Outcome, readList } from './read-list.ts';

const nodes = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);

/** A list that does not move, with its true total unless another one is given. */
function readQuiet(
  ids: readonly (string | null)[],
  { limit = limits.limit, totalNum = ids.length }: { limit?: number; totalNum?: number } = {},
): Outcome {
  return readList((offset) => ({ totalNum, ids: ids.slice(offset, offset + limit) }), { limit });
}

describe('a node listed twice', () => {
  const letters = (text: string) => text.split('');
  test('within a page: complete after one pass', () => {
    const { verdict, passes, atRest } = readQuiet(letters('abbdefghij'));
    expect([verdict, passes, atRest]).toEqual(['complete', 1, true]);
  });
  test('with its second place right behind a page end: complete after one pass', () => {
    const { verdict, passes, atRest } = readQuiet(letters('abcdeefghij'));
    expect([verdict, passes, atRest]).toEqual(['complete', 1, true]);
  });
  test('on two pages: complete after two passes that show the same places', () => {
    const { verdict, passes, atRest, evidence } = readQuiet(letters('abcdefghbj'));
    expect([verdict, passes, atRest, evidence.missing]).toEqual(['complete', 2, true, 0]);
  });
  test('on two pages, with a total that is too large: drifted, and the places are known', () => {
    const { verdict, atRest, evidence } = readQuiet(letters('abcdefghbj'), { totalNum: 12 });
    expect([verdict, atRest, evidence.missing]).toEqual(['drifted', true, 2]);
  });
  test('in a list that moves: drifted, and no two places are known', () => {
    let requests = 0;
    const ids = letters('abcdefghijklbmno');
    const { verdict, atRest } = readList((offset) => {
      requests += 1;
      ids.splice(5, 0, `x${requests}`);
      return { totalNum: ids.length, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect([verdict, atRest]).toEqual(['drifted', false]);
  });
  test('hides no unread rows when a page starts at its other place', () => {
    // The second page would start at the other `b`, behind `f` and `g`, which are not read yet.
    let requests = 0;
    const { read } = readList((offset) => {
      requests += 1;
      const ids = letters(requests === 1 ? 'abcdefgbklm' : 'befgbklm');
      return { totalNum: ids.length, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect([...read]).toEqual(expect.arrayContaining(letters('fg')));
  });
  test('needs two passes with the same places and one total', () => {
    let requests = 0;
    const { verdict, passes } = readList((offset) => {
      requests += 1;
      const ids = letters(requests === 1 ? 'abcdefghbj' : 'abcdefghbjk');
      return { totalNum: ids.length, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect([verdict, passes]).toEqual(['complete', 3]);
  });
  test('has no places in a pass that stepped back, even if the next page starts with the anchor', () => {
    const states = ['abcdefghij', 'vwxyzabcde', 'efghijklmn'].map(letters);
    let requests = 0;
    const { atRest } = readList((offset) => {
      const ids = states[Math.min(requests, 2)] ?? [];
      requests += 1;
      return { totalNum: ids.length, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect(atRest).toBe(false);
  });
  test('because it moved between two pages: a second pass is complete', () => {
    // `b` and `i` change places, so that the total and every anchor stay.
    let requests = 0;
    const { verdict, passes, read } = readList((offset) => {
      requests += 1;
      const ids = letters(requests === 1 ? 'abcdefghij' : 'aicdefghbj');
      return { totalNum: ids.length, ids: ids.slice(offset, offset + limits.limit) };
    });
    expect([verdict, passes]).toEqual(['complete', 2]);
    expect(read.has('i')).toBe(true);
  });
  test('without a key on two pages: complete after two passes', () => {
    const { verdict, passes } = readQuiet(['a', null, 'b', 'c', 'd', 'e', null, 'f']);
    expect([verdict, passes]).toEqual(['complete', 2]);
  });
});

describe('pages that repeat several rows', () => {
  // 4,250 nodes with pages of 200: each page repeats three rows.
  const size = 4_250;
  /** The first page ends at index 199, so the second one repeats the rows 197 to 199. */
  const placed = (places: Record<number, string | null>) =>
    nodes(size).map((id, index) => (index in places ? (places[index] as string | null) : id));

  test('repeat three rows of this list', () => {
    const { pages } = readQuiet(nodes(size), { limit: 200 });
    expect(pages.slice(0, 3).map(({ offset, from }) => [offset, from])).toEqual([
      [0, 'start'],
      [197, 'anchor'],
      [394, 'anchor'],
    ]);
  });
  test('count no record twice: one pass, though a total that is too large by 1 shows', () => {
    expect(readQuiet(nodes(size), { limit: 200 })).toMatchObject({ passes: 1, atRest: true });
    const { evidence } = readQuiet(nodes(size), { limit: 200, totalNum: size + 1 });
    expect(evidence).toMatchObject({ missing: 1, twins: null, steady: true });
  });
  test.each([
    ['both places in the repeated rows', { 197: 'twin', 198: 'twin' }, 1],
    ['one place before them, on the same page', { 190: 'twin', 198: 'twin' }, 1],
    ['one place behind them, on the next page only', { 198: 'twin', 210: 'twin' }, 1],
    ['one place far before them', { 20: 'twin', 300: 'twin' }, 2],
  ])('have a node twice, %s: complete', (_, places, passes) => {
    const outcome = readQuiet(placed(places), { limit: 200 });
    expect(outcome).toMatchObject({ verdict: 'complete', passes, atRest: true });
    expect(outcome.evidence.inversions).toBe(0);
  });
  test('have records without a key: complete, and all are counted', () => {
    const ids = placed({ 197: null, 198: null, 199: null, 200: null, 3000: null });
    const outcome = readQuiet(ids, { limit: 200 });
    expect(outcome).toMatchObject({ verdict: 'complete', passes: 2, atRest: true });
    const { evidence } = readQuiet(ids, { limit: 200, totalNum: size + 1 });
    expect(evidence.missing).toBe(1);
  });
  test('have other rows between the repeated ones: the list moved, so no positions are known', () => {
    const ids = nodes(size);
    const { evidence, verdict } = readList(
      (offset) => {
        // Within the rows 197 to 199, with an equal total.
        if (offset === 197) ids.splice(198, 1, 'other');
        return { totalNum: ids.length, ids: ids.slice(offset, offset + 200) };
      },
      { limit: 200 },
    );
    expect([evidence.steady, verdict]).toEqual([false, 'complete']);
  });
});
