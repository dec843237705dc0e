// Owns anchored paging: what a page says about where the run stands in a list that moves, and what a pass has proved. Pure.

import { ProtocolError } from '../core/errors.ts';
import type { Item } from './page.ts';
import { createSequence, type Sequence } from './sequence.ts';

/** Where a pass stands. Stored in the checkpoint. */
export interface Cursor {
  /** 1-based. */
  pass: number;
  /** The offset asked for next. */
  offset: number;
  /** The mark that the next page must start with to be aligned; null at the start. */
  anchor: string | null;
  /** Times stepped back in a row. */
  stepBacks: number;
  /** Accepted pages in a row that brought nothing new. */
  stalled: number;
  /** How many of those are the price of stepping back. */
  stalledAllowed: number;
  /** The total of this pass's first page; null before it. */
  totalFirst: number | null;
  totalLast: number | null;
  /** Whether any page of this pass, accepted or not, gave another total. */
  totalMoved: boolean;
  /** Requests of this pass. */
  requests: number;
  /** Whether the list moved so much that the pass was given up before its end. */
  restless: boolean;
  /** Whether the total fell or rose by more than half of itself and more than a page between two pages. */
  totalJumped: boolean;
}

/** Passes over the list at the most. */
export const passesMax = 5;
/** Steps back of one page each; from then on each is twice the one before. */
const stepBacksLinear = 4;
/** Requests of one pass, as a multiple of those for a list that stands still, and some for short lists. */
const requestsFactorMax = 4;
const requestsMore = 150;
/** Accepted pages without anything new before the endpoint is not believed any more. */
const stalledMax = 20;

export function startPass(pass: number): Cursor {
  return {
    pass,
    offset: 0,
    anchor: null,
    stepBacks: 0,
    stalled: 0,
    stalledAllowed: 0,
    totalFirst: null,
    totalLast: null,
    totalMoved: false,
    totalJumped: false,
    requests: 0,
    restless: false,
  };
}

export interface PageView {
  totalNum: number;
  items: readonly Item[];
}

export type Step =
  /** The page joins the run. `from` tells how it joins (see Sequence.take). `ended`: it reached the list's end. */
  | { kind: 'accept'; from: 'start' | 'anchor' | 'overlap'; cursor: Cursor; ended: boolean }
  /** The page does not start with a row of this pass: go back until one does. */
  | { kind: 'stepBack'; cursor: Cursor }
  /** The list does not hold still for long enough to be followed: the pass ends here. */
  | { kind: 'giveUp'; cursor: Cursor };

/**
 * `known`: the rows of this pass; only called when the page is not aligned.
 * Throws ProtocolError for a total beyond what offsets can reach and for pages that stand still.
 */
export function decidePage(
  cursor: Cursor,
  page: PageView,
  limits: { limit: number; offsetMax: number },
  known: { has(key: string): boolean } | null,
): Step | 'needsKnown' {
  const { limit, offsetMax } = limits;
  const { totalNum, items } = page;
  if (totalNum > offsetMax + limit) {
    throw new ProtocolError(
      'LIST_TOO_LONG',
      `The list has ${totalNum} nodes; the API reaches only ${offsetMax + limit} (offset at most ${offsetMax}).`,
      'Split the target by filters or by enterprise project, each part with its own table.',
    );
  }
  const seen = seeTotal(cursor, totalNum, limit);
  const requestsMax = requestsFactorMax * Math.ceil(totalNum / (limit - 1)) + requestsMore;
  if (seen.requests > requestsMax) return { kind: 'giveUp', cursor: { ...seen, restless: true } };
  if (items.length === 0) return decideEmpty(seen, totalNum, limit);
  const aligned = cursor.anchor !== null && items[0]?.mark === cursor.anchor;
  if (aligned) return accept(seen, page, 'anchor', items.length > 1, limits);
  if (cursor.anchor === null) return accept(seen, page, 'start', true, limits);
  if (!known) return 'needsKnown';
  const fresh = items.some((item) => item.key === null || !known.has(item.key));
  // It must start with a known row: a single known one further down may itself have moved there, over unread ones.
  const first = items[0]?.key ?? null;
  if (first !== null && known.has(first)) return accept(seen, page, 'overlap', fresh, limits);
  // Nothing stands before offset 0: whatever was met so far is gone or stands in or behind this page.
  if (cursor.offset === 0) return accept(seen, page, 'start', fresh, limits);
  return stepBack(seen, cursor.offset, limit);
}

function seeTotal(cursor: Cursor, totalNum: number, limit: number): Cursor {
  const { totalFirst, totalLast } = cursor;
  const before = totalLast ?? totalNum;
  const change = Math.abs(totalNum - before);
  return {
    ...cursor,
    totalFirst: totalFirst ?? totalNum,
    totalLast: totalNum,
    requests: cursor.requests + 1,
    totalMoved: cursor.totalMoved || totalNum !== before,
    totalJumped: cursor.totalJumped || (change > limit && change * 2 > before),
  };
}

function accept(
  cursor: Cursor,
  page: PageView,
  from: 'start' | 'anchor' | 'overlap',
  fresh: boolean,
  { limit, offsetMax }: { limit: number; offsetMax: number },
): Step {
  const { items, totalNum } = page;
  const end = cursor.offset + items.length;
  // A full page beyond the total: the total is wrong, and only a shorter page is the end.
  const ended = end === totalNum || (end > totalNum && items.length < limit);
  const stalled = fresh || ended ? 0 : cursor.stalled + 1;
  if (stalled > stalledMax + cursor.stalledAllowed) throw standsStill(cursor.offset, totalNum);
  return {
    kind: 'accept',
    from,
    ended,
    cursor: {
      ...cursor,
      // Where the API reaches no further, the last page overlaps by more than its anchor.
      offset: Math.min(end - 1, offsetMax),
      anchor: items[items.length - 1]?.mark ?? null,
      stepBacks: 0,
      stalled,
      stalledAllowed: fresh ? 0 : cursor.stalledAllowed,
    },
  };
}

/** No rows: the list is empty, ended before this offset, or the endpoint is not telling the truth. */
function decideEmpty(cursor: Cursor, totalNum: number, limit: number): Step {
  if (cursor.offset === 0 && totalNum === 0) {
    return { kind: 'accept', from: 'start', ended: true, cursor };
  }
  if (cursor.offset > 0 && cursor.offset >= totalNum) {
    // One page before the end as it is now, not one page before an offset far past it.
    return stepBack(cursor, totalNum, limit);
  }
  // Rows are said to be here: ask again, a few times.
  const stalled = cursor.stalled + 1;
  if (stalled > stalledMax) throw standsStill(cursor.offset, totalNum);
  return { kind: 'stepBack', cursor: { ...cursor, stalled } };
}

function stepBack(cursor: Cursor, fromOffset: number, limit: number): Step {
  const stepBacks = cursor.stepBacks + 1;
  const pages = 2 ** Math.max(0, stepBacks - stepBacksLinear);
  return {
    kind: 'stepBack',
    cursor: {
      ...cursor,
      offset: Math.max(0, fromOffset - pages * limit),
      stepBacks,
      stalledAllowed: cursor.stalledAllowed + pages,
    },
  };
}

function standsStill(offset: number, totalNum: number): ProtocolError {
  return new ProtocolError(
    'PAGES_STAND_STILL',
    `Pages up to offset ${offset} bring no new node, though the list is said to have ${totalNum}.`,
    'The endpoint seems to ignore `offset` or to count nodes it does not list. Compare `cgs-export plan --probe` with the console.',
  );
}

/** What one pass has shown. */
export interface PassEvidence {
  /** Known rows met in the opposite order. */
  inversions: number;
  /**
   * How many rows the total counts beyond all that the run has met: unread rows that moved back over the cursor, or rows
   * that came in behind it while as many went. 0 where the total moved, which shows that rows came and went, and where
   * more rows were met than there are, which shows it too.
   */
  missing: number;
  totalJumped: boolean;
  restless: boolean;
  repeats: number;
  unique: number;
}

/** A pass as it is read back from its stored pages, or followed while it is made. */
export interface Pass {
  readonly known: Sequence;
  /** Takes in an accepted page. */
  add(items: readonly Item[], from: 'start' | 'anchor' | 'overlap'): void;
  /** `seenBefore`: keys that earlier passes met. */
  evidence(cursor: Cursor, seenBefore: ReadonlySet<string>): PassEvidence;
}

export function followPass(): Pass {
  const known = createSequence();
  let keyless = 0;
  let repeats = 0;
  let inversions = 0;
  return {
    known,
    add(items, from) {
      const taken = known.take(
        items.map((item) => item.key),
        from,
      );
      keyless += taken.keyless;
      repeats += taken.repeated;
      inversions += taken.inversions;
    },
    evidence({ totalMoved, totalJumped, totalLast, restless }, seenBefore) {
      const goneSince = [...seenBefore].filter((key) => !known.has(key)).length;
      const met = known.size + goneSince + keyless;
      const missing = totalMoved ? 0 : Math.max(0, (totalLast ?? 0) - met);
      return { inversions, missing, totalJumped, restless, repeats, unique: known.size };
    },
  };
}

/** Whether anything in a pass speaks against its completeness. */
function isBroken(evidence: PassEvidence): boolean {
  const { inversions, missing, totalJumped, restless } = evidence;
  return inversions > 0 || missing > 0 || totalJumped || restless;
}

/** After a pass: sealed as complete, sealed as drifted, or read once more. */
export function judgePass(
  pass: number,
  evidence: PassEvidence,
  before: PassEvidence | null,
): 'complete' | 'drifted' | 'again' {
  if (!isBroken(evidence)) return 'complete';
  // The same disorder twice: the list itself is like that, and reading on shows nothing new.
  const settled =
    before !== null &&
    ((evidence.restless && before.restless) ||
      (evidence.inversions > 0 &&
        evidence.inversions === before.inversions &&
        evidence.unique === before.unique));
  return settled || pass >= passesMax ? 'drifted' : 'again';
}
