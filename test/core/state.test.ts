// Tests that truncated or changed state is always detected. Method: arbitrary values; every byte of a stored state changed to every
// other value; every possible truncation.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CorruptError,
  NewerVersionError,
  OtherKeyError,
  OtherVersionError,
} from '../../lib/core/errors.ts';
import {
  decodeState,
  encodeState,
  requireMac,
  type StateKey,
  sha256,
} from '../../lib/core/state.ts';

const key = '_runs/some.json';
const value = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 });

function isRejected(bytes: Uint8Array): boolean {
  try {
    decodeState('some', 1, key, bytes);
    return false;
  } catch (error) {
    if (error instanceof CorruptError && error.key === key && error.hint !== '') return true;
    throw error;
  }
}

describe('decodeState', () => {
  test('returns the value that encodeState received', () => {
    fc.assert(
      fc.property(value, (given) => {
        // JSON has no undefined and no -0.
        const plain: unknown = JSON.parse(JSON.stringify(given));
        expect(decodeState('some', 1, key, encodeState('some', 1, given))).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  test('detects a change of any byte', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, place, change) => {
        const bytes = Uint8Array.from(encodeState('some', 1, given));
        const index = place % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ change;
        expect(isRejected(bytes)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('detects also changes that JSON.parse ignores: each byte of one state, to each of the other 255 values', () => {
    const bytes = Uint8Array.from(encodeState('some', 1, { a: '\u001f/', b: [1e21, -1, null] }));
    const undetected: [number, number][] = [];
    for (let index = 0; index < bytes.length; index += 1) {
      const was = bytes[index] ?? 0;
      for (let byte = 0; byte < 256; byte += 1) {
        if (byte === was) continue;
        bytes[index] = byte;
        if (!isRejected(bytes)) undetected.push([index, byte]);
      }
      bytes[index] = was;
    }
    expect(undetected).toEqual([]);
    expect(isRejected(bytes)).toBe(false);
  });

  test('detects any truncation and any added bytes', () => {
    fc.assert(
      fc.property(
        value,
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 4 }),
        (given, at, more) => {
          const bytes = encodeState('some', 1, given);
          expect(isRejected(bytes.subarray(0, at % bytes.length))).toBe(true);
          expect(isRejected(Buffer.concat([bytes, more]))).toBe(true);
          expect(isRejected(Buffer.concat([more, bytes]))).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
    const bytes = encodeState('some', 1, { a: [1, 2] });
    for (let length = 0; length < bytes.length; length += 1) {
      expect(isRejected(bytes.subarray(0, length)), `${length} bytes`).toBe(true);
    }
  });

  test('does not read one kind of state as another, or an older version as this version', () => {
    const bytes = encodeState('some', 1, { a: 1 });
    expect(() => decodeState('other', 1, key, bytes)).toThrow(/is not a other but a some/);
    expect(() => decodeState('some', 2, key, bytes)).toThrow(
      /has version 1, but this build reads version 2/,
    );
    expect(() => decodeState('some', 2, key, bytes)).toThrow(OtherVersionError);
  });

  test('says that a newer version wrote state with a greater version, and advises no restore', () => {
    const decode = () => decodeState('some', 2, key, encodeState('some', 3, { a: 1 }));
    expect(decode).toThrow(
      `${key}: was written by a newer version of cgs-export (version 3; this version reads 2)`,
    );
    expect(decode).toThrow(NewerVersionError);
    const hint = expect.stringMatching(/^Update cgs-export(?!.*restore)/);
    expect(decode).toThrow(expect.objectContaining({ hint }));
  });

  test.each(['null', '[]', '1', '"text"', '{}', ' '])('rejects %s', (text) => {
    expect(isRejected(Buffer.from(text))).toBe(true);
  });
});

describe('requireMac', () => {
  const createKey = (keyId: string): StateKey => ({
    keyId,
    mac: (bytes) => sha256(`${keyId} ${sha256(bytes)}`),
  });
  const [own, other] = [createKey('0'.repeat(16)), createKey('1'.repeat(16))];
  const stored = encodeState('some', 1, { a: 1 }, { key, by: own });

  test('accepts what its key stored under this name, and decodeState reads it without the key', () => {
    expect(() => requireMac(key, stored, own)).not.toThrow();
    expect(decodeState('some', 1, key, stored)).toEqual({ a: 1 });
  });

  const forge = (value: object) => {
    const hex = /"hex":"([0-9a-f]{64})"/.exec(Buffer.from(stored).toString())?.[1] ?? '';
    return encodeState('some', 1, value, { key, by: { ...own, mac: () => hex } });
  };
  test.each<[string, Uint8Array, string]>([
    ['another value with the same MAC', forge({ a: 2 }), 'does not match its MAC'],
    ['another object', encodeState('some', 1, { a: 1 }, { key: 'b', by: own }), 'its MAC'],
    ['no MAC', encodeState('some', 1, { a: 1 }), 'has no MAC'],
  ])('does not accept %s', (_name, bytes, message) => {
    expect(() => decodeState('some', 1, key, bytes)).not.toThrow();
    expect(() => requireMac(key, bytes, own)).toThrow(message);
    expect(() => requireMac(key, bytes, own)).toThrow(CorruptError);
    expect(() => requireMac(key, bytes, own)).not.toThrow(OtherKeyError);
  });

  test('tells another key from a changed state', () => {
    expect(() => requireMac(key, stored, other)).toThrow(OtherKeyError);
  });
});

test('sha256 returns bare lower-case hex, the same for a text and its UTF-8 bytes', () => {
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  expect(sha256('')).toBe(empty);
  expect(sha256(Buffer.from('é'))).toBe(sha256('é'));
});
