// Responsible for a list that changes between requests by a seeded history and records which ids were always present.

export interface History {
  seed: number;
  size: number;
  /** The maximum number of each change between two requests. */
  inserts: number;
  deletes: number;
  moves: number;
}

/** The Mulberry32 generator: the same seed gives the same numbers. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface MovingList {
  ids(): readonly string[];
  /** Applies the changes between two requests. */
  step(): void;
  /** Ids that were present at every request since the first, in no particular order. */
  survivors(): ReadonlySet<string>;
  /** Ids that were moved at least once. */
  moved(): ReadonlySet<string>;
  /** Call this when a request was answered. */
  answered(): void;
}

export function createMovingList(history: History): MovingList {
  const random = createRandom(history.seed);
  const below = (count: number) => Math.floor(random() * count);
  let next = history.size;
  const list = Array.from({ length: history.size }, (_, index) => `n${index}`);
  let survivors: Set<string> | null = null;
  const moved = new Set<string>();
  return {
    ids: () => list,
    survivors: () => survivors ?? new Set(),
    moved: () => moved,
    answered() {
      survivors ??= new Set(list);
    },
    step() {
      for (let count = below(history.inserts + 1); count > 0; count -= 1) {
        // Sometimes a block at one place, which is the hardest case for anchors.
        const block = random() < 0.1 ? below(12) : 1;
        const fresh = Array.from({ length: block }, () => `n${next++}`);
        list.splice(below(list.length + 1), 0, ...fresh);
      }
      for (let count = below(history.deletes + 1); count > 0 && list.length > 0; count -= 1) {
        const block = random() < 0.1 ? below(12) : 1;
        for (const id of list.splice(below(list.length), block)) survivors?.delete(id);
      }
      for (let count = below(history.moves + 1); count > 0 && list.length > 0; count -= 1) {
        const [id] = list.splice(below(list.length), 1);
        if (id === undefined) continue;
        moved.add(id);
        list.splice(below(list.length + 1), 0, id);
      }
    },
  };
}
