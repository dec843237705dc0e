// Owns seeded pseudo-random numbers for the simulator. Refuses real randomness: the same seed always gives the same run.

/** Uniform in [0, 1). */
export type Random = () => number;

/** Mulberry32: 32 bits of state, good enough to vary test data, not for secrets. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
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

/** A count whose mean is `rate`: 2.25 gives 2 three times out of four and 3 otherwise. */
export function drawCount(random: Random, rate: number): number {
  const whole = Math.floor(rate);
  return rate === whole ? whole : whole + (random() < rate - whole ? 1 : 0);
}
