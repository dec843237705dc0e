// Responsible for keeping the first items of a long sequence, as an order ranks them. Pure.

export interface TopList<T> {
  add(item: T): void;
  /** Null: every item can still be among the first. Otherwise an item that ranks after this one is not. */
  last(): T | null;
  /** At most `max` items, in their order. Equal ones are in the order in which they were added. */
  list(): T[];
}

/** Memory: twice `max` items. */
export function openTopList<T>(max: number, compare: (a: T, b: T) => number): TopList<T> {
  let items: T[] = [];
  let last: T | null = null;
  const cut = () => {
    items = items.sort(compare).slice(0, max);
    last = items.length === max ? (items[max - 1] ?? null) : null;
  };
  return {
    add(item) {
      items.push(item);
      if (items.length >= 2 * max) cut();
    },
    last: () => last,
    list() {
      cut();
      return [...items];
    },
  };
}
