// Owns the order in which one pass has met its rows: a list that takes rows in anywhere and tells which of two comes first. Pure.

interface Entry {
  key: string;
  previous: Entry | null;
  next: Entry | null;
  /** Grows along the list; gaps let rows in without touching others. */
  label: number;
}

export interface Sequence {
  readonly size: number;
  has(key: string): boolean;
  /**
   * Takes in one page's keys in their order (null: a record without one). A new key goes right behind the one before it
   * in the page; new keys at the page's start go right before the first known one, or, where the page knows none, to the
   * front (`from` start) or behind the page before (`from` anchor: its first record is the last one of that page).
   * So two rows that still stand in the list stand in the same order here, however many rows came and went.
   */
  take(keys: readonly (string | null)[], from: 'start' | 'anchor' | 'overlap'): Taken;
}

export interface Taken {
  /** Keys not met before in this pass. */
  added: number;
  /** Records met again, the anchor apart. */
  repeated: number;
  /** Records beyond what was known that bring no new key: without a key, or twice in this page. */
  keyless: number;
  /** Known keys now in front of one that came before them. */
  inversions: number;
}

/** Labels of neighbours differ by this at first: fifty halvings before a gap is used up. */
const gap = 2 ** 20;

export function createSequence(): Sequence {
  const byKey = new Map<string, Entry>();
  let first: Entry | null = null;
  /** Where the page before ended. */
  let frontier: Entry | null = null;

  function relabel(): void {
    let label = 0;
    for (let entry = first; entry; entry = entry.next) {
      entry.label = label;
      label += gap;
    }
  }

  /** Inserts behind `previous`, or at the front. */
  function insertBehind(key: string, previous: Entry | null): Entry {
    const next: Entry | null = previous ? previous.next : first;
    const low = previous ? previous.label : next ? next.label - 2 * gap : -gap;
    const high = next ? next.label : low + 2 * gap;
    const entry: Entry = { key, previous, next, label: low + (high - low) / 2 };
    if (previous) previous.next = entry;
    else first = entry;
    if (next) next.previous = entry;
    byKey.set(key, entry);
    if (!(entry.label > low && entry.label < high)) relabel();
    return entry;
  }

  return {
    get size() {
      return byKey.size;
    },
    has: (key) => byKey.has(key),
    take(keys, from) {
      const taken: Taken = { added: 0, repeated: 0, keyless: 0, inversions: 0 };
      const firstKnown = keys.find((key) => key !== null && byKey.has(key)) ?? null;
      let cursor = from === 'start' ? null : frontier;
      if (firstKnown !== null) cursor = (byKey.get(firstKnown) as Entry).previous;
      const inPage = new Set<string>();
      const keylessPlaces: number[] = [];
      let lastKnown: Entry | null = null;
      // The anchor was counted by the page before.
      let knownPlace = from === 'anchor' ? 0 : -1;
      for (const [place, key] of keys.entries()) {
        if (key === null) {
          keylessPlaces.push(place);
          continue;
        }
        if (inPage.has(key)) {
          keylessPlaces.push(place);
          taken.repeated += 1;
          continue;
        }
        inPage.add(key);
        const entry = byKey.get(key);
        if (!entry) {
          cursor = insertBehind(key, cursor);
          taken.added += 1;
          continue;
        }
        if (!(from === 'anchor' && place === 0)) taken.repeated += 1;
        if (lastKnown && entry.label < lastKnown.label) taken.inversions += 1;
        lastKnown = entry;
        knownPlace = place;
        cursor = entry;
      }
      if (cursor) frontier = cursor;
      taken.keyless = keylessPlaces.filter((place) => place > knownPlace).length;
      return taken;
    },
  };
}
