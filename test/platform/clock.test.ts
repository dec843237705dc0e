// Tests that a sleep is never too short, and that it ends at once when it is aborted. Method: the real clock on fake timers.

import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../lib/platform/clock.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance', 'hrtime'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Whether a sleep has ended, and its error. */
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

test('reads the wall clock and the monotonic clock of the host', () => {
  vi.setSystemTime(Date.UTC(2026, 10, 24, 6));
  expect(systemClock.nowMs()).toBe(Date.UTC(2026, 10, 24, 6));
  const startMs = systemClock.monotonicMs();
  vi.advanceTimersByTime(250);
  expect(systemClock.monotonicMs() - startMs).toBeCloseTo(250);
});

describe('sleep', () => {
  test('lasts at least as long as requested, fractions included', async () => {
    const state = watch(systemClock.sleep(100.5));
    await vi.advanceTimersByTimeAsync(100);
    expect(state.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(state).toEqual({ ended: true, error: null });
  });

  test('of zero or negative length ends without a timer', async () => {
    for (const delayMs of [0, -5]) {
      const state = watch(systemClock.sleep(delayMs));
      await vi.advanceTimersByTimeAsync(0);
      expect(state.ended).toBe(true);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test('can last longer than one timer', async () => {
    // setTimeout fires after 1 ms when the delay is 2^31 ms or more.
    const delayMs = 40 * 24 * 3_600_000;
    const state = watch(systemClock.sleep(delayMs));
    await vi.advanceTimersByTimeAsync(delayMs - 1);
    expect(state.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.ended).toBe(true);
  });

  test('continues when its timer fired early', async () => {
    const startMs = systemClock.monotonicMs();
    const now = vi.spyOn(performance, 'now');
    const state = watch(systemClock.sleep(100));
    // Timers count for themselves, and are sometimes a little ahead of the clock.
    now.mockImplementation(() => startMs + 99.6);
    await vi.advanceTimersByTimeAsync(100);
    expect(state.ended).toBe(false);
    now.mockImplementation(() => startMs + 100);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.ended).toBe(true);
    now.mockRestore();
  });

  test('rejects with the reason of its signal at once, and leaves no timer', async () => {
    const controller = new AbortController();
    const state = watch(systemClock.sleep(60_000, controller.signal));
    await vi.advanceTimersByTimeAsync(10);
    const reason = new Error('SIGINT');
    controller.abort(reason);
    await vi.advanceTimersByTimeAsync(0);
    expect(state).toEqual({ ended: true, error: reason });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('rejects at once if its signal was aborted before, also for zero length', async () => {
    const signal = AbortSignal.abort(new Error('before'));
    for (const delayMs of [1_000, 0]) {
      await expect(systemClock.sleep(delayMs, signal)).rejects.toThrow('before');
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test('removes its listener from a signal that is used longer', async () => {
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

test('the monotonic time is the same for all processes of a host', () => {
  vi.useRealTimers();
  const module = new URL('../../lib/platform/clock.ts', import.meta.url).href;
  const script = `import { systemClock } from ${JSON.stringify(module)}; console.log(systemClock.monotonicMs());`;
  const beforeMs = systemClock.monotonicMs();
  const other = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
    },
  );
  expect(other.stderr).toBe('');
  expect(Number(other.stdout)).toBeGreaterThan(beforeMs);
  expect(Number(other.stdout)).toBeLessThan(systemClock.monotonicMs());
});
