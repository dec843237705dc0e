// Responsible for the figures of one function invocation: how long it took, what is billed, and what its runs did.

import type { Clock } from '../core/ports.ts';
import type { CollectResult } from '../runs/invocation.ts';
import type { ProgressEvent } from '../runs/progress-event.ts';

/** Time is measured from this call on. `memorySizeMb`: configured for the function. */
export function openMetrics(clock: Pick<Clock, 'monotonicMs'>, memorySizeMb: number | null) {
  const startMs = clock.monotonicMs();
  return {
    summarize(peakBytes: number) {
      // FunctionGraph bills each started millisecond. Source: FunctionGraph, "Billing", read 2026-11-24.
      const durationMs = Math.ceil(clock.monotonicMs() - startMs);
      /** What is billed, without the start of the instance. Null: the platform does not report the memory size. */
      const gbSeconds =
        memorySizeMb === null
          ? null
          : Number(((durationMs / 1_000) * (memorySizeMb / 1_024)).toFixed(6));
      const peakMemoryMb = Math.ceil(peakBytes / 2 ** 20);
      return { durationMs, peakMemoryMb, memorySizeMb, gbSeconds };
    },
  };
}

/** Of an invocation that collects. */
export function openRunFigures() {
  /** `quotaWaitMs`: spent waiting for a slot of the quota. It is billed like work. */
  const counts = { pages: 0, requests: 0, throttled: 0, quotaWaitMs: 0 };
  /** The run that was worked on last. Null: none. */
  let run: string | null = null;
  /** Of that run's snapshot. Null: it is not sealed. */
  let verdict: string | null = null;
  return {
    progress(event: ProgressEvent): void {
      if (event.kind === 'page') counts.pages += 1;
      if (event.kind === 'wait') counts.quotaWaitMs += Math.round(event.delayMs);
      else if (event.kind !== 'retry') run = event.run;
      if (event.kind === 'run') verdict = null;
      if (event.kind === 'sealed') verdict = event.verdict;
    },
    /** Takes the number of requests from the result: it also counts those that brought no page. */
    addResult({ requests, throttled }: CollectResult): void {
      counts.requests = requests;
      counts.throttled = throttled;
    },
    list: () => ({ run, verdict, ...counts }),
  };
}
