// Responsible for the form of private working state: JSON that contains its own hash.

import { createHash } from 'node:crypto';
import { CorruptError } from './errors.ts';
import { stringifyCanonical } from './exact-json.ts';
import { asRecord } from './value-shape.ts';

/** Bare lower-case hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Twelve random hex digits that identify the holder of a lease or a reservation. `random`: in [0, 1). */
export function newToken(random: () => number): string {
  return Array.from({ length: 12 }, () => Math.floor(random() * 16).toString(16)).join('');
}

/** `kind` prevents reading one state as another. `version`: of the shape of the value. */
export function encodeState(kind: string, version: number, value: object): Uint8Array {
  const body = { kind, version, value };
  return Buffer.from(`${JSON.stringify({ sha256: sha256(stringifyCanonical(body)), ...body })}\n`);
}

/** Throws CorruptError with `key` for bytes that encodeState did not write. */
export function decodeState<T>(kind: string, version: number, key: string, bytes: Uint8Array): T {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw corruptState(key, 'cannot be parsed: it was truncated or changed', cause);
  }
  const found = asRecord(parsed);
  const value = found.value as object;
  const encoded = encodeState(String(found.kind), Number(found.version), value);
  // Compare all bytes: JSON.parse also accepts other spellings of the same value, such as 1E+21 for 1e+21.
  if (Buffer.compare(encoded, bytes) !== 0) {
    throw corruptState(key, 'does not match its own hash: it was changed');
  }
  if (found.kind !== kind) throw corruptState(key, `is not a ${kind} but a ${found.kind}`);
  if (found.version !== version) {
    throw corruptState(
      key,
      `has version ${found.version}, but this build reads version ${version}`,
    );
  }
  return value as T;
}

/** The error for damaged working state. `message`: what is wrong with the object `key`. */
export function corruptState(key: string, message: string, cause?: unknown): CorruptError {
  const hint =
    'It is working state: sealed snapshots are not affected. The export keeps its bytes under another name in _runs/ and starts this state again. To continue the open run instead, restore the object before the next export.';
  return new CorruptError(key, message, hint, { cause });
}
