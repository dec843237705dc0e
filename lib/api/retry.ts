// Owns trying again: how often, after how long, and what must come out unchanged. Refuses to know what is tried.

import pRetry from 'p-retry';
import { type ExportError, RateLimitedError, TransientError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

const backoffMsMax = 60_000;

/** A try's end. What a try throws ends everything and comes out unchanged. */
export type Try<T> = { value: T } | { error: ExportError };

export interface RetryOptions {
  triesMax: number;
  /** Before the second try; doubles with each, times a random 1 to 2, at most 60 s. */
  backoffMs: number;
  clock: Clock;
  signal?: AbortSignal;
  /** Asked once for each error, the last try's included. */
  isRetryable(error: ExportError): boolean;
  /** True: the try itself waits as long as this error asks, so that nothing is waited for here. */
  waitsByItself(error: ExportError): boolean;
  /** Whether so much may be waited; false: the error is thrown as it is. */
  mayWait(delayMs: number): boolean;
  onRetry(error: ExportError, tries: number, delayMs: number): void;
}

/** The first value, or else the last error; the signal's reason once it has aborted. A Retry-After stretches the wait. */
export async function retry<T>(tryOnce: () => Promise<Try<T>>, options: RetryOptions): Promise<T> {
  const { clock, signal, backoffMs, triesMax } = options;
  // Held apart from p-retry's result, which it drops when the signal aborts meanwhile: a page was paid for.
  let end: { value: T } | { thrown: unknown } | null = null;

  async function attempt(): Promise<void> {
    let result: Try<T>;
    try {
      result = await tryOnce();
    } catch (thrown) {
      // p-retry would retry some TypeErrors and wrap what is no Error.
      end = { thrown };
      return;
    }
    if ('value' in result) {
      end = result;
    } else if (options.isRetryable(result.error)) {
      throw result.error;
    } else {
      end = { thrown: result.error };
    }
  }

  async function waitForMore(error: ExportError, tries: number): Promise<boolean> {
    if (signal?.aborted || tries >= triesMax) return false;
    if (options.waitsByItself(error)) {
      options.onRetry(error, tries, 0);
      return true;
    }
    // p-retry draws its delay only afterwards: this is the range it draws from.
    const delayMsMin = Math.min(backoffMs * 2 ** (tries - 1), backoffMsMax);
    const delayMsMax = Math.min(delayMsMin * 2, backoffMsMax);
    const extraMs = Math.max(0, readAskedMs(error) - delayMsMin);
    if (!options.mayWait(extraMs + delayMsMax)) return false;
    options.onRetry(error, tries, extraMs + delayMsMin);
    if (extraMs > 0) await clock.sleep(extraMs, signal);
    return true;
  }

  try {
    await pRetry(attempt, {
      retries: triesMax - 1,
      minTimeout: backoffMs,
      factor: 2,
      maxTimeout: backoffMsMax,
      randomize: true,
      ...(signal ? { signal } : {}),
      shouldConsumeRetry: ({ error }) => !options.waitsByItself(error as ExportError),
      shouldRetry: ({ error, attemptNumber }) => waitForMore(error as ExportError, attemptNumber),
    });
  } catch (error) {
    if (end === null) throw signal?.aborted ? signal.reason : error;
  }
  // Read through a function: the compiler does not see that attempt() assigns it.
  return unwrap(end as unknown as { value: T } | { thrown: unknown });
}

function unwrap<T>(end: { value: T } | { thrown: unknown }): T {
  if ('thrown' in end) throw end.thrown;
  return end.value;
}

function readAskedMs(error: ExportError): number {
  if (error instanceof TransientError) return error.retryAfterMs ?? 0;
  return error instanceof RateLimitedError ? error.retryAfterMs : 0;
}
