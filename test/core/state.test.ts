// Goal: state that was cut short or altered is never taken for state. Method: arbitrary values; every single byte of what is
// stored changed to another, and every cut.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { decodeState, encodeState, sha256 } from '../../lib/core/state.ts';

const key = '_runs/some.json';
const value = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 });

function isRefused(bytes: Uint8Array): boolean {
  try {
    decodeState('some', 1, key, bytes);
    return false;
  } catch (error) {
    if (error instanceof CorruptError && error.key === key && error.hint !== '') return true;
    throw error;
  }
}

describe('decodeState', () => {
  test('gives back what encodeState took', () => {
    fc.assert(
      fc.property(value, (given) => {
        // As JSON has it: no undefined, no -0.
        const plain: unknown = JSON.parse(JSON.stringify(given));
        expect(decodeState('some', 1, key, encodeState('some', 1, given))).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  test('finds any one byte changed', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, place, change) => {
        const bytes = Uint8Array.from(encodeState('some', 1, given));
        const index = place % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ change;
        expect(isRefused(bytes)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('finds even a change that JSON does not: each byte of one state, to each of the other 255', () => {
    const bytes = Uint8Array.from(encodeState('some', 1, { a: '\u001f/', b: [1e21, -1, null] }));
    const unseen: [number, number][] = [];
    for (let index = 0; index < bytes.length; index += 1) {
      const was = bytes[index] ?? 0;
      for (let byte = 0; byte < 256; byte += 1) {
        if (byte === was) continue;
        bytes[index] = byte;
        if (!isRefused(bytes)) unseen.push([index, byte]);
      }
      bytes[index] = was;
    }
    expect(unseen).toEqual([]);
    expect(isRefused(bytes)).toBe(false);
  });

  test('finds any cut and anything added', () => {
    fc.assert(
      fc.property(
        value,
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 4 }),
        (given, at, more) => {
          const bytes = encodeState('some', 1, given);
          expect(isRefused(bytes.subarray(0, at % bytes.length))).toBe(true);
          expect(isRefused(Buffer.concat([bytes, more]))).toBe(true);
          expect(isRefused(Buffer.concat([more, bytes]))).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
    const bytes = encodeState('some', 1, { a: [1, 2] });
    for (let length = 0; length < bytes.length; length += 1) {
      expect(isRefused(bytes.subarray(0, length)), `${length} bytes`).toBe(true);
    }
  });

  test('one state is not read as another, nor an older version as this one', () => {
    const bytes = encodeState('some', 1, { a: 1 });
    expect(() => decodeState('other', 1, key, bytes)).toThrow(/is no other but a some/);
    expect(() => decodeState('some', 2, key, bytes)).toThrow(/has version 1, this build reads 2/);
  });

  test.each(['null', '[]', '1', '"text"', '{}', ' '])('%s is no state', (text) => {
    expect(isRefused(Buffer.from(text))).toBe(true);
  });
});

test('sha256 is bare lower-case hex, of text as of its bytes', () => {
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  expect(sha256('')).toBe(empty);
  expect(sha256(Buffer.from('é'))).toBe(sha256('é'));
});
