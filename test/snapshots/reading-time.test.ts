// Tests what is said about rows that were read later than the name of their snapshot says.

import { expect, test } from 'vitest';
import { describeReading, isReadAfter } from '../../lib/snapshots/reading-time.ts';

const manifest = {
  snapshot: '20261124T060000Z',
  startedAt: '2026-11-24T06:00:59.999Z',
  sealedAt: '2026-11-24T06:09:40.250Z',
};

test('from a minute on, rows count as read after a time', () => {
  expect(isReadAfter(manifest)).toBe(false);
  expect(isReadAfter({ ...manifest, startedAt: '2026-11-24T06:01:00Z' })).toBe(true);
  expect(isReadAfter(manifest, Date.UTC(2026, 10, 24, 5, 59, 59))).toBe(true);
  expect(isReadAfter(manifest, Date.UTC(2026, 10, 24, 7))).toBe(false);
});

test('names the seconds of the start and of the seal', () => {
  expect(describeReading(manifest)).toBe('from 2026-11-24T06:00:59Z to 2026-11-24T06:09:40Z');
});
