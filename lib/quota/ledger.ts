// Responsible for the request quota: each request is reserved in the store before it is sent.
// Not responsible for the arithmetic (window.ts) or the keys of the entries (ledger-entry.ts).
//
// How a quota is kept in an object store without conditional PUT (diagram and reasons: docs/design/quota.md):
// 1. The ledger is the objects under `_quota/`. The key of an object holds the whole entry, so one LIST reads the ledger.
// 2. Reserve before sending: LIST; when the window has a free slot, PUT a reservation for the next requests; LIST again.
// 3. Two exporters can reserve at the same moment. A LIST shows every PUT that has ended, so the exporter whose PUT ends later
//    sees the other reservation. An exporter sends only if the window has room for all reservations that it sees. Otherwise
//    it deletes its own, waits a random time and starts again. At worst both start again; they never exceed the quota.
// 4. Settle: PUT a `sent` entry with the exact times, then DELETE the reservation. In this order, no slot is ever uncounted.
// 5. A 429 becomes a `throttled` entry: that user must wait, and all slots are held a little longer (the guard) for ten windows.
// 6. After a crash the reservation remains. All its slots count as used, from the latest time at which its requests can have
//    arrived. So a crash costs quota, but never exceeds it.
// 7. The next exporter that reserves deletes the entries that have expired.

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
/** A reservation is not used in the last part of `sendWithinMs`: some time passes between admission and sending, milliseconds. */
const sendMarginMs = 300;

export interface Ledger {
  /**
   * Resolves true when one request may be sent now, false if `mayWait` refused the wait.
   * `user`: hash of the access key, because a 429 is for one user. `want`: how many requests the caller expects to send (≥ 1).
   */
  admit(user: string, want: number): Promise<boolean>;
  /** Must be called once for every admitted request, after it ended and before the next admit(). */
  sent(user: string, outcome: Sent): Promise<void>;
  /** Settles the reservation: unused slots become free for others. May be called at any time and more than once. */
  release(): Promise<void>;
}

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
   * A sent request holds its slot for one window and the guard. From when?
   * `answer` (commands): from the end of the answer. The request cannot have arrived later, so no network delay can put too
   * many requests into one window of the service. A slot then takes longer by the time of an answer; a command can wait.
   * `departure` (timers): from the moment when the request was sent. A timer starts once per window, at the same second, and
   * may wait for 1/20 of a window only. So it must find the slots of the previous invocation free. Counted from the answer,
   * they would become free later in each invocation. The price: the time to arrive may vary by no more than the guard.
   */
  heldFrom: 'answer' | 'departure';
  /** In [0, 1). */
  random: () => number;
  /** Whether the ledger may wait for this long. */
  mayWait: (delayMs: number, reason: WaitReason) => boolean;
  /** Waits. Renews the lease meanwhile; throws when the run must stop. */
  wait: (delayMs: number, reason: WaitReason) => Promise<void>;
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
  /** How many slots were used. `sentMonotonicMs`: from when the requests that have ended hold their slots. */
  admitted: number;
  sentMonotonicMs: number[];
}

/** The ledger of one process. It has at most one reservation at a time. */
export function openLedger(ports: LedgerPorts): Ledger {
  const { store, clock, quota, heldFrom } = ports;
  let held: Reservation | null = null;
  /** What this process sent lately. The host's clock can jump ahead and make ledger entries look old; these times cannot. */
  let ownSentMonotonicMs: number[] = [];

  async function settle(): Promise<void> {
    if (!held) return;
    const { key, token, atMs, sentMonotonicMs } = held;
    // PUT before DELETE: otherwise the slots would be uncounted in between.
    if (sentMonotonicMs.length > 0) {
      const sentMs = sentMonotonicMs.map((timeMs) => latestStoreTimeMs(ports, timeMs));
      await putEntry(store, sentKey(atMs, token, sentMs));
    }
    held = null;
    await store.delete(key);
  }

  return {
    async admit(user, want) {
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
    async sent(user, outcome) {
      if (!held) throw new Error('sent() was called without admit()');
      const nowMonotonicMs = clock.monotonicMs();
      const holdMaxMs = quota.windowMs + guardMaxMs;
      const heldSinceMs = heldFrom === 'answer' ? nowMonotonicMs : outcome.atMonotonicMs;
      held.sentMonotonicMs.push(heldSinceMs);
      ownSentMonotonicMs = ownSentMonotonicMs.filter(
        (timeMs) => timeMs + holdMaxMs > nowMonotonicMs,
      );
      ownSentMonotonicMs.push(heldSinceMs);
      if (outcome.error instanceof RateLimitedError) {
        // Do not use the rest of the reservation: the service asked this user to wait.
        held.readyMonotonicMs.length = held.admitted;
        await noteThrottled(ports, user, outcome.error.retryAfterMs);
      }
    },
    release: settle,
  };
}

/**
 * Reserves slots that become free soon, at most `want`. Null if `mayWait` refused the wait for the first of them.
 * `ownSentMonotonicMs`: what this process sent lately.
 */
async function reserve(
  ports: LedgerPorts,
  ownSentMonotonicMs: readonly number[],
  user: string,
  want: number,
): Promise<Reservation | null> {
  const { store, clock, log, random, mayWait, wait } = ports;
  for (let tries = 0; ; tries += 1) {
    const before = await readLedger(ports, user);
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
    const atMs = Math.ceil(latestStoreTimeMs(ports, clock.monotonicMs()));
    const key = reservedKey(atMs, token, slots);
    await putEntry(store, key);

    // LIST again after the PUT: the later of two writers sees the earlier one, so together they never send too much.
    const others = await readLedger(ports, user, token);
    const readyMonotonicMs = planRequests(ports, others, ownSentMonotonicMs, slots);
    if (readyMonotonicMs.every((readyMs) => readyMs <= lastUseMonotonicMs)) {
      const times = { atMs, lastUseMonotonicMs, readyMonotonicMs };
      return { key, token, ...times, admitted: 0, sentMonotonicMs: [] };
    }
    await store.delete(key);
    const delayMs = 20 + random() * Math.min(100 * 2 ** tries, 2_000);
    log('debug', 'another exporter reserved at the same moment; trying again', { delayMs });
    if (!mayWait(delayMs, 'contention')) return null;
    await wait(delayMs, 'contention');
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

/** Resolves false if `mayWait` refused the wait. */
async function waitUntil(
  { clock, mayWait, wait }: LedgerPorts,
  readyMonotonicMs: number,
  reason: 'quota' | 'throttled',
): Promise<boolean> {
  const delayMs = readyMonotonicMs - clock.monotonicMs();
  if (delayMs <= 0) return true;
  if (!mayWait(delayMs, reason)) return false;
  await wait(delayMs, reason);
  return true;
}

async function noteThrottled(
  ports: LedgerPorts,
  user: string,
  retryAfterMs: number,
): Promise<void> {
  const { store, clock, log } = ports;
  log('warn', 'the service answered 429: another client uses the same quota', { retryAfterMs });
  const atMs = Math.ceil(latestStoreTimeMs(ports, clock.monotonicMs()));
  await putEntry(store, throttledKey(atMs, atMs + Math.ceil(retryAfterMs), user));
}

/** Each entry has a unique key, so that the store can learn its time from the entry's time stamp. */
async function putEntry(store: Store, key: string): Promise<void> {
  await store.put(key, ledgerBytes(key), { durability: 'acknowledged', isWrittenOnce: true });
}

async function readLedger(
  { store, quota, requestTimeoutMs }: LedgerPorts,
  user: string,
  ignoreToken?: string,
): Promise<LedgerSummary> {
  const entries = (await store.list(quotaPrefix)).map(parseLedgerEntry);
  const nowMs = store.nowMs();
  const own = ignoreToken === undefined ? {} : { ignoreToken };
  return summarizeLedger(entries, { quota, nowMs, user, requestTimeoutMs, ...own });
}

/**
 * The latest that the store's time can be at `monotonicMs`. nowMs() may be behind the store's clock by doubtMs(). A time that
 * is too early would free a slot too early, for an exporter that knows the store's time better.
 */
function latestStoreTimeMs({ store, clock }: LedgerPorts, monotonicMs: number): number {
  return store.nowMs() + (store.doubtMs?.() ?? 0) + (monotonicMs - clock.monotonicMs());
}
