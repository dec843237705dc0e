// Tests a key table against a Map, on Node.js with and without crypto.hash, and how much memory a text needs.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createKeyTable, hashText } from '../../lib/reading/key-table.ts';
import { countTypedBytes } from '../support/typed-memory.ts';

const add = (table: ReturnType<typeof createKeyTable>, texts: Iterable<string>) => {
  for (const text of texts) table.add(hashText(text));
};

describe('a key table', () => {
  test('numbers texts in the order in which they were added, each once', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3, unit: 'binary' })), (texts) => {
        const table = createKeyTable();
        const numbers = new Map<string, number>();
        for (const text of texts) {
          expect(table.find(hashText(text))).toBe(numbers.get(text) ?? -1);
          if (!numbers.has(text)) numbers.set(text, numbers.size);
          expect(table.add(hashText(text))).toBe(numbers.get(text));
          expect(table.has(hashText(text))).toBe(true);
          expect(table.size).toBe(numbers.size);
        }
        for (const [text, number] of numbers) expect(table.find(hashText(text))).toBe(number);
        expect(table.has(hashText('longer than any of them'))).toBe(false);
      }),
    );
  });

  test('finds each of 100,000 texts after all slots were moved several times', () => {
    const table = createKeyTable();
    for (let number = 0; number < 100_000; number += 1) {
      if (table.add(hashText(`host-${number}`)) !== number) expect(number).toBe('added');
    }
    for (let number = 0; number < 100_000; number += 1) {
      if (table.find(hashText(`host-${number}`)) !== number) expect(number).toBe('found');
      if (table.has(hashText(`node-${number}`))) expect(number).toBe('unknown');
    }
  });

  test('counts the texts of another table that it does not have', () => {
    const texts = fc.uniqueArray(fc.string({ maxLength: 2 }));
    fc.assert(
      fc.property(texts, texts, (own, others) => {
        const [table, other] = [createKeyTable(), createKeyTable()];
        add(table, own);
        add(other, others);
        const missing = others.filter((text) => !own.includes(text)).length;
        expect(table.countMissing(other)).toBe(missing);
        expect(table.countMissing(table)).toBe(0);
        expect([table.size, other.size]).toEqual([own.length, others.length]);
      }),
    );
  });

  test('needs at most 30 bytes per text', () => {
    const before = countTypedBytes();
    const table = createKeyTable();
    // Just after the slots were doubled, when they need most.
    const size = 400_000;
    for (let number = 0; number < size; number += 1) table.add(hashText(String(number)));
    const bytes = countTypedBytes() - before;
    expect(table.size).toBe(size);
    expect(bytes / size).toBeLessThanOrEqual(30);
  });
});

describe('the hash of a text', () => {
  afterEach(() => {
    vi.doUnmock('node:crypto');
    vi.resetModules();
  });

  test('is the first half of the SHA-256, also before Node.js 20.12', async () => {
    vi.doMock('node:crypto', async (original) => ({
      ...(await original<object>()),
      hash: undefined,
    }));
    vi.resetModules();
    const older = await import('../../lib/reading/key-table.ts');
    for (const text of ['', 'a', 'é', '😀', 'host-1'.repeat(100)]) {
      const expected = createHash('sha256').update(text).digest('binary').slice(0, 16);
      expect(hashText(text)).toBe(expected);
      expect(older.hashText(text)).toBe(expected);
    }
  });
});
