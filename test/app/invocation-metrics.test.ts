// Tests the figures of one function invocation.

import { expect, test } from 'vitest';
import { openMetrics, openRunFigures } from '../../lib/app/invocation-metrics.ts';

const target = { table: 'container_nodes', region: 'r', projectId: 'p' };
const place = { account: 'prod', target, run: 'r', snapshot: 's' };

test('counts pages and waits, and takes requests from the result', () => {
  const figures = openRunFigures();
  const page = { kind: 'page' as const, ...place, rows: 1, total: 2, pass: 1 };
  figures.progress(page);
  figures.progress({ kind: 'wait', delayMs: 120.4, reason: 'quota' });
  figures.progress(page);
  figures.addResult({
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
  expect(figures.list()).toEqual({
    run: 'r',
    verdict: null,
    pages: 2,
    requests: 3,
    throttled: 1,
    quotaWaitMs: 120,
  });
  figures.progress({ kind: 'sealed', ...place, rows: 2, verdict: 'complete' });
  expect(figures.list().verdict).toBe('complete');
});

test('does not carry the verdict of one run to the next', () => {
  const figures = openRunFigures();
  figures.progress({ kind: 'sealed', ...place, run: 'a', rows: 2, verdict: 'drifted' });
  figures.progress({ kind: 'run', ...place, run: 'b' });
  expect(figures.list()).toMatchObject({ run: 'b', verdict: null });
});

test('names a run that has read no page', () => {
  const figures = openRunFigures();
  figures.progress({ kind: 'run', ...place });
  expect(figures.list()).toMatchObject({ run: 'r', verdict: null, pages: 0 });
});

test('calculates what is billed', () => {
  let nowMs = 5_000;
  const metrics = openMetrics({ monotonicMs: () => nowMs }, 256);
  nowMs += 2_000.2;
  expect(metrics.summarize(100 * 2 ** 20 + 1)).toEqual({
    durationMs: 2_001,
    peakMemoryMb: 101,
    memorySizeMb: 256,
    gbSeconds: 0.50025,
  });
});

test('reports no cost if the memory size is not known', () => {
  expect(openMetrics({ monotonicMs: () => 0 }, null).summarize(0)).toMatchObject({
    memorySizeMb: null,
    gbSeconds: null,
  });
});
