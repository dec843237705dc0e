// Responsible for the objects of the quota ledger: what each entry means, and how its key is built and parsed.
// Not responsible for which entries still count (window.ts).

import { CorruptError } from '../core/errors.ts';
import { quotaPrefix } from '../core/object-keys.ts';

/**
 * One object of the ledger. The key holds the whole entry, so one LIST reads the ledger. Times are store time, `…Ms`.
 * `reserved`: up to `slots` requests may have been sent since `atMs`.
 * `sent`: the reservation with the same token is settled; exactly these requests were sent, at `sentMs`.
 * `throttled`: at `atMs` the service answered 429 to `user` (hash of the access key) and asked it to wait until `untilMs`.
 */
export type LedgerEntry = { key: string } & (
  | { kind: 'reserved'; token: string; atMs: number; slots: number }
  | { kind: 'sent'; token: string; atMs: number; sentMs: readonly number[] }
  | { kind: 'throttled'; atMs: number; untilMs: number; user: string }
);

/** `reserved`, or `sent` if it has the last group. */
const slotsPattern = /^(\d{13})-([0-9a-f]{12})-(\d{1,4})(?:-(\d+(?:\.\d+)*))?$/;
const throttledPattern = /^429-(\d{13})-(\d{13})-([0-9a-f]{12})$/;

function stamp(timeMs: number): string {
  return String(Math.round(timeMs)).padStart(13, '0');
}

/** `<atMs>-<token>-<slots>` */
export function reservedKey(atMs: number, token: string, slots: number): string {
  return `${quotaPrefix}${stamp(atMs)}-${token}-${slots}`;
}

/** `<atMs>-<token>-<count>-<offset>.<offset>…`; offsets from `atMs` are rounded up, so that no slot becomes free early. */
export function sentKey(atMs: number, token: string, sentMs: readonly number[]): string {
  const base = Math.round(atMs);
  const offsets = sentMs.map((timeMs) => Math.max(0, Math.ceil(timeMs - base)));
  return `${quotaPrefix}${stamp(base)}-${token}-${sentMs.length}-${offsets.join('.')}`;
}

/** `429-<atMs>-<untilMs>-<user>` */
export function throttledKey(atMs: number, untilMs: number, user: string): string {
  return `${quotaPrefix}429-${stamp(atMs)}-${stamp(untilMs)}-${user}`;
}

/** The content of an entry is its own key. A LIST then shows a truncated object by its size. */
export function ledgerBytes(key: string): Uint8Array {
  return Buffer.from(key);
}

/** Throws CorruptError for an object that the ledger did not write. */
export function parseLedgerEntry({ key, bytes }: { key: string; bytes: number }): LedgerEntry {
  const entry = parseKey(key);
  if (!entry || bytes !== ledgerBytes(key).length) {
    throw new CorruptError(
      key,
      'is not a valid entry of the quota ledger, or is truncated',
      'Nothing was overwritten. No request is sent while the ledger cannot be read. Stop all exporters, wait for two quota windows, then delete this object.',
    );
  }
  return entry;
}

function parseKey(key: string): LedgerEntry | null {
  const name = key.slice(quotaPrefix.length);
  const throttled = throttledPattern.exec(name);
  if (throttled) {
    const [, at, until, user = ''] = throttled;
    return { kind: 'throttled', key, atMs: Number(at), untilMs: Number(until), user };
  }
  const match = slotsPattern.exec(name);
  if (!match) return null;
  const [, at, token = '', slots, offsets] = match;
  const atMs = Number(at);
  if (offsets === undefined) return { kind: 'reserved', key, token, atMs, slots: Number(slots) };
  const sentMs = offsets.split('.').map((offset) => atMs + Number(offset));
  return sentMs.length === Number(slots) ? { kind: 'sent', key, token, atMs, sentMs } : null;
}
