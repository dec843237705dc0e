// Tests how ledger entries are written into keys and read back.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import {
  type LedgerEntry,
  ledgerBytes,
  parseLedgerEntry,
  reservedKey,
  sentKey,
  throttledKey,
} from '../../lib/quota/ledger-entry.ts';

const token = '0123456789ab';
const user = 'aaaaaaaaaaaa';
const nowMs = Date.UTC(2026, 10, 24, 6);

function entryOf(key: string): LedgerEntry {
  return parseLedgerEntry({ key, bytes: ledgerBytes(key).length });
}

describe('an entry', () => {
  test('is read from its key alone', () => {
    expect(entryOf(reservedKey(nowMs, token, 5))).toMatchObject({
      kind: 'reserved',
      token,
      atMs: nowMs,
      slots: 5,
    });
    expect(entryOf(sentKey(nowMs, token, [nowMs, nowMs + 40]))).toMatchObject({
      kind: 'sent',
      token,
      atMs: nowMs,
      sentMs: [nowMs, nowMs + 40],
    });
    expect(entryOf(throttledKey(nowMs, nowMs + 30_000, user))).toMatchObject({
      kind: 'throttled',
      atMs: nowMs,
      untilMs: nowMs + 30_000,
      user,
    });
  });

  test('of sent requests has their times, never earlier and less than one millisecond later', () => {
    const time = fc.double({ min: 0, max: 30_000, noNaN: true });
    fc.assert(
      fc.property(time, fc.array(time, { minLength: 1, maxLength: 20 }), (start, delays) => {
        const atMs = nowMs + start;
        const sentMs = delays.map((delayMs) => atMs + delayMs);
        const entry = entryOf(sentKey(atMs, token, sentMs));
        if (entry.kind !== 'sent') throw new Error(entry.kind);
        expect(entry.sentMs).toHaveLength(sentMs.length);
        for (const [index, timeMs] of entry.sentMs.entries()) {
          expect(timeMs).toBeGreaterThanOrEqual(sentMs[index] as number);
          expect(timeMs).toBeLessThan((sentMs[index] as number) + 1);
        }
      }),
    );
  });

  test('of a request with a time before its reservation, after a clock stepped back, counts from the reservation', () => {
    const entry = entryOf(sentKey(nowMs, token, [nowMs - 300_000]));
    expect(entry).toMatchObject({ kind: 'sent', sentMs: [nowMs] });
  });

  test.each([
    '',
    'x',
    `${nowMs}-${token}`,
    `${nowMs}-${token}-`,
    `${nowMs}-${token}-2-5`,
    `${nowMs}-${token}-1-5.`,
    `${nowMs}-${token.toUpperCase()}-1`,
    `429-${nowMs}-${nowMs}`,
    `${nowMs}-${token}-5.tmp`,
  ])('cannot have the name %j; the error contains the key', (name) => {
    const key = `_quota/${name}`;
    expect(() => entryOf(key)).toThrow(CorruptError);
    expect(() => entryOf(key)).toThrow(key);
  });

  test('is rejected when its object has another size', () => {
    const key = reservedKey(nowMs, token, 5);
    const { length } = ledgerBytes(key);
    for (const bytes of [0, length - 1, length + 1]) {
      expect(() => parseLedgerEntry({ key, bytes })).toThrow(CorruptError);
    }
  });
});
