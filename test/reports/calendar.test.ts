// Tests which days a period has, and at which days missed slots count.

import { describe, expect, test } from 'vitest';
import { headKey, manifestKey, partKey, signatureKey } from '../../lib/core/object-keys.ts';
import {
  listDates,
  listMissedSlots,
  markFaultyDays,
  openDayTotals,
} from '../../lib/reports/calendar.ts';
import type { DayOfTarget, TargetFigures } from '../../lib/reports/figures.ts';

const at = (text: string) => Date.parse(text);

test('a period has every day that it touches, in UTC', () => {
  const dates = (since: string, until: string) =>
    listDates({ sinceMs: at(since), untilMs: at(until) });
  expect(dates('2026-10-31T23:59:59Z', '2026-11-02T00:00:00Z')).toEqual([
    ...['2026-10-31', '2026-11-01', '2026-11-02'],
  ]);
  expect(dates('2026-11-01T00:00:00Z', '2026-11-01T23:59:59Z')).toEqual(['2026-11-01']);
});

test('the slots of a gap are as far apart as its ends say', () => {
  const gaps = [
    { from: '20261101T180000Z', to: '20261102T060000Z', slots: 3 },
    { from: '20261104T000000Z', to: '20261104T000000Z', slots: 1 },
  ];
  expect(listMissedSlots({ gaps }).map((slotMs) => new Date(slotMs).toISOString())).toEqual([
    ...['2026-11-01T18:00:00.000Z', '2026-11-02T00:00:00.000Z', '2026-11-02T06:00:00.000Z'],
    '2026-11-04T00:00:00.000Z',
  ]);
});

test('on a day without a complete snapshot, a target counts with its newest earlier one, and before its first one it does not count', () => {
  const dates = ['2026-11-01', '2026-11-02', '2026-11-03'];
  const totals = openDayTotals(dates);
  const toDays = (nodes: readonly (number | null)[]) =>
    nodes.map((count, day): DayOfTarget => {
      const counts = count === null ? null : { nodes: count, unprotected: 1, offline: 0 };
      const rest = { state: 'none', complete: 0, drifted: 0, missed: 0 } as const;
      return { date: dates[day] ?? '', ...rest, counts };
    });
  totals.add(toDays([null, 5, null]), []);
  totals.add(toDays([7, null, 0]), []);
  totals.add(toDays([null, null, null]), []);
  const found = totals
    .list()
    .map((one) => [one.nodes, one.unprotected, one.current, one.carried, one.unknown]);
  expect(found).toEqual([
    [7, 1, 1, 0, 2],
    [12, 2, 1, 1, 1],
    [5, 2, 1, 1, 1],
  ]);
});

describe('a day is faulty', () => {
  const target = { table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' };
  const day = { complete: 1, drifted: 0, missed: 0, counts: null };
  const days: DayOfTarget[] = [
    { ...day, date: '2026-11-01', state: 'complete' },
    { ...day, date: '2026-11-02', state: 'pruned' },
  ];
  const statesWith = (key: string) =>
    markFaultyDays([{ ...target, days } as TargetFigures], [key])[0]?.days.map(
      ({ state }) => state,
    );

  test.each([
    manifestKey(target, '20261101T060000Z'),
    signatureKey(target, '20261101T060000Z'),
    partKey(target, { role: 'rows', format: 'parquet' }, '20261101T060000Z', 'a'.repeat(64)),
  ])('if %s is', (key) => {
    expect(statesWith(key)).toEqual(['faulty', 'pruned']);
  });

  test('but not because of another target, or of a pointer', () => {
    const other = manifestKey({ ...target, projectId: 'p2' }, '20261101T060000Z');
    expect(statesWith(other)).toEqual(['complete', 'pruned']);
    expect(statesWith(headKey(target))).toEqual(['complete', 'pruned']);
  });
});
