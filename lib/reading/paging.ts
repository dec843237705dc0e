// Responsible for the decisions of reading a list that moves: where to read next, and what a pass over the list has shown. Pure.
// Not responsible for requests (runs/read-page.ts) and storage (page-store.ts).
//
// The list has no snapshot: rows are added, deleted and moved between two requests. docs/design/reading-a-moving-list.md explains
// how it is read in spite of that, and what this proves. Where each rule is:
// - decidePage(): whether a page joins the pass, by its first row. If not, stepBack(): the next request has an earlier offset.
// - accept(): the next offset and anchor, and where a pass ends.
// - decideEmpty(): a page without rows.
// - seeTotal(): whether the stated total moved or jumped.
// - sequence.ts: the order of all rows of a pass, and the inversions: rows that were met in the opposite order.
// - trackPass(): how many rows are missing. judgePass(): complete, drifted, or another pass.

import { ProtocolError } from '../core/errors.ts';
import type { Dataset } from '../core/ports.ts';
import type { Item } from './page.ts';
import { createSequence, type Join } from './sequence.ts';

/** The reading position of a pass and what the pass has seen. Stored in the checkpoint. */
export interface Cursor {
  /** 1-based. */
  pass: number;
  /** Of the next request. */
  offset: number;
  /** The mark of the last record read (see Item); null before the first page. */
  anchor: string | null;
  /** Steps back since the last accepted page. */
  stepBacks: number;
  /** Accepted pages in a row without a new row. */
  stalled: number;
  /** How many more such pages are allowed, because a step back reads known rows again. */
  stalledAllowed: number;
  /** The total that the first page of this pass stated; null before it. */
  totalFirst: number | null;
  totalLast: number | null;
  /** True if two pages of this pass, accepted or not, stated different totals. */
  totalMoved: boolean;
  /** Requests of this pass. */
  requests: number;
  /** True if the pass was given up because it needed too many requests. */
  restless: boolean;
  /** True if the total changed between two pages by more than half of itself and by more than one page. */
  totalJumped: boolean;
}

export const passesMax = 5;
/** Steps back of one page each. Every later step is twice as large as the one before. */
const singleStepsMax = 4;
/** The most requests of one pass: this many times the requests for a list that does not move, plus `requestsExtraMax`. */
const requestsFactorMax = 4;
const requestsExtraMax = 150;
/** After more accepted pages in a row without a new row, the endpoint is considered broken. */
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

type Limits = Pick<Dataset, 'limit' | 'offsetMax' | 'noun'>;

export type Step =
  /** The page belongs to the pass. `ended`: it is the last one. */
  | { kind: 'accept'; from: Join; cursor: Cursor; ended: boolean }
  /** The page is not used, because it may leave a gap. The next request has an earlier offset, after an empty page maybe the same. */
  | { kind: 'stepBack'; cursor: Cursor }
  /** The list moves too much: the pass ends here. */
  | { kind: 'giveUp'; cursor: Cursor };

/**
 * What to do with the page that `cursor` asked for. `known`: the rows of this pass. It is only needed for a page that does
 * not start with the anchor; a caller that has not loaded them passes null, and calls again after `needsKnown`.
 * Throws ProtocolError: `LIST_TOO_LONG` if the total is beyond what offsets can reach, `PAGES_STAND_STILL` if page after
 * page has no new row.
 */
export function decidePage(
  cursor: Cursor,
  page: PageView,
  limits: Limits,
  known: { has(key: string): boolean } | null,
): Step | 'needsKnown' {
  const { limit, offsetMax, noun } = limits;
  const { totalNum, items } = page;
  if (totalNum > offsetMax + limit) {
    throw new ProtocolError(
      'LIST_TOO_LONG',
      `The list has ${totalNum} ${noun}. The API can list only the first ${offsetMax + limit} (its largest offset is ${offsetMax}).`,
      'Split the target into several, by filters or by enterprise project, each with its own table.',
    );
  }
  const seen = seeTotal(cursor, totalNum, limit);
  const requestsMax = requestsFactorMax * Math.ceil(totalNum / (limit - 1)) + requestsExtraMax;
  if (seen.requests > requestsMax) return { kind: 'giveUp', cursor: { ...seen, restless: true } };
  if (items.length === 0) return decideEmpty(seen, totalNum, limits);
  if (cursor.anchor === null) return accept(seen, page, limits, { from: 'start', hasNew: true });
  if (items[0]?.mark === cursor.anchor) {
    return accept(seen, page, limits, { from: 'anchor', hasNew: items.length > 1 });
  }
  if (!known) return 'needsKnown';
  const hasNew = items.some((item) => item.key === null || !known.has(item.key));
  // The first row must be known. A known row further down proves nothing: it may itself have moved there, over unread rows.
  const first = items[0]?.key ?? null;
  if (first !== null && known.has(first)) {
    return accept(seen, page, limits, { from: 'overlap', hasNew });
  }
  // Nothing is before offset 0, so this page cannot leave a gap before it.
  if (cursor.offset === 0) return accept(seen, page, limits, { from: 'start', hasNew });
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
  { items, totalNum }: PageView,
  limits: Limits,
  { from, hasNew }: { from: Join; hasNew: boolean },
): Step {
  const { limit, offsetMax } = limits;
  const end = cursor.offset + items.length;
  // After a full page beyond the total, the total is wrong: read on until a page is short.
  const ended = end === totalNum || (end > totalNum && items.length < limit);
  const stalled = hasNew || ended ? 0 : cursor.stalled + 1;
  if (stalled > stalledMax + cursor.stalledAllowed)
    throw describeNoProgress(cursor, totalNum, limits);
  return {
    kind: 'accept',
    from,
    ended,
    cursor: {
      ...cursor,
      // At the largest offset the next page overlaps by more than the anchor.
      offset: Math.min(end - 1, offsetMax),
      anchor: items[items.length - 1]?.mark ?? null,
      stepBacks: 0,
      stalled,
      stalledAllowed: hasNew ? 0 : cursor.stalledAllowed,
    },
  };
}

/** A page without rows: the list is empty, or it ends before this offset, or the endpoint is broken. */
function decideEmpty(cursor: Cursor, totalNum: number, limits: Limits): Step {
  if (cursor.offset === 0 && totalNum === 0) {
    return { kind: 'accept', from: 'start', ended: true, cursor };
  }
  if (cursor.offset > 0 && cursor.offset >= totalNum) {
    // One page before the current end of the list, because the old offset may be far beyond it.
    return stepBack(cursor, totalNum, limits.limit);
  }
  // The total says that there are rows here: request the same page again, a limited number of times.
  const stalled = cursor.stalled + 1;
  if (stalled > stalledMax) throw describeNoProgress(cursor, totalNum, limits);
  return { kind: 'stepBack', cursor: { ...cursor, stalled } };
}

function stepBack(cursor: Cursor, fromOffset: number, limit: number): Step {
  const stepBacks = cursor.stepBacks + 1;
  const pages = 2 ** Math.max(0, stepBacks - singleStepsMax);
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

function describeNoProgress({ offset }: Cursor, totalNum: number, { noun }: Limits): ProtocolError {
  return new ProtocolError(
    'PAGES_STAND_STILL',
    `The pages up to offset ${offset} have no new record, although the API states ${totalNum} ${noun}.`,
    'The endpoint seems to ignore `offset`, or to count records that it does not list. Compare `cgs-export plan --probe` with the console.',
  );
}

/** What one pass has shown. */
export interface PassEvidence {
  /** Rows met in the opposite order (see MergeCounts). */
  inversions: number;
  /**
   * By how many rows the stated total exceeds all rows that the run has met; never negative. 0 if the total changed during the
   * pass: then added and deleted rows explain the difference.
   */
  missing: number;
  totalJumped: boolean;
  restless: boolean;
  repeats: number;
  /** Distinct keys. */
  unique: number;
}

export type PassTracker = ReturnType<typeof trackPass>;

/** Follows one pass page by page, while it is read or later from its stored pages. */
export function trackPass() {
  const known = createSequence();
  let keyless = 0;
  let repeats = 0;
  let inversions = 0;
  return {
    known,
    addPage(items: readonly Item[], from: Join): void {
      const keys = items.map((item) => item.key);
      const counts = known.merge(keys, from);
      keyless += counts.keyless;
      repeats += counts.repeated;
      inversions += counts.inversions;
    },
    /** `seenBefore`: the keys that earlier passes have met. */
    evidence(cursor: Cursor, seenBefore: ReadonlySet<string>): PassEvidence {
      const { totalMoved, totalJumped, totalLast, restless } = cursor;
      const goneSince = [...seenBefore].filter((key) => !known.has(key)).length;
      const met = known.size + goneSince + keyless;
      const missing = totalMoved ? 0 : Math.max(0, (totalLast ?? 0) - met);
      return { inversions, missing, totalJumped, restless, repeats, unique: known.size };
    },
  };
}

/** After a pass: seal as complete, seal as drifted, or read the list again. `before`: the evidence of the pass before. */
export function judgePass(
  pass: number,
  evidence: PassEvidence,
  before: PassEvidence | null,
): 'complete' | 'drifted' | 'again' {
  const { inversions, missing, totalJumped, restless, unique } = evidence;
  if (inversions === 0 && missing === 0 && !totalJumped && !restless) return 'complete';
  // Two passes show the same disorder: it belongs to the list, and another pass would show it again.
  const isPermanent =
    before !== null &&
    ((restless && before.restless) ||
      (inversions > 0 && inversions === before.inversions && unique === before.unique));
  return isPermanent || pass >= passesMax ? 'drifted' : 'again';
}
