// Owns the proof of an invocation's figures.

import { expect, test } from 'vitest';
import { openTally } from '../../lib/app/tally.ts';

const target = { table: 'container_nodes', region: 'r', projectId: 'p' };

test('counts pages and waits, takes requests from the result, and says what is billed', () => {
  let nowMs = 5_000;
  const tally = openTally({ monotonicMs: () => nowMs }, 256);
  const place = { target, run: 'r', snapshot: 's' };
  const page = { kind: 'page' as const, ...place, rows: 1, total: 2, pass: 1 };
  tally.progress(page);
  tally.progress({ kind: 'wait', delayMs: 120.4, reason: 'quota' });
  tally.progress(page);
  tally.note({ status: 'paused', snapshots: [], requests: 3, throttled: 1, errors: [] });
  nowMs += 2_000.2;
  expect(tally.summarize(100 * 2 ** 20 + 1)).toEqual({
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
  tally.progress({ kind: 'sealed', ...place, rows: 2, verdict: 'complete' });
  expect(tally.summarize(0).verdict).toBe('complete');
});

test('one run gets no verdict of another', () => {
  const tally = openTally({ monotonicMs: () => 0 }, null);
  tally.progress({ kind: 'sealed', target, run: 'a', snapshot: 's', rows: 2, verdict: 'drifted' });
  tally.progress({ kind: 'run', target, run: 'b', snapshot: 's' });
  expect(tally.summarize(0)).toMatchObject({ run: 'b', verdict: null });
});

test('a run that got no page is named', () => {
  const tally = openTally({ monotonicMs: () => 0 }, null);
  tally.progress({ kind: 'run', target, run: 'r', snapshot: 's' });
  expect(tally.summarize(0)).toMatchObject({ run: 'r', verdict: null, pages: 0 });
});

test('where nobody says the memory, nothing is said of the cost', () => {
  expect(openTally({ monotonicMs: () => 0 }, null).summarize(0)).toMatchObject({
    memorySizeMb: null,
    gbSeconds: null,
    requests: 0,
    run: null,
  });
});
