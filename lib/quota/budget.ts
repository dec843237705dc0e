// Owns what one invocation may spend: time, waiting, and until when. Refuses to wait: that is its caller's.

import { StoppedError } from '../core/errors.ts';

export interface Budget {
  /** Milliseconds until this invocation must be over; Infinity for a command. */
  timeLeftMs(): number;
  /** Grants a wait of `delayMs` and charges it, or refuses. */
  takeWait(delayMs: number): boolean;
  /** Milliseconds waited so far. */
  waitedMs(): number;
  readonly signal: AbortSignal;
}

/** A command waits for as long as it takes. */
export function openBudget(signal: AbortSignal): Budget {
  let waitedMs = 0;
  return {
    timeLeftMs: () => Number.POSITIVE_INFINITY,
    takeWait(delayMs) {
      waitedMs += delayMs;
      return true;
    },
    waitedMs: () => waitedMs,
    signal,
  };
}

/** The share of a window that one invocation may wait: a slot about to come free, never the next window. */
const waitShare = 1 / 20;

/** An invocation that is billed while it sleeps: bounded in time, and waits `windowMs`/20 in total at the most. */
export function limitBudget(limits: {
  windowMs: number;
  timeLeftMs: () => number;
  signal: AbortSignal;
}): Budget {
  const { windowMs, timeLeftMs, signal } = limits;
  const waitMaxMs = windowMs * waitShare;
  let waitedMs = 0;
  return {
    timeLeftMs,
    takeWait(delayMs) {
      if (waitedMs + delayMs > waitMaxMs || delayMs > timeLeftMs()) return false;
      waitedMs += delayMs;
      return true;
    },
    waitedMs: () => waitedMs,
    signal,
  };
}

/** What to throw once the budget's signal has aborted. */
export function stopped(): StoppedError {
  return new StoppedError(
    'STOPPED',
    'Stopped before everything was exported.',
    'Run the same command again: it goes on after the last stored page.',
  );
}
