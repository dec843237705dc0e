// Responsible for the order in which one pass has met its rows: pages are merged in, and rows met in the opposite order counted.

import { createGrowingArray, type GrowingArray } from './growing-array.ts';
import { createKeyTable, hashText, type KeyTable, type TextHash } from './key-table.ts';

/**
 * How a page joins its pass (paging.ts decides): `start`: it is the first page, or begins at offset 0 · `anchor`: its first
 * records are the last ones of the page before · `overlap`: its first record is a known row.
 */
export type Join = 'start' | 'anchor' | 'overlap';

export type Sequence = ReturnType<typeof createSequence>;

export interface MergeCounts {
  /** Keys that this pass had not met before. */
  added: number;
  /** Records after the page's last known key that have no key, or a key that is already in the page. */
  keyless: number;
  /** Known keys in the opposite order: the page has them directly after a known key that they were before. */
  inversions: number;
}

/** In the place of an entry: there is none. */
const none = -1;

/**
 * A linked list. An entry is a number, that of its key. Its label makes two entries comparable without walking the list.
 * Together with the table an entry needs 37 to 43 bytes.
 */
interface Chain {
  keys: KeyTable;
  previous: GrowingArray;
  next: GrowingArray;
  /** Ascending along the list. The gaps leave room for new entries. */
  labels: GrowingArray;
  first: number;
}

/** The distance of neighbouring labels at first. It can be halved about thirty times before all labels are renewed. */
const labelGap = 2 ** 20;

/** The rows of one pass, by key, in list order. */
// Long because: one state, and the functions that share it.
export function createSequence() {
  const chain: Chain = {
    keys: createKeyTable(),
    previous: createGrowingArray(Int32Array),
    next: createGrowingArray(Int32Array),
    labels: createGrowingArray(Float64Array),
    first: none,
  };
  const { keys: known, labels } = chain;
  /** Where the page before ended. */
  let pageEnd = none;

  return {
    get size(): number {
      return known.size;
    },
    has: (key: string) => known.has(hashText(key)),
    /** As `has`, for a key whose hash is known already. */
    hasHash: known.has,
    /** How many of `keys` this pass has not met. */
    countMissing: known.countMissing,
    /**
     * Merges the keys of one page, given in page order; null is a record without a key. Each new key is placed directly after
     * the key before it in the page. New keys at the start of the page are placed directly before the page's first known key.
     * If the page has no known key, they go to the front (`start`) or after the page before (`anchor`, `overlap`).
     * So any two rows that are still in the list have the same order here as there, however many rows were added and deleted.
     * `repeated`: how many records at the start of an `anchor` page are the last ones of the page before, and were counted then.
     * `hashes`: of the keys, if the caller has them already.
     */
    merge(
      keys: readonly (string | null)[],
      join: Join,
      repeated = join === 'anchor' ? 1 : 0,
      hashes: readonly (TextHash | null)[] = keys.map((key) =>
        key === null ? null : hashText(key),
      ),
    ): MergeCounts {
      const counts: MergeCounts = { added: 0, keyless: 0, inversions: 0 };
      const entries = hashes.map((hash) => (hash === null ? none : known.find(hash)));
      const firstKnown = entries.find((entry) => entry !== none);
      let last = join === 'start' ? none : pageEnd;
      if (firstKnown !== undefined) last = chain.previous.get(firstKnown);
      const inPage = new Set<string>();
      let lastKnown = none;
      for (const [index, key] of keys.entries()) {
        const isCounted = index >= repeated;
        if (key === null || inPage.has(key)) {
          if (isCounted) counts.keyless += 1;
          continue;
        }
        inPage.add(key);
        const entry = entries[index] as number;
        if (entry === none) {
          last = insertAfter(chain, last, hashes[index] as TextHash);
          counts.added += 1;
          continue;
        }
        const isBefore = lastKnown !== none && labels.get(entry) < labels.get(lastKnown);
        if (isCounted && isBefore) counts.inversions += 1;
        // Only the records after the last known key are counted as keyless.
        counts.keyless = 0;
        lastKnown = entry;
        last = entry;
      }
      if (last !== none) pageEnd = last;
      return counts;
    },
  };
}

/** Returns the new entry. `before` is `none`: at the front. */
function insertAfter(chain: Chain, before: number, hash: TextHash): number {
  const { keys, previous, next, labels } = chain;
  const after = before === none ? chain.first : next.get(before);
  const low =
    before !== none
      ? labels.get(before)
      : after !== none
        ? labels.get(after) - 2 * labelGap
        : -labelGap;
  const high = after !== none ? labels.get(after) : low + 2 * labelGap;
  const label = low + (high - low) / 2;
  const entry = keys.add(hash);
  previous.set(entry, before);
  next.set(entry, after);
  labels.set(entry, label);
  if (before === none) chain.first = entry;
  else next.set(before, entry);
  if (after !== none) previous.set(after, entry);
  // The gap is used up: there is no double between the labels of the neighbours.
  if (!(label > low && label < high)) relabel(chain);
  return entry;
}

function relabel({ next, labels, first }: Chain): void {
  let label = 0;
  for (let entry = first; entry !== none; entry = next.get(entry)) {
    labels.set(entry, label);
    label += labelGap;
  }
}
