// Tests how many rows the next request reads again, and how far a step back goes.

import { describe, expect, test } from 'vitest';
import {
  chooseOverlap,
  chooseStepBack,
  type Drift,
  learnDrift,
  noDrift,
} from '../../lib/reading/overlap.ts';

const limit = 200;
const full = (rest: number) => ({ length: limit, rest });
const drift = (rows: number): Drift => ({ rows, joins: 0 });

describe('the rows of the next request that are read again', () => {
  test('are only the last one if a longer overlap would cost a request', () => {
    // The rest needs exactly one, two or three more pages.
    for (const pages of [1, 2, 3]) expect(chooseOverlap(noDrift, full(pages * 199), limit)).toBe(1);
    expect(chooseOverlap(noDrift, full(199 * 20 - 19), limit)).toBe(1);
  });
  test('are up to three if the last page has room', () => {
    expect(chooseOverlap(noDrift, full(199 * 20 - 21), limit)).toBe(2);
    expect(chooseOverlap(noDrift, full(199 * 20 - 42), limit)).toBe(3);
    expect(chooseOverlap(noDrift, full(199 * 20 - 150), limit)).toBe(3);
  });
  test('are as many as the list is expected to lose, up to a twelfth of the page', () => {
    expect(chooseOverlap(drift(5), full(199 * 20), limit)).toBe(6);
    expect(chooseOverlap(drift(16), full(0), limit)).toBe(17);
    expect(chooseOverlap(drift(40), full(0), limit)).toBe(17);
    // A short page must bring more new rows than it repeats.
    expect(chooseOverlap(drift(16), { length: 24, rest: 0 }, limit)).toBe(3);
    for (const length of [1, 2, 3, 5, 11]) {
      expect(chooseOverlap(drift(16), { length, rest: 500 }, limit)).toBe(1);
    }
  });
});

describe('what a pass expects to lose', () => {
  test('is the largest loss that it has seen', () => {
    const seen = [1, 4, 2].reduce((before, fall) => learnDrift(before, fall, limit), noDrift);
    expect(seen).toEqual({ rows: 4, joins: 0 });
  });
  test('does not count blocks, gains and quiet joins', () => {
    for (const fall of [0, -3, 17, 250]) {
      expect(learnDrift(drift(4), fall, limit)).toEqual({ rows: 4, joins: 1 });
    }
  });
  test('is halved after 24 joins without a loss, down to nothing', () => {
    let learned = drift(3);
    for (let join = 0; join < 24; join += 1) learned = learnDrift(learned, 0, limit);
    expect(learned).toEqual({ rows: 1, joins: 0 });
    for (let join = 0; join < 24; join += 1) learned = learnDrift(learned, 0, limit);
    expect(learned.rows).toBe(0);
  });
});

describe('a step back', () => {
  test('goes a little further than the total changed', () => {
    expect(chooseStepBack(0, -7, limit)).toBe(15);
    expect(chooseStepBack(0, 250, limit)).toBe(258);
    expect(chooseStepBack(0, 0, 5)).toBe(1);
  });
  test('grows, so that even from the largest offset few steps reach the start of the list', () => {
    for (const pageSize of [5, 20, 200]) {
      let offset = 2_000_000;
      let step = 0;
      let steps = 0;
      for (; offset > 0; steps += 1) {
        step = chooseStepBack(step, 0, pageSize);
        offset -= step;
      }
      expect(steps).toBeLessThan(40);
    }
    expect(chooseStepBack(8, 0, limit)).toBe(198);
    expect(chooseStepBack(198, 0, limit)).toBe(297);
  });
});
