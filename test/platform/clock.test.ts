// Goal: a sleep is never too short, and ends at once when it is aborted. Method: the real clock on timers that do not run by themselves.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../lib/platform/clock.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Where a sleep stands. */
function watch(sleep: Promise<void>) {
  const state = { ended: false, error: null as unknown };
  sleep.then(
    () => {
      state.ended = true;
    },
    (error: unknown) => {
      state.ended = true;
      state.error = error;
    },
  );
  return state;
}

test('the wall clock and the monotonic clock are the real ones', () => {
  vi.setSystemTime(Date.UTC(2026, 10, 24, 6));
  expect(systemClock.nowMs()).toBe(Date.UTC(2026, 10, 24, 6));
  const startMs = systemClock.monotonicMs();
  vi.advanceTimersByTime(250);
  expect(systemClock.monotonicMs() - startMs).toBeCloseTo(250);
});

describe('sleep', () => {
  test('lasts as long as it was asked to, fractions too', async () => {
    const state = watch(systemClock.sleep(100.5));
    await vi.advanceTimersByTimeAsync(100);
    expect(state.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(state).toEqual({ ended: true, error: null });
  });

  test('of no time ends by itself', async () => {
    for (const delayMs of [0, -5]) {
      const state = watch(systemClock.sleep(delayMs));
      await vi.advanceTimersByTimeAsync(0);
      expect(state.ended).toBe(true);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test('for longer than a timer can last is slept in turns', async () => {
    // setTimeout takes more than 2^31 ms for 1 ms.
    const delayMs = 40 * 24 * 3_600_000;
    const state = watch(systemClock.sleep(delayMs));
    await vi.advanceTimersByTimeAsync(delayMs - 1);
    expect(state.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.ended).toBe(true);
  });

  test('goes on when its timer fired early', async () => {
    const startMs = systemClock.monotonicMs();
    const now = vi.spyOn(performance, 'now');
    const state = watch(systemClock.sleep(100));
    // As timers do: by their own count, which is a little ahead of the clock.
    now.mockImplementation(() => startMs + 99.6);
    await vi.advanceTimersByTimeAsync(100);
    expect(state.ended).toBe(false);
    now.mockImplementation(() => startMs + 100);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.ended).toBe(true);
    now.mockRestore();
  });

  test('ends with the reason of its signal at once, and leaves no timer', async () => {
    const controller = new AbortController();
    const state = watch(systemClock.sleep(60_000, controller.signal));
    await vi.advanceTimersByTimeAsync(10);
    const reason = new Error('SIGINT');
    controller.abort(reason);
    await vi.advanceTimersByTimeAsync(0);
    expect(state).toEqual({ ended: true, error: reason });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not begin under a signal that was aborted before, however short it is', async () => {
    const signal = AbortSignal.abort(new Error('before'));
    for (const delayMs of [1_000, 0]) {
      await expect(systemClock.sleep(delayMs, signal)).rejects.toThrow('before');
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test('keeps no hold on a signal that outlives it', async () => {
    const controller = new AbortController();
    const added = vi.spyOn(controller.signal, 'addEventListener');
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const state = watch(systemClock.sleep(5, controller.signal));
    await vi.advanceTimersByTimeAsync(5);
    expect(state).toEqual({ ended: true, error: null });
    expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
    controller.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(state.error).toBeNull();
  });
});
