// Responsible for the exit code of a command with several outcomes, and for the help line of each code.
// Not responsible for the exit code of one error: lib/core/error-policy.ts has that table.

import { type ExitCode, exitCodes, policyOf, recoversByItself } from '../core/error-policy.ts';
import type { CollectResult } from '../runs/invocation.ts';
import type { CollectMode } from '../runs/policy.ts';

/** The first code in this list that occurred is the exit code. What is worst for the data comes first. */
const precedence: readonly ExitCode[] = [5, 1, 2, 3, 4, 6, 7, 0];

export const exitCodeHelp: Readonly<Record<ExitCode, string>> = {
  0: 'success',
  1: 'internal error, a response that breaks the protocol, too many rejected records, or a full disk',
  2: 'wrong usage or configuration',
  3: 'access failed: key, permission, certificate, host name or proxy must be corrected',
  4: 'stopped before it was complete; run the same command again to continue',
  5: 'integrity check failed: a stored object is missing, was altered, or is of a newer version',
  6: 'exported, but the list moved or has fewer nodes than it states: completeness cannot be proven',
  7: '`status --check` found a target that needs attention',
};

/** 0 if `codes` is empty. */
export function worstOf(codes: readonly ExitCode[]): ExitCode {
  return precedence.find((code) => codes.includes(code)) ?? exitCodes.complete;
}

export function exitCodeOfResult(result: CollectResult, mode: CollectMode): ExitCode {
  const { status, snapshots, errors } = result;
  if (mode === 'timer') {
    // The next invocation retries a temporary error, and the next slot replaces a drifted snapshot. A stop is temporary
    // too, but a person or a service manager sent the signal and expects exit code 4.
    const lasting = errors.filter((error) => !recoversByItself(error) || error.code === 'STOPPED');
    return worstOf(lasting.map((error) => policyOf(error).exitCode));
  }
  const codes = errors.map((error) => policyOf(error).exitCode);
  if (status === 'paused') codes.push(exitCodes.paused);
  if (status === 'failed' && errors.length === 0) codes.push(exitCodes.fault);
  if (snapshots.some(({ manifest }) => manifest.verdict === 'drifted')) {
    codes.push(exitCodes.drifted);
  }
  return worstOf(codes);
}
