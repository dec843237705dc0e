// Responsible for the request quota: each request is reserved in the store before it is sent.
// Not responsible for the arithmetic (window.ts), the keys of the entries (ledger-entry.ts) or their age (entry-age.ts).
//
// The quota holds in an object store without conditional PUT, across kills and processes: docs/design/quota.md explains how.
// Where each step is:
// - reserve(): LIST, wait for a free slot, PUT a reservation, LIST again. If the slots are taken by then: DELETE and retry.
// - admit(): lets requests use the slots of the reservation, until all are used or it is too old (nextSlotMs).
// - sent(): notes when each request was sent. After a 429 it stores a `throttled` entry and drops the other slots.
// - settle(): PUT a `sent` entry with the exact times, then DELETE the reservation. So no slot is ever uncounted.
// - settleForGone(): settles what a process of this host reserved before it was killed.
// - planRequests(): when requests may be sent, by the ledger, by a 429, and by what this process itself has sent.
// - stampNow(): the time stamp of an entry. The store's clock is known only as an interval.

import { RateLimitedError } from '../core/errors.ts';
import type { Clock, FileClock, Host, Log, Sent, Store } from '../core/ports.ts';
import { newToken } from '../core/state.ts';
import { ageOf, type Reader } from './entry-age.ts';
import {
  ledgerBytes,
  ledgerPrefix,
  parseLedgerEntry,
  reservedKey,
  type StoredEntry,
  sentKey,
  throttledKey,
  type WriterStamp,
} from './ledger-entry.ts';
import {
  guardMaxMs,
  type LedgerEntry,
  type LedgerSummary,
  latestArrivalMs,
  placeEntry,
  planSlots,
  type Quota,
  sendWithinMs,
  summarizeLedger,
} from './window.ts';

/** At most this many slots are reserved together: as many requests as can be sent before the reservation is too old. */
const batchMax = 20;
/** On a file system at most this share of the quota, because a killed process leaves them uncertain, and a PUT costs little. */
const fileBatchShare = 1 / 10;
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
  host: Host;
  log: Log;
  quota: Quota;
  requestTimeoutMs: number;
  /** The name of the dataset: each list has a ledger of its own. */
  list: string;
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
  writtenMs: number;
  /** When it becomes too old to be used, monotonic time. */
  lastUseMonotonicMs: number;
  /** When each slot may be used, monotonic time, ascending. */
  readyMonotonicMs: number[];
  /** How many slots were used. */
  admitted: number;
  /** From when each request that has ended holds its slot. */
  sentMonotonicMs: number[];
}

/** What one process remembers between two readings of the ledger. */
interface Memory {
  /** What this process sent lately. If the store's clock jumps ahead, ledger entries look old too early; these times do not. */
  ownSentMonotonicMs: number[];
  /** Since when this process knows each entry that the last LIST returned, by key. */
  knownSinceMs: ReadonlyMap<string, number>;
  /** The clock of the file system, and when it was read, monotonic time; null: the store has its own clock. */
  fileClock: (FileClock & { atMonotonicMs: number }) | null;
}

function rememberNothing(): Memory {
  return { ownSentMonotonicMs: [], knownSinceMs: new Map(), fileClock: null };
}

export type Ledger = ReturnType<typeof openLedger>;

/** The ledger of one process. It has at most one reservation at a time. */
export function openLedger(ports: LedgerPorts) {
  const { store, clock, quota, heldFrom } = ports;
  let held: Reservation | null = null;
  const memory = rememberNothing();

  async function settle(): Promise<void> {
    if (!held) return;
    const { key, token, sentMonotonicMs } = held;
    const nowMonotonicMs = clock.monotonicMs();
    const agesMs = sentMonotonicMs.map((timeMs) => nowMonotonicMs - timeMs);
    // PUT before DELETE: otherwise the slots would be uncounted in between.
    if (agesMs.length > 0) await putEntry(store, sentKey(stampNow(ports), token, agesMs));
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
        held = await reserve(ports, memory, user, want);
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
      const recentMs = memory.ownSentMonotonicMs.filter((timeMs) => timeMs > oldestMs);
      memory.ownSentMonotonicMs = [...recentMs, heldSinceMs];
      if (outcome.error instanceof RateLimitedError) {
        // Do not use the other slots of the reservation: the service asked this user to wait.
        held.readyMonotonicMs.length = held.admitted;
        await noteThrottled(ports, user, outcome.error);
      }
      // At once, because this process may be killed: a settled request holds its slot for exactly one window.
      if (isOnFiles(ports) && held.admitted === held.readyMonotonicMs.length) await settle();
    },
    /** Settles the reservation: unused slots become free for others. May be called at any time and more than once. */
    release: settle,
  };
}

function isOnFiles({ store }: LedgerPorts): boolean {
  return store.readClock !== undefined;
}

/** Reserves slots that become free soon, at most `want`. Null if the wait is refused. */
async function reserve(
  ports: LedgerPorts,
  memory: Memory,
  user: string,
  want: number,
): Promise<Reservation | null> {
  const { store, clock, log, random, wait, quota } = ports;
  const batch = isOnFiles(ports) ? Math.ceil(quota.requests * fileBatchShare) : batchMax;
  for (let tries = 0; ; tries += 1) {
    const fileClock = await store.readClock?.();
    if (fileClock) memory.fileClock = { ...fileClock, atMonotonicMs: clock.monotonicMs() };
    const before = await readLedger(ports, memory, user, null);
    for (const key of before.expiredKeys) await store.delete(key);
    const { ownSentMonotonicMs } = memory;
    const [first] = planRequests(ports, before, ownSentMonotonicMs, 1);
    if (first === undefined) throw new Error('The quota allows no requests.');
    const reason = before.notBeforeMs > clock.monotonicMs() ? 'throttled' : 'quota';
    if (!(await waitUntil(ports, first, reason))) return null;

    // Reserve only slots that become free while the reservation is young. Later ones stay free for other exporters.
    const lastUseMonotonicMs = clock.monotonicMs() + sendWithinMs - sendMarginMs;
    const soonMs = lastUseMonotonicMs - sendMarginMs;
    const most = Math.min(want, batch, batchMax);
    const plan = planRequests(ports, before, ownSentMonotonicMs, most);
    const slots = Math.max(1, plan.filter((readyMs) => readyMs <= soonMs).length);
    const token = newToken(random);
    const stamp = stampNow(ports);
    const key = reservedKey(stamp, token, slots);
    await putEntry(store, key);

    // LIST after the PUT: of two exporters, the one whose PUT ends later sees the other, so together they never send too much.
    const others = await readLedger(ports, memory, user, token);
    const readyMonotonicMs = planRequests(ports, others, ownSentMonotonicMs, slots);
    if (readyMonotonicMs.every((readyMs) => readyMs <= lastUseMonotonicMs)) {
      const { writtenMs } = stamp;
      const unused = { admitted: 0, sentMonotonicMs: [] };
      return { key, token, writtenMs, lastUseMonotonicMs, readyMonotonicMs, ...unused };
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
  if (store.nowMs() > reservation.writtenMs + sendWithinMs) return null;
  return Math.max(readyMs, clock.monotonicMs()) > reservation.lastUseMonotonicMs ? null : readyMs;
}

/**
 * When each of the next `want` requests may be sent, monotonic time, ascending. Three limits apply: the slots of the ledger,
 * a 429 for this user, and what this process sent itself.
 */
function planRequests(
  { clock, quota }: LedgerPorts,
  { slotEndsMs, notBeforeMs, guardMs }: LedgerSummary,
  ownSentMonotonicMs: readonly number[],
  want: number,
): number[] {
  const nowMs = clock.monotonicMs();
  const ownEndsMs = ownSentMonotonicMs.map((timeMs) => timeMs + quota.windowMs + guardMs);
  const byOwn = planSlots(ownEndsMs, quota, nowMs, want);
  return planSlots(slotEndsMs, quota, nowMs, want).map((readyMs, index) =>
    Math.max(readyMs, notBeforeMs, byOwn[index] ?? nowMs),
  );
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
  { message, hint, retryAfterMs }: RateLimitedError,
): Promise<void> {
  ports.log('warn', message, { hint, retryAfterMs });
  await putEntry(ports.store, throttledKey(stampNow(ports), retryAfterMs, user));
}

/** Each entry has a unique key, so that the store can learn its time from the entry's time stamp. */
async function putEntry(store: Store, key: string): Promise<void> {
  await store.put(key, ledgerBytes(key), { durability: 'acknowledged', isWrittenOnce: true });
}

/** `ignoreToken`: of the own reservation; null: none. */
async function readLedger(
  ports: LedgerPorts,
  memory: Memory,
  user: string,
  ignoreToken: string | null,
): Promise<LedgerSummary> {
  const { store, clock, host, log, quota, requestTimeoutMs } = ports;
  const objects = await store.list(ledgerPrefix(ports.list));
  const nowMs = clock.monotonicMs();
  const { fileClock } = memory;
  const reader: Omit<Reader, 'knownSinceMs'> = {
    monotonicMs: nowMs,
    // Not store.nowMs() on a file system: the clock of this host may step at any moment.
    nowMs: fileClock ? fileClock.nowMs + (nowMs - fileClock.atMonotonicMs) : store.nowMs(),
    clock: fileClock?.kind ?? 'store',
    boot: host.boot,
    aheadMsMax: quota.windowMs + requestTimeoutMs,
  };
  const knownSinceMs = new Map<string, number>();
  const entries: LedgerEntry[] = [];
  const voidKeys: string[] = [];
  for (const object of objects) {
    const stored = parseLedgerEntry(object);
    if (!stored) {
      log('debug', 'ignored an object that is not an entry of the quota ledger', {
        key: object.key,
      });
      continue;
    }
    const sinceMs = memory.knownSinceMs.get(stored.key) ?? nowMs;
    knownSinceMs.set(stored.key, sinceMs);
    const ageMs = ageOf(stored.stamp, { ...reader, knownSinceMs: sinceMs });
    if (ageMs === null) voidKeys.push(stored.key);
    else entries.push(await settleForGone(ports, stored, nowMs - ageMs));
  }
  memory.knownSinceMs = knownSinceMs;
  const summary = summarizeLedger(entries, { quota, nowMs, user, requestTimeoutMs, ignoreToken });
  return { ...summary, expiredKeys: [...voidKeys, ...summary.expiredKeys] };
}

/**
 * A process of this host that is gone sends nothing any more. What it reserved counts as sent now: that is stored, so that
 * the slots become free one window after the first process has seen it. Returns the entry that counts.
 */
async function settleForGone(
  ports: LedgerPorts,
  stored: StoredEntry,
  atMs: number,
): Promise<LedgerEntry> {
  const { store, clock, host, requestTimeoutMs } = ports;
  const { stamp } = stored;
  const isGone =
    stored.kind === 'reserved' && stamp.writer !== null && host.isGone(stamp.writer.identity);
  if (!isGone) return placeEntry(stored, atMs);
  // After isGone(): nothing was sent later.
  const nowMs = clock.monotonicMs();
  const sentMs = Math.min(nowMs, latestArrivalMs(atMs, requestTimeoutMs));
  const { key, token, slots } = stored;
  const written = stampNow(ports);
  const agesMs = Array.from({ length: slots }, () => nowMs - sentMs);
  const settledKey = sentKey(written, token, agesMs);
  await putEntry(store, settledKey);
  await store.delete(key);
  return { kind: 'sent', key: settledKey, atMs: nowMs, token, sentMs: agesMs.map(() => sentMs) };
}

/**
 * The latest that the store's time can be now: nowMs() may be behind it by doubtMs(). An entry with an earlier time would
 * free its slot too early. On a file system also the monotonic time, if the processes of this host share it.
 */
function stampNow({ store, clock, host, list }: LedgerPorts): WriterStamp {
  const { identity, boot } = host;
  const writer =
    store.readClock && boot !== null ? { identity, monotonicMs: clock.monotonicMs() } : null;
  return { list, writtenMs: Math.ceil(store.nowMs() + (store.doubtMs?.() ?? 0)), writer };
}
