// Responsible for the stored pages of a run in order, and for which of their records are at a position of the list of their own.

import type { Checkpoint } from '../reading/checkpoint.ts';
import type { StoredPage } from '../reading/page.ts';

/** The places of one page whose records are at a position that no page before it has read. */
export interface NewPositions {
  has(place: number): boolean;
}

/**
 * Follows the pages of the last pass, in order. If the list did not move (isAtRest), offset + place is a position of the list, and
 * pages leave no gap: a place is new if it is behind the end of all pages before. If the list moved, two places are certainly two
 * positions only if they are in one page: so every place of a page is new, and pages must not be compared with each other. Returns
 * null for a page of an earlier pass.
 */
export function followPositions({ atRest, cursor }: Checkpoint) {
  let end = 0;
  return ({ header, body }: StoredPage): NewPositions | null => {
    if (header.pass !== cursor.pass) return null;
    const firstNew = atRest ? end - header.offset : 0;
    end = Math.max(end, header.offset + body.records.length);
    return { has: (place) => place >= firstNew };
  };
}

/**
 * As followPositions, for few records: tells for each of them whether its mark, a key or a text, was met at another position of the
 * list. Keeps the marks of the last pass, or of one page if the list moved.
 */
export function followMarks(checkpoint: Checkpoint) {
  const openPage = followPositions(checkpoint);
  const met = new Set<string>();
  return (page: StoredPage): ((place: number, mark: string) => boolean) | null => {
    const positions = openPage(page);
    if (!positions) return null;
    if (!checkpoint.atRest) met.clear();
    return (place, mark) => {
      const isMet = met.has(mark);
      met.add(mark);
      return isMet && positions.has(place);
    };
  };
}
