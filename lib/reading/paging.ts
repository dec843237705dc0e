// Responsible for the decisions of reading a list that moves: where to read next, and what a pass over the list has shown. Pure.
// Not responsible for requests (runs/read-page.ts) and storage (page-store.ts).
//
// The list has no snapshot: rows are added, deleted and moved between two requests. docs/design/reading-a-moving-list.md explains
// how it is read in spite of that, and what this proves. Where each rule is:
// - decidePage(): whether a page joins the pass, by its first row. If not, stepBack(): the next request has an earlier offset.
// - accept(): the next offset and anchor. endsList(): where a pass ends. decideEmpty(): a page without rows.
// - seePage(), seeEnd(): whether the stated total moved, and whether the list fell.
// - sequence.ts: the order of all rows of a pass, and the inversions: rows that were met in the opposite order.
// - trackPass(): what a pass has shown, and the rows listed twice. judgePass(): complete, drifted, or another pass.

import { ProtocolError } from '../core/errors.ts';
import type { Dataset } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { createKeyTable, hashText, type KeyTable, type TextHash } from './key-table.ts';
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
  /** The mark of the first record of the last accepted page at offset 0; null before it. */
  listStart: string | null;
  /** Steps back since the last accepted page. */
  stepBacks: number;
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
   * True while nothing in this pass shows that the list moved: one total, and every page but the first started with the anchor, at
   * the first try. Then offset + index is a record's position in the list.
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

export const passesMax = 5;
/** Steps back of one page each. Every later step is twice as large as the one before. */
const singleStepsMax = 4;
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
    listStart: null,
    stepBacks: 0,
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

type Limits = Pick<Dataset, 'limit' | 'offsetMax' | 'noun'>;

export type Step =
  /** The page belongs to the pass. `ended`: it is the last one. */
  | { kind: 'accept'; from: Join; cursor: Cursor; ended: boolean }
  /** The page is not used, because it may leave a gap. The next request has an earlier offset, after an empty page maybe the same. */
  | { kind: 'stepBack'; cursor: Cursor }
  /** The list moves too much, or page after page has no new row: the pass ends here. */
  | { kind: 'giveUp'; cursor: Cursor };

/**
 * What to do with the page that `cursor` asked for. `known`: the rows of this pass. It is only needed for a page that does
 * not start with the anchor; a caller that has not loaded them passes null, and calls again after `needsKnown`.
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
  if (items[0]?.mark === cursor.anchor) {
    return accept(seen, page, limits, { from: 'anchor', hasNew: items.length > 1 });
  }
  if (!known) return 'needsKnown';
  const hasNew = items.some(({ key }) => key === null || !known.has(key));
  if (isOverlap(items, known)) return accept(seen, page, limits, { from: 'overlap', hasNew });
  // Nothing is before offset 0, so this page cannot leave a gap before it.
  if (cursor.offset === 0) return accept(seen, page, limits, { from: 'start', hasNew });
  return stepBack(seen, cursor.offset, limit);
}

/**
 * True if the first row is known. A known row further down proves nothing: it may itself have moved there, over unread rows.
 * One known row alone is not enough either: it may be listed twice, and this may be its other place.
 */
function isOverlap(items: readonly Item[], known: { has(key: string): boolean }): boolean {
  const [first, ...others] = items.map(({ key }) => key);
  if (first === undefined || first === null || !known.has(first)) return false;
  return others.some((key) => key !== null && key !== first && known.has(key));
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
  join: { from: Join; hasNew: boolean },
): Step {
  const { limit, offsetMax } = limits;
  const { items, totalNum } = page;
  const { from, hasNew } = join;
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
  return {
    kind: 'accept',
    from,
    ended,
    cursor: {
      ...cursor,
      // At the largest offset the next page overlaps by more than the anchor.
      offset: Math.min(end - 1, offsetMax),
      anchor: items[items.length - 1]?.mark ?? null,
      listStart: cursor.offset === 0 ? (items[0]?.mark ?? null) : cursor.listStart,
      stepBacks: 0,
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
 * and ends there if the response is that row alone.
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
function decideEmpty(cursor: Cursor, totalNum: number, { limit }: Limits): Step {
  const { offset, stalled, stepBacks, reach } = cursor;
  const moved = { ...cursor, steady: cursor.steady && cursor.anchor === null };
  const endPass = (unlisted: number): Step => {
    const seen = seeEnd(cursor, offset);
    return { kind: 'accept', from: 'start', ended: true, cursor: { ...moved, seen, unlisted } };
  };
  if (offset >= totalNum) {
    if (offset === 0) return endPass(0);
    // Just before the end that the total states, because the old offset may be far beyond it.
    return stepBack(moved, totalNum + 1, limit);
  }
  const empties = cursor.empties + 1;
  if (empties < emptiesMax) return { kind: 'stepBack', cursor: { ...moved, empties } };
  // The rows before this offset were read again, and there is still nothing here.
  const isEnd = stalled > 0 && stepBacks === 0;
  if (offset > 0 && !isEnd) return stepBack({ ...moved, empties }, offset, limit);
  return endPass(Math.max(1, totalNum - (offset === 0 ? 0 : reach)));
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
      steady: false,
    },
  };
}

function describeTooLong(list: string, { limit, offsetMax, noun }: Limits): ProtocolError {
  return new ProtocolError(
    'LIST_TOO_LONG',
    `The list ${list} ${noun}. The API can list only the first ${offsetMax + limit} (its largest offset is ${offsetMax}).`,
    'Split the target into several, by filters or by enterprise project, each with its own table.',
  );
}

function describeNoProgress({ offset }: Cursor, totalNum: number, { noun }: Limits): ProtocolError {
  return new ProtocolError(
    'PAGES_STAND_STILL',
    `The pages up to offset ${offset} have no new record, although the API states ${totalNum} ${noun}.`,
    'The endpoint seems to ignore `offset`: page after page has the same records. Check `endpoint`, and compare `cgs-export plan --probe` with the console.',
  );
}

/** What one pass has shown. */
export interface PassEvidence {
  /** Rows met in the opposite order (see MergeCounts). 0 in a steady pass: there a row met again has two places. */
  inversions: number;
  /**
   * How many records the API states that the run has not met: by the total of the last page, or by the largest total of the
   * run if the list fell. 0 if the total moved, unless the last page shows that records are missing.
   */
  missing: number;
  /** As in Cursor. */
  unlisted: number;
  /** True if the list fell (see ListSeen), and no later pass has read as many records again. */
  fallen: boolean;
  restless: boolean;
  /** Distinct keys. */
  unique: number;
  /** In a steady pass in which a record of an earlier page was met at another position: a hash of all such positions; else null. */
  twins: string | null;
  steady: boolean;
}

export type PassTracker = ReturnType<typeof trackPass>;

/** Follows one pass page by page, while it is read or later from its stored pages. */
// Long because: one state, and the two functions that share it.
export function trackPass() {
  const known = createSequence();
  const keylessMarks = createKeyTable();
  let keyless = 0;
  let inversions = 0;
  /** Records without the anchors. In a steady pass, the number of positions. */
  let records = 0;
  let hasTwinPages = false;
  let twins = '';

  /** Notes records that this pass has met before. Only in a steady pass is their place another one. */
  function noteTwins(
    items: readonly Item[],
    hashes: readonly (TextHash | null)[],
    from: Join,
  ): void {
    const inPage = new Set<string>();
    for (const [index, { mark }] of items.entries()) {
      const isAnchor = from === 'anchor' && index === 0;
      const isInPage = inPage.has(mark);
      inPage.add(mark);
      if (isAnchor) continue;
      const hash = hashes[index] ?? null;
      const isKnown = hash === null ? keylessMarks.has(hashText(mark)) : known.hasHash(hash);
      // One page is one state of the list, so it proves by itself that a record is listed twice.
      if (isKnown && !isInPage) hasTwinPages = true;
      if (isKnown || isInPage) twins = sha256(`${twins} ${records} ${mark}`);
      records += 1;
    }
    for (const { key, mark } of items) if (key === null) keylessMarks.add(hashText(mark));
  }

  return {
    known,
    addPage(items: readonly Item[], from: Join): void {
      const keys = items.map(({ key }) => key);
      const hashes = keys.map((key) => (key === null ? null : hashText(key)));
      noteTwins(items, hashes, from);
      const counts = known.merge(keys, from, hashes);
      keyless += counts.keyless;
      inversions += counts.inversions;
    },
    /** `seenBefore`: the keys that earlier passes have met. */
    evidence(cursor: Cursor, seenBefore: KeyTable): PassEvidence {
      const { pass, steady, totalMoved, totalLast, unlisted } = cursor;
      const { totalMax, reachMax, fallenPass } = cursor.seen;
      const unique = known.size;
      const goneSince = known.countMissing(seenBefore);
      const listed = steady ? records : unique + keyless;
      const met = listed + goneSince;
      const fallen =
        fallenPass === pass || (fallenPass > 0 && listed < Math.max(totalMax, reachMax));
      const missing = [
        unlisted - goneSince,
        steady || totalMoved ? 0 : (totalLast ?? 0) - met,
        fallen ? totalMax - met : 0,
      ];
      return {
        inversions: steady ? 0 : inversions,
        missing: Math.max(0, ...missing),
        unlisted,
        fallen,
        restless: cursor.restless,
        unique,
        twins: steady && hasTwinPages ? sha256(`${twins} ${records}`) : null,
        steady,
      };
    },
  };
}

/**
 * True if the list did not move in this pass, so that two positions are two records. Two pages are no proof of it, because a
 * row may have moved from one to the other in between: the pass before must have shown the same positions.
 */
export function isAtRest({ steady, twins }: PassEvidence, before: PassEvidence | null): boolean {
  return steady && (twins === null || twins === before?.twins);
}

/** After a pass: seal as complete, seal as drifted, or read the list again. `before`: the evidence of the pass before. */
export function judgePass(
  pass: number,
  evidence: PassEvidence,
  before: PassEvidence | null,
): 'complete' | 'drifted' | 'again' {
  const { inversions, missing, unlisted, fallen, restless, unique, twins } = evidence;
  const hasPlaces = twins === null || isAtRest(evidence, before);
  const isListed = missing === 0 && unlisted === 0 && !fallen;
  if (inversions === 0 && isListed && !restless && hasPlaces) return 'complete';
  // Two passes show the same fault: it belongs to the list, and another pass would show it again.
  const isPermanent =
    before !== null &&
    ((restless && before.restless) ||
      (fallen && before.fallen) ||
      (unlisted > 0 && before.unlisted > 0) ||
      (inversions > 0 && inversions === before.inversions && unique === before.unique));
  return isPermanent || pass >= passesMax ? 'drifted' : 'again';
}
