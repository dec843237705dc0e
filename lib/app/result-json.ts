// Responsible for the JSON form of a result and of errors. Commands print it, and functions return it.

import { ConfigError, ExportError, messageWithSubject } from '../core/errors.ts';
import type { Scrubber } from '../core/ports.ts';
import type { CollectResult, HeldTarget } from '../runs/invocation.ts';

export interface ErrorJson {
  code: string;
  message: string;
  hint: string;
}

export type ResultJson = ReturnType<typeof toResultJson>;

/** `held` and `failing` are there only if they have targets. */
export function toResultJson(result: CollectResult, scrubber: Scrubber) {
  return {
    status: result.status,
    snapshots: result.snapshots.map(({ manifest, manifestKey, manifestSha256 }) => ({
      account: manifest.scope.account,
      table: manifest.table,
      region: manifest.scope.region,
      projectId: manifest.scope.projectId,
      snapshot: manifest.snapshot,
      rows: manifest.rows,
      verdict: manifest.verdict,
      /** Key in the store. */
      manifest: manifestKey,
      manifestSha256,
    })),
    /** How many requests this invocation sent to the service. */
    requests: result.requests,
    errors: result.errors.flatMap((error) => toErrorsJson(error, scrubber)),
    ...listIfAny('held', result.held, scrubber),
    ...listIfAny('failing', result.failing, scrubber),
  };
}

function listIfAny<Name extends 'held' | 'failing'>(
  name: Name,
  targets: readonly HeldTarget[],
  scrubber: Scrubber,
): { [field in Name]?: HeldTarget[] } {
  if (targets.length === 0) return {};
  return { [name]: targets.map((one) => scrubHeld(one, scrubber)) } as {
    [field in Name]: HeldTarget[];
  };
}

function scrubHeld({ failure, ...target }: HeldTarget, { scrub }: Scrubber): HeldTarget {
  if (!failure) return { ...target, failure };
  const { message, hint } = failure;
  return { ...target, failure: { ...failure, message: scrub(message), hint: scrub(hint) } };
}

/** For an invocation that threw `error` before it had a result: no request was counted and nothing was sealed. */
export function toFailureJson(error: unknown, scrubber: Scrubber): ResultJson {
  return { status: 'failed', snapshots: [], requests: 0, errors: toErrorsJson(error, scrubber) };
}

/** One entry per fault: a ConfigError can hold several. An error that is not an ExportError is reported as a bug. */
export function toErrorsJson(error: unknown, scrubber: Scrubber): ErrorJson[] {
  return listFaults(error).map(({ code, message, hint }) => ({
    code,
    message: scrubber.scrub(message),
    hint: scrubber.scrub(hint),
  }));
}

function listFaults(error: unknown): ErrorJson[] {
  if (error instanceof ConfigError && error.issues.length > 0) {
    return error.issues.map(({ path, message, hint }) => ({
      code: error.code,
      message: path === '' ? message : `${path}: ${message}`,
      hint,
    }));
  }
  if (error instanceof ExportError) {
    return [{ code: error.code, message: messageWithSubject(error), hint: error.hint }];
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const hint =
    'This is a bug in cgs-export. Stored data is not affected. Run the command again with --log-level debug and report the log.';
  return [{ code: 'INTERNAL', message, hint }];
}
