// Owns which outcomes of a timer's invocations a person must hear of, and how often. Refuses to say it: the platform's failure
// destination does. What the store remembers is told once by it; what keeps the store from being reached is remembered here.

import {
  ConfigError,
  CorruptError,
  DriftedError,
  type ExportError,
  StoreError,
} from '../errors.ts';
import { passesByItself } from '../snapshot/failure.ts';
import type { CollectResult } from '../snapshot/invocation.ts';
import type { Clock } from '../snapshot/ports.ts';
import { keyHoldMs } from '../snapshot/schedule.ts';

/** A store that fails for this long in one instance is told, milliseconds. */
const storeFailsMs = 10 * 60_000;
const hourMs = 3_600_000;
/** How often the timer fires at the least: the part of an hour in which an instance that remembers nothing tells of a failing store. */
const tickMs = 60_000;

export interface Alerts {
  /** The worst thing that happened, or null: nothing did, or it was told. */
  find(result: CollectResult): ExportError | null;
  /** Whether what an invocation ended in is told: a fault that no store can hold is told anew after 15 minutes, doubling to 6 hours. */
  isNews(error: ExportError): boolean;
}

/** Of one instance: another one tells what it meets for itself. */
export function openAlerts(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): Alerts {
  const told = new Map<string, { times: number; untilMonotonicMs: number }>();
  let failsSinceMonotonicMs: number | null = null;

  function isNews(error: ExportError): boolean {
    const kinds = [ConfigError, StoreError, CorruptError];
    if (!kinds.some((kind) => error instanceof kind)) return true;
    // Not by its words: one fault may have several, as its times differ.
    const fault = `${error.code} ${error instanceof CorruptError ? error.key : ''}`;
    const before = told.get(fault);
    const nowMonotonicMs = clock.monotonicMs();
    if (before && nowMonotonicMs < before.untilMonotonicMs) return false;
    const times = (before?.times ?? 0) + 1;
    told.set(fault, { times, untilMonotonicMs: nowMonotonicMs + keyHoldMs(times) });
    return true;
  }

  /** It passes by itself, mostly; where it does not, nothing else would ever be told, since every state lies in the store. */
  function findFailingStore(errors: readonly ExportError[]): ExportError | null {
    const failed = errors.find(({ code }) => code === 'STORE_FAILED') ?? null;
    if (!failed) {
      failsSinceMonotonicMs = null;
      return null;
    }
    failsSinceMonotonicMs ??= clock.monotonicMs();
    const isLong = clock.monotonicMs() - failsSinceMonotonicMs >= storeFailsMs;
    return isLong || clock.nowMs() % hourMs < tickMs ? failed : null;
  }

  return {
    isNews,
    find(result) {
      const { errors } = result;
      const faults = errors.filter((error) => !passesByItself(error));
      if (errors.length === 0) told.clear();
      const candidates = [...faults, describeDrifted(result), findFailingStore(errors)];
      return candidates.find((error) => error !== null && isNews(error)) ?? null;
    },
  };
}

function describeDrifted({ snapshots }: CollectResult): DriftedError | null {
  const drifted = snapshots.find(({ manifest }) => manifest.verdict === 'drifted');
  if (!drifted) return null;
  const { table, snapshot, rows } = drifted.manifest;
  return new DriftedError(
    'DRIFTED',
    `Snapshot ${snapshot} of ${table} is sealed with ${rows} rows, but the list moved out of order while it was read: completeness cannot be shown.`,
    'It is marked `drifted`, and _latest was not moved. The next slot tries again; `cgs-export export` does so now.',
  );
}
