import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limitBudget, openBudget } from '../../lib/quota/budget.ts';

const { signal } = new AbortController();

describe('a command', () => {
  test('waits for as long as it takes, and it is counted', () => {
    const budget = openBudget(signal);
    expect(budget.timeLeftMs()).toBe(Number.POSITIVE_INFINITY);
    expect(budget.takeWait(3_600_000)).toBe(true);
    expect(budget.takeWait(1)).toBe(true);
    expect(budget.waitedMs()).toBe(3_600_001);
    expect(budget.signal).toBe(signal);
  });
});

describe('a timer invocation', () => {
  test('waits a twentieth of the window in total, not each time', () => {
    const budget = limitBudget({ windowMs: 60_000, timeLeftMs: () => 900_000, signal });
    expect(budget.takeWait(2_000)).toBe(true);
    expect(budget.takeWait(1_001)).toBe(false);
    // What was refused is not charged.
    expect(budget.takeWait(1_000)).toBe(true);
    expect(budget.takeWait(1)).toBe(false);
    expect(budget.waitedMs()).toBe(3_000);
  });

  test('does not wait beyond its own end', () => {
    let timeLeftMs = 500;
    const budget = limitBudget({ windowMs: 60_000, timeLeftMs: () => timeLeftMs, signal });
    expect(budget.takeWait(501)).toBe(false);
    expect(budget.takeWait(500)).toBe(true);
    timeLeftMs = 0;
    expect(budget.takeWait(1)).toBe(false);
    expect(budget.timeLeftMs()).toBe(0);
  });

  test('whatever is asked for, grants add up to no more than the bound', () => {
    const windows = fc.integer({ min: 100, max: 120_000 });
    fc.assert(
      fc.property(windows, fc.array(fc.nat(5_000)), (windowMs, asked) => {
        const budget = limitBudget({ windowMs, timeLeftMs: () => 900_000, signal });
        let granted = 0;
        for (const delayMs of asked) if (budget.takeWait(delayMs)) granted += delayMs;
        expect(granted).toBe(budget.waitedMs());
        expect(granted).toBeLessThanOrEqual(windowMs / 20);
      }),
    );
  });
});
