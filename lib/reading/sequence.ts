// Responsible for the order in which one pass has met its rows: pages are merged in, and rows met in the opposite order counted.

/**
 * How a page joins its pass (paging.ts decides): `start`: it is the first page, or begins at offset 0 · `anchor`: its first
 * record is the last one of the page before · `overlap`: its first record is another known row.
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

/** An entry of a linked list. Its number makes two entries comparable without walking the list. */
interface Entry {
  key: string;
  previous: Entry | null;
  next: Entry | null;
  /** Ascending along the list. The gaps leave room for new entries. */
  label: number;
}

interface Chain {
  byKey: Map<string, Entry>;
  first: Entry | null;
}

/** The distance of neighbouring labels at first. It can be halved about fifty times before all labels are renewed. */
const labelGap = 2 ** 20;

/** The rows of one pass, by key, in list order. */
export function createSequence() {
  const chain: Chain = { byKey: new Map(), first: null };
  const { byKey } = chain;
  /** Where the page before ended. */
  let pageEnd: Entry | null = null;

  return {
    get size(): number {
      return byKey.size;
    },
    has: (key: string) => byKey.has(key),
    /**
     * Merges the keys of one page, given in page order; null is a record without a key. Each new key is placed directly after
     * the key before it in the page. New keys at the start of the page are placed directly before the page's first known key.
     * If the page has no known key, they go to the front (`start`) or after the page before (`anchor`, `overlap`).
     * So any two rows that are still in the list have the same order here as there, however many rows were added and deleted.
     */
    merge(keys: readonly (string | null)[], join: Join): MergeCounts {
      const counts: MergeCounts = { added: 0, keyless: 0, inversions: 0 };
      const firstKnown = keys.find((key) => key !== null && byKey.has(key)) ?? null;
      let last = join === 'start' ? null : pageEnd;
      if (firstKnown !== null) last = (byKey.get(firstKnown) as Entry).previous;
      const inPage = new Set<string>();
      let lastKnown: Entry | null = null;
      for (const [index, key] of keys.entries()) {
        // The page before has counted the anchor already.
        const isCounted = join !== 'anchor' || index > 0;
        if (key === null || inPage.has(key)) {
          if (isCounted) counts.keyless += 1;
          continue;
        }
        inPage.add(key);
        const entry = byKey.get(key);
        if (!entry) {
          last = insertAfter(chain, last, key);
          counts.added += 1;
          continue;
        }
        if (lastKnown && entry.label < lastKnown.label) counts.inversions += 1;
        // Only the records after the last known key are counted as keyless.
        counts.keyless = 0;
        lastKnown = entry;
        last = entry;
      }
      if (last) pageEnd = last;
      return counts;
    },
  };
}

/** `previous` null: at the front. */
function insertAfter(chain: Chain, previous: Entry | null, key: string): Entry {
  const next: Entry | null = previous ? previous.next : chain.first;
  const low = previous ? previous.label : next ? next.label - 2 * labelGap : -labelGap;
  const high = next ? next.label : low + 2 * labelGap;
  const entry: Entry = { key, previous, next, label: low + (high - low) / 2 };
  if (previous) previous.next = entry;
  else chain.first = entry;
  if (next) next.previous = entry;
  chain.byKey.set(key, entry);
  // The gap is used up: there is no double between the labels of the neighbours.
  if (!(entry.label > low && entry.label < high)) relabel(chain);
  return entry;
}

function relabel({ first }: Chain): void {
  let label = 0;
  for (let entry = first; entry; entry = entry.next) {
    entry.label = label;
    label += labelGap;
  }
}
