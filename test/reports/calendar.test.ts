// Tests which days a period has, and at which days missed slots count.

import { expect, test } from 'vitest';
import { listDates, listMissedSlots } from '../../lib/reports/calendar.ts';

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
