// Responsible for the result of one check of `doctor`: its words, and the errors behind a failed one.

import { type ExportError, messageWithSubject } from '../core/errors.ts';

/** `warning`: exports work, but a person should look. `skipped`: not checked; the message says why. */
export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** In the order of the output. `doctor`: the command itself, if it was stopped. */
export const checkNames = [
  ...(['configuration', 'region', 'enterprise-project', 'proxy', 'connection', 'clock'] as const),
  'store-folder',
  ...(['store-write', 'store-read', 'store-list', 'store-mode', 'store-overwrite'] as const),
  ...([
    'store-delete',
    'store-lease',
    'store-clock',
    'signing-key',
    'temporary-files',
    'hold',
  ] as const),
  ...(['sign-in', 'project', 'permission', 'container-node', 'statistics', 'doctor'] as const),
];
export type CheckName = (typeof checkNames)[number];

export interface Check {
  /** What was checked. */
  check: CheckName;
  /** As in log lines: `container_nodes/rgn=cn-south-4/prj=0f1e…`. Null: not about one target. */
  target: string | null;
  /** Null: not about one account. */
  account: string | null;
  status: CheckStatus;
  /** What was found. */
  message: string;
  /** What to do. Empty: nothing. */
  hint: string;
  /** Present if and only if the check failed: it gives the error code and the exit code. */
  error?: ExportError;
}

/** What a check is about. */
export type Subject = Pick<Check, 'check'> & Partial<Pick<Check, 'target' | 'account'>>;

function result(
  { check, target = null, account = null }: Subject,
  status: CheckStatus,
  message: string,
  hint = '',
): Check {
  return { check, target, account, status, message, hint };
}

export function ok(subject: Subject, message: string): Check {
  return result(subject, 'ok', message);
}

export function warning(subject: Subject, message: string, hint: string): Check {
  return result(subject, 'warning', message, hint);
}

export function skipped(subject: Subject, message: string, hint = ''): Check {
  return result(subject, 'skipped', message, hint);
}

export function failed(subject: Subject, error: ExportError): Check {
  return { ...result(subject, 'failed', messageWithSubject(error), error.hint), error };
}
