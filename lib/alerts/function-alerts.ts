// Owns which outcomes of a timer's invocations a person must hear of, and how often. Refuses to say it: the platform's failure
// destination does. What the store remembers is told once by it; what keeps the store from being reached is remembered here.

import { keyHoldMs, policyOf, recoversByItself } from '../core/error-policy.ts';
import { ConfigError, CorruptError, DriftedError, ExportError, tellError } from '../core/errors.ts';
import { targetId } from '../core/object-keys.ts';
import type { Clock } from '../core/ports.ts';
import type { Sealed } from '../snapshots/catalog.ts';

/** A store that fails for this long in one instance is told, milliseconds. */
const storeFailsMs = 10 * 60_000;
const hourMs = 3_600_000;
/** The part of an hour in which an instance that remembers nothing tells of a failing store: a timer must fire in it. */
const tellingMs = 5 * 60_000;

/** What one invocation ended with. */
interface Outcome {
  errors: readonly ExportError[];
  snapshots: readonly Sealed[];
}

export interface Alerts {
  /** What happened and was not told, the worst first. `startedAtMs`: of the invocation, since the epoch. */
  find(result: Outcome, startedAtMs: number): ExportError[];
  /** Whether what an invocation ended in is told: a fault that no store can hold is told anew after 15 minutes, doubling to 6 hours. */
  isNews(error: ExportError): boolean;
}

/** Of one instance: another one tells what it meets for itself. */
export function openAlerts(clock: Pick<Clock, 'monotonicMs'>): Alerts {
  const told = new Map<string, { times: number; untilMonotonicMs: number }>();
  let failsSinceMonotonicMs: number | null = null;
  let worked = false;

  function isNews(error: ExportError): boolean {
    const fault = nameFault(error);
    if (fault === null) return true;
    const before = told.get(fault);
    const nowMonotonicMs = clock.monotonicMs();
    if (before && nowMonotonicMs < before.untilMonotonicMs) return false;
    const times = (before?.times ?? 0) + 1;
    told.set(fault, { times, untilMonotonicMs: nowMonotonicMs + keyHoldMs(times) });
    return true;
  }

  /** It passes by itself, mostly; where it does not, nothing else would ever be told, since every state lies in the store. */
  function findFailingStore(errors: readonly ExportError[], startedAtMs: number): ExportError[] {
    const failed = errors.find((error) => policyOf(error).alert === 'ifLasting');
    if (!failed) {
      failsSinceMonotonicMs = null;
      worked = true;
      return [];
    }
    failsSinceMonotonicMs ??= clock.monotonicMs();
    const isLong = clock.monotonicMs() - failsSinceMonotonicMs >= storeFailsMs;
    // By its start: a store that never answers takes a minute.
    return isLong || (!worked && startedAtMs % hourMs < tellingMs) ? [failed] : [];
  }

  return {
    isNews,
    find(result, startedAtMs) {
      const { errors, snapshots } = result;
      const faults = errors.filter((error) => !recoversByItself(error));
      // What did not come again has passed.
      const standing = new Set(errors.map(nameFault));
      for (const fault of told.keys()) if (!standing.has(fault)) told.delete(fault);
      const drifted = snapshots.map(describeDrifted).filter((error) => error !== null);
      return [...faults, ...drifted, ...findFailingStore(errors, startedAtMs)].filter(isNews);
    },
  };
}

/** Of what nothing but this instance remembers; not by its words, as its times differ. Null: of the rest. */
function nameFault(error: ExportError): string | null {
  const { alert } = policyOf(error);
  if (alert !== 'withBackoff' && alert !== 'ifLasting') return null;
  if (error instanceof CorruptError) return `${error.code} ${error.key}`;
  if (!(error instanceof ConfigError)) return error.code;
  return [error.code, ...error.issues.map(({ path }) => path)].join(' ');
}

/** One for all: an invocation can throw but once, and its message is what a person gets to read. Null: there is none. */
export function alarmOf(faults: readonly ExportError[]): ExportError | null {
  const [worst] = faults;
  if (!worst) return null;
  const texts = faults.map((fault) => `${fault.code}: ${tellError(fault)}\n${fault.hint}`);
  // A new one: a store that refuses throws the same error again and again.
  const alarm = new ExportError(worst.code, texts.join('\n\n'), worst.hint, { cause: worst.cause });
  return Object.assign(alarm, { name: worst.name });
}

function describeDrifted({ manifest }: Sealed): DriftedError | null {
  if (manifest.verdict !== 'drifted') return null;
  const { snapshot, run, rows, scope, table } = manifest;
  const id = targetId({ table, region: scope.region, projectId: scope.projectId });
  return new DriftedError(
    'DRIFTED',
    `Snapshot ${snapshot} of ${id} (run ${run}) is sealed with ${rows} rows, but the list moved out of order while it was read: completeness cannot be shown.`,
    'It is marked `drifted`, and _latest was not moved. The next slot tries again; `cgs-export export` does so now.',
  );
}
