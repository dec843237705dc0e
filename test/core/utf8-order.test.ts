// Tests that compareUtf8() orders texts like their UTF-8 bytes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';

const compareBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

// Code points at every edge where the UTF-8 length or the UTF-16 form changes. Few different ones, so that texts share prefixes.
const edges = [
  0x0, 0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xff21, 0xffff, 0x10000, 0x103ff,
  0x10400, 0x1f600, 0x10ffff,
].map((point) => String.fromCodePoint(point));
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.array(fc.constantFrom(...edges), { maxLength: 6 }).map((parts) => parts.join('')),
);

test('orders texts like Buffer.compare orders their bytes', () => {
  fc.assert(
    fc.property(text, text, text, (prefix, a, b) => {
      const [left, right] = [prefix + a, prefix + b];
      expect(Math.sign(compareUtf8(left, right))).toBe(compareBytes(left, right));
    }),
    { numRuns: 5000 },
  );
});

test('orders every pair of edges, alone and inside a text', () => {
  for (const a of edges) {
    for (const b of edges) {
      expect([a, b, Math.sign(compareUtf8(a, b))]).toEqual([a, b, compareBytes(a, b)]);
      expect(Math.sign(compareUtf8(`😀${a}z`, `😀${b}a`))).toBe(compareBytes(`😀${a}z`, `😀${b}a`));
    }
  }
});

test('orders emoji after full-width letters, unlike UTF-16 order', () => {
  expect(['😀', 'Ａ', 'a', '中'].sort(compareUtf8)).toEqual(['a', '中', 'Ａ', '😀']);
  expect(['😀', 'Ａ', 'a', '中'].sort()).toEqual(['a', '中', '😀', 'Ａ']);
});
