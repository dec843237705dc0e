// Owns what an OBS store's own clock says, from the times in its answers. Refuses to ask for the time.

import type { Clock } from '../core/ports.ts';

/** How far two clocks may part, as a share of the time that passed. Clocks that are kept by NTP stay below it. */
const driftShare = 200e-6;

export interface StoreClock {
  /** Milliseconds since the epoch; this host's clock before the first answer. */
  nowMs(): number;
  /** How far nowMs() may be behind, milliseconds; 0 before the first answer. */
  doubtMs(): number;
  /**
   * At some moment between two monotonic times the store's clock read at least `stampMs` and less than `stampMs + spanMs`.
   */
  observe(stamp: {
    sentMonotonicMs: number;
    receivedMonotonicMs: number;
    stampMs: number;
    spanMs: number;
  }): void;
}

/**
 * A Date header tells whole seconds, so that one answer leaves a second of doubt, and many answers leave little: each
 * bounds the offset between the store's clock and our monotonic one from below and from above, and all bounds hold.
 *
 * nowMs() is the lower bound: never ahead of the store's clock. Whoever reads the quota ledger by it frees a slot late, never
 * early; whoever writes into the ledger adds doubtMs(), the way to the upper bound, so that no stamp is early either. The
 * doubt is small where the store's lists have milliseconds (see obs.ts): the way there and back of one answer.
 *
 * Assumed: all of a store's hosts keep one time. An answer that no common offset explains starts anew.
 */
export function createStoreClock(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): StoreClock {
  let bounds: { lowMs: number; highMs: number; atMonotonicMs: number } | null = null;
  return {
    nowMs: () => (bounds === null ? clock.nowMs() : clock.monotonicMs() + bounds.lowMs),
    doubtMs: () => (bounds === null ? 0 : bounds.highMs - bounds.lowMs),
    observe({ sentMonotonicMs, receivedMonotonicMs, stampMs, spanMs }) {
      const seen = {
        lowMs: stampMs - receivedMonotonicMs,
        highMs: stampMs + spanMs - sentMonotonicMs,
        atMonotonicMs: receivedMonotonicMs,
      };
      if (bounds === null) {
        bounds = seen;
        return;
      }
      const driftMs = Math.abs(receivedMonotonicMs - bounds.atMonotonicMs) * driftShare;
      const lowMs = Math.max(bounds.lowMs - driftMs, seen.lowMs);
      const highMs = Math.min(bounds.highMs + driftMs, seen.highMs);
      bounds = lowMs <= highMs ? { ...seen, lowMs, highMs } : seen;
    },
  };
}
