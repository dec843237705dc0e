// Responsible for the kinds of values that settings take, and for what can be wrong with each. Not responsible for
// hints. No message repeats a value: it may be a secret in the wrong place.

import * as v from 'valibot';
import { isLoopback } from '../core/network-host.ts';
import { parseTime } from '../core/time-text.ts';
import type { StoreLocation } from './model.ts';

const dayMs = 24 * 60 * 60 * 1_000;
const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs } as const;

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameKind(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section';
  if (Number.isNaN(value)) return 'NaN';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

/** The message for a value of another kind. */
export function mustBe(kind: string) {
  return ({ input }: v.BaseIssue<unknown>): string =>
    input === null ? 'has no value' : `must be ${kind}, not ${nameKind(input)}`;
}

export const text = v.pipe(v.string(mustBe('text')), v.nonEmpty('is empty'));

export function textUpTo(lengthMax: number) {
  return v.pipe(text, v.maxCodePoints(lengthMax, `is longer than ${lengthMax} characters`));
}

/** Text that one pattern describes; `message` if it does not. */
export function name(lengthMax: number, pattern: RegExp, message: string) {
  return v.pipe(textUpTo(lengthMax), v.regex(pattern, message));
}

export function oneOf<const T extends readonly string[]>(options: T) {
  return v.picklist(options, (issue) =>
    typeof issue.input === 'string' ? 'is not a known value' : mustBe('text')(issue),
  );
}

const above0 = v.gtValue<number, 0, string>(0, 'must be above 0');

/** A number above 0, at most `max`. Also as text, because a variable is always text. */
export function positiveNumberUpTo(max: number) {
  const finite = v.finite<number, string>('must be a finite number');
  const notAbove = v.maxValue<number, number, string>(max, `must be at most ${max}`);
  return v.union(
    [
      v.pipe(v.number(), finite, above0, notAbove),
      v.pipe(
        v.string(),
        v.regex(/^\d+(?:\.\d+)?$/, 'must be a number, not text'),
        v.toNumber(),
        finite,
        above0,
        notAbove,
      ),
    ],
    mustBe('a number'),
  );
}

/** A whole number from 1 to `max`. Also as text, because a variable is always text. */
export function wholeNumberUpTo(max: number) {
  return v.pipe(
    positiveNumberUpTo(max),
    v.check((given: number) => Number.isInteger(given), 'must be a whole number'),
  );
}

/** A number from 0 to below 1. Also as text, because a variable is always text. */
export const share = v.pipe(
  v.union(
    [
      v.number(),
      v.pipe(v.string(), v.regex(/^\d+(?:\.\d+)?$/, 'must be a number, not text'), v.toNumber()),
    ],
    mustBe('a number'),
  ),
  v.finite('must be a finite number'),
  v.minValue(0, 'must be at least 0'),
  v.ltValue(1, 'must be below 1'),
);

/** True or false. Also as text, because a variable is always text. */
export const flag = v.union(
  [
    v.boolean(),
    v.pipe(
      v.string(),
      v.regex(/^(?:true|false)$/, 'must be true or false, not text'),
      v.transform((given) => given === 'true'),
    ),
  ],
  mustBe('true or false'),
);

/** Permissions as in chmod, `0640` → 0o640. Files are not programs, and the exporter must be able to read what it wrote. */
export const fileMode = v.pipe(
  text,
  v.regex(/^0?[0-7]{3}$/, 'is not a valid file mode'),
  v.regex(/^0?[67]/, 'does not let the owner read and write'),
  v.regex(/^0?[0246]{3}$/, 'makes files executable'),
  v.regex(/[04]$/, 'lets every user of the host write'),
  v.transform((given) => Number.parseInt(given, 8)),
);

/** `90s`, `15m`, `6h`, `2d` → milliseconds. Slots fall on the same times of every day, or on whole days. */
export const schedule = v.pipe(
  text,
  v.regex(/^\d{1,9}\s*[smhd]$/, 'is not a valid duration'),
  v.transform(
    (given) => Number.parseInt(given, 10) * unitsMs[given.slice(-1) as keyof typeof unitsMs],
  ),
  v.gtValue(0, 'must be above 0'),
  v.check(
    (scheduleMs) => dayMs % scheduleMs === 0 || scheduleMs % dayMs === 0,
    'neither divides 24h nor is whole days',
  ),
  v.maxValue(366 * dayMs, 'is longer than 366 days'),
);

const yearMs = 365 * dayMs;
const retentionUnitsMs = { ...unitsMs, y: yearMs } as const;

/** `0s`, `12h`, `30d`, `7y` → milliseconds. */
export const age = v.pipe(
  text,
  v.regex(/^\d{1,9}\s*[smhdy]$/, 'is not a valid duration'),
  v.transform(
    (given) =>
      Number.parseInt(given, 10) *
      retentionUnitsMs[given.slice(-1) as keyof typeof retentionUnitsMs],
  ),
  v.maxValue(1_000 * yearMs, 'is longer than 1000 years'),
);

/** Folders and, in the SQL of `ddl`, tables with these endings are next to the table of the same name. */
const reservedEnding =
  /_(?:ndjson|rejects|changes|snapshots|latest|coverage|at|files|manifests|tombstones)$/;

export const table = v.pipe(
  text,
  v.regex(/^[a-z][a-z0-9_]{0,62}$/, 'is not a valid table name'),
  v.regex(
    new RegExp(`^(?!.*${reservedEnding.source})`),
    ({ input }) => `ends in ${reservedEnding.exec(input)?.[0]}, which is reserved`,
  ),
);

const badKey = 'contains white space or characters that no key has';

/** Part of an access key. */
export const key = v.pipe(text, v.regex(/^[\x21-\x7e]+$/, badKey));

/** Null for a variable that is set but empty: the key is permanent. */
export const securityToken = v.pipe(
  v.string(mustBe('text')),
  v.regex(/^[\x21-\x7e]*$/, badKey),
  v.transform((given) => given || null),
);

/** Scheme, host and port, as URL writes them. */
export const origin = v.pipe(
  text,
  // Without the flag i, which a JSON Schema cannot express.
  v.regex(/^[Hh][Tt][Tt][Pp][Ss]?:\/\//, 'must start with https://'),
  v.check(
    // URL drops white space and turns backslashes: it would show another address than the file does.
    (given) => !/[\s\\]|[^\x20-\x7e]/.test(given) && URL.canParse(given),
    'is not a valid address',
  ),
  v.excludes('@', 'contains a user or a password'),
  v.transform((given) => new URL(given)),
  v.check(
    ({ pathname, href }) => pathname === '/' && !/[?#]/.test(href),
    'must be a host without a path or query',
  ),
  v.check(
    ({ protocol, hostname }) => protocol === 'https:' || isLoopback(hostname),
    'is plain http://, which is accepted only for this host (127.0.0.0/8, ::1, localhost)',
  ),
  v.transform((url) => url.origin),
);

/** The address of a webhook, as it is written. No message repeats it, because it is a secret as a whole. */
export const webhookUrl = v.pipe(
  text,
  v.regex(/^[Hh][Tt][Tt][Pp][Ss]?:\/\//, 'must start with https://'),
  v.check(
    (given) => !/[\s\\]|[^\x20-\x7e]/.test(given) && URL.canParse(given),
    'is not a valid address',
  ),
  v.check((given) => new URL(given).username === '', 'contains a user or a password'),
  v.check((given) => new URL(given).password === '', 'contains a user or a password'),
  v.check((given) => {
    const { protocol, hostname } = new URL(given);
    return protocol.toLowerCase() === 'https:' || isLoopback(hostname);
  }, 'is plain http://, which is accepted only for this host (127.0.0.0/8, ::1, localhost)'),
);

/** What is wrong with the text of a store, in the order in which it is checked. */
export const storeLocation = v.pipe(
  text,
  v.regex(/^(?:file:|obs:\/\/)/, 'must start with file: or obs://'),
  // Copied from a signed address: the rest may be a key, so it must not become a part of every object's name.
  v.regex(/^(?:file:|obs:[^?#]*$)/, 'contains a ? or #: a store has no query'),
  v.regex(/^(?:file:|obs:[^@]*$)/, 'contains a user or a password'),
  v.regex(/^(?:obs:|(?!.*\?[^/]*=))/, 'contains a query (?name=value)'),
  v.regex(/^(?!file:\/\/(?!\/))/, 'names a host after file://'),
  v.regex(/^(?!file:$)/, 'names no folder'),
  v.regex(/^(?!file:~)/, 'starts with ~, which only a shell replaces'),
  // OBS Developer Guide, "Use Restrictions", bucket names. Read 2026-11-24.
  v.regex(/^(?:file:|obs:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/|$))/, 'names no valid bucket'),
  v.regex(
    /^(?!obs:\/\/[^/]+(?:\/[^/]*)*\/(?:\/|\.{1,2}(?:\/|$)))/,
    'has an empty, "." or ".." part in its prefix',
  ),
  v.regex(/^(?:file:[^\0]*|obs:\P{C}*)$/u, 'contains a control character'),
  v.transform(toLocation),
);

/** As the text of a store, but of one file or object. */
export const pinsLocation = v.pipe(
  storeLocation,
  v.check((given) => given.kind === 'file' || given.prefix !== '', 'names a bucket but no object'),
);

/** As parseTime reads it. Kept as text: an age counts from the time of use. */
export const timeOrAge = v.pipe(
  text,
  v.check((given) => parseTime(given, 0) !== null, 'is not a date, a time or an age'),
);

/** `file:./x`, `file:x`, `file:/abs` and `file:///abs` → the path as written. Nothing is percent-decoded. */
function toLocation(given: string): StoreLocation {
  if (given.startsWith('file:')) {
    return { kind: 'file', path: given.replace(/^file:(?:\/\/)?/, '') };
  }
  const [bucket = '', ...parts] = given.slice('obs://'.length).split('/');
  if (parts.at(-1) === '') parts.pop();
  return { kind: 'obs', bucket, prefix: parts.join('/') };
}
