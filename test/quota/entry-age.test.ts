// Tests how old an entry of the ledger is for certain, for each clock that a store can have. host-clocks.property.test.ts
// tests that the quota holds with these ages.

import { describe, expect, test } from 'vitest';
import { ageOf, type Reader } from '../../lib/quota/entry-age.ts';
import type { Stamp } from '../../lib/quota/ledger-entry.ts';

const nowMs = Date.UTC(2026, 10, 24, 6) + 1;
const yearMs = 365 * 86_400_000;
const hourMs = 3_600_000;

function readerOf(overrides: Partial<Reader> = {}): Reader {
  return {
    monotonicMs: 10 * hourMs,
    nowMs,
    clock: 'host',
    boot: 'aaaaaaaaaaaa',
    aheadMsMax: 80_000,
    knownSinceMs: 10 * hourMs,
    ...overrides,
  };
}

function stampOf(boot: string | null, writtenMs: number, monotonicMs = 0): Stamp {
  const identity = `${boot}.1.2.3`;
  return {
    writtenMs,
    modifiedMs: writtenMs,
    writer: boot === null ? null : { identity, boot, monotonicMs },
  };
}

describe('an entry of this boot', () => {
  test.each([
    ['a clock that was set back by a year', nowMs + yearMs],
    ['a clock that was set forward by a year', nowMs - yearMs],
  ])('is as old as the monotonic clock says, after %s', (_name, writtenMs) => {
    const stamp = stampOf('aaaaaaaaaaaa', writtenMs, 10 * hourMs - 1_234);
    expect(ageOf(stamp, readerOf())).toBe(1_234);
    expect(ageOf(stamp, readerOf({ clock: 'server' }))).toBe(1_234);
  });

  test('with a time in the future is handled like an entry of another boot: the machine was resumed from an image', () => {
    const stamp = stampOf('aaaaaaaaaaaa', nowMs - 7_000, 11 * hourMs);
    expect(ageOf(stamp, readerOf())).toBe(7_000);
  });
});

describe('an entry of another boot, on a disk of this host', () => {
  const other = (writtenMs: number) => stampOf('bbbbbbbbbbbb', writtenMs);

  test('is as old as the file says, but not older than this boot', () => {
    expect(ageOf(other(nowMs - 7_000), readerOf())).toBe(7_000);
    const young = readerOf({ monotonicMs: 20_000, knownSinceMs: 20_000 });
    expect(ageOf(other(nowMs - yearMs), young)).toBe(20_000);
  });

  test('in the future is as old as this boot: the clock was set back', () => {
    expect(ageOf(other(nowMs + yearMs), readerOf())).toBe(10 * hourMs);
    expect(ageOf(other(nowMs + 30_000), readerOf())).toBe(10 * hourMs);
  });

  test('in the future by less than 5 s may be of a host whose clock is a little ahead', () => {
    expect(ageOf(other(nowMs + 3_000), readerOf({ knownSinceMs: Infinity }))).toBe(-3_000);
  });

  test('is at least as old as this process knows it', () => {
    const since = readerOf({ knownSinceMs: 10 * hourMs - 40_000 });
    expect(ageOf(other(nowMs - 7_000), since)).toBe(40_000);
  });
});

describe('an entry of another boot, on a file server', () => {
  test('is as old as the file says, also after this host has just started', () => {
    const reader = readerOf({ clock: 'server', monotonicMs: 20_000, knownSinceMs: 20_000 });
    const stamp = stampOf('bbbbbbbbbbbb', nowMs - 50_000);
    expect(ageOf(stamp, reader)).toBe(50_000);
    // The other host's own idea of the time does not count.
    expect(ageOf({ ...stamp, writtenMs: nowMs + yearMs }, reader)).toBe(50_000);
  });

  test('later than now + window + time-out is void', () => {
    const reader = readerOf({ clock: 'server', knownSinceMs: Infinity });
    expect(ageOf(stampOf('bbbbbbbbbbbb', nowMs + 79_000), reader)).toBe(-79_000);
    expect(ageOf(stampOf('bbbbbbbbbbbb', nowMs + 80_001), reader)).toBeNull();
  });

  test('whose time has whole seconds may be almost a second younger', () => {
    const stamp = { ...stampOf('bbbbbbbbbbbb', nowMs), modifiedMs: nowMs - 1 - 60_000 };
    expect(ageOf(stamp, readerOf({ clock: 'server' }))).toBe(60_001 - 999);
  });
});

describe("an entry by the store's own clock", () => {
  test('is as old as its key says; later than now + window + time-out it is void', () => {
    const reader = readerOf({ clock: 'store' });
    expect(ageOf(stampOf(null, nowMs - 7_000), reader)).toBe(7_000);
    expect(ageOf(stampOf(null, nowMs + 80_000), reader)).toBe(-80_000);
    expect(ageOf(stampOf(null, nowMs + 80_001), reader)).toBeNull();
    expect(ageOf(stampOf(null, nowMs + yearMs), reader)).toBeNull();
  });

  test('is judged alike where the host does not know its boot', () => {
    const reader = readerOf({ boot: null });
    expect(ageOf(stampOf(null, nowMs - 7_000), reader)).toBe(7_000);
    expect(ageOf(stampOf(null, nowMs + yearMs), reader)).toBeNull();
    expect(ageOf(stampOf('bbbbbbbbbbbb', nowMs - 7_000), reader)).toBe(7_000);
  });
});
