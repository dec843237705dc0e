// Owns the figures of one invocation: what it did, what it waited for and what it costs. Refuses to log them.

import type { Clock } from '../core/ports.ts';
import type { CollectResult } from '../runs/invocation.ts';
import type { Progress } from '../runs/progress-event.ts';

export interface Summary {
  /** The run that was worked on last, and what its snapshot turned out to be; null: none. */
  run: string | null;
  verdict: string | null;
  pages: number;
  requests: number;
  throttled: number;
  /** Waited for a slot of the quota, milliseconds: billed like work. */
  quotaWaitMs: number;
  durationMs: number;
  peakMemoryMb: number;
  /** MB that are billed; null where nobody says. */
  memorySizeMb: number | null;
  /** What is billed of this invocation; start-up before the handler is not in it. */
  gbSeconds: number | null;
}

export interface Tally {
  progress: Progress;
  note(result: CollectResult): void;
  summarize(peakBytes: number): Summary;
}

/** Starts now. `memorySizeMb`: of the function. */
export function openTally(clock: Pick<Clock, 'monotonicMs'>, memorySizeMb: number | null): Tally {
  const startMs = clock.monotonicMs();
  const counted = { pages: 0, requests: 0, throttled: 0, quotaWaitMs: 0 };
  let run: string | null = null;
  let verdict: string | null = null;
  return {
    progress(event) {
      if (event.kind === 'page') counted.pages += 1;
      if (event.kind === 'wait') counted.quotaWaitMs += Math.round(event.delayMs);
      else run = event.run;
      if (event.kind === 'run') verdict = null;
      if (event.kind === 'sealed') verdict = event.verdict;
    },
    note({ requests, throttled }) {
      counted.requests = requests;
      counted.throttled = throttled;
    },
    summarize(peakBytes) {
      // Billed by the millisecond, begun ones whole. Source: FunctionGraph, "Billing", read 2026-11-24.
      const durationMs = Math.ceil(clock.monotonicMs() - startMs);
      const gbSeconds =
        memorySizeMb === null
          ? null
          : Number(((durationMs / 1_000) * (memorySizeMb / 1_024)).toFixed(6));
      const peakMemoryMb = Math.ceil(peakBytes / 2 ** 20);
      return { run, verdict, ...counted, durationMs, peakMemoryMb, memorySizeMb, gbSeconds };
    },
  };
}
