// Tests how long a command and a timer invocation may wait.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RateLimitedError } from '../../lib/core/errors.ts';
import { checkAskedWait, limitedBudget, unlimitedBudget } from '../../lib/quota/budget.ts';

const { signal } = new AbortController();

describe('a command', () => {
  test('may wait as long as it needs, and the time is counted', () => {
    const budget = unlimitedBudget(signal);
    expect(budget.timeLeftMs()).toBe(Number.POSITIVE_INFINITY);
    expect(budget.takeWait(3_600_000)).toBe(true);
    expect(budget.takeWait(1)).toBe(true);
    expect(budget.waitedMs()).toBe(3_600_001);
    expect(budget.signal).toBe(signal);
  });
});

describe('a timer invocation', () => {
  test('may wait for 1/20 of the window in total, not each time', () => {
    const budget = limitedBudget({ windowMs: 60_000, timeLeftMs: () => 900_000, signal });
    expect(budget.takeWait(2_000)).toBe(true);
    expect(budget.takeWait(1_001)).toBe(false);
    // A refused wait is not counted.
    expect(budget.takeWait(1_000)).toBe(true);
    expect(budget.takeWait(1)).toBe(false);
    expect(budget.waitedMs()).toBe(3_000);
  });

  test('may not wait beyond its own end', () => {
    let timeLeftMs = 500;
    const budget = limitedBudget({ windowMs: 60_000, timeLeftMs: () => timeLeftMs, signal });
    expect(budget.takeWait(501)).toBe(false);
    expect(budget.takeWait(500)).toBe(true);
    timeLeftMs = 0;
    expect(budget.takeWait(1)).toBe(false);
    expect(budget.timeLeftMs()).toBe(0);
  });

  test('all granted waits together never exceed the limit', () => {
    const windows = fc.integer({ min: 100, max: 120_000 });
    fc.assert(
      fc.property(windows, fc.array(fc.nat(5_000)), (windowMs, asked) => {
        const budget = limitedBudget({ windowMs, timeLeftMs: () => 900_000, signal });
        let granted = 0;
        for (const delayMs of asked) if (budget.takeWait(delayMs)) granted += delayMs;
        expect(granted).toBe(budget.waitedMs());
        expect(granted).toBeLessThanOrEqual(windowMs / 20);
      }),
    );
  });
});

describe('a silence that the service asked for', () => {
  const nowMs = Date.parse('2026-11-25T06:00:00Z');
  test('of more than 15 minutes is not waited for, and the error says until when', () => {
    const check = () => checkAskedWait(24 * 3_600_000, 'throttled', nowMs);
    expect(check).toThrow(RateLimitedError);
    expect(check).toThrow('asked this key to wait until 2026-11-26T06:00:00Z');
  });
  test('can be limited further, and then asks for another run only', () => {
    const check = () => checkAskedWait(600_000, 'throttled', nowMs, 180_000);
    expect(check).toThrow('asked this key to wait until 2026-11-25T06:10:00Z');
    expect(check).toThrow(
      expect.objectContaining({ hint: 'Run the command again after that time.' }),
    );
  });
  test.each([
    [15 * 60_000, 'throttled'],
    [3_600_000, 'quota'],
    [3_600_000, 'contention'],
  ])('%i ms for the reason %s is waited for', (delayMs, reason) => {
    expect(() => checkAskedWait(delayMs, reason, nowMs)).not.toThrow();
  });
});
