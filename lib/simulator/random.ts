// Responsible for seeded pseudo-random numbers: the same seed gives the same numbers. Not suitable for secrets.

/** Uniform in [0, 1). */
export type Random = () => number;

/** How far the state moves with each number. */
const step = 0x6d2b79f5;

/** The Mulberry32 generator, with 32 bits of state. */
export function createRandom(seed: number): Random {
  return createSequence(seed).next;
}

/** Like createRandom, but it can continue at any place of its sequence: `seek(0)` is the start. */
export function createSequence(seed: number): { next: Random; seek(position: number): void } {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + step) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
    seek(position) {
      state = (seed + Math.imul(position, step)) >>> 0;
    },
  };
}

/** An integer from `min` to `max`, both included. */
export function drawInteger(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

/** `list` must not be empty. */
export function drawOne<T>(random: Random, list: readonly T[]): T {
  return list[drawInteger(random, 0, list.length - 1)] as T;
}

/** A whole number with the mean `rate`: 2.25 gives 2 with probability 0.75, otherwise 3. */
export function drawCount(random: Random, rate: number): number {
  const whole = Math.floor(rate);
  // A whole rate takes no number from the sequence.
  return rate > whole && random() < rate - whole ? whole + 1 : whole;
}
