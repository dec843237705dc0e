// Tests the drawing of figures by day.

import { expect, test } from 'vitest';
import type { TotalOfDay } from '../../../lib/reports/figures.ts';
import { html } from '../../../lib/reports/page/markup.ts';
import { drawTrend, type Series } from '../../../lib/reports/page/trend-chart.ts';

const series: readonly Series[] = [{ name: 'nodes', title: 'nodes' }];

function day(index: number, nodes: number, isKnown = true): TotalOfDay {
  return {
    date: `2026-11-${String(index + 1).padStart(2, '0')}`,
    nodes,
    unprotected: 0,
    offline: 0,
    current: isKnown ? 1 : 0,
    carried: 0,
    unknown: isKnown ? 0 : 1,
    added: 0,
    removed: 0,
    changed: 0,
  };
}

const draw = (days: readonly TotalOfDay[]) =>
  drawTrend(days, series, 'wide', html`aria-label="x"`).html;
const pathOf = (drawing: string) => /class="line nodes" d="([^"]*)"/.exec(drawing)?.[1] ?? '';

test('a line has one point for each day', () => {
  const path = pathOf(draw([day(0, 0), day(1, 4), day(2, 2)]));
  expect(path).toBe('M56,176L486,12L916,94');
});

test('a line stops where no target is known, and that day is grey', () => {
  const drawing = draw([day(0, 1), day(1, 0, false), day(2, 1), day(3, 2)]);
  expect(pathOf(drawing).match(/M/g)).toHaveLength(2);
  expect(drawing.match(/class="carried"/g)).toHaveLength(1);
});

test('a day that has no known day beside it is a dot, because a line of one point is not seen', () => {
  const dots = (days: readonly TotalOfDay[]) => draw(days).match(/<circle/g)?.length ?? 0;
  expect(dots([day(0, 7)])).toBe(1);
  expect(dots([day(0, 7), day(1, 0, false), day(2, 7), day(3, 8)])).toBe(1);
  expect(dots([day(0, 7), day(1, 8)])).toBe(0);
});

test.each([
  ['one day', [day(0, 7)]],
  ['no nodes', [day(0, 0), day(1, 0)]],
  ['close values', [day(0, 1_000_000), day(1, 1_000_001)]],
  ['far values', [day(0, 0), day(1, 2_000_200)]],
])('%s: all numbers are finite and inside', (_what, days) => {
  const drawing = draw(days);
  expect(drawing).not.toMatch(/NaN|Infinity|undefined/);
  const heights = [...drawing.matchAll(/ y[12]?="(-?[\d.]+)"/g)].map(([, y]) => Number(y));
  expect(Math.min(...heights)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...heights)).toBeLessThanOrEqual(200);
});
