// Responsible for one invocation of the function `collect`: exports what is due, and decides which faults to throw.

import { mergeAlerts, openAlerts } from '../alerts/function-alerts.ts';
import { ExportError } from '../core/errors.ts';
import { systemClock } from '../platform/clock.ts';
import type { Invocation } from './function-instance.ts';
import { openRunFigures } from './invocation-metrics.ts';
import { type ResultJson, toFailureJson, toResultJson } from './result-json.ts';

/** Returns what opens each invocation of one instance. Throws only errors that are bugs. */
export function openCollectInvocations(): () => Invocation<ResultJson> {
  const alerts = openAlerts(systemClock);
  return () => {
    const figures = openRunFigures();
    return {
      listFigures: figures.list,
      async run({ connect, scrubber, timeLeftMs, memoryMb }) {
        const startedAtMs = Date.now();
        try {
          const { collect } = await connect();
          const { signal } = new AbortController();
          const options = { signal, progress: figures.progress, timeLeftMs, memoryMb };
          const result = await collect('timer', options);
          figures.addResult(result);
          const json = toResultJson(result, scrubber);
          return { json, done: json, alert: mergeAlerts(alerts.listDue(result, startedAtMs)) };
        } catch (error) {
          if (!(error instanceof ExportError)) throw error;
          const json = toFailureJson(error, scrubber);
          // A wrong configuration fails every invocation alike, so it is not thrown each time.
          return { json, done: json, alert: mergeAlerts(alerts.isDue(error) ? [error] : []) };
        }
      },
    };
  };
}
