// Responsible for a long sequence of numbers with few changes: it keeps runs of consecutive numbers, not the numbers.

/** Positions count from 0. */
export interface NumberOrder {
  readonly length: number;
  /** Throws RangeError if there is no such position. */
  at(position: number): number;
  insert(position: number, number: number): void;
  /** Returns the number that was there. Throws RangeError if there is no such position. */
  remove(position: number): number;
  /** Calls `visit` for the numbers from `start` to before `end`, as far as they exist, in order. */
  visit(start: number, end: number, visit: (number: number) => void): void;
}

/** Consecutive numbers, in ascending order. */
interface Run {
  first: number;
  count: number;
}

/** `count` numbers from `first` on. */
// Long because: one state, and the operations that share it.
export function createNumberOrder(first: number, count: number): NumberOrder {
  let length = count;
  const runs: Run[] = count > 0 ? [{ first, count }] : [];

  /** The run that holds `position`, and the position of its first number. */
  function locate(position: number): { index: number; start: number } {
    let start = 0;
    let index = 0;
    for (const run of runs) {
      if (position < start + run.count) break;
      start += run.count;
      index += 1;
    }
    return { index, start };
  }

  function at(position: number): number {
    const { index, start } = locate(position);
    const run = runs[index];
    if (!run || position < 0) throw new RangeError(`position ${position} of ${length}`);
    return run.first + position - start;
  }

  /** Makes `position` the start of a run, and returns the index of this run. */
  function splitAt(position: number): number {
    const { index, start } = locate(position);
    const run = runs[index];
    if (!run || start === position) return index;
    const left = position - start;
    runs.splice(index + 1, 0, { first: run.first + left, count: run.count - left });
    run.count = left;
    return index + 1;
  }

  return {
    get length() {
      return length;
    },
    at,
    insert(position, number) {
      runs.splice(splitAt(position), 0, { first: number, count: 1 });
      length += 1;
    },
    remove(position) {
      const number = at(position);
      const index = splitAt(position);
      splitAt(position + 1);
      runs.splice(index, 1);
      length -= 1;
      return number;
    },
    visit(start, end, visit) {
      let { index, start: position } = locate(start);
      for (; index < runs.length && position < end; index += 1) {
        const run = runs[index] as Run;
        const from = Math.max(0, start - position);
        const to = Math.min(run.count, end - position);
        for (let offset = from; offset < to; offset += 1) visit(run.first + offset);
        position += run.count;
      }
    },
  };
}
