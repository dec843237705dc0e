// Responsible for the form of private working state: JSON that contains its own hash.

import { createHash } from 'node:crypto';
import { CorruptError, OtherVersionError } from './errors.ts';

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

/** `kind` prevents reading one state as another. `version`: of the shape of the value. The hash is of all bytes that follow it. */
export function encodeState(kind: string, version: number, value: object): Uint8Array {
  const hashed = Buffer.from(`${JSON.stringify({ kind, version, value }).slice(1)}\n`);
  return Buffer.concat([Buffer.from(`${beforeHash}${sha256(hashed)}${afterHash}`), hashed]);
}

/** Throws CorruptError with `key` for bytes that encodeState did not write, OtherVersionError for another version. */
export function decodeState<T>(kind: string, version: number, key: string, bytes: Uint8Array): T {
  const hashed = bytes.subarray(hashedFrom);
  const start = Buffer.from(bytes.subarray(0, hashedFrom)).toString('latin1');
  if (!start.startsWith(beforeHash) || !start.endsWith(afterHash)) {
    throw corruptState(key, 'cannot be parsed: it was truncated or changed');
  }
  if (start !== `${beforeHash}${sha256(hashed)}${afterHash}`) {
    throw corruptState(key, 'does not match its own hash: it was truncated or changed');
  }
  const found = JSON.parse(`{${Buffer.from(hashed).toString('utf8')}`) as Record<string, unknown>;
  if (found.kind !== kind) throw corruptState(key, `is not a ${kind} but a ${found.kind}`);
  if (found.version !== version) {
    throw new OtherVersionError(
      key,
      `has version ${found.version}, but this build reads version ${version}`,
      'Another version of cgs-export wrote it: sealed snapshots are not affected. The export keeps its bytes under another name in _runs/ and starts this state again. To continue the open run instead, use the version that started it.',
    );
  }
  return found.value as T;
}

/** The error for damaged working state. `message`: what is wrong with the object `key`. */
export function corruptState(key: string, message: string): CorruptError {
  const hint =
    'It is working state: sealed snapshots are not affected. The export keeps its bytes under another name in _runs/ and starts this state again. To continue the open run instead, restore the object before the next export.';
  return new CorruptError(key, message, hint);
}
