// Responsible for the form of private working state: JSON that contains its own hash and, where a signing key is set, a MAC.

import { createHash, timingSafeEqual } from 'node:crypto';
import { CorruptError, OtherKeyError, OtherVersionError, UnusableObjectError } from './errors.ts';
import { parseBounded } from './exact-json.ts';
import type { Store } from './ports.ts';
import { refuseNewer } from './stored-version.ts';

/** Bare lower-case hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Twelve random hex digits that identify the holder of a lease or a reservation. `random`: in [0, 1). */
export function newToken(random: () => number): string {
  return Array.from({ length: 12 }, () => Math.floor(random() * 16).toString(16)).join('');
}

/** What comes before the hash, and between the hash and the text that it is of. */
const beforeHash = '{"sha256":"';
const afterHash = '",';
const hashedFrom = beforeHash.length + sha256('').length + afterHash.length;

/** Authenticates state: only who has the key can write it. */
export interface StateKey {
  keyId: string;
  /** 64 hex digits. */
  mac(bytes: Uint8Array): string;
}

/**
 * `kind` prevents reading one state as another. `version`: of the shape of the value. The hash is of all bytes that follow it.
 * `by`: the state gets a MAC, which holds for the object `key` only; null: it gets none.
 */
export function encodeState(
  kind: string,
  version: number,
  value: object,
  { key, by }: { key: string; by: StateKey | null } = { key: '', by: null },
): Uint8Array {
  const text = Buffer.from(`${JSON.stringify({ kind, version, value }).slice(1)}\n`);
  const mac = by ? `"mac":{"keyId":"${by.keyId}","hex":"${macOf(by, key, text)}"},` : '';
  const hashed = Buffer.concat([Buffer.from(mac), text]);
  return Buffer.concat([Buffer.from(`${beforeHash}${sha256(hashed)}${afterHash}`), hashed]);
}

const macPattern = /^"mac":\{"keyId":"([0-9a-f]{16})","hex":"([0-9a-f]{64})"\},/;
const macCharsMax = 128;

/** For bytes that decodeState() accepts. Throws CorruptError without a valid MAC by this key, OtherKeyError for that of another key. */
export function requireMac(key: string, bytes: Uint8Array, by: StateKey): void {
  const hashed = bytes.subarray(hashedFrom);
  const start = Buffer.from(hashed.subarray(0, macCharsMax)).toString('latin1');
  const [mac = '', keyId, hex = ''] = macPattern.exec(start) ?? [];
  if (mac && keyId !== by.keyId) {
    throw new OtherKeyError(key, `was stored with another signing key, ${keyId}`, otherKeyHint);
  }
  const expected = Buffer.from(macOf(by, key, hashed.subarray(mac.length)));
  const found = Buffer.from(hex);
  if (found.length === expected.length && timingSafeEqual(found, expected)) return;
  const message = mac
    ? 'does not match its MAC: another program changed it'
    : 'has no MAC, but the setting `signing` is set: it was stored before that, or another program changed it';
  throw corruptState(key, message);
}

function macOf(by: StateKey, key: string, text: Uint8Array): string {
  return by.mac(Buffer.concat([Buffer.from(`${key}\n`), text]));
}

const otherKeyHint =
  'Nothing is damaged: sealed snapshots are not affected. The export starts this state again.';

/**
 * Throws CorruptError with `key` for bytes that encodeState did not write, OtherVersionError for another version (NewerVersionError
 * for a greater one).
 */
export function decodeState<T>(kind: string, version: number, key: string, bytes: Uint8Array): T {
  const hashed = bytes.subarray(hashedFrom);
  const start = Buffer.from(bytes.subarray(0, hashedFrom)).toString('latin1');
  if (!start.startsWith(beforeHash) || !start.endsWith(afterHash)) {
    throw corruptState(key, 'cannot be parsed: it was truncated or changed');
  }
  if (start !== `${beforeHash}${sha256(hashed)}${afterHash}`) {
    throw corruptState(key, 'does not match its own hash: it was truncated or changed');
  }
  const found = parseHashed(key, hashed);
  if (found.kind !== kind) throw corruptState(key, `is not a ${kind} but a ${found.kind}`);
  refuseNewer(key, { member: 'version', found: found.version, read: version, hint: newerHint });
  if (found.version !== version) {
    throw new OtherVersionError(
      key,
      `has version ${found.version}, but this build reads version ${version}`,
      'Another version of cgs-export wrote it: sealed snapshots are not affected. The export keeps its bytes under another name in _runs/ and starts this state again. To continue the open run instead, use the version that started it.',
    );
  }
  return found.value as T;
}

const newerHint =
  'Update cgs-export. It is working state: sealed snapshots are not affected. An export of this version keeps its bytes under another name in _runs/ and starts this state again.';

/** The hash is right, but another program can calculate it too. */
function parseHashed(key: string, hashed: Uint8Array): Record<string, unknown> {
  try {
    const text = `{${Buffer.from(hashed).toString('utf8')}`;
    return parseBounded(text) as Record<string, unknown>;
  } catch (cause) {
    throw corruptState(key, `cannot be parsed: ${(cause as Error).message}`, cause);
  }
}

/** Null: it does not exist. Throws CorruptError if a link, a pipe, a device or a file that is too large is in its place. */
export async function readState(
  store: Pick<Store, 'get'>,
  key: string,
): Promise<Uint8Array | null> {
  try {
    return await store.get(key);
  } catch (cause) {
    if (!(cause instanceof UnusableObjectError)) throw cause;
    throw corruptState(key, `cannot be read: ${cause.message}`, cause);
  }
}

/** The error for damaged working state. `message`: what is wrong with the object `key`. */
export function corruptState(key: string, message: string, cause?: unknown): CorruptError {
  const hint =
    'It is working state: sealed snapshots are not affected. The export keeps its bytes under another name in _runs/ and starts this state again. To continue the open run instead, restore the object before the next export.';
  return new CorruptError(key, message, hint, { cause });
}
