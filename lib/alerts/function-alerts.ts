// Responsible for which errors a timer's function throws, and how often: a thrown error reaches the failure destination.
// Not responsible for sending alerts: the platform does. The state of most errors is in the store, which also prevents a second
// alert. This file keeps the state of the errors for which no store can do that.

import { backoffMs, policyOf, recoversByItself } from '../core/error-policy.ts';
import {
  ConfigError,
  CorruptError,
  DriftedError,
  ExportError,
  messageWithSubject,
} from '../core/errors.ts';
import { targetId } from '../core/object-keys.ts';
import type { Clock } from '../core/ports.ts';
import type { Sealed } from '../snapshots/catalog.ts';

/** An instance alerts when its store has failed for this long, milliseconds. */
const storeFailsMs = 10 * 60_000;
const hourMs = 3_600_000;
/** A new instance does not know since when the store fails. It alerts only in this first part of an hour, milliseconds. */
const newInstanceAlertMs = 5 * 60_000;

/** The alerts of one instance of the function. Another instance alerts separately. */
export function openAlerts(clock: Pick<Clock, 'monotonicMs'>) {
  const alerted = new Map<string, { times: number; untilMonotonicMs: number }>();
  let failingSinceMonotonicMs: number | null = null;
  let hasWorked = false;

  /** Whether to alert about this error now. If no store keeps its state: at once, then after 15 minutes, doubling to 6 hours. */
  function isDue(error: ExportError): boolean {
    const identity = identify(error);
    if (identity === null) return true;
    const before = alerted.get(identity);
    const nowMonotonicMs = clock.monotonicMs();
    if (before && nowMonotonicMs < before.untilMonotonicMs) return false;
    const times = (before?.times ?? 0) + 1;
    alerted.set(identity, { times, untilMonotonicMs: nowMonotonicMs + backoffMs(times) });
    return true;
  }

  /** A failing store mostly recovers by itself. If it does not, nothing else can alert: all other state is in the store. */
  function listLasting(errors: readonly ExportError[], startedAtMs: number): ExportError[] {
    const failed = errors.find((error) => policyOf(error).alert === 'ifLasting');
    if (!failed) {
      failingSinceMonotonicMs = null;
      hasWorked = true;
      return [];
    }
    failingSinceMonotonicMs ??= clock.monotonicMs();
    const isLong = clock.monotonicMs() - failingSinceMonotonicMs >= storeFailsMs;
    // The start of the invocation counts, because a store that never answers takes a minute to fail.
    const isAlertTime = startedAtMs % hourMs < newInstanceAlertMs;
    return isLong || (!hasWorked && isAlertTime) ? [failed] : [];
  }

  /** The errors to alert about now, the worst first. `startedAtMs`: start of the invocation, since the epoch. */
  function listDue(
    { errors, snapshots }: { errors: readonly ExportError[]; snapshots: readonly Sealed[] },
    startedAtMs: number,
  ): ExportError[] {
    const actionable = errors.filter(
      (error) => !recoversByItself(error) || policyOf(error).alert === 'always',
    );
    // An error that did not come again is over: when it comes back, it is new.
    const current = new Set(errors.map(identify));
    for (const identity of alerted.keys()) if (!current.has(identity)) alerted.delete(identity);
    const drifted = snapshots.filter(({ manifest }) => manifest.verdict === 'drifted');
    const lasting = listLasting(errors, startedAtMs);
    return [...actionable, ...drifted.map(describeDrifted), ...lasting].filter(isDue);
  }

  return { isDue, listDue };
}

/**
 * The identity of an error whose state only this instance keeps; null for other errors. The message is not part of it, because
 * it can contain times.
 */
function identify(error: ExportError): string | null {
  const { alert } = policyOf(error);
  if (alert !== 'withBackoff' && alert !== 'ifLasting') return null;
  if (error instanceof CorruptError) return `${error.code} ${error.key}`;
  if (!(error instanceof ConfigError)) return error.code;
  return [error.code, ...error.issues.map(({ path }) => path)].join(' ');
}

/**
 * Merges alerts into one error, because an invocation can throw only once and people read its message. Code, hint and name
 * are those of the first. Null if there are none.
 */
export function mergeAlerts(errors: readonly ExportError[]): ExportError | null {
  const [worst] = errors;
  if (!worst) return null;
  const texts = errors.map((error) => `${error.code}: ${messageWithSubject(error)}\n${error.hint}`);
  const { code, hint, cause, name } = worst;
  // A new object: a store can throw the same error object again and again, and the caller changes the message.
  const merged = new ExportError(code, texts.join('\n\n'), hint, { cause });
  return Object.assign(merged, { name });
}

function describeDrifted({ manifest }: Sealed): DriftedError {
  const { snapshot, run, rows, scope, table } = manifest;
  const id = targetId({ table, region: scope.region, projectId: scope.projectId });
  return new DriftedError(
    'DRIFTED',
    `Snapshot ${snapshot} of ${id} (account ${scope.account}, run ${run}) is sealed with ${rows} rows, but the list moved while it was read, or has fewer nodes than it states: completeness cannot be proven.`,
    'The snapshot is marked `drifted`, and _latest was not moved. The next scheduled run reads the list again; to read it now, run `cgs-export export`.',
  );
}
