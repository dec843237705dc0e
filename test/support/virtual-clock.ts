// Responsible for a virtual clock: tests do not wait, because time moves on as soon as all code under test waits.

import type { Clock } from '../../lib/core/ports.ts';

export interface VirtualClock extends Clock {
  /** Changes only the wall clock, as an operator or NTP does. */
  step(deltaMs: number): void;
  /** Runs `work` to its end. Whenever all code waits, time moves to the end of the next sleep. */
  run<T>(work: Promise<T>): Promise<T>;
  advance(deltaMs: number): void;
}

/** `turnsPerStep`: how many turns of the event loop must pass before time moves to the end of the next sleep. */
export function createClock(
  startMs = Date.UTC(2026, 10, 24, 6, 0, 0),
  turnsPerStep = 3,
): VirtualClock {
  let monotonicMs = 1_000;
  let offsetMs = startMs - monotonicMs;
  const sleepers: { atMs: number; wake: () => void }[] = [];
  return {
    nowMs: () => monotonicMs + offsetMs,
    monotonicMs: () => monotonicMs,
    step(deltaMs) {
      offsetMs += deltaMs;
    },
    advance(deltaMs) {
      monotonicMs += deltaMs;
    },
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          sleepers.splice(sleepers.indexOf(sleeper), 1);
          reject(signal?.reason);
        };
        const wake = () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const sleeper = { atMs: monotonicMs + delayMs, wake };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    async run(work) {
      let isOver = false;
      const settled = work.finally(() => {
        isOver = true;
      });
      settled.catch(() => {});
      for (let idle = 0; !isOver; ) {
        await new Promise((resolve) => setImmediate(resolve));
        // zlib works on threads, so it needs some turns to finish before time moves.
        idle += 1;
        if (isOver || idle < turnsPerStep || sleepers.length === 0) continue;
        idle = 0;
        sleepers.sort((a, b) => a.atMs - b.atMs);
        const next = sleepers.shift();
        if (!next) continue;
        monotonicMs = Math.max(monotonicMs, next.atMs);
        next.wake();
      }
      return settled;
    },
  };
}
