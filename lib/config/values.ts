// Owns the readers of single settings: text in, value out, or what is wrong with it. Refuses to repeat a value in a message.

import { isLoopback } from '../core/network-host.ts';

/** Reports and returns: what a reader has to return is what this returned. */
export type Fail = (message: string, hint: string) => never;

const dayMs = 24 * 60 * 60 * 1_000;
const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs } as const;

/** `90s`, `15m`, `6h`, `2d` → milliseconds. Slots must fall on the same times of every day, or on whole days. */
export function readSchedule(given: string, fail: Fail, hint: string): number {
  const match = /^(\d{1,9})\s*([smhd])$/.exec(given);
  if (!match) return fail('is no length of time', hint);
  const scheduleMs = Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs];
  if (scheduleMs === 0) return fail('must be above 0', hint);
  if (dayMs % scheduleMs !== 0 && scheduleMs % dayMs !== 0) {
    return fail(
      'neither divides 24h nor is whole days',
      'Slots count from midnight UTC: take 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h, 15m, 30m or days.',
    );
  }
  return scheduleMs;
}

/** Text that one pattern describes; `lengthMax` in characters. */
export function readName(pattern: RegExp, message: string, lengthMax: number) {
  return (given: string, fail: Fail, hint: string): string => {
    if ([...given].length > lengthMax) return fail(`is longer than ${lengthMax} characters`, hint);
    return pattern.test(given) ? given : fail(message, hint);
  };
}

const reservedEndings = ['_ndjson', '_rejects', '_changes'];

export function readTable(given: string, fail: Fail, hint: string): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(given)) return fail('is no table name', hint);
  const ending = reservedEndings.find((end) => given.endsWith(end));
  if (ending === undefined) return given;
  return fail(
    `ends in ${ending}`,
    `Choose another name: tables that end in ${reservedEndings.join(', ')} are made beside yours.`,
  );
}

/** `isFree`: names and passwords may hold any sign. Keys and tokens are ASCII without white space. */
export function readSecret(given: string, isFree: boolean, fail: Fail): string {
  if (given === '') return fail('is empty', 'Give the value, or the variable that holds it.');
  if (isFree || /^[\x21-\x7e]+$/.test(given)) return given;
  return fail(
    'holds white space or signs that no key has',
    'Copy it again: a line break at its end is easily copied along.',
  );
}

/** Scheme, host and port, as URL writes them. */
export function readOrigin(given: string, fail: Fail, hint: string): string {
  if (!/^https?:\/\//i.test(given)) return fail('must begin with https://', hint);
  // URL would drop white space and turn backslashes, and so show another address than was written.
  if (/[\s\\]|[^\x20-\x7e]/.test(given) || !URL.canParse(given)) return fail('is no address', hint);
  const url = new URL(given);
  if (url.username !== '' || url.password !== '' || given.includes('@')) {
    return fail('holds a user or password', `${hint} Keys go under credentials.`);
  }
  if (url.pathname !== '/' || /[?#]/.test(given)) {
    return fail('must be a host without a path or query', hint);
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return fail(
      'is plain http://, which only this host itself may be (127.0.0.0/8, ::1, localhost)',
      'Write https://: over http anyone on the way reads and changes what is sent.',
    );
  }
  return url.origin;
}

/** `file:./x`, `file:x`, `file:/abs` and `file:///abs` → the path as written. Nothing is percent-decoded. */
export function readFilePath(given: string, fail: Fail): string {
  const hint = 'Write file:./export (from the folder of this file) or file:/abs/dir.';
  const rest = given.slice('file:'.length);
  if (rest.startsWith('//') && !rest.startsWith('///')) {
    return fail('names a host after file://', hint);
  }
  const path = rest.startsWith('///') ? rest.slice(2) : rest;
  if (path === '' || path.includes('\0')) return fail('names no folder', hint);
  if (path.startsWith('~')) {
    return fail('begins with ~, which only a shell replaces', `${hint} \${HOME} works.`);
  }
  return path;
}

/** `prefix` is without slashes at its ends; empty for the bucket's root. */
export function readObsLocation(given: string, fail: Fail): { bucket: string; prefix: string } {
  const [bucket = '', ...parts] = given.slice('obs://'.length).split('/');
  // OBS Developer Guide, "Use Restrictions", bucket names. Read 2026-11-24.
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    return fail(
      'names no bucket',
      'Write obs://bucket/prefix: 3 to 63 small letters, digits, - and .',
    );
  }
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => part === '' || part === '.' || part === '..' || /\p{C}/u.test(part))) {
    return fail(
      'has an empty, "." or ".." part in its prefix',
      'Write obs://bucket/prefix, or obs://bucket for its root.',
    );
  }
  return { bucket, prefix: parts.join('/') };
}
