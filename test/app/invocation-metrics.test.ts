// Tests the figures of one function invocation.

import { expect, test } from 'vitest';
import { openMetrics } from '../../lib/app/invocation-metrics.ts';

const target = { table: 'container_nodes', region: 'r', projectId: 'p' };

test('counts pages and waits, takes requests from the result, and calculates what is billed', () => {
  let nowMs = 5_000;
  const metrics = openMetrics({ monotonicMs: () => nowMs }, 256);
  const place = { account: 'prod', target, run: 'r', snapshot: 's' };
  const page = { kind: 'page' as const, ...place, rows: 1, total: 2, pass: 1 };
  metrics.progress(page);
  metrics.progress({ kind: 'wait', delayMs: 120.4, reason: 'quota' });
  metrics.progress(page);
  metrics.addResult({
    status: 'paused',
    snapshots: [],
    requests: 3,
    throttled: 1,
    errors: [],
    held: [],
    failing: [],
    paused: [],
    idle: null,
  });
  nowMs += 2_000.2;
  expect(metrics.summarize(100 * 2 ** 20 + 1)).toEqual({
    run: 'r',
    verdict: null,
    pages: 2,
    requests: 3,
    throttled: 1,
    quotaWaitMs: 120,
    durationMs: 2_001,
    peakMemoryMb: 101,
    memorySizeMb: 256,
    gbSeconds: 0.50025,
  });
  metrics.progress({ kind: 'sealed', ...place, rows: 2, verdict: 'complete' });
  expect(metrics.summarize(0).verdict).toBe('complete');
});

test('does not carry the verdict of one run to the next', () => {
  const metrics = openMetrics({ monotonicMs: () => 0 }, null);
  metrics.progress({
    kind: 'sealed',
    account: 'prod',
    target,
    run: 'a',
    snapshot: 's',
    rows: 2,
    verdict: 'drifted',
  });
  metrics.progress({ kind: 'run', account: 'prod', target, run: 'b', snapshot: 's' });
  expect(metrics.summarize(0)).toMatchObject({ run: 'b', verdict: null });
});

test('names a run that has read no page', () => {
  const metrics = openMetrics({ monotonicMs: () => 0 }, null);
  metrics.progress({ kind: 'run', account: 'prod', target, run: 'r', snapshot: 's' });
  expect(metrics.summarize(0)).toMatchObject({ run: 'r', verdict: null, pages: 0 });
});

test('reports no cost if the memory size is not known', () => {
  expect(openMetrics({ monotonicMs: () => 0 }, null).summarize(0)).toMatchObject({
    memorySizeMb: null,
    gbSeconds: null,
    requests: 0,
    run: null,
  });
});
