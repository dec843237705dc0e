// Tests how ledger entries are written into keys and read back.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import {
  isLedgerKey,
  ledgerBytes,
  parseLedgerEntry,
  reservedKey,
  sentKey,
  throttledKey,
} from '../../lib/quota/ledger-entry.ts';

const token = '0123456789ab';
const user = 'aaaaaaaaaaaa';
const nowMs = Date.UTC(2026, 10, 24, 6);
const identity = '4f825330a6d6.4026531836.4711.987654';
const list = 'container_nodes';
const byStore = { list, writtenMs: nowMs, writer: null };
const byHost = { list, writtenMs: nowMs, writer: { identity, monotonicMs: 987_654_321.25 } };

function parse(key: string, modifiedMs = nowMs + 3) {
  return parseLedgerEntry({ key, bytes: ledgerBytes(key).length, modifiedMs });
}

describe('an entry', () => {
  test('is read from its key alone', () => {
    const stamp = { writtenMs: nowMs, modifiedMs: nowMs + 3, writer: null };
    const reserved = reservedKey(byStore, token, 5);
    expect(reserved).toBe(`_quota/container_nodes/${nowMs}-${token}-5`);
    expect(parse(reserved)).toEqual({ kind: 'reserved', key: reserved, stamp, token, slots: 5 });
    const sent = sentKey(byStore, token, [40, 0]);
    expect(sent).toBe(`_quota/container_nodes/${nowMs}-${token}-2-40.0`);
    expect(parse(sent)).toEqual({ kind: 'sent', key: sent, stamp, token, agesMs: [40, 0] });
    const throttled = throttledKey(byStore, 30_000, user);
    expect(throttled).toBe(`_quota/container_nodes/${nowMs}-429-30000-${user}`);
    expect(parse(throttled)).toEqual({
      kind: 'throttled',
      key: throttled,
      stamp,
      waitMs: 30_000,
      user,
    });
  });

  test('on a file system has also the process that wrote it, and its monotonic time', () => {
    const writer = { identity, boot: '4f825330a6d6', monotonicMs: 987_654_322 };
    for (const key of [
      reservedKey(byHost, token, 5),
      sentKey(byHost, token, [40]),
      throttledKey(byHost, 30_000, user),
    ]) {
      expect(key).toMatch(/@987654322-4f825330a6d6\.4026531836\.4711\.987654$/);
      expect(parse(key)?.stamp).toEqual({ writtenMs: nowMs, modifiedMs: nowMs + 3, writer });
    }
  });

  test('of 20 requests has a name that every file system accepts', () => {
    const key = sentKey(byHost, token, Array(20).fill(99_999));
    expect(key.length - '_quota/container_nodes/'.length).toBeLessThan(255);
  });

  test('is never written earlier, and its requests were never sent earlier, than they were', () => {
    const time = fc.double({ min: 0, max: 30_000, noNaN: true });
    fc.assert(
      fc.property(time, fc.array(time, { minLength: 1, maxLength: 20 }), (start, agesMs) => {
        const writtenMs = nowMs + start;
        const entry = parse(sentKey({ list, writtenMs, writer: null }, token, agesMs));
        if (entry?.kind !== 'sent') throw new Error(entry?.kind);
        expect(entry.stamp.writtenMs).toBeGreaterThanOrEqual(writtenMs);
        expect(entry.stamp.writtenMs).toBeLessThan(writtenMs + 1);
        expect(entry.agesMs).toHaveLength(agesMs.length);
        for (const [index, ageMs] of entry.agesMs.entries()) {
          expect(ageMs).toBeLessThanOrEqual(agesMs[index] as number);
          expect(ageMs).toBeGreaterThan((agesMs[index] as number) - 1);
        }
      }),
    );
  });

  test('is rejected when its object has another size', () => {
    const key = reservedKey(byStore, token, 5);
    const { length } = ledgerBytes(key);
    for (const bytes of [0, length - 1, length + 1]) {
      const parseSized = () => parseLedgerEntry({ key, bytes, modifiedMs: nowMs });
      expect(parseSized).toThrow(CorruptError);
      expect(parseSized).toThrow(key);
    }
  });

  test.each([
    `${nowMs}`,
    `${nowMs}-`,
    `429-${nowMs}`,
    `${nowMs}-${token}`,
    `${nowMs}-${token}-`,
    `${nowMs}-${token}-2-5`,
    `${nowMs}-${token}-1-5.`,
    `${nowMs}-${token.toUpperCase()}-1`,
    `${nowMs}-429-${nowMs}`,
    `${nowMs}-${token}-5@`,
    `${nowMs}-${token}-5@12-0a.1.2.3`,
    `${nowMs}-${token}-5@12-${identity}@12-${identity}`,
  ])('cannot have the name %j; the error contains the key', (name) => {
    const key = `_quota/container_nodes/${name}`;
    // It looks like an entry, so it is never ignored: that could exceed the quota.
    expect(isLedgerKey(key)).toBe(true);
    expect(() => parse(key)).toThrow(CorruptError);
    expect(() => parse(key)).toThrow(key);
  });

  test.each([
    '',
    'x',
    '.nfs0001',
    'notes.txt',
    '429.txt',
    '20261124-notes',
    'folder/file',
    `${nowMs}-${token}-5.tmp`,
    `${nowMs}-${token}-5.bak`,
    `${nowMs}-${token}-5~`,
    `${nowMs}-${token}-5 (copy)`,
    `.${nowMs}-${token}-5.swp`,
  ])('is not what %j can be: such a name is ignored', (name) => {
    expect(isLedgerKey(`_quota/container_nodes/${name}`)).toBe(false);
    expect(parse(`_quota/container_nodes/${name}`)).toBeNull();
  });
});
