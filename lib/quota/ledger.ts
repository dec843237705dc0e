// Responsible for the request quota: each request is reserved in the store before it is sent.
// Not responsible for the arithmetic (window.ts) or the keys of the entries (ledger-entry.ts).
//
// The quota holds in an object store without conditional PUT, across kills and processes: docs/design/quota.md explains how.
// Where each step is:
// - reserve(): LIST, wait for a free slot, PUT a reservation, LIST again. If the slots are taken by then: DELETE and retry.
// - admit(): lets requests use the slots of the reservation, until all are used or it is too old (nextSlotMs).
// - sent(): notes when each request was sent. After a 429 it stores a `throttled` entry and drops the other slots.
// - settle(): PUT a `sent` entry with the exact times, then DELETE the reservation. So no slot is ever uncounted.
// - planRequests(): when requests may be sent, by the ledger, by a 429, and by what this process itself has sent.
// - latestStoreTimeMs(): the time stamp of an entry. The store's clock is known only as an interval.

import { RateLimitedError } from '../core/errors.ts';
import { quotaPrefix } from '../core/object-keys.ts';
import type { Clock, Log, Sent, Store } from '../core/ports.ts';
import { newToken } from '../core/state.ts';
import {
  ledgerBytes,
  parseLedgerEntry,
  reservedKey,
  sentKey,
  throttledKey,
} from './ledger-entry.ts';
import {
  guardMaxMs,
  type LedgerSummary,
  planSlots,
  type Quota,
  sendWithinMs,
  summarizeLedger,
} from './window.ts';

/** At most this many slots are reserved together: as many requests as can be sent before the reservation is too old. */
const batchMax = 20;
/** A reservation is not used in this last part of `sendWithinMs`, because a request leaves some time after admit(), milliseconds. */
const sendMarginMs = 300;

/**
 * `quota`: the window has no free slot. `throttled`: the service answered 429 for this user; other users may send.
 * `contention`: another exporter reserved at the same moment.
 */
export type WaitReason = 'quota' | 'throttled' | 'contention';

export interface LedgerPorts {
  store: Store;
  clock: Clock;
  log: Log;
  quota: Quota;
  requestTimeoutMs: number;
  /**
   * From when a sent request holds its slot: from the end of its answer (commands) or from its departure (timers).
   * Why: docs/design/decisions/quota-slot-start.md.
   */
  heldFrom: 'answer' | 'departure';
  /** In [0, 1). */
  random: () => number;
  /** Waits and resolves true, or resolves false at once if the wait is refused. Throws when the run must stop. */
  wait: (delayMs: number, reason: WaitReason) => Promise<boolean>;
}

interface Reservation {
  key: string;
  token: string;
  /** When it was made, store time. */
  atMs: number;
  /** When it becomes too old to be used, monotonic time. */
  lastUseMonotonicMs: number;
  /** When each slot may be used, monotonic time, ascending. */
  readyMonotonicMs: number[];
  /** How many slots were used. */
  admitted: number;
  /** From when each request that has ended holds its slot. */
  sentMonotonicMs: number[];
}

export type Ledger = ReturnType<typeof openLedger>;

/** The ledger of one process. It has at most one reservation at a time. */
export function openLedger(ports: LedgerPorts) {
  const { store, clock, quota, heldFrom } = ports;
  let held: Reservation | null = null;
  /** What this process sent lately. If the host's clock jumps ahead, ledger entries look old too early; these times do not. */
  let ownSentMonotonicMs: number[] = [];

  async function settle(): Promise<void> {
    if (!held) return;
    const { key, token, atMs } = held;
    const sentMs = held.sentMonotonicMs.map((timeMs) => latestStoreTimeMs(ports, timeMs));
    // PUT before DELETE: otherwise the slots would be uncounted in between.
    if (sentMs.length > 0) await putEntry(store, sentKey(atMs, token, sentMs));
    held = null;
    await store.delete(key);
  }

  return {
    /**
     * Waits until one request may be sent, then resolves true; false if the wait is refused. `user`: hash of the access key,
     * because a 429 is for one user. `want`: how many requests the caller expects to send (≥ 1).
     */
    async admit(user: string, want: number): Promise<boolean> {
      for (;;) {
        const readyMonotonicMs = held && nextSlotMs(ports, held);
        if (held && readyMonotonicMs !== null) {
          if (!(await waitUntil(ports, readyMonotonicMs, 'quota'))) return false;
          // The wait can have taken longer than requested. The reservation must still be young enough.
          if (nextSlotMs(ports, held) === null) continue;
          held.admitted += 1;
          return true;
        }
        await settle();
        held = await reserve(ports, ownSentMonotonicMs, user, want);
        if (!held) return false;
      }
    },
    /** Must be called once for every admitted request, after it ended and before the next admit(). */
    async sent(user: string, outcome: Sent): Promise<void> {
      if (!held) throw new Error('sent() was called without admit()');
      const nowMonotonicMs = clock.monotonicMs();
      const oldestMs = nowMonotonicMs - quota.windowMs - guardMaxMs;
      const heldSinceMs = heldFrom === 'answer' ? nowMonotonicMs : outcome.atMonotonicMs;
      held.sentMonotonicMs.push(heldSinceMs);
      const recentMs = ownSentMonotonicMs.filter((timeMs) => timeMs > oldestMs);
      ownSentMonotonicMs = [...recentMs, heldSinceMs];
      if (outcome.error instanceof RateLimitedError) {
        // Do not use the other slots of the reservation: the service asked this user to wait.
        held.readyMonotonicMs.length = held.admitted;
        await noteThrottled(ports, user, outcome.error);
      }
    },
    /** Settles the reservation: unused slots become free for others. May be called at any time and more than once. */
    release: settle,
  };
}

/**
 * Reserves slots that become free soon, at most `want`. Null if the wait is refused.
 * `ownSentMonotonicMs`: what this process sent lately.
 */
async function reserve(
  ports: LedgerPorts,
  ownSentMonotonicMs: readonly number[],
  user: string,
  want: number,
): Promise<Reservation | null> {
  const { store, clock, log, random, wait } = ports;
  for (let tries = 0; ; tries += 1) {
    const before = await readLedger(ports, user, null);
    for (const key of before.expiredKeys) await store.delete(key);
    const [first] = planRequests(ports, before, ownSentMonotonicMs, 1);
    if (first === undefined) throw new Error('The quota allows no requests.');
    const reason = before.notBeforeMs > store.nowMs() ? 'throttled' : 'quota';
    if (!(await waitUntil(ports, first, reason))) return null;

    // Reserve only slots that become free while the reservation is young. Later ones stay free for other exporters.
    const lastUseMonotonicMs = clock.monotonicMs() + sendWithinMs - sendMarginMs;
    const soonMs = lastUseMonotonicMs - sendMarginMs;
    const plan = planRequests(ports, before, ownSentMonotonicMs, Math.min(want, batchMax));
    const slots = Math.max(1, plan.filter((readyMs) => readyMs <= soonMs).length);
    const token = newToken(random);
    const atMs = latestStoreTimeMs(ports);
    const key = reservedKey(atMs, token, slots);
    await putEntry(store, key);

    // LIST after the PUT: of two exporters, the one whose PUT ends later sees the other, so together they never send too much.
    const others = await readLedger(ports, user, token);
    const readyMonotonicMs = planRequests(ports, others, ownSentMonotonicMs, slots);
    if (readyMonotonicMs.every((readyMs) => readyMs <= lastUseMonotonicMs)) {
      const unused = { admitted: 0, sentMonotonicMs: [] };
      return { key, token, atMs, lastUseMonotonicMs, readyMonotonicMs, ...unused };
    }
    await store.delete(key);
    const delayMs = 20 + random() * Math.min(100 * 2 ** tries, 2_000);
    log('debug', 'another exporter reserved at the same moment; trying again', { delayMs });
    if (!(await wait(delayMs, 'contention'))) return null;
  }
}

/** When the next slot of a reservation may be used, monotonic time; null if all are used or the reservation is too old. */
function nextSlotMs({ store, clock }: LedgerPorts, reservation: Reservation): number | null {
  const readyMs = reservation.readyMonotonicMs[reservation.admitted];
  if (readyMs === undefined) return null;
  // While a host is suspended, its monotonic clock can stop. The store's time continues.
  if (store.nowMs() > reservation.atMs + sendWithinMs) return null;
  return Math.max(readyMs, clock.monotonicMs()) > reservation.lastUseMonotonicMs ? null : readyMs;
}

/**
 * When each of the next `want` requests may be sent, monotonic time, ascending. Three limits apply: the slots of the ledger,
 * a 429 for this user, and what this process sent itself.
 */
function planRequests(
  { store, clock, quota }: LedgerPorts,
  { slotEndsMs, notBeforeMs, guardMs }: LedgerSummary,
  ownSentMonotonicMs: readonly number[],
  want: number,
): number[] {
  const nowMonotonicMs = clock.monotonicMs();
  const nowMs = store.nowMs();
  const ownEndsMs = ownSentMonotonicMs.map((timeMs) => timeMs + quota.windowMs + guardMs);
  const byOwn = planSlots(ownEndsMs, quota, nowMonotonicMs, want);
  return planSlots(slotEndsMs, quota, nowMs, want).map((readyMs, index) => {
    const byLedger = nowMonotonicMs + (Math.max(readyMs, notBeforeMs) - nowMs);
    return Math.max(byLedger, byOwn[index] ?? nowMonotonicMs, nowMonotonicMs);
  });
}

/** Resolves false if the wait is refused. */
async function waitUntil(
  { clock, wait }: LedgerPorts,
  readyMonotonicMs: number,
  reason: WaitReason,
): Promise<boolean> {
  const delayMs = readyMonotonicMs - clock.monotonicMs();
  return delayMs <= 0 || (await wait(delayMs, reason));
}

async function noteThrottled(
  ports: LedgerPorts,
  user: string,
  { retryAfterMs }: RateLimitedError,
): Promise<void> {
  const message =
    'the service answered 429: another client uses the same quota, or a bug: compare the log of the gateway with the entries under _quota/';
  ports.log('warn', message, { retryAfterMs });
  const atMs = latestStoreTimeMs(ports);
  await putEntry(ports.store, throttledKey(atMs, atMs + Math.ceil(retryAfterMs), user));
}

/** Each entry has a unique key, so that the store can learn its time from the entry's time stamp. */
async function putEntry(store: Store, key: string): Promise<void> {
  await store.put(key, ledgerBytes(key), { durability: 'acknowledged', isWrittenOnce: true });
}

async function readLedger(
  { store, quota, requestTimeoutMs }: LedgerPorts,
  user: string,
  ignoreToken: string | null,
): Promise<LedgerSummary> {
  const entries = (await store.list(quotaPrefix)).map(parseLedgerEntry);
  const nowMs = store.nowMs();
  return summarizeLedger(entries, { quota, nowMs, user, requestTimeoutMs, ignoreToken });
}

/**
 * The latest that the store's time can be at `monotonicMs` (default: now), in whole milliseconds. nowMs() may be behind it by
 * doubtMs(). An entry with an earlier time would free its slot too early.
 */
function latestStoreTimeMs(
  { store, clock }: LedgerPorts,
  monotonicMs = clock.monotonicMs(),
): number {
  const doubtMs = store.doubtMs?.() ?? 0;
  return Math.ceil(store.nowMs() + doubtMs + (monotonicMs - clock.monotonicMs()));
}
