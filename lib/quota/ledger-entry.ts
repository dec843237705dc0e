// Responsible for the objects of the quota ledger: what each entry means, and how its key is built and parsed.
// Not responsible for how long ago an entry was written (entry-age.ts) or which entries still count (window.ts).

import { CorruptError } from '../core/errors.ts';
import { quotaPrefix } from '../core/object-keys.ts';
import type { StoredObject } from '../core/ports.ts';

/**
 * One object of the ledger. The key holds the whole entry, so one LIST reads the ledger.
 * `reserved`: up to `slots` requests may have been sent since the entry was written.
 * `sent`: the reservation with the same token is settled; exactly these requests were sent, each this long before the
 * entry was written, milliseconds.
 * `throttled`: the service answered 429 to `user` (hash of the access key) and asked it to wait for `waitMs`.
 */
export type StoredEntry = { key: string; stamp: Stamp } & (
  | { kind: 'reserved'; token: string; slots: number }
  | { kind: 'sent'; token: string; agesMs: readonly number[] }
  | { kind: 'throttled'; waitMs: number; user: string }
);

/** When an entry was written. */
export interface Stamp {
  /** Store time, by the writer. */
  writtenMs: number;
  /** Store time, by the store. */
  modifiedMs: number;
  /** Only on a file system: the writer's Host.identity, and its monotonic time. Null: the writer does not know its boot. */
  writer: { identity: string; boot: string; monotonicMs: number } | null;
}

const stampPattern = /^(\d{13})$/;
const slotsPattern = /^([0-9a-f]{12})-(\d{1,4})$/;
const agesPattern = /^([0-9a-f]{12})-(\d{1,4})-(\d+(?:\.\d+)*)$/;
const throttledPattern = /^429-(\d{1,13})-([0-9a-f]{12})$/;
const processPattern = /^(\d{1,15})-(([0-9a-f]{12})\.\d+\.\d+\.\d+)$/;

/** Of the ledger of one list. `list`: the name of its dataset. */
export function ledgerPrefix(list: string): string {
  return `${quotaPrefix}${list}/`;
}

/** What a writer knows of the time, and in which ledger it writes. `writer` as in Stamp. */
export type WriterStamp = Pick<Stamp, 'writtenMs'> & {
  list: string;
  writer: { identity: string; monotonicMs: number } | null;
};

/** `<time>-<content>`, and on a file system `@<monotonic time>-<identity>`. Times are rounded up, so that no slot is free early. */
function keyOf({ list, writtenMs, writer }: WriterStamp, content: string): string {
  const time = String(Math.ceil(writtenMs)).padStart(13, '0');
  const suffix = writer ? `@${Math.ceil(writer.monotonicMs)}-${writer.identity}` : '';
  return `${ledgerPrefix(list)}${time}-${content}${suffix}`;
}

export function reservedKey(stamp: WriterStamp, token: string, slots: number): string {
  return keyOf(stamp, `${token}-${slots}`);
}

/** Ages are rounded down, so that no slot becomes free early. */
export function sentKey(stamp: WriterStamp, token: string, agesMs: readonly number[]): string {
  const ages = agesMs.map((ageMs) => Math.max(0, Math.floor(ageMs)));
  return keyOf(stamp, `${token}-${ages.length}-${ages.join('.')}`);
}

export function throttledKey(stamp: WriterStamp, waitMs: number, user: string): string {
  return keyOf(stamp, `429-${Math.ceil(waitMs)}-${user}`);
}

/** The content of an entry is its own key. A LIST then shows a truncated object by its size. */
export function ledgerBytes(key: string): Uint8Array {
  return Buffer.from(key);
}

/**
 * A name that starts like an entry and has only characters of one, also if it was truncated or altered. A copy that an
 * editor or a backup made (`.bak`, `~`, ` (copy)`) has other characters: its original counts.
 */
const entryLike = /^(?:\d{13}(?:-|$)|429-\d)[0-9a-f.@-]*$/i;

/** False for a name that cannot be an entry, for example a file that a network file system left behind. */
export function isLedgerKey(key: string): boolean {
  return entryLike.test(nameIn(key));
}

function nameIn(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** Null for an object that the ledger did not write. Throws CorruptError for an entry that was truncated or altered. */
export function parseLedgerEntry(object: StoredObject): StoredEntry | null {
  const { key, bytes } = object;
  if (!isLedgerKey(key)) return null;
  const entry = parseKey(object);
  if (!entry || bytes !== ledgerBytes(key).length) {
    throw new CorruptError(
      key,
      'is an entry of the quota ledger, and was truncated or altered',
      'Nothing was overwritten. No request is sent while the ledger cannot be read. Stop all exporters, wait for two quota windows, then delete this object.',
    );
  }
  return entry;
}

function parseKey({ key, modifiedMs }: StoredObject): StoredEntry | null {
  const [text = '', suffix, ...more] = nameIn(key).split('@');
  if (more.length > 0) return null;
  const [, time] = stampPattern.exec(text.slice(0, 13)) ?? [];
  const written = suffix === undefined ? [] : processPattern.exec(suffix);
  if (time === undefined || text[13] !== '-' || written === null) return null;
  const [, monotonic, identity, boot] = written;
  const writer =
    identity === undefined || boot === undefined
      ? null
      : { identity, boot, monotonicMs: Number(monotonic) };
  const stamp: Stamp = { writtenMs: Number(time), modifiedMs, writer };
  return parseContent(key, stamp, text.slice(14));
}

function parseContent(key: string, stamp: Stamp, content: string): StoredEntry | null {
  const throttled = throttledPattern.exec(content);
  if (throttled) {
    const [, wait, user = ''] = throttled;
    return { kind: 'throttled', key, stamp, waitMs: Number(wait), user };
  }
  const reserved = slotsPattern.exec(content);
  if (reserved) {
    const [, token = '', slots] = reserved;
    return { kind: 'reserved', key, stamp, token, slots: Number(slots) };
  }
  const [, token = '', count, ages = ''] = agesPattern.exec(content) ?? [];
  const agesMs = ages.split('.').map(Number);
  if (count === undefined || agesMs.length !== Number(count)) return null;
  return { kind: 'sent', key, stamp, token, agesMs };
}
