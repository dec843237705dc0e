// Responsible for the time of an OBS store's own clock, computed from the times in its answers.

import type { Clock } from '../core/ports.ts';

/** How fast two clocks may diverge, as a share of the elapsed time. Clocks that NTP keeps stay below it. */
const driftShare = 200e-6;
/** Remembered writes whose objects no list has returned yet. The oldest one is forgotten first. */
const pendingWritesMax = 16;

/** Monotonic times of this host: when a request started and when its answer was complete. */
export interface Exchange {
  sentMonotonicMs: number;
  receivedMonotonicMs: number;
}

export type StoreClock = ReturnType<typeof createStoreClock>;

/**
 * Each answer gives a lower and an upper bound for the offset between the store's clock and this host's monotonic clock.
 * A Date header has whole seconds, so one answer leaves up to a second of doubt. All bounds hold together, so many answers
 * leave little doubt. Time stamps in a list have milliseconds and leave only the duration of one request.
 *
 * nowMs() is the lower bound, so it is never ahead of the store's clock. A reader of the quota ledger therefore frees a
 * slot late, never early. A writer adds doubtMs() and gets the upper bound, so that its time stamps are not early either.
 *
 * Assumed: all hosts of a store have the same time. An answer that contradicts the bounds replaces them.
 */
export function createStoreClock(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>) {
  let bounds: { lowMs: number; highMs: number; atMonotonicMs: number } | null = null;
  const pendingWrites = new Map<string, Exchange>();

  /** During `exchange` the store's clock was at least `stampMs` and less than `stampMs + spanMs`. */
  function observe(exchange: Exchange, stampMs: number, spanMs: number): void {
    const { sentMonotonicMs, receivedMonotonicMs } = exchange;
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
  }

  return {
    /** Milliseconds since the epoch; this host's clock before the first answer. */
    nowMs: () => (bounds === null ? clock.nowMs() : clock.monotonicMs() + bounds.lowMs),
    /** How far nowMs() may be behind, milliseconds; 0 before the first answer. */
    doubtMs: () => (bounds === null ? 0 : bounds.highMs - bounds.lowMs),
    observe,
    /** Remembers an object that `exchange` wrote. No other request may write its key: see `observeModified`. */
    observeWrite(key: string, exchange: Exchange): void {
      pendingWrites.set(key, exchange);
      const [oldest] = pendingWrites.keys();
      if (oldest !== undefined && pendingWrites.size > pendingWritesMax) {
        pendingWrites.delete(oldest);
      }
    },
    /** If the object was remembered, its time stamp in a list is the store's time during the write. */
    observeModified(key: string, stampMs: number): void {
      const exchange = pendingWrites.get(key);
      if (exchange === undefined) return;
      pendingWrites.delete(key);
      // Whole seconds: this store keeps no milliseconds, or it does and this is one stamp in a thousand.
      observe(exchange, stampMs, stampMs % 1_000 === 0 ? 1_000 : 1);
    },
  };
}
