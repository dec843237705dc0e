// Owns the quota ledger: a request is reserved in the store before it leaves. Refuses to know what is requested.

import { RateLimitedError } from '../core/errors.ts';
import { quotaPrefix } from '../core/object-keys.ts';
import type { Clock, Log, Sent, Store } from '../core/ports.ts';
import { newToken } from '../core/state.ts';
import {
  type LedgerEntry,
  type LedgerView,
  ledgerBytes,
  parseLedgerEntry,
  planSlots,
  type Quota,
  readLedger,
  reservedKey,
  sendWithinMs,
  sentKey,
  throttledKey,
} from './window.ts';

/** Slots reserved together at the most: what can be sent before the reservation runs out. */
const batchMax = 20;
/** A reservation is given up this long before it runs out, for the steps between admission and sending, milliseconds. */
const sendMarginMs = 300;

export interface Ledger {
  /**
   * Resolves true when one request may leave at once. False: `mayWait` refused the wait.
   * `user`: hash of the access key, since a 429 is per user. `want`: how many requests the caller sees ahead (≥ 1).
   */
  admit(user: string, want: number): Promise<boolean>;
  /** Told once for every admitted request. */
  sent(user: string, outcome: Sent): Promise<void>;
  /** Gives back what was reserved and not sent, and tells the store what was. Safe to call at any time. */
  release(): Promise<void>;
}

/** `throttled`: one user is, after a 429; the rest is everybody's. */
export type WaitReason = 'quota' | 'throttled' | 'contention';

interface Reservation {
  key: string;
  token: string;
  /** Store time and monotonic time of the reservation. */
  atMs: number;
  atMonotonicMs: number;
  /** When each slot may leave, monotonic, ascending. */
  readyMonotonicMs: number[];
  /** Requests admitted; those sent have their monotonic time in `sentMonotonicMs`. */
  admitted: number;
  sentMonotonicMs: number[];
}

export function openLedger(ports: {
  store: Store;
  clock: Clock;
  log: Log;
  quota: Quota;
  requestTimeoutMs: number;
  /**
   * From when a slot is held for a window. `answer`: nothing can have arrived later, so no jitter on the way breaks the
   * quota. `departure`: a timer's invocations come on the minute and must find the slots of the minute before free; what
   * a request takes on its way may then vary by the guard.
   */
  heldFrom: 'answer' | 'departure';
  /** In [0, 1). */
  random: () => number;
  /** Whether the quota may be waited for this long. */
  mayWait: (delayMs: number, reason: WaitReason) => boolean;
  /** Waits, gives signs of life meanwhile, and throws when the run must stop. */
  wait: (delayMs: number, reason: WaitReason) => Promise<void>;
}): Ledger {
  const { store, clock, log, quota, requestTimeoutMs, heldFrom, random, mayWait, wait } = ports;
  let held: Reservation | null = null;
  /** This process's own sends by the clock that cannot be set: the host's may jump ahead and must not free slots. */
  let ownSentMonotonicMs: number[] = [];

  /** Never before the store's own time then: what is stamped early is freed early, by a reader who knows the time better. */
  function storeTimeOf(monotonicMs: number): number {
    return store.nowMs() + (store.doubtMs?.() ?? 0) + (monotonicMs - clock.monotonicMs());
  }

  async function listEntries(): Promise<LedgerEntry[]> {
    return (await store.list(quotaPrefix)).map(parseLedgerEntry);
  }

  function view(entries: readonly LedgerEntry[], user: string, withoutToken?: string): LedgerView {
    return readLedger(entries, {
      quota,
      nowMs: store.nowMs(),
      user,
      requestTimeoutMs,
      ...(withoutToken === undefined ? {} : { withoutToken }),
    });
  }

  /** Monotonic times at which the next requests may leave. */
  function planReady(ledger: LedgerView, want: number): number[] {
    const nowMonotonicMs = clock.monotonicMs();
    const nowMs = store.nowMs();
    ownSentMonotonicMs = ownSentMonotonicMs.filter(
      (timeMs) => timeMs + quota.windowMs + ledger.guardMs > nowMonotonicMs,
    );
    const byStore = planSlots(ledger.expiriesMs, quota, nowMs, want);
    const ownEnds = ownSentMonotonicMs.map((timeMs) => timeMs + quota.windowMs + ledger.guardMs);
    const byOwn = planSlots(ownEnds, quota, nowMonotonicMs, want);
    return byStore.map((readyMs, index) =>
      Math.max(
        nowMonotonicMs + (Math.max(readyMs, ledger.notBeforeMs) - nowMs),
        byOwn[index] ?? nowMonotonicMs,
        nowMonotonicMs,
      ),
    );
  }

  /** Writes how the reservation ended before its reservation is deleted: the slots are never uncounted in between. */
  async function settle(): Promise<void> {
    if (!held) return;
    const { key, token, atMs, sentMonotonicMs } = held;
    if (sentMonotonicMs.length > 0) {
      const ended = sentKey(atMs, token, sentMonotonicMs.map(storeTimeOf));
      await store.put(ended, ledgerBytes(ended));
    }
    held = null;
    await store.delete(key);
  }

  /** The next slot of the held reservation: when it may leave, or null if the reservation is used up or too old. */
  function nextReady(): number | null {
    if (!held || held.admitted >= held.readyMonotonicMs.length) return null;
    const readyMs = held.readyMonotonicMs[held.admitted] as number;
    const lastMs = held.atMonotonicMs + sendWithinMs - sendMarginMs;
    // While a host is suspended its monotonic clock stands still, and the store's goes on.
    if (store.nowMs() > held.atMs + sendWithinMs) return null;
    return Math.max(readyMs, clock.monotonicMs()) > lastMs ? null : readyMs;
  }

  /** Waits until `readyMonotonicMs`; false if that may not be waited for. */
  async function waitUntil(
    readyMonotonicMs: number,
    reason: 'quota' | 'throttled',
  ): Promise<boolean> {
    const delayMs = readyMonotonicMs - clock.monotonicMs();
    if (delayMs <= 0) return true;
    if (!mayWait(delayMs, reason)) return false;
    await wait(delayMs, reason);
    return true;
  }

  /** Reserves as many slots as come free soon; false if the first of them may not be waited for. */
  async function reserve(user: string, want: number): Promise<boolean> {
    for (let tries = 0; ; tries += 1) {
      const before = view(await listEntries(), user);
      for (const key of before.spentKeys) await store.delete(key);
      const [first] = planReady(before, 1);
      const throttled = before.notBeforeMs > store.nowMs();
      if (first === undefined) throw new Error('a quota of no requests');
      if (!(await waitUntil(first, throttled ? 'throttled' : 'quota'))) return false;
      // Only slots that come free while the reservation is young: the rest stays for others.
      const soonMs = clock.monotonicMs() + sendWithinMs - 2 * sendMarginMs;
      const slots = planReady(before, Math.min(want, batchMax)).filter(
        (readyMs) => readyMs <= soonMs,
      ).length;
      const token = newToken(random);
      const atMonotonicMs = clock.monotonicMs();
      const atMs = Math.ceil(storeTimeOf(atMonotonicMs));
      const key = reservedKey(atMs, token, Math.max(1, slots));
      await store.put(key, ledgerBytes(key));
      // The last of several writers sees all others, so together they never admit more than the quota.
      const after = view(await listEntries(), user, token);
      const readyMonotonicMs = planReady(after, Math.max(1, slots));
      const lastReadyMs = readyMonotonicMs[readyMonotonicMs.length - 1] ?? Number.POSITIVE_INFINITY;
      const lastMs = atMonotonicMs + sendWithinMs - sendMarginMs;
      if (readyMonotonicMs.length >= Math.max(1, slots) && lastReadyMs <= lastMs) {
        held = {
          key,
          token,
          atMs,
          atMonotonicMs,
          readyMonotonicMs,
          admitted: 0,
          sentMonotonicMs: [],
        };
        return true;
      }
      await store.delete(key);
      const delayMs = 20 + random() * Math.min(100 * 2 ** tries, 2_000);
      log('debug', 'another exporter reserved at the same moment; trying again', { delayMs });
      if (!mayWait(delayMs, 'contention')) return false;
      await wait(delayMs, 'contention');
    }
  }

  return {
    async admit(user, want) {
      for (;;) {
        const readyMs = nextReady();
        if (held && readyMs !== null) {
          if (!(await waitUntil(readyMs, 'quota'))) return false;
          // The wait may have been longer than asked for: a slot is only used while it is young.
          if (nextReady() === null) continue;
          held.admitted += 1;
          return true;
        }
        await settle();
        if (!(await reserve(user, want))) return false;
      }
    },
    async sent(user, outcome) {
      if (!held) throw new Error('sent without admit');
      const atMonotonicMs = heldFrom === 'answer' ? clock.monotonicMs() : outcome.atMonotonicMs;
      held.sentMonotonicMs.push(atMonotonicMs);
      ownSentMonotonicMs.push(atMonotonicMs);
      if (outcome.error instanceof RateLimitedError) {
        const { retryAfterMs } = outcome.error;
        const atMs = Math.ceil(storeTimeOf(clock.monotonicMs()));
        const key = throttledKey(atMs, atMs + Math.ceil(retryAfterMs), user);
        // The rest of the reservation is not used: the service asked for silence.
        held.readyMonotonicMs.length = held.admitted;
        log('warn', 'somebody else uses the quota: the service said 429', { retryAfterMs });
        await store.put(key, ledgerBytes(key));
      }
    },
    async release() {
      await settle();
    },
  };
}
