// Responsible for what follows from an error: who can recover from it, the exit code and the alert. Not responsible for acting on it.

import {
  AuthError,
  ConfigError,
  ConnectionError,
  CorruptError,
  DriftedError,
  type ExportError,
  MissedSlotError,
  PrunedError,
  RateLimitedError,
  ScratchError,
  StoppedError,
  StoreError,
  TransientError,
} from './errors.ts';

/** Exit codes of the CLI, named by what the caller does next. docs/operations.md documents the numbers. */
export const exitCodes = {
  complete: 0,
  fault: 1,
  usage: 2,
  denied: 3,
  paused: 4,
  integrity: 5,
  drifted: 6,
  attention: 7,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface ErrorPolicy {
  /** `automatic`: a later invocation can succeed without help. `operator`: a person must act. */
  recovery: 'automatic' | 'operator';
  exitCode: ExitCode;
  /**
   * When a timer's function throws the error, so that the failure destination receives it. `always`: each time.
   * `withBackoff`: at once, then as backoffMs() says. `ifLasting`: once it has lasted for 10 minutes.
   */
  alert: 'never' | 'always' | 'withBackoff' | 'ifLasting';
}

type ErrorClass = abstract new (...args: never[]) => ExportError;

const temporary: ErrorPolicy = {
  recovery: 'automatic',
  exitCode: exitCodes.paused,
  alert: 'never',
};
/** The service keeps the key from being used for hours: a person may know who else uses it. The key is held until then. */
const longWait: ErrorPolicy = { ...temporary, alert: 'always' };
/** The next invocations make a snapshot, but what keeps them from it may need a person. */
const missedSlot: ErrorPolicy = { ...temporary, alert: 'always' };
const fault: ErrorPolicy = { recovery: 'operator', exitCode: exitCodes.fault, alert: 'always' };

const storeDenied: ErrorPolicy = {
  recovery: 'operator',
  exitCode: exitCodes.denied,
  alert: 'withBackoff',
};
const storeFault: ErrorPolicy = { ...fault, alert: 'withBackoff' };
const lastingFault: ErrorPolicy = {
  recovery: 'automatic',
  exitCode: exitCodes.paused,
  alert: 'ifLasting',
};
/** Of StoreError and ScratchError. */
const policyByCode: Readonly<Record<string, ErrorPolicy>> = {
  DISK_FULL: storeFault,
  HEADERS_TOO_LARGE: storeFault,
  STORE_DENIED: storeDenied,
  STORE_UNUSABLE: storeDenied,
  HOST_NOT_FOUND: storeDenied,
  CERTIFICATE_REFUSED: storeDenied,
  TLS_FAILED: storeDenied,
  PROXY_REFUSED: storeDenied,
  STORE_FAILED: lastingFault,
  TEMP_UNUSABLE: storeDenied,
  TEMP_FAILED: lastingFault,
};

const policyByClass: readonly (readonly [ErrorClass, ErrorPolicy])[] = [
  [ConfigError, { recovery: 'operator', exitCode: exitCodes.usage, alert: 'withBackoff' }],
  [PrunedError, { recovery: 'operator', exitCode: exitCodes.usage, alert: 'never' }],
  [AuthError, { recovery: 'operator', exitCode: exitCodes.denied, alert: 'always' }],
  [ConnectionError, { recovery: 'operator', exitCode: exitCodes.denied, alert: 'always' }],
  [CorruptError, { recovery: 'operator', exitCode: exitCodes.integrity, alert: 'withBackoff' }],
  [DriftedError, { recovery: 'operator', exitCode: exitCodes.drifted, alert: 'always' }],
  [RateLimitedError, temporary],
  [TransientError, temporary],
  [MissedSlotError, missedSlot],
  [StoppedError, temporary],
];

/** Anything that is not an ExportError is a bug: a fault. */
export function policyOf(error: unknown): ErrorPolicy {
  if (asksForLongWait(error)) return longWait;
  if (error instanceof StoreError || error instanceof ScratchError) {
    return policyByCode[error.code] ?? fault;
  }
  return policyByClass.find(([type]) => error instanceof type)?.[1] ?? fault;
}

/** True if a later invocation can succeed without help from a person. */
export function recoversByItself(error: ExportError): boolean {
  return policyOf(error).recovery === 'automatic';
}

/** Refusals that are about one project. All others are about the key itself, or the login of the proxy. */
const projectCodes = ['NOT_PERMITTED', 'PROJECT_UNAVAILABLE'];

/** True if the key must not be used again in this run, for any target: five refused requests lock it. */
export function refusesKey(error: unknown): error is AuthError {
  return error instanceof AuthError && !projectCodes.includes(error.code);
}

const minuteMs = 60_000;

/** A run waits no longer than this before a try, whatever the service asks for, milliseconds. Then it ends, resumable. */
export const askedWaitMsMax = 15 * minuteMs;

/** True if the service asked the key for a longer silence than a run waits: nothing uses the key until then. */
export function asksForLongWait(error: unknown): error is RateLimitedError {
  return error instanceof RateLimitedError && error.retryAfterMs > askedWaitMsMax;
}

/** What to do about a wait that is longer than a run waits. */
export const longWaitHint = `A run waits for at most ${askedWaitMsMax / minuteMs} minutes. A timer continues by itself after that time. Start a command again then: it continues where it stopped.`;

/**
 * 15 minutes after the first failure, doubling to 6 hours, milliseconds. For this long a rejected access key is not used,
 * because five rejected requests lock it, and an alert about the same error is not repeated.
 */
export function backoffMs(failures: number): number {
  return Math.min(15 * minuteMs * 2 ** Math.max(0, failures - 1), 6 * 60 * minuteMs);
}
