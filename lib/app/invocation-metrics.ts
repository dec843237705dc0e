// Responsible for the figures of one function invocation: what it did, how long it waited and what is billed.

import type { Clock } from '../core/ports.ts';
import type { CollectResult } from '../runs/invocation.ts';
import type { Progress } from '../runs/progress-event.ts';

export interface InvocationSummary {
  /** The run that was worked on last. Null: none. */
  run: string | null;
  /** Verdict of that run's snapshot. Null: it is not sealed. */
  verdict: string | null;
  pages: number;
  requests: number;
  throttled: number;
  /** Milliseconds spent waiting for a slot of the quota. They are billed like work. */
  quotaWaitMs: number;
  durationMs: number;
  peakMemoryMb: number;
  /** The memory size that is billed. Null: the platform does not report it. */
  memorySizeMb: number | null;
  /** What is billed for this invocation, without the start of the instance. Null: the memory size is not known. */
  gbSeconds: number | null;
}

export interface InvocationMetrics {
  progress: Progress;
  /** Takes the number of requests from the result: it also counts those that brought no page. */
  addResult(result: CollectResult): void;
  summarize(peakBytes: number): InvocationSummary;
}

/** Time is measured from this call on. `memorySizeMb`: configured for the function. */
export function openMetrics(
  clock: Pick<Clock, 'monotonicMs'>,
  memorySizeMb: number | null,
): InvocationMetrics {
  const startMs = clock.monotonicMs();
  const counts = { pages: 0, requests: 0, throttled: 0, quotaWaitMs: 0 };
  let run: string | null = null;
  let verdict: string | null = null;
  return {
    progress(event) {
      if (event.kind === 'page') counts.pages += 1;
      if (event.kind === 'wait') counts.quotaWaitMs += Math.round(event.delayMs);
      else run = event.run;
      if (event.kind === 'run') verdict = null;
      if (event.kind === 'sealed') verdict = event.verdict;
    },
    addResult({ requests, throttled }) {
      counts.requests = requests;
      counts.throttled = throttled;
    },
    summarize(peakBytes) {
      // FunctionGraph bills each started millisecond. Source: FunctionGraph, "Billing", read 2026-11-24.
      const durationMs = Math.ceil(clock.monotonicMs() - startMs);
      const gbSeconds =
        memorySizeMb === null
          ? null
          : Number(((durationMs / 1_000) * (memorySizeMb / 1_024)).toFixed(6));
      const peakMemoryMb = Math.ceil(peakBytes / 2 ** 20);
      return { run, verdict, ...counts, durationMs, peakMemoryMb, memorySizeMb, gbSeconds };
    },
  };
}
