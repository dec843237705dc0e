// Owns the one table from what happened to what a command exits with. Refuses to exit.

import { type ExitCode, exitCodes, policyOf, recoversByItself } from '../core/error-policy.ts';
import type { ExportError } from '../core/errors.ts';
import type { CollectResult } from '../runs/invocation.ts';
import type { CollectMode } from '../runs/policy.ts';

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

/** 0 for none. */
export function worstOf(codes: readonly ExitCode[]): ExitCode {
  return precedence.find((code) => codes.includes(code)) ?? exitCodes.complete;
}

export function exitCodeOfResult(result: CollectResult, mode: CollectMode): ExitCode {
  const { status, snapshots, errors } = result;
  // A timer comes again: what passes by itself is its business, a drifted list is the next slot's. A signal is a person's.
  if (mode === 'timer')
    return worstOf(errors.filter(concernsTimer).map((error) => policyOf(error).exitCode));
  const codes = errors.map((error) => policyOf(error).exitCode);
  if (status === 'paused') codes.push(exitCodes.paused);
  if (status === 'failed' && errors.length === 0) codes.push(exitCodes.fault);
  if (snapshots.some(({ manifest }) => manifest.verdict === 'drifted')) {
    codes.push(exitCodes.drifted);
  }
  return worstOf(codes);
}

function concernsTimer(error: ExportError): boolean {
  return !recoversByItself(error) || error.code === 'STOPPED';
}
