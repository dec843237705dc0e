// Responsible for a list that drifts in one way and at one place, by a seeded history: what it answers, and which ids were always listed.

import { createRandom } from '../support/moving-list.ts';
import type { Answer } from './read-list.ts';

/** How the list changes before each request but the first. */
export type Drifting =
  | 'quiet'
  /** One to ten single rows, spread over 22 requests. */
  | 'single'
  /** One to five rows, added or deleted. */
  | 'rows'
  /** One to five rows. */
  | 'inserts'
  /** One to five rows. */
  | 'deletes'
  /** One to three rows, as many deleted as added: the total stays. */
  | 'swaps'
  /** In a third of the intervals up to a page and a quarter, added or deleted. */
  | 'blocks';

export interface DriftingHistory {
  seed: number;
  limit: number;
  /** The list starts with up to a tenth more or less. */
  size: number;
  drifting: Drifting;
  place: 'anywhere' | 'front' | 'end';
  /** Of the rows at the start, how many in a hundred have no key. They are never deleted. Default 0. */
  keyless?: number;
}

const isKeyless = (id: string) => id.startsWith('?');

export function createDriftingList(history: DriftingHistory) {
  const { seed, limit, drifting, place, keyless = 0 } = history;
  const random = createRandom(seed * 7_919 + history.size);
  const below = (count: number) => Math.floor(random() * count);
  const size = Math.floor(history.size * (0.9 + 0.2 * random()));
  const ids: string[] = Array.from({ length: size }, (_, index) =>
    keyless > 0 && below(100) < keyless ? `?${index}` : `n${index}`,
  );
  const survivors = new Set(ids);
  for (const id of survivors) if (isKeyless(id)) survivors.delete(id);
  const rate = (1 + below(10)) / 22;
  let next = size;
  let requests = 0;

  function placeToInsert(): number {
    if (place === 'anywhere') return below(ids.length + 1);
    const isFirst = random() < 0.5;
    if (place === 'end') return isFirst ? ids.length : Math.max(0, ids.length - below(limit));
    return isFirst ? 0 : below(Math.min(ids.length, limit) + 1);
  }
  function insert(count: number): void {
    ids.splice(placeToInsert(), 0, ...Array.from({ length: count }, () => `n${next++}`));
  }
  function remove(count: number): void {
    if (ids.length === 0) return;
    const last = ids.length - 1;
    const from = place === 'end' ? Math.max(0, last - below(limit)) : undefined;
    const at = from ?? below(place === 'anywhere' ? ids.length : Math.min(ids.length, limit));
    const removed = ids.splice(at, count);
    for (const id of removed) survivors.delete(id);
    if (keyless > 0) ids.splice(at, 0, ...removed.filter(isKeyless));
  }
  const change = (count: number) => (random() < 0.5 ? insert(count) : remove(count));

  function step(): void {
    switch (drifting) {
      case 'single':
        if (random() < rate) change(1);
        return;
      case 'rows':
        change(1 + below(5));
        return;
      case 'inserts':
        insert(1 + below(5));
        return;
      case 'deletes':
        remove(1 + below(5));
        return;
      case 'swaps':
        for (let count = 1 + below(3); count > 0 && ids.length > 0; count -= 1) {
          remove(1);
          insert(1);
        }
        return;
      case 'blocks':
        if (random() < 1 / 3) change(1 + below(Math.ceil(limit * 1.25)));
    }
  }

  return {
    /** At the first request. */
    size,
    answer(offset: number): Answer {
      if (requests > 0) step();
      requests += 1;
      return { totalNum: ids.length, ids: ids.slice(offset, offset + limit) };
    },
    missing: (read: ReadonlySet<string>) => [...survivors].filter((id) => !read.has(id)),
  };
}
