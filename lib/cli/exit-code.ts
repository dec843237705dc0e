// Owns the one table from what happened to what a command exits with. Refuses to exit.

import {
  AuthError,
  ConfigError,
  CorruptError,
  DriftedError,
  type ExportError,
  RateLimitedError,
  StoppedError,
  StoreError,
  TransientError,
} from '../errors.ts';
import { passesByItself } from '../snapshot/failure.ts';
import type { CollectMode, CollectResult } from '../snapshot/invocation.ts';

/** By what a caller does next: nothing, report, fix the call, fix the rights, run again, investigate, look at the list. */
export const exitCodes = {
  complete: 0,
  fault: 1,
  usage: 2,
  denied: 3,
  paused: 4,
  integrity: 5,
  drifted: 6,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The first that occurs is the answer: what is worst for the data comes first. */
const precedence: readonly ExitCode[] = [5, 1, 2, 3, 4, 6, 0];

/** One line a code, for --help. */
export const exitCodeHelp: Readonly<Record<ExitCode, string>> = {
  0: 'complete',
  1: 'a fault of ours, an answer that breaks the protocol, or a full disk',
  2: 'usage or configuration',
  3: 'authentication or permission',
  4: 'stopped before it was complete; the same command goes on',
  5: 'integrity: something stored is missing or was altered',
  6: 'sealed, but the list drifted beyond proof',
};

const codesOfStore: Readonly<Record<string, ExitCode>> = { DISK_FULL: 1, STORE_DENIED: 3 };

export function exitCodeOfError(error: unknown): ExitCode {
  if (error instanceof ConfigError) return exitCodes.usage;
  if (error instanceof AuthError) return exitCodes.denied;
  if (error instanceof CorruptError) return exitCodes.integrity;
  if (error instanceof DriftedError) return exitCodes.drifted;
  if (error instanceof StoreError) return codesOfStore[error.code] ?? exitCodes.paused;
  const isPassing =
    error instanceof TransientError ||
    error instanceof RateLimitedError ||
    error instanceof StoppedError;
  return isPassing ? exitCodes.paused : exitCodes.fault;
}

/** 0 for none. */
export function worstOf(codes: readonly ExitCode[]): ExitCode {
  return precedence.find((code) => codes.includes(code)) ?? exitCodes.complete;
}

export function exitCodeOfResult(result: CollectResult, mode: CollectMode): ExitCode {
  const { status, snapshots, errors } = result;
  // A timer comes again: what passes by itself is its business, a drifted list is the next slot's. A signal is a person's.
  if (mode === 'timer') return worstOf(errors.filter(concernsTimer).map(exitCodeOfError));
  const codes = errors.map(exitCodeOfError);
  if (status === 'paused') codes.push(exitCodes.paused);
  if (status === 'failed' && errors.length === 0) codes.push(exitCodes.fault);
  if (snapshots.some(({ manifest }) => manifest.verdict === 'drifted')) {
    codes.push(exitCodes.drifted);
  }
  return worstOf(codes);
}

function concernsTimer(error: ExportError): boolean {
  return !passesByItself(error) || error.code === 'STOPPED';
}
