// Owns how private working state is stored: JSON that carries its own hash. Refuses to know what the state means.

import { createHash } from 'node:crypto';
import { CorruptError } from './errors.ts';
import { stringifyCanonical } from './exact-json.ts';

/** Bare lower-case hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Twelve hex digits that tell this holder of a lease or a reservation from every other. `random`: in [0, 1). */
export function newToken(random: () => number): string {
  return Array.from({ length: 12 }, () => Math.floor(random() * 16).toString(16)).join('');
}

/** `kind` keeps one state from being read as another; `version` is that of the value's shape. */
export function encodeState(kind: string, version: number, value: object): Uint8Array {
  const body = { kind, version, value };
  return Buffer.from(`${JSON.stringify({ sha256: sha256(stringifyCanonical(body)), ...body })}\n`);
}

/** Throws CorruptError naming `key` for anything that encodeState did not write. */
export function decodeState<T>(kind: string, version: number, key: string, bytes: Uint8Array): T {
  let text: string;
  let parsed: { sha256?: unknown; kind?: unknown; version?: unknown; value?: unknown };
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (cause) {
    throw corrupt(key, 'does not parse: it was cut short or altered', cause);
  }
  if (typeof parsed !== 'object' || parsed === null) throw corrupt(key, `is no ${kind}`);
  const { sha256: hash, ...body } = parsed;
  // The text too: JSON reads a text without its last byte, or with 1E+21 for 1e+21, as the same value.
  const isAsWritten = text === `${JSON.stringify(parsed)}\n`;
  if (!isAsWritten || hash !== sha256(stringifyCanonical(body))) {
    throw corrupt(key, 'does not match its own hash: it was altered');
  }
  if (body.kind !== kind) throw corrupt(key, `is no ${kind} but a ${String(body.kind)}`);
  if (body.version !== version) {
    throw corrupt(key, `has version ${String(body.version)}, this build reads ${version}`);
  }
  return body.value as T;
}

function corrupt(key: string, message: string, cause?: unknown): CorruptError {
  const hint =
    'Nothing was overwritten. Restore the object from a version or backup, or move it away to start that state anew; sealed snapshots are not touched by it.';
  return new CorruptError(key, message, hint, { cause });
}
