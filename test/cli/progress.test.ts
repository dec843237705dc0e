// Tests the progress tracker and the progress line.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTracker, type ProgressState, renderProgress } from '../../lib/cli/progress.ts';

const state: ProgressState = {
  label: 'container_nodes cn-south-4',
  unit: 'nodes',
  done: 1_234,
  total: 4_321,
  perSecond: 16.4,
  leftMs: 185_000,
  wait: null,
  note: '',
};

describe('the progress line', () => {
  test('shows a bar, done and total, the rate and the time left', () => {
    expect(renderProgress(state, 120)).toBe(
      `${'█'.repeat(7)}${'░'.repeat(21)} container_nodes cn-south-4 · 1,234/4,321 nodes · 28 % · 16/s · 4 min left`,
    );
  });

  test('shows what it waits for', () => {
    const wait = { leftMs: 36_400, text: 'waiting 37 s for the quota', short: 'waiting 37 s' };
    expect(renderProgress({ ...state, wait }, 120)).toContain('waiting 37 s for the quota');
    expect(renderProgress({ ...state, wait }, 80)).toContain('waiting 37 s for the quota');
  });

  test('escapes control characters of names', () => {
    expect(renderProgress({ ...state, label: 'a\u001b[31m\nb' }, 120)).toContain(
      ' a\\u001b[31m\\u000ab · ',
    );
  });

  test('drops the label first and the count last when there is little room', () => {
    expect(renderProgress(state, 60)).toMatch(/^█+░+ 1,234\/4,321 nodes · 28 % · 4 min left$/);
    expect(renderProgress(state, 30)).toMatch(/^█+░+ 1,234\/4,321 nodes$/);
    expect(renderProgress(state, 20)).toBe('1,234/4,321 nodes');
  });

  test('shows no bar and no percentage without a total', () => {
    const unknown = { ...state, total: null, perSecond: null, leftMs: null };
    expect(renderProgress(unknown, 100)).toBe('container_nodes cn-south-4');
    expect(renderProgress({ ...state, done: 0, total: 0 }, 100)).not.toContain('%');
  });

  test('is always one line, shorter than the terminal', () => {
    const states = fc.record({
      label: fc.string({ maxLength: 60 }).map((text) => text.replaceAll(/\s/g, ' ')),
      unit: fc.constantFrom('nodes' as const, 'manifests' as const, 'parts' as const),
      done: fc.nat(),
      total: fc.option(fc.nat()),
      perSecond: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })),
      leftMs: fc.option(fc.nat()),
      wait: fc.option(
        fc.record({
          leftMs: fc.nat(),
          text: fc.constant('waiting 12 s for the quota'),
          short: fc.constant('waiting 12 s'),
        }),
      ),
      note: fc.constantFrom('', 'sealing'),
    });
    fc.assert(
      fc.property(states, fc.integer({ min: 2, max: 300 }), (any, columns) => {
        const line = renderProgress(any, columns);
        expect(line.length).toBeLessThan(columns);
        expect(line).not.toContain('\n');
      }),
    );
  });
});

const target = { table: 'container_nodes', region: 'cn-south-4', projectId: 'p' };
const page = (rows: number, total: number, pass = 1) =>
  ({
    kind: 'page',
    account: 'prod',
    target,
    run: 'r',
    snapshot: '20261124T060000Z',
    rows,
    total,
    pass,
  }) as const;

describe('time left', () => {
  test('follows the quota, not the burst that fits into one window', () => {
    const tracker = createTracker({ requests: 5, windowMs: 60_000 }, 200);
    // Five pages in the first second, 40 pages left: eight groups of five, each after one window.
    for (let index = 1; index <= 5; index += 1) {
      tracker.observe(page(199 * index, 199 * 45 - 1), index * 200);
    }
    const left = tracker.stateAt(1_000)?.leftMs ?? 0;
    expect(left).toBeGreaterThan(7 * 60_000);
    expect(left).toBeLessThanOrEqual(8 * 60_000);
  });

  test('does not count a window for requests that the current window still allows', () => {
    const tracker = createTracker({ requests: 5, windowMs: 60_000 }, 200);
    tracker.observe(page(200, 600), 0);
    tracker.observe(page(399, 600), 1_000);
    expect(tracker.stateAt(1_000)?.leftMs).toBeLessThan(2_000);
  });

  test('includes the current wait', () => {
    const tracker = createTracker({ requests: 1, windowMs: 60_000 }, 200);
    tracker.observe(page(200, 398), 0);
    tracker.observe({ kind: 'wait', delayMs: 60_050, reason: 'quota' }, 0);
    const at = tracker.stateAt(10_000);
    expect(at?.wait).toEqual({
      leftMs: 50_050,
      text: 'waiting 51 s for the quota',
      short: 'waiting 51 s',
    });
    expect(at?.leftMs).toBe(50_050);
    expect(tracker.stateAt(61_000)?.wait).toBeNull();
  });

  test('names the cause of a retry, also before the first page', () => {
    const tracker = createTracker({ requests: 5, windowMs: 60_000 }, 200);
    const retry = { kind: 'retry', nextTry: 4, triesMax: 10, cause: 'connection refused' } as const;
    tracker.observe({ ...retry, delayMs: 8_000 }, 0);
    const shown = (columns: number) => {
      const at = tracker.stateAt(10);
      return at && renderProgress(at, columns);
    };
    expect(shown(100)).toBe('retry 4 of 10 in 8 s: connection refused');
    expect(shown(30)).toBe('retry 4 of 10 in 8 s');
    expect(tracker.stateAt(8_001)).toBeNull();
  });

  test('follows the measured rate if the quota allows all that is left at once', () => {
    const tracker = createTracker({ requests: 1_000, windowMs: 1_000 }, 200);
    // 2 pages per second, and 160 s left: the quota would allow these 320 requests within a second.
    for (let index = 1; index <= 20; index += 1) {
      tracker.observe(page(200 * index, 200 * 340), index * 500);
    }
    const left = tracker.stateAt(10_000)?.leftMs ?? 0;
    expect(left).toBeGreaterThan(150_000);
    expect(left).toBeLessThan(170_000);
  });

  test('follows the rate of a slow endpoint', () => {
    const tracker = createTracker({ requests: 100, windowMs: 1_000 }, 200);
    tracker.observe(page(200, 40_000), 0);
    tracker.observe(page(399, 40_000), 10_000);
    expect(tracker.stateAt(10_000)?.leftMs).toBeGreaterThan(1_000_000);
  });
});

describe('the state', () => {
  test('is null before the first event', () => {
    const tracker = createTracker({ requests: 5, windowMs: 60_000 }, 200);
    expect(tracker.stateAt(0)).toBeNull();
  });

  test('does not count stored rows of a resumed run in the rate', () => {
    const tracker = createTracker({ requests: 5, windowMs: 60_000 }, 200);
    tracker.observe(page(10_000, 20_000), 0);
    expect(tracker.stateAt(1_000)?.perSecond).toBeNull();
    tracker.observe(page(10_199, 20_000), 1_000);
    expect(tracker.stateAt(1_000)?.perSecond).toBe(199);
  });

  test('names a further pass and measures its rate anew', () => {
    const tracker = createTracker({ requests: 5, windowMs: 60_000 }, 200);
    tracker.observe(page(600, 600), 0);
    tracker.observe(page(200, 600, 2), 1_000);
    const at = tracker.stateAt(2_000);
    expect(at?.note).toBe('reading the list again (pass 2)');
    expect(at?.perSecond).toBeNull();
  });

  test('shows sealing, then the verdict', () => {
    const tracker = createTracker({ requests: 5, windowMs: 60_000 }, 200);
    const snapshot = '20261124T060000Z';
    tracker.observe({ kind: 'seal', account: 'prod', target, run: 'r', snapshot }, 0);
    expect(tracker.stateAt(0)?.note).toBe('sealing');
    tracker.observe(
      { kind: 'sealed', account: 'prod', target, run: 'r', snapshot, rows: 7, verdict: 'complete' },
      0,
    );
    expect(tracker.stateAt(0)).toMatchObject({ done: 7, total: 7, note: 'complete' });
  });
});
