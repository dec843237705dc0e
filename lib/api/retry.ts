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
  signal?: AbortSignal | undefined;
  /** Called once for each error, also for that of the last try. */
  isRetryable(error: ExportError): boolean;
  /** True if the next try itself waits as long as this error demands, so that no wait is needed here. Default: false. */
  waitsByItself?(error: ExportError): boolean;
  /** Whether a wait of `delayMs` is allowed. If not, the error is thrown. */
  mayWait(delayMs: number): boolean;
  onRetry?(error: ExportError, tries: number, delayMs: number): void;
}

/**
 * Returns the first value, or throws the last error; after the signal aborts, its reason. An error's Retry-After makes the
 * wait longer.
 */
export async function retry<T>(tryOnce: () => Promise<Try<T>>, options: RetryOptions): Promise<T> {
  const { clock, signal, backoffMs, triesMax } = options;
  const waitsByItself = (error: unknown) => options.waitsByItself?.(error as ExportError) ?? false;
  // Kept outside p-retry, which drops a value if the signal aborts at that moment, although the page has used quota. It
  // also retries some TypeErrors, and wraps what is not an Error.
  let end = null as Try<T> | { thrown: unknown } | null;

  async function attempt(): Promise<void> {
    const result = await tryOnce().catch((thrown: unknown) => ({ thrown }));
    if ('error' in result && options.isRetryable(result.error)) throw result.error;
    end = result;
  }

  async function waitForMore(error: ExportError, tries: number): Promise<boolean> {
    if (signal?.aborted || tries >= triesMax) return false;
    if (waitsByItself(error)) {
      options.onRetry?.(error, tries, 0);
      return true;
    }
    // p-retry chooses its random delay later. These are the bounds of it.
    const delayMsMin = Math.min(backoffMs * 2 ** (tries - 1), backoffMsMax);
    const delayMsMax = Math.min(delayMsMin * 2, backoffMsMax);
    const extraMs = Math.max(0, readRetryAfterMs(error) - delayMsMin);
    if (!options.mayWait(extraMs + delayMsMax)) return false;
    options.onRetry?.(error, tries, extraMs + delayMsMin);
    if (extraMs > 0) await clock.sleep(extraMs, signal);
    return true;
  }

  let abandoned: unknown;
  try {
    await pRetry(attempt, {
      retries: triesMax - 1,
      minTimeout: backoffMs,
      maxTimeout: backoffMsMax,
      randomize: true,
      signal,
      shouldConsumeRetry: ({ error }) => !waitsByItself(error),
      shouldRetry: ({ error, attemptNumber }) => waitForMore(error as ExportError, attemptNumber),
    });
  } catch (error) {
    abandoned = signal?.aborted ? signal.reason : error;
  }
  if (end === null) throw abandoned;
  if ('value' in end) return end.value;
  throw 'error' in end ? end.error : end.thrown;
}

function readRetryAfterMs(error: ExportError): number {
  const hasRetryAfter = error instanceof TransientError || error instanceof RateLimitedError;
  return hasRetryAfter ? (error.retryAfterMs ?? 0) : 0;
}
