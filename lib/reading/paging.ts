// Responsible for the decisions of reading a list that moves: whether a page joins the pass, where the list ends, and when to give up. Pure.
// Not responsible for where the next request starts (overlap.ts), what a whole pass proves (pass-evidence.ts), requests
// (runs/read-page.ts) and storage (page-store.ts).
//
// The list has no snapshot: rows are added, deleted and moved between two requests. docs/design/reading-a-moving-list.md explains
// how it is read in spite of that, and what this proves. Where each rule is:
// - decidePage(): whether a page joins the pass, by its first rows. If not, stepBack(): the next request has an earlier offset.
// - accept(): the next offset and the rows expected there. endsList(): where a pass ends. decideEmpty(): a page without rows.
// - seePage(), seeEnd(): whether the stated total moved, and whether the list fell.

import { ProtocolError } from '../core/errors.ts';
import type { Dataset } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { chooseOverlap, chooseStepBack, type Drift, learnDrift, noDrift } from './overlap.ts';
import type { Item } from './page.ts';
import type { Join } from './sequence.ts';

/** The reading position of a pass and what the pass has seen. Stored in the checkpoint. */
export interface Cursor {
  /** 1-based. */
  pass: number;
  /** Of the next request. */
  offset: number;
  /** The mark of the last record read (see Item); null before the first page. */
  anchor: string | null;
  /** Where the last accepted page ended: offset plus records. 0 before it. */
  end: number;
  /**
   * A hash of the marks of the last records read, from `offset` to `end`: the next page starts with them if the list did not move.
   * Empty before the first page.
   */
  expected: string;
  /** The total that the last accepted page stated. 0 before it. */
  totalJoined: number;
  /** How the list has moved so far in this pass. */
  drift: Drift;
  /** The mark of the first record of the last accepted page at offset 0; null before it. */
  listStart: string | null;
  /** The size of the last step back, rows. 0: none since the last accepted page. */
  stepRows: number;
  /** Accepted pages in a row without a new row. */
  stalled: number;
  /** How many more such pages are allowed, because a step back reads known rows again. */
  stalledAllowed: number;
  /** Responses without a row since the last new row, although the total states rows there. */
  empties: number;
  /** The largest end of an accepted page: offset plus records. */
  reach: number;
  /** The total of the newest page of this pass, accepted or not; null before the first. */
  totalLast: number | null;
  /** True if two pages of this pass, accepted or not, stated different totals. */
  totalMoved: boolean;
  /** How long the list was in this run, as far as this pass and the ones before know. */
  seen: ListSeen;
  /**
   * True while nothing in this pass shows that the list moved: one total, and every page but the first started as expected, at the
   * first try. Then offset + index is a record's position in the list.
   */
  steady: boolean;
  /** True if a page of this pass had less than `limit` records and was not the last one. */
  hadShortPage: boolean;
  /** How many records the total states, by the last page of the pass, that the list does not have at that moment. */
  unlisted: number;
  /** Requests of this pass. */
  requests: number;
  /** True if the pass was given up. */
  restless: boolean;
}

/** What a run remembers of the length of its list, over all passes. */
export interface ListSeen {
  /** The largest stated total. */
  totalMax: number;
  /** The largest end of a page, accepted or not: offset plus records. */
  reachMax: number;
  /**
   * The last pass in which the list fell: a page stated less than half of `totalMax`, or the list ended before half of `reachMax`.
   * 0: none, or a later pass has read as many records again.
   */
  fallenPass: number;
}

/** The most requests of one pass: this many times the requests for a list that does not move, plus `requestsExtraMax`. */
const requestsFactorMax = 4;
const requestsExtraMax = 150;
/** After more accepted pages in a row without a new row, the pass is given up, or the endpoint is considered broken. */
const stalledMax = 20;
/** A page without rows, where the total states rows, is requested this many times before the pass steps back. */
const emptiesMax = 3;

/** `seen`: by the passes before. */
export function startPass(
  pass: number,
  seen: ListSeen = { totalMax: 0, reachMax: 0, fallenPass: 0 },
): Cursor {
  return {
    pass,
    offset: 0,
    anchor: null,
    end: 0,
    expected: '',
    totalJoined: 0,
    drift: noDrift,
    listStart: null,
    stepRows: 0,
    stalled: 0,
    stalledAllowed: 0,
    empties: 0,
    reach: 0,
    totalLast: null,
    totalMoved: false,
    seen,
    steady: true,
    hadShortPage: false,
    unlisted: 0,
    requests: 0,
    restless: false,
  };
}

export interface PageView {
  totalNum: number;
  items: readonly Item[];
}

type Limits = Pick<Dataset, 'limit' | 'offsetMax' | 'listed'>;

export type Step =
  /** The page belongs to the pass. `ended`: it is the last one. */
  | { kind: 'accept'; from: Join; cursor: Cursor; ended: boolean }
  /** The page is not used, because it may leave a gap. The next request has an earlier offset, after an empty page maybe the same. */
  | { kind: 'stepBack'; cursor: Cursor }
  /** The list moves too much, or page after page has no new row: the pass ends here. */
  | { kind: 'giveUp'; cursor: Cursor };

/**
 * What to do with the page that `cursor` asked for. `known`: the rows of this pass. It is only needed for a page that does
 * not start as expected; a caller that has not loaded them passes null, and calls again after `needsKnown`.
 * Throws ProtocolError: `LIST_TOO_LONG` if the list is longer than offsets can reach, `PAGES_STAND_STILL` if the
 * endpoint returns the same page at every offset.
 */
export function decidePage(
  cursor: Cursor,
  page: PageView,
  limits: Limits,
  known: { has(key: string): boolean } | null,
): Step | 'needsKnown' {
  const { limit, offsetMax } = limits;
  const { totalNum, items } = page;
  if (totalNum > offsetMax + limit) throw describeTooLong(`has ${totalNum}`, limits);
  const seen = seePage(cursor, page);
  // The stated total may be too small: the rows that were read count as well.
  const rows = Math.max(totalNum, cursor.reach);
  const requestsMax = requestsFactorMax * Math.ceil(rows / (limit - 1)) + requestsExtraMax;
  if (seen.requests > requestsMax) return { kind: 'giveUp', cursor: { ...seen, restless: true } };
  if (items.length === 0) return decideEmpty(seen, totalNum, limits);
  if (cursor.anchor === null) return accept(seen, page, limits, { from: 'start', hasNew: true });
  const overlap = cursor.end - cursor.offset;
  const isExpected =
    cursor.stepRows === 0 && hashMarks(items.slice(0, overlap)) === cursor.expected;
  // Behind a page of known rows, after a step back, more known rows may follow.
  if (isExpected && cursor.stalled === 0) {
    return accept(seen, page, limits, { from: 'anchor', hasNew: items.length > overlap });
  }
  if (!known) return 'needsKnown';
  const isKnown = items.map(({ key }) => key !== null && known.has(key));
  const hasNew = isKnown.includes(false);
  if (isExpected) {
    return accept(seen, page, limits, { from: 'anchor', hasNew: hasNew && items.length > overlap });
  }
  if (isOverlap(items, isKnown, cursor.anchor)) {
    const lastKnown = cursor.offset + isKnown.lastIndexOf(true);
    const fall = hasNew ? cursor.end - 1 - lastKnown : 0;
    return accept(seen, page, limits, { from: 'overlap', hasNew, fall });
  }
  // Nothing is before offset 0, so this page cannot leave a gap before it.
  if (cursor.offset === 0) return accept(seen, page, limits, { from: 'start', hasNew });
  return stepBack(seen, cursor.offset, totalNum, limits);
}

function hashMarks(items: readonly Item[]): string {
  return sha256(items.map(({ mark }) => mark).join('\n'));
}

/**
 * True if the first row is the anchor, or is known and another row too. A known row further down proves nothing: it may itself have
 * moved there, over unread rows. One known row alone is not enough either: it may be listed twice, and this may be its other place.
 */
function isOverlap(items: readonly Item[], isKnown: readonly boolean[], anchor: string): boolean {
  const first = items[0];
  // Not a record without a key: several may be equal.
  if (!isKnown[0] || first === undefined) return false;
  return first.mark === anchor || items.some(({ key }, at) => key !== first.key && isKnown[at]);
}

/** For every page, accepted or not. */
function seePage(cursor: Cursor, { totalNum, items }: PageView): Cursor {
  const { seen, pass } = cursor;
  const totalMoved = cursor.totalMoved || totalNum !== (cursor.totalLast ?? totalNum);
  return {
    ...cursor,
    totalLast: totalNum,
    requests: cursor.requests + 1,
    totalMoved,
    seen: {
      totalMax: Math.max(seen.totalMax, totalNum),
      reachMax: Math.max(seen.reachMax, items.length === 0 ? 0 : cursor.offset + items.length),
      fallenPass: totalNum * 2 < seen.totalMax ? pass : seen.fallenPass,
    },
    steady: cursor.steady && !totalMoved,
  };
}

/** For the last page of a pass, which ends at `end`. The stated total alone does not show that the list fell. */
function seeEnd({ seen, pass }: Cursor, end: number): ListSeen {
  return { ...seen, fallenPass: end * 2 < seen.reachMax ? pass : seen.fallenPass };
}

function accept(
  cursor: Cursor,
  page: PageView,
  limits: Limits,
  join: { from: Join; hasNew: boolean; fall?: number },
): Step {
  const { limit, offsetMax } = limits;
  const { items, totalNum } = page;
  const { from, hasNew, fall = 0 } = join;
  const end = cursor.offset + items.length;
  const ended = endsList(cursor, page, limits, join);
  if (!ended && items.length === limit && cursor.offset >= offsetMax) {
    throw describeTooLong(`has at least ${end}, but states ${totalNum}`, limits);
  }
  const stalled = hasNew || ended ? 0 : cursor.stalled + 1;
  const unlisted = Math.max(0, totalNum - end);
  if (stalled > stalledMax + cursor.stalledAllowed) {
    if (isListStart(cursor, items)) throw describeNoProgress(cursor, totalNum, limits);
    return { kind: 'giveUp', cursor: { ...cursor, restless: true, unlisted } };
  }
  const vanished = Math.max(fall, cursor.totalJoined - totalNum);
  const drift = cursor.anchor === null ? noDrift : learnDrift(cursor.drift, vanished, limit);
  const rest = Math.max(0, totalNum - end);
  const overlap = chooseOverlap(drift, { length: items.length, rest }, limit);
  // At the largest offset the next page overlaps by more.
  const next = Math.min(end - overlap, offsetMax);
  return {
    kind: 'accept',
    from,
    ended,
    cursor: {
      ...cursor,
      offset: next,
      anchor: items[items.length - 1]?.mark ?? null,
      end,
      expected: hashMarks(items.slice(next - end)),
      totalJoined: totalNum,
      drift,
      listStart: cursor.offset === 0 ? (items[0]?.mark ?? null) : cursor.listStart,
      stepRows: 0,
      stalled,
      stalledAllowed: hasNew ? 0 : cursor.stalledAllowed,
      empties: hasNew ? 0 : cursor.empties,
      reach: Math.max(cursor.reach, end),
      seen: ended ? seeEnd(cursor, end) : cursor.seen,
      steady: cursor.steady && (cursor.anchor === null || from === 'anchor'),
      hadShortPage: cursor.hadShortPage || (!ended && items.length < limit),
      unlisted: ended ? unlisted : 0,
    },
  };
}

/**
 * Whether this page is the last one of the list. The stated total alone never proves it: a full page is never the last one,
 * and a short page is the last one only if it ends exactly at the total. If not, the list is asked once more at its last row,
 * and ends there if the response has nothing but rows that were read.
 */
function endsList(
  { offset, hadShortPage }: Cursor,
  { items, totalNum }: PageView,
  { limit, offsetMax }: Limits,
  { from, hasNew }: { from: Join; hasNew: boolean },
): boolean {
  const isAtTotal = offset + items.length === totalNum;
  const isShort = items.length < limit;
  // No offset behind this one can be requested.
  if (offset >= offsetMax) return isAtTotal || (isShort && !hasNew);
  if (!isShort) return false;
  if (from === 'anchor' && !hasNew) return true;
  // An endpoint that returned a short page too early may do so again.
  return isAtTotal && !hadShortPage;
}

/** Whether a page starts like the list although it was requested further on, as every page of an endpoint that ignores `offset` does. */
function isListStart({ offset, listStart }: Cursor, items: readonly Item[]): boolean {
  return offset > 0 && items[0]?.mark === listStart;
}

/** A page without rows: the list is empty, or it ends before this offset, or the total is wrong. */
function decideEmpty(cursor: Cursor, totalNum: number, limits: Limits): Step {
  const { offset, stalled, stepRows, reach } = cursor;
  const moved = { ...cursor, steady: cursor.steady && cursor.anchor === null };
  const endPass = (unlisted: number): Step => {
    const seen = seeEnd(cursor, offset);
    return { kind: 'accept', from: 'start', ended: true, cursor: { ...moved, seen, unlisted } };
  };
  if (offset >= totalNum) {
    if (offset === 0) return endPass(0);
    // From the end that the total states, because the old offset may be far beyond it.
    return stepBack(moved, totalNum, totalNum, limits);
  }
  const empties = cursor.empties + 1;
  if (empties < emptiesMax) return { kind: 'stepBack', cursor: { ...moved, empties } };
  // The rows before this offset were read again, and there is still nothing here.
  const isEnd = stalled > 0 && stepRows === 0;
  if (offset > 0 && !isEnd) return stepBack({ ...moved, empties }, offset, totalNum, limits);
  return endPass(Math.max(1, totalNum - (offset === 0 ? 0 : reach)));
}

function stepBack(cursor: Cursor, from: number, totalNum: number, { limit }: Limits): Step {
  const change = totalNum - cursor.totalJoined;
  const stepRows = chooseStepBack(cursor.stepRows, change, limit);
  const offset = Math.max(0, from - stepRows);
  const pages = Math.ceil((cursor.offset - offset) / (limit - 1));
  return {
    kind: 'stepBack',
    cursor: {
      ...cursor,
      offset,
      stepRows,
      stalledAllowed: cursor.stalledAllowed + pages,
      steady: false,
    },
  };
}

function describeTooLong(list: string, { limit, offsetMax, listed }: Limits): ProtocolError {
  return new ProtocolError(
    'LIST_TOO_LONG',
    `The list ${list} ${listed}. The API can list only the first ${offsetMax + limit} (its largest offset is ${offsetMax}).`,
    'Split the target into several, by filters or by enterprise project, each with its own table.',
  );
}

function describeNoProgress(
  { offset }: Cursor,
  totalNum: number,
  { listed }: Limits,
): ProtocolError {
  return new ProtocolError(
    'PAGES_STAND_STILL',
    `The pages up to offset ${offset} have no new record, although the API states ${totalNum} ${listed}.`,
    'The endpoint seems to ignore `offset`: page after page has the same records. Check `endpoint`, and compare `cgs-export plan --probe` with the console.',
  );
}
