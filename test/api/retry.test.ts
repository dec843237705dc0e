// Tests that tries are limited, that each wait is allowed first and random, and that errors are thrown unchanged.

import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { isTransient, logRetry, type RetryOptions, retry } from '../../lib/api/retry.ts';
import {
  ConnectionError,
  ProtocolError,
  RateLimitedError,
  TransientError,
} from '../../lib/core/errors.ts';

afterEach(() => {
  vi.useRealTimers();
});

const passing = (retryAfterMs: number | null = null) =>
  new TransientError('SERVER', 'down', 'wait', { retryAfterMs });

function makeOptions(more: Partial<RetryOptions> = {}) {
  const slept: number[] = [];
  const asked: number[] = [];
  const options: RetryOptions = {
    triesMax: 10,
    backoffMs: 0,
    clock: {
      nowMs: () => 0,
      monotonicMs: () => 0,
      sleep: async (delayMs) => {
        slept.push(delayMs);
      },
    },
    isRetryable: (error) => error instanceof TransientError || error instanceof RateLimitedError,
    waitsByItself: (error) => error instanceof RateLimitedError,
    mayWait: (delayMs) => {
      asked.push(delayMs);
      return true;
    },
    onRetry: () => {},
    ...more,
  };
  return { options, slept, asked };
}

test('throws the last error unchanged after ten tries', async () => {
  const errors = Array.from({ length: 12 }, () => passing());
  let tries = 0;
  const { options } = makeOptions();
  const end = retry(async () => ({ error: errors[tries++] as TransientError }), options);
  await expect(end).rejects.toBe(errors[9]);
  expect(tries).toBe(10);
});

test('also limits errors that wait by themselves, alone and mixed with others', async () => {
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.boolean()), async (kinds) => {
      let tries = 0;
      const { options } = makeOptions();
      const end = retry(async () => {
        tries += 1;
        const limited = kinds.next().value;
        return { error: limited ? new RateLimitedError('m', 'h', 5) : passing() };
      }, options);
      await expect(end).rejects.toThrow();
      expect(tries).toBe(10);
    }),
    { numRuns: 30 },
  );
});

test('doubles the wait from backoffMs to 60 s, multiplied by a random 1 to 2', async () => {
  vi.useFakeTimers();
  const { options, asked } = makeOptions({ backoffMs: 1000 });
  const times: number[] = [];
  const end = retry(async () => {
    times.push(Date.now());
    return { error: passing() };
  }, options);
  const settled = expect(end).rejects.toThrow('down');
  await vi.runAllTimersAsync();
  await settled;
  const waits = times.slice(1).map((time, index) => time - (times[index] as number));
  const lows = [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000);
  expect(waits).toHaveLength(9);
  for (const [index, wait] of waits.entries()) {
    const low = lows[index] as number;
    expect(wait).toBeGreaterThanOrEqual(low);
    expect(wait).toBeLessThanOrEqual(Math.min(low * 2, 60_000));
    // The wait that was allowed is at least as long as the actual wait.
    expect(asked[index]).toBeGreaterThanOrEqual(wait);
  }
  expect(asked).toEqual([2, 4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * 1000));
});

test('waits as long as Retry-After demands, and asks for the whole wait', async () => {
  vi.useFakeTimers();
  const { options, slept, asked } = makeOptions({ backoffMs: 1000 });
  let tries = 0;
  const end = retry(async () => {
    tries += 1;
    return tries === 1 ? { error: passing(30_000) } : { value: 'page' };
  }, options);
  await vi.runAllTimersAsync();
  expect(await end).toBe('page');
  // The rest, 1 to 2 s, is the backoff.
  expect(slept).toEqual([29_000]);
  expect(asked).toEqual([31_000]);
});

test('throws the error if the wait is not allowed', async () => {
  const error = passing();
  const { options } = makeOptions({ mayWait: () => false });
  const once = vi.fn(async () => ({ error }));
  await expect(retry(once, options)).rejects.toBe(error);
  expect(once).toHaveBeenCalledOnce();
});

test('tries a host name that is not found three times; then it needs a person', async () => {
  const { options } = makeOptions({ isRetryable: isTransient });
  const once = vi.fn(async () => ({ error: new ConnectionError('HOST_NOT_FOUND', 'm', 'h') }));
  const error = await retry(once, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConnectionError);
  expect(error).toMatchObject({ code: 'HOST_NOT_FOUND', message: 'm', hint: 'h' });
  expect(once).toHaveBeenCalledTimes(3);
});

test.each([
  [passing(), true],
  [passing(15 * 60_000), true],
  [passing(15 * 60_000 + 1), false],
  [new RateLimitedError('m', 'h', 60_000), true],
  [new RateLimitedError('m', 'h', 3_600_000), false],
  [new ProtocolError('X', 'm', 'h'), false],
])('%s can pass within the time that a run waits: %s', (error, expected) => {
  expect(isTransient(error)).toBe(expected);
});

test('each retry is one log line in words', () => {
  const lines: unknown[][] = [];
  const log = (...line: unknown[]) => void lines.push(line);
  const refused = new TransientError('NETWORK', 'the API: refused', 'h', { brief: 'refused' });
  logRetry(log, { error: refused, nextTry: 4, triesMax: 10, delayMs: 7_400 }, { offset: 199 });
  const limited = new RateLimitedError('answered 429', 'h', 5);
  logRetry(log, { error: limited, nextTry: 2, triesMax: 10, delayMs: 0 }, {});
  expect(lines).toEqual([
    [
      'info',
      'retry 4 of 10 in 8 s: refused',
      { code: 'NETWORK', error: 'the API: refused', offset: 199 },
    ],
    ['info', 'retry 2 of 10: answered 429', { code: 'RATE_LIMITED', error: 'answered 429' }],
  ]);
});

describe('throws at once and unchanged', () => {
  test.each([
    ['an error that is not to be retried', new ProtocolError('X', 'm', 'h')],
    ['a TypeError', new TypeError('x is not a function')],
    ['a TypeError that looks like the network', new TypeError('terminated')],
    ['a string', 'a text'],
    ['undefined', undefined],
  ])('%s', async (_name, thrown) => {
    const { options } = makeOptions();
    const once = vi.fn(async (): Promise<{ value: string }> => {
      throw thrown;
    });
    const caught = await retry(once, options).then(
      () => 'no throw',
      (error: unknown) => ({ error }),
    );
    expect(caught).toEqual({ error: thrown });
    expect((caught as { error: unknown }).error).toBe(thrown);
    expect(once).toHaveBeenCalledOnce();
  });
});

describe('an aborted signal', () => {
  test('ends the wait with its reason', async () => {
    vi.useFakeTimers();
    const controller = new AbortController();
    const reason = new Error('stop');
    const { options } = makeOptions({ backoffMs: 50_000, signal: controller.signal });
    const end = retry(async () => ({ error: passing() }), options);
    const settled = expect(end).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(reason);
    await settled;
  });
  test('may have a reason that is not an Error', async () => {
    const controller = new AbortController();
    const { options } = makeOptions({ signal: controller.signal });
    const end = retry(async () => {
      controller.abort('why not');
      return { error: passing() };
    }, options);
    await expect(end).rejects.toBe('why not');
  });
  test('does not discard a result that exists already', async () => {
    const controller = new AbortController();
    const { options } = makeOptions({ signal: controller.signal });
    const end = retry(async () => {
      controller.abort(new Error('stop'));
      return { value: 'page' };
    }, options);
    expect(await end).toBe('page');
  });
  test('prevents the first try', async () => {
    const reason = new Error('stop');
    const once = vi.fn(async () => ({ value: 1 }));
    const { options } = makeOptions({ signal: AbortSignal.abort(reason) });
    await expect(retry(once, options)).rejects.toBe(reason);
    expect(once).not.toHaveBeenCalled();
  });
});
