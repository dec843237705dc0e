// Responsible for one invocation of the function `prune`: how long it may take, and which faults it throws.

import { mergeAlerts } from '../alerts/function-alerts.ts';
import { recoversByItself } from '../core/error-policy.ts';
import { ExportError, StoppedError } from '../core/errors.ts';
import type { Connection } from './connect.ts';
import type { Invocation, InvocationTools, Outcome } from './function-instance.ts';
import { logPruneWarnings, type PruneJson, toPruneJson } from './prune-json.ts';

/** Kept for the operation that is under way and for the lease, milliseconds. */
const reserveMs = 5_000;

type Json = PruneJson | { status: 'idle'; reason: string };

/** Every invocation throws what a person must act on: the next one may be a day later. */
export function openPruneInvocation(): Invocation<Json> {
  return {
    async run(tools) {
      try {
        const connection = await tools.connect();
        return await connection.limit(tools.timeLeftMs, () => pruneInTime(connection, tools));
      } catch (error) {
        throw error instanceof ExportError ? mergeAlerts([error]) : error;
      }
    },
  };
}

async function pruneInTime(
  { prune, store }: Connection,
  { timeLeftMs, log, scrubber }: InvocationTools,
): Promise<Outcome<Json>> {
  if (!prune) {
    const json = { status: 'idle' as const, reason: 'retention is not set, so nothing is pruned' };
    return { json, done: json, alert: null };
  }
  const controller = new AbortController();
  const stop = () => controller.abort(outOfTime());
  // Not 0: a timer of less than a millisecond would wait for one.
  const timer = setTimeout(stop, Math.max(1, timeLeftMs() - reserveMs));
  try {
    const result = await prune({
      isDryRun: false,
      waitsForOthers: false,
      pick: (covered) => covered,
      signal: controller.signal,
      progress: () => {},
    });
    logPruneWarnings(result, log);
    const json = toPruneJson(result, { storeUrl: store.url, isDryRun: false }, scrubber);
    const { targets, locked, ...done } = json;
    const alert = mergeAlerts(result.errors.filter((error) => !recoversByItself(error)));
    return { json, done: { ...done, targets: targets.length, locked: locked.length }, alert };
  } finally {
    clearTimeout(timer);
  }
}

function outOfTime(): StoppedError {
  return new StoppedError(
    'STOPPED',
    'The time of the invocation was over before everything was pruned.',
    'The next invocation continues. If this happens often, raise the time-out of the function `prune`.',
  );
}
