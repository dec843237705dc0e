// Responsible for what one pass over a moving list has shown, and for the verdict: complete, drifted, or another pass. Pure.
//
// docs/design/reading-a-moving-list.md explains what this proves. Where each rule is:
// - sequence.ts: the order of all rows of a pass, and the inversions: rows that were met in the opposite order.
// - trackPass(): what a pass has shown, and the rows listed twice. judgePass(): the verdict.

import { sha256 } from '../core/state.ts';
import { createKeyTable, hashText, type KeyTable, type TextHash } from './key-table.ts';
import type { Item } from './page.ts';
import type { Cursor } from './paging.ts';
import { createSequence, type Join } from './sequence.ts';

export const passesMax = 5;

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
  /** Where the pages so far end. In a steady pass, the number of positions. */
  let end = 0;
  let hasTwinPages = false;
  let twins = '';

  /** Notes records that this pass has met before. Only in a steady pass is their place another one. `repeated`: see below. */
  function noteTwins(
    items: readonly Item[],
    hashes: readonly (TextHash | null)[],
    page: { offset: number; repeated: number },
  ): void {
    const inPage = new Set<string>();
    for (const [index, { mark }] of items.entries()) {
      const isInPage = inPage.has(mark);
      inPage.add(mark);
      if (index < page.repeated) continue;
      const hash = hashes[index] ?? null;
      const isKnown = hash === null ? keylessMarks.has(hashText(mark)) : known.hasHash(hash);
      // One page is one state of the list, so it proves by itself that a record is listed twice.
      if (isKnown && !isInPage) hasTwinPages = true;
      if (isKnown || isInPage) twins = sha256(`${twins} ${page.offset + index} ${mark}`);
    }
    for (const { key, mark } of items) if (key === null) keylessMarks.add(hashText(mark));
  }

  return {
    known,
    /** An accepted page, and the offset that it was requested with. */
    addPage(items: readonly Item[], from: Join, offset: number): void {
      /** How many records of the page before it starts with. */
      const repeated = from === 'anchor' ? end - offset : 0;
      const keys = items.map(({ key }) => key);
      const hashes = keys.map((key) => (key === null ? null : hashText(key)));
      noteTwins(items, hashes, { offset, repeated });
      end = offset + items.length;
      const counts = known.merge(keys, from, repeated, hashes);
      keyless += counts.keyless;
      inversions += counts.inversions;
    },
    /** `seenBefore`: the keys that earlier passes have met. */
    evidence(cursor: Cursor, seenBefore: KeyTable): PassEvidence {
      const { pass, steady, totalMoved, totalLast, unlisted } = cursor;
      const { totalMax, reachMax, fallenPass } = cursor.seen;
      const unique = known.size;
      const goneSince = known.countMissing(seenBefore);
      const listed = steady ? end : unique + keyless;
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
        twins: steady && hasTwinPages ? sha256(`${twins} ${end}`) : null,
        steady,
      };
    },
  };
}

/**
 * True if the list did not move in this pass, so that two positions are two records. Two pages do not prove it, because a
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
