// Owns the arithmetic of the request quota: which reservations are live and when the next request may leave. Pure.

import { CorruptError } from '../core/errors.ts';
import { quotaPrefix } from '../core/object-keys.ts';

/** The configured quota, as whole requests in a window. */
export interface Quota {
  requests: number;
  windowMs: number;
}

/** How long a reservation may wait before its request leaves, milliseconds. */
export const sendWithinMs = 2_000;
/** What a window is longer than the configured one, against jitter on the way, milliseconds. */
export const guardMs = 50;
const guardMaxMs = 1_600;
/** A 429 is remembered, for the guard, this many windows. */
const throttleMemoryWindows = 10;

/** Fewer than one request a window becomes one request in a longer window; a fraction above one is not sent. */
export function wholeQuota(requests: number, windowSeconds: number): Quota {
  const windowMs = windowSeconds * 1_000;
  return requests < 1
    ? { requests: 1, windowMs: windowMs / requests }
    : { requests: Math.floor(requests), windowMs };
}

/**
 * What one ledger object says. The whole entry is in the key, so that one LIST reads the ledger.
 * `reserved`: up to `slots` requests may have left since `atMs`. `sent`: exactly these left, at these times.
 * `throttled`: the service said 429 to user `user` at `atMs` and asks for silence until `untilMs`.
 */
export type LedgerEntry = { key: string; token: string } & (
  | { kind: 'reserved'; atMs: number; slots: number }
  | { kind: 'sent'; atMs: number; sentMs: readonly number[] }
  | { kind: 'throttled'; atMs: number; untilMs: number; user: string }
);

const reservedPattern = /^(\d{13})-([0-9a-f]{12})-(\d{1,4})$/;
const sentPattern = /^(\d{13})-([0-9a-f]{12})-(\d{1,4})-(\d+(?:\.\d+)*)$/;
const throttledPattern = /^429-(\d{13})-(\d{13})-([0-9a-f]{12})$/;

function stamp(timeMs: number): string {
  return String(Math.round(timeMs)).padStart(13, '0');
}

export function reservedKey(atMs: number, token: string, slots: number): string {
  return `${quotaPrefix}${stamp(atMs)}-${token}-${slots}`;
}

/** Offsets are rounded up: a slot is never freed early. */
export function sentKey(atMs: number, token: string, sentMs: readonly number[]): string {
  const base = Math.round(atMs);
  const offsets = sentMs.map((timeMs) => Math.max(0, Math.ceil(timeMs - base)));
  return `${quotaPrefix}${stamp(base)}-${token}-${sentMs.length}-${offsets.join('.')}`;
}

export function throttledKey(atMs: number, untilMs: number, user: string): string {
  return `${quotaPrefix}429-${stamp(atMs)}-${stamp(untilMs)}-${user}`;
}

/** A ledger object's bytes: its own name, so that one that was cut short shows in a LIST by its size. */
export function ledgerBytes(key: string): Uint8Array {
  return Buffer.from(key);
}

/** Throws CorruptError for an object that the ledger did not write. */
export function parseLedgerEntry(object: { key: string; bytes: number }): LedgerEntry {
  const { key, bytes } = object;
  const name = key.slice(quotaPrefix.length);
  const entry = parseName(key, name);
  if (!entry || bytes !== ledgerBytes(key).length) {
    throw new CorruptError(
      key,
      'is no entry of the quota ledger, or was cut short',
      'Nothing was overwritten. No request leaves while the ledger cannot be read: delete this object once no exporter has run for two quota windows.',
    );
  }
  return entry;
}

function parseName(key: string, name: string): LedgerEntry | null {
  const throttled = throttledPattern.exec(name);
  if (throttled) {
    const [, at, until, user = ''] = throttled;
    return { kind: 'throttled', key, token: name, atMs: Number(at), untilMs: Number(until), user };
  }
  const reserved = reservedPattern.exec(name);
  if (reserved) {
    const [, at, token = '', slots] = reserved;
    return { kind: 'reserved', key, token, atMs: Number(at), slots: Number(slots) };
  }
  const sent = sentPattern.exec(name);
  if (sent) {
    const [, at, token = '', slots, offsets = ''] = sent;
    const sentMs = offsets.split('.').map((offset) => Number(at) + Number(offset));
    return sentMs.length === Number(slots)
      ? { kind: 'sent', key, token, atMs: Number(at), sentMs }
      : null;
  }
  return null;
}

/** The guard in force: doubled for every 429 that is remembered, since each came while the ledger had room. */
export function guardOf(entries: readonly LedgerEntry[], quota: Quota, nowMs: number): number {
  const count = entries.filter(
    (entry) =>
      entry.kind === 'throttled' && entry.atMs + throttleMemoryWindows * quota.windowMs > nowMs,
  ).length;
  return Math.min(guardMs * 2 ** count, guardMaxMs);
}

/** When each slot of an entry is free again, store time in milliseconds; empty for a 429. */
function slotExpiries(
  entry: LedgerEntry,
  settled: ReadonlySet<string>,
  quota: Quota,
  guard: number,
  requestTimeoutMs: number,
): number[] {
  if (entry.kind === 'sent') return entry.sentMs.map((timeMs) => timeMs + quota.windowMs + guard);
  if (entry.kind !== 'reserved' || settled.has(entry.token)) return [];
  // Nobody told how it ended: its requests left within `sendWithinMs` and arrived within the time-out.
  const until = entry.atMs + sendWithinMs + requestTimeoutMs + quota.windowMs + guard;
  return Array.from({ length: entry.slots }, () => until);
}

export interface LedgerView {
  /** Live slots' ends, store time, ascending. */
  expiriesMs: readonly number[];
  /** Nothing may leave for this user before, store time. */
  notBeforeMs: number;
  guardMs: number;
  /** Entries with no effect any more, to be deleted by whoever sees them. */
  spentKeys: readonly string[];
}

/** What the ledger says at `nowMs`; entries of `withoutToken` are left out. */
export function readLedger(
  entries: readonly LedgerEntry[],
  options: {
    quota: Quota;
    nowMs: number;
    user: string;
    requestTimeoutMs: number;
    withoutToken?: string;
  },
): LedgerView {
  const { quota, nowMs, user, requestTimeoutMs, withoutToken } = options;
  const guard = guardOf(entries, quota, nowMs);
  const settled = new Set(
    entries.filter((entry) => entry.kind === 'sent').map((entry) => entry.token),
  );
  const expiriesMs: number[] = [];
  const spentKeys: string[] = [];
  let notBeforeMs = 0;
  for (const entry of entries) {
    if (entry.kind === 'throttled') {
      if (entry.user === user) notBeforeMs = Math.max(notBeforeMs, entry.untilMs);
      const forgotten = entry.atMs + throttleMemoryWindows * quota.windowMs;
      if (Math.max(forgotten, entry.untilMs) <= nowMs) spentKeys.push(entry.key);
      continue;
    }
    if (entry.token === withoutToken) continue;
    // A later guard may be longer than this one: spent means spent under the longest.
    const ends = slotExpiries(entry, settled, quota, guard, requestTimeoutMs);
    if (ends.every((timeMs) => timeMs + guardMaxMs <= nowMs)) spentKeys.push(entry.key);
    for (const end of ends) if (end > nowMs) expiriesMs.push(end);
  }
  expiriesMs.sort((a, b) => a - b);
  return { expiriesMs, notBeforeMs, guardMs: guard, spentKeys };
}

/**
 * When each of the next requests may leave, ascending, at most `want` and at most the quota.
 * The requests of the plan count as live among themselves.
 */
export function planSlots(
  expiriesMs: readonly number[],
  quota: Quota,
  nowMs: number,
  want: number,
): number[] {
  const live = expiriesMs.filter((timeMs) => timeMs > nowMs).sort((a, b) => a - b);
  const ready: number[] = [];
  for (let own = 1; own <= Math.min(want, quota.requests); own += 1) {
    const mustExpire = live.length + own - quota.requests;
    // More live than the quota allows (a smaller quota was configured since): their own ends still count.
    ready.push(mustExpire <= 0 ? nowMs : (live[mustExpire - 1] as number));
  }
  return ready;
}
