// Responsible for the arithmetic of the request quota: which slots are in use, and when the next requests may be sent.
// Not responsible for reading or writing the ledger (ledger.ts) or for the age of its entries (entry-age.ts). All times are
// monotonic times of this process, milliseconds.
//
// A window has as many slots as the quota allows requests. A request takes a slot when it is reserved. The slot becomes free
// one window and the guard after the request was sent.

import type { StoredEntry } from './ledger-entry.ts';

/** An entry of the ledger as this process sees it. `atMs`: it was written at this time or earlier. */
export type LedgerEntry = { key: string; atMs: number } & (
  | { kind: 'reserved'; token: string; slots: number }
  | { kind: 'sent'; token: string; sentMs: readonly number[] }
  | { kind: 'throttled'; untilMs: number; user: string }
);

/** `atMs`: when the entry was written. */
export function placeEntry(entry: StoredEntry, atMs: number): LedgerEntry {
  const { key } = entry;
  if (entry.kind === 'reserved') {
    return { kind: 'reserved', key, atMs, token: entry.token, slots: entry.slots };
  }
  if (entry.kind === 'sent') {
    const sentMs = entry.agesMs.map((ageMs) => atMs - ageMs);
    return { kind: 'sent', key, atMs, token: entry.token, sentMs };
  }
  return { kind: 'throttled', key, atMs, untilMs: atMs + entry.waitMs, user: entry.user };
}

export interface Quota {
  /** At most this many in any period of `windowMs`; a whole number, at least 1. */
  requests: number;
  windowMs: number;
}

/** A reserved request must be sent within this time after its reservation, milliseconds. */
export const sendWithinMs = 2_000;
/** The guard: a slot is held this much longer than the window, because requests need varying times to arrive, milliseconds. */
export const guardMinMs = 50;
export const guardMaxMs = 1_600;
/** A 429 makes the guard longer for this many windows. */
const throttleMemoryWindows = 10;

/** A quota in whole requests: 0.5 requests in 60 s become 1 in 120 s; 2.5 requests in 60 s become 2 in 60 s. */
export function wholeQuota(requests: number, windowSeconds: number): Quota {
  const windowMs = windowSeconds * 1_000;
  return requests < 1
    ? { requests: 1, windowMs: windowMs / requests }
    : { requests: Math.floor(requests), windowMs };
}

function rememberedUntilMs(entry: LedgerEntry, quota: Quota): number {
  return entry.atMs + throttleMemoryWindows * quota.windowMs;
}

/** Doubled for every 429 of the last ten windows: each of them came although the ledger had a free slot. */
export function currentGuardMs(
  entries: readonly LedgerEntry[],
  quota: Quota,
  nowMs: number,
): number {
  const remembered = entries.filter(
    (entry) => entry.kind === 'throttled' && rememberedUntilMs(entry, quota) > nowMs,
  );
  return Math.min(guardMinMs * 2 ** remembered.length, guardMaxMs);
}

/** The latest time at which a reserved request can have arrived. Not settled: it was sent as late, and took as long, as possible. */
export function latestArrivalMs(reservedAtMs: number, requestTimeoutMs: number): number {
  return reservedAtMs + sendWithinMs + requestTimeoutMs;
}

/** From when each slot of an entry is held. */
function slotStartsMs(
  entry: Exclude<LedgerEntry, { kind: 'throttled' }>,
  requestTimeoutMs: number,
): readonly number[] {
  if (entry.kind === 'sent') return entry.sentMs;
  const latestMs = latestArrivalMs(entry.atMs, requestTimeoutMs);
  return Array.from({ length: entry.slots }, () => latestMs);
}

/** True for a reservation whose process has stored what it sent, but has not deleted the reservation yet. */
function isReplacedBySent(entry: LedgerEntry, entries: readonly LedgerEntry[]): boolean {
  if (entry.kind !== 'reserved') return false;
  return entries.some((other) => other.kind === 'sent' && other.token === entry.token);
}

export interface LedgerSummary {
  /** When each slot in use becomes free, ascending. */
  slotEndsMs: readonly number[];
  /** No request of this user may be sent earlier; -Infinity if the service did not throttle it. */
  notBeforeMs: number;
  guardMs: number;
  /** Entries that have no effect now and will have none later. The exporter that reads them deletes them. */
  expiredKeys: readonly string[];
}

/** What the ledger's entries mean at `nowMs` for one user. */
export function summarizeLedger(
  entries: readonly LedgerEntry[],
  options: {
    quota: Quota;
    nowMs: number;
    /** Hash of the access key. */
    user: string;
    requestTimeoutMs: number;
    /** The reader's own reservation, which is left out; null: none. */
    ignoreToken: string | null;
  },
): LedgerSummary {
  const { quota, nowMs, user, requestTimeoutMs, ignoreToken } = options;
  const guardMs = currentGuardMs(entries, quota, nowMs);
  const slotEndsMs: number[] = [];
  const expiredKeys: string[] = [];
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  for (const entry of entries) {
    if (entry.kind === 'throttled') {
      if (entry.user === user) notBeforeMs = Math.max(notBeforeMs, entry.untilMs);
      const endMs = Math.max(rememberedUntilMs(entry, quota), entry.untilMs);
      if (endMs <= nowMs) expiredKeys.push(entry.key);
      continue;
    }
    if (entry.token === ignoreToken) continue;
    const startsMs = isReplacedBySent(entry, entries) ? [] : slotStartsMs(entry, requestTimeoutMs);
    const endsMs = startsMs.map((timeMs) => timeMs + quota.windowMs + guardMs);
    // The guard may grow later: an entry has expired only if the longest guard could not extend it.
    if (endsMs.every((endMs) => endMs + guardMaxMs <= nowMs)) expiredKeys.push(entry.key);
    slotEndsMs.push(...endsMs.filter((endMs) => endMs > nowMs));
  }
  slotEndsMs.sort((a, b) => a - b);
  return { slotEndsMs, notBeforeMs, guardMs, expiredKeys };
}

/**
 * When each of the next `want` requests may be sent, ascending; at most as many as the quota allows.
 * `slotEndsMs`: when the slots in use become free. Each planned request takes one more slot.
 */
export function planSlots(
  slotEndsMs: readonly number[],
  quota: Quota,
  nowMs: number,
  want: number,
): number[] {
  const endsMs = slotEndsMs.filter((endMs) => endMs > nowMs).sort((a, b) => a - b);
  const readyMs: number[] = [];
  for (let planned = 1; planned <= Math.min(want, quota.requests); planned += 1) {
    // How many slots must become free first. More can be in use than the quota allows, if the quota was lowered.
    const mustEnd = endsMs.length + planned - quota.requests;
    readyMs.push(mustEnd <= 0 ? nowMs : (endsMs[mustEnd - 1] as number));
  }
  return readyMs;
}
