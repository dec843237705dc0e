// Owns how an invocation's result is told to other programs: the same from a command and from a function. Refuses to print it.

import { ConfigError, ExportError, messageWithSubject } from '../core/errors.ts';
import type { Scrubber } from '../core/ports.ts';
import type { CollectResult } from '../runs/invocation.ts';

export interface DescribedError {
  code: string;
  message: string;
  hint: string;
}

export interface DescribedResult {
  status: CollectResult['status'];
  snapshots: {
    table: string;
    region: string;
    projectId: string;
    snapshot: string;
    rows: number;
    verdict: string;
    /** Its key in the store. */
    manifest: string;
    manifestSha256: string;
  }[];
  /** Sent by this invocation. */
  requests: number;
  errors: DescribedError[];
}

export function describeResult(result: CollectResult, scrubber: Scrubber): DescribedResult {
  return {
    status: result.status,
    snapshots: result.snapshots.map(({ manifest, manifestKey, manifestSha256 }) => ({
      table: manifest.table,
      region: manifest.scope.region,
      projectId: manifest.scope.projectId,
      snapshot: manifest.snapshot,
      rows: manifest.rows,
      verdict: manifest.verdict,
      manifest: manifestKey,
      manifestSha256,
    })),
    requests: result.requests,
    errors: result.errors.flatMap((error) => describeError(error, scrubber)),
  };
}

/** Of an invocation that threw: it sent nothing that is counted, and sealed nothing. */
export function describeFailure(error: unknown, scrubber: Scrubber): DescribedResult {
  return { status: 'failed', snapshots: [], requests: 0, errors: describeError(error, scrubber) };
}

/** One entry a fault: a ConfigError holds several. Anything that is no ExportError is a bug of ours. */
export function describeError(error: unknown, scrubber: Scrubber): DescribedError[] {
  return listFaults(error).map(({ code, message, hint }) => ({
    code,
    message: scrubber.scrub(message),
    hint: scrubber.scrub(hint),
  }));
}

function listFaults(error: unknown): DescribedError[] {
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
    'This is a bug in cgs-export. Run it again with --log-level debug and report what it logs; what is stored stays whole.';
  return [{ code: 'INTERNAL', message, hint }];
}
