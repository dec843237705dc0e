// Responsible for where the next request starts: how many known rows it reads again, and how far a step back goes. Pure.
// Not responsible for whether a page joins the pass (paging.ts): a bad choice here costs requests, but no row.

/** How many rows the pass expects to vanish between two requests, before the place that it has read to. */
export interface Drift {
  /** Rows. 0: the list is quiet, as far as this pass has seen. */
  rows: number;
  /** Joins since that many vanished, or since it was halved. */
  joins: number;
}

export const noDrift: Drift = { rows: 0, joins: 0 };

/** Rows that cost nothing are spent on a quiet list too: this many at most. */
const spareMax = 2;
/** The part of a page that an overlap may take. Larger falls are rare, and to step back is cheaper than to expect them. */
const overlapShareMax = 1 / 12;
/** After so many joins without a fall that an overlap can cover, half of it is expected. */
const joinsMax = 24;
/** A first step back goes this many rows further than the total changed. */
const stepMargin = 8;

/** `fall`: how many rows vanished before the place that the pass had read to. 0 or less: none. `limit`: rows of a full page. */
export function learnDrift(drift: Drift, fall: number, limit: number): Drift {
  if (fall > 0 && fall <= limit * overlapShareMax) {
    return { rows: Math.max(drift.rows, fall), joins: 0 };
  }
  const joins = drift.joins + 1;
  return joins < joinsMax
    ? { rows: drift.rows, joins }
    : { rows: Math.floor(drift.rows / 2), joins: 0 };
}

/**
 * How many rows of a page of `length` rows the next request reads again: the last one, and more if rows are expected to vanish.
 * `rest`: how many rows follow the page, by the stated total. The last page of a quiet list is shorter than `limit`: the rows
 * that it leaves unused are spread over all joins, so a quiet list needs no more requests.
 */
export function chooseOverlap(drift: Drift, page: { length: number; rest: number }, limit: number) {
  const { length, rest } = page;
  const requests = Math.ceil(rest / (limit - 1));
  const unused = requests * (limit - 1) - rest;
  const spare = Math.floor(unused / (requests + 1));
  const more = Math.max(drift.rows, Math.min(spare, spareMax));
  return 1 + Math.min(more, Math.floor(length * overlapShareMax));
}

/**
 * Rows of a step back, because the first row of a page is unknown. `before`: the step before, since the last joined page; 0: none.
 * `change`: of the stated total since that page.
 */
export function chooseStepBack(before: number, change: number, limit: number): number {
  if (before === 0) return Math.abs(change) + Math.min(stepMargin, limit >> 2);
  // The total did not show how far the list moved.
  return before < limit - 2 ? limit - 2 : Math.floor(1.5 * before);
}
