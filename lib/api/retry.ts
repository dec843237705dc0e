// Responsible for retries: how many, after which waits, and that errors reach the caller unchanged.

import pRetry from 'p-retry';
import { type ExportError, RateLimitedError, TransientError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';

const backoffMsMax = 60_000;

/** How one try ended. An error that a try throws instead is not retried, and is thrown unchanged. */
export type Try<T> = { value: T } | { error: ExportError };

export interface RetryOptions {
  triesMax: number;
  /** Wait before the second try. It doubles with each try, is multiplied by a random 1 to 2, and is at most 60 s. */
  backoffMs: number;
  clock: Clock;
  signal?: AbortSignal;
  /** Called once for each error, also for that of the last try. */
  isRetryable(error: ExportError): boolean;
  /** True if the next try itself waits as long as this error demands, so that no wait is needed here. */
  waitsByItself(error: ExportError): boolean;
  /** Whether a wait of `delayMs` is allowed. If not, the error is thrown. */
  mayWait(delayMs: number): boolean;
  onRetry(error: ExportError, tries: number, delayMs: number): void;
}

/**
 * Returns the first value, or throws the last error; after the signal aborts, its reason. An error's Retry-After makes the
 * wait longer.
 */
export async function retry<T>(tryOnce: () => Promise<Try<T>>, options: RetryOptions): Promise<T> {
  const { clock, signal, backoffMs, triesMax } = options;
  // Kept outside p-retry, which drops a result if the signal aborts at that moment. A page has already used quota.
  let end: { value: T } | { thrown: unknown } | null = null;

  async function attempt(): Promise<void> {
    let result: Try<T>;
    try {
      result = await tryOnce();
    } catch (thrown) {
      // Not passed to p-retry, which would retry some TypeErrors, and wrap values that are not an Error.
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
    // p-retry chooses its random delay later. These are the bounds of it.
    const delayMsMin = Math.min(backoffMs * 2 ** (tries - 1), backoffMsMax);
    const delayMsMax = Math.min(delayMsMin * 2, backoffMsMax);
    const extraMs = Math.max(0, readRetryAfterMs(error) - delayMsMin);
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
  // The cast is needed because the compiler does not see that attempt() assigns `end`.
  return unwrap(end as unknown as { value: T } | { thrown: unknown });
}

function unwrap<T>(end: { value: T } | { thrown: unknown }): T {
  if ('thrown' in end) throw end.thrown;
  return end.value;
}

function readRetryAfterMs(error: ExportError): number {
  if (error instanceof TransientError) return error.retryAfterMs ?? 0;
  return error instanceof RateLimitedError ? error.retryAfterMs : 0;
}
