// Responsible for how long one invocation may run and wait. Not responsible for the waiting itself (runs/collect.ts).

import { askedWaitMsMax, longWaitHint } from '../core/error-policy.ts';
import { RateLimitedError, StoppedError } from '../core/errors.ts';

export type Budget = ReturnType<typeof limitedBudget>;

/** For a command: it may wait as long as it needs. */
export function unlimitedBudget(signal: AbortSignal): Budget {
  const endless = Number.POSITIVE_INFINITY;
  return limitedBudget({ windowMs: endless, timeLeftMs: () => endless, signal });
}

/** An invocation may wait for this share of a window: enough for a slot that is about to become free, not for a new window. */
const waitShare = 1 / 20;

/** For a function, which is billed while it waits: it may wait for `windowMs`/20 in total, and not beyond its own end. */
export function limitedBudget(limits: {
  windowMs: number;
  timeLeftMs: () => number;
  signal: AbortSignal;
}) {
  const { windowMs, timeLeftMs, signal } = limits;
  let waitedMs = 0;
  return {
    /** Milliseconds until this invocation must have ended; Infinity for a command. */
    timeLeftMs,
    /** True: the caller may wait for `delayMs`, which now counts as waited. False: it may not, and nothing is counted. */
    takeWait(delayMs: number): boolean {
      if (waitedMs + delayMs > windowMs * waitShare || delayMs > timeLeftMs()) return false;
      waitedMs += delayMs;
      return true;
    },
    /** Milliseconds waited so far. */
    waitedMs: () => waitedMs,
    /** Aborted when the invocation must stop. */
    signal,
  };
}

/** The error to throw after the budget's signal was aborted. */
export function stoppedError(): StoppedError {
  return new StoppedError(
    'STOPPED',
    'The export was stopped before it was complete.',
    'Run the same command again: it continues after the last stored page.',
  );
}

/**
 * Throws RateLimitedError if the service asked this key for a longer silence than `waitMsMax`. `nowMs`: store time.
 */
export function checkAskedWait(
  delayMs: number,
  reason: string,
  nowMs: number,
  waitMsMax = askedWaitMsMax,
): void {
  if (reason !== 'throttled' || delayMs <= waitMsMax) return;
  const until = new Date(nowMs + delayMs).toISOString().replace(/\.\d+/, '');
  throw new RateLimitedError(
    `The service answered 429 before and asked this key to wait until ${until}`,
    delayMs > askedWaitMsMax ? longWaitHint : 'Run the command again after that time.',
    delayMs,
  );
}
