// Responsible for a list whose stated total is wrong, by a seeded history: what it answers, and which ids were always listed.

import { createMovingList, createRandom } from '../support/moving-list.ts';
import type { Answer } from './read-list.ts';

/** What the endpoint states instead of the true total, from one request on or always. */
const lies = [
  'true',
  'tooSmall',
  'tooLarge',
  'onePageEnd',
  'everyPageEnd',
  'pageLength',
  'zero',
  'few',
  'stuck',
  'stale',
  'noisy',
  'jumping',
] as const;
/** What else is wrong with a response, for one request or for ever. */
const cuts = ['none', 'emptyOnce', 'emptyFrom', 'shortOnce', 'shortFrom'] as const;

export interface LyingHistory {
  seed: number;
  limit: number;
  size: number;
  lie: (typeof lies)[number];
  cut: (typeof cuts)[number];
  /** The maximum number of inserts and of deletes between two requests. 0: the list does not move. */
  changes: number;
  /** How many ids the list has at two places, each the second time behind another id. */
  twins: number;
}

/** A history of this seed: every lie and cut, on lists of up to six pages, often as long as a page end. */
export function pickHistory(seed: number, limit: number): LyingHistory {
  const random = createRandom(seed * 31 + limit);
  const below = (end: number) => Math.floor(random() * end);
  const pageEnds = below(7) * (limit - 1) + 1;
  return {
    seed,
    limit,
    size: random() < 0.4 ? Math.max(0, pageEnds + below(3) - 1) : below(6 * limit),
    lie: lies[seed % lies.length] as LyingHistory['lie'],
    cut: random() < 0.6 ? 'none' : (cuts[below(cuts.length)] as LyingHistory['cut']),
    changes: random() < 0.4 ? 0 : 1 + below(Math.max(3, limit >> 4)),
    twins: random() < 0.3 ? 1 + below(3) : 0,
  };
}

export function createLyingList(history: LyingHistory) {
  const { seed, limit, size, lie, cut, changes, twins } = history;
  const list = createMovingList({ seed, size, inserts: changes, deletes: changes, moves: 0 });
  const random = createRandom(seed * 7 + 5);
  const below = (end: number) => Math.floor(random() * end);
  const from = 2 + below(5);
  const fixed = {
    tooSmall: below(size),
    tooLarge: size + 1 + below(limit),
    onePageEnd: (1 + below(5)) * (limit - 1) + 1,
    few: below(6),
  };
  const twinBehind = new Map<string, string>();
  for (let count = size < 2 ? 0 : twins; count > 0; count -= 1) {
    const id = below(size - 1);
    // As often in the same page as in another one.
    const behind = random() < 0.5 ? id + 1 + below(limit) : id + 1 + below(size - id - 1);
    twinBehind.set(`n${Math.min(size - 1, behind)}`, `n${id}`);
  }
  let requests = 0;
  let stale = size;
  let first: number | null = null;
  let shownEnd = 0;
  let kept: number | null = null;

  function state(total: number, end: number, length: number): number {
    const isLate = requests >= from;
    switch (lie) {
      case 'tooSmall':
      case 'tooLarge':
      case 'onePageEnd':
        return fixed[lie];
      case 'everyPageEnd':
        return end;
      case 'pageLength':
        return length;
      case 'zero':
        return isLate ? 0 : total;
      case 'few':
        return isLate ? fixed.few : total;
      case 'stuck':
        first ??= total;
        return first;
      case 'stale':
        return stale;
      case 'noisy':
        return Math.max(0, total + below(41) - 20);
      case 'jumping':
        return below(2 * total + 2);
      default:
        return total;
    }
  }

  /** How many rows a cut list still has: less than half of those that were shown. More could be a list that became shorter. */
  function cutAt(): number {
    const shown = Math.min(list.ids().length, shownEnd);
    kept ??= cut.startsWith('empty') ? 0 : below(Math.ceil(shown / 2));
    return kept;
  }

  function listAll(): readonly string[] {
    if (twinBehind.size === 0) return list.ids();
    const ids = new Set(list.ids());
    return list.ids().flatMap((id) => {
      const twin = twinBehind.get(id);
      return twin !== undefined && ids.has(twin) ? [id, twin] : [id];
    });
  }

  return {
    answer(offset: number): Answer {
      if (requests > 0) list.step();
      list.answered();
      requests += 1;
      const all = listAll();
      const isCut = cut.endsWith('Once') ? requests === from : cut !== 'none' && requests >= from;
      const shown = isCut ? all.slice(0, cutAt()) : all;
      const ids = shown.slice(offset, offset + limit);
      const totalNum = state(shown.length, offset + ids.length, ids.length);
      stale = shown.length;
      shownEnd = Math.max(shownEnd, offset + ids.length);
      return { totalNum, ids };
    },
    missing: (read: ReadonlySet<string>) => [...list.survivors()].filter((id) => !read.has(id)),
  };
}
