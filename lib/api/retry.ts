// Responsible for retries: how many, after which waits, and that errors reach the caller unchanged.

import pRetry from 'p-retry';
import { askedWaitMsMax } from '../core/error-policy.ts';
import { type ExportError, RateLimitedError, TransientError } from '../core/errors.ts';
import { briefTriesMax } from '../core/network-fault.ts';
import type { Clock, Log } from '../core/ports.ts';

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
  /** Called before each wait. */
  onRetry?(plan: RetryPlan): void;
}

/** The next try. */
export interface RetryPlan {
  error: ExportError;
  /** Number of the next try; the first try has the number 1. */
  nextTry: number;
  triesMax: number;
  /** The shortest that the wait can be; 0 if the next try waits by itself. */
  delayMs: number;
}

/** True for what can pass by itself within the time that a run waits for it. An unknown host name can, but rarely does. */
export function isTransient(error: ExportError): boolean {
  if (error.code === 'HOST_NOT_FOUND') return true;
  const canPass = error instanceof TransientError || error instanceof RateLimitedError;
  return canPass && askedWaitOf(error) <= askedWaitMsMax;
}

/** Says it in words, for people who wait: "retry 4 of 10 in 8 s: connection refused". */
export function logRetry(log: Log, plan: RetryPlan, fields: Record<string, unknown>): void {
  const { error, nextTry, triesMax, delayMs } = plan;
  const { code, message } = error;
  const wait = delayMs === 0 ? '' : ` in ${Math.ceil(delayMs / 1_000)} s`;
  log('info', `retry ${nextTry} of ${triesMax}${wait}: ${briefOf(error)}`, {
    code,
    error: message,
    ...fields,
  });
}

export function briefOf(error: ExportError): string {
  return error instanceof TransientError ? error.brief : error.message;
}

/**
 * Returns the first value, or throws the last error; after the signal aborts, its reason. An error's Retry-After makes the
 * wait longer.
 */
export async function retry<T>(tryOnce: () => Promise<Try<T>>, options: RetryOptions): Promise<T> {
  const { clock, signal, backoffMs, triesMax } = options;
  const waitsByItself = (error: unknown) => options.waitsByItself?.(error as ExportError) ?? false;
  // Kept outside p-retry, which drops a value if the signal aborts at that moment, although the page has used quota. It
  // also retries some TypeErrors, and wraps thrown values that are not Errors.
  let end = null as Try<T> | { thrown: unknown } | null;

  async function attempt(): Promise<void> {
    const result = await tryOnce().catch((thrown: unknown) => ({ thrown }));
    if ('error' in result && options.isRetryable(result.error)) throw result.error;
    end = result;
  }

  async function waitForMore(error: ExportError, tries: number): Promise<boolean> {
    if (signal?.aborted || tries >= triesMax) return false;
    if (error.code === 'HOST_NOT_FOUND' && tries >= briefTriesMax) return false;
    const plan = { error, nextTry: tries + 1, triesMax };
    if (waitsByItself(error)) {
      options.onRetry?.({ ...plan, delayMs: 0 });
      return true;
    }
    // p-retry chooses its random delay later. These are the bounds of it.
    const delayMsMin = Math.min(backoffMs * 2 ** (tries - 1), backoffMsMax);
    const delayMsMax = Math.min(delayMsMin * 2, backoffMsMax);
    const extraMs = Math.max(0, askedWaitOf(error) - delayMsMin);
    if (!options.mayWait(extraMs + delayMsMax)) return false;
    options.onRetry?.({ ...plan, delayMs: extraMs + delayMsMin });
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

/** The wait that the answer asked for, milliseconds; 0 if it asked for none. */
function askedWaitOf(error: ExportError): number {
  const hasRetryAfter = error instanceof TransientError || error instanceof RateLimitedError;
  return hasRetryAfter ? (error.retryAfterMs ?? 0) : 0;
}
