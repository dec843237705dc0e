// Tests which texts are points in time.

import { expect, test } from 'vitest';
import { parseTime } from '../../lib/core/time-text.ts';

const nowMs = Date.UTC(2026, 10, 24, 12);

test.each([
  ['2026-11-01', '2026-11-01T00:00:00.000Z'],
  ['2028-02-29', '2028-02-29T00:00:00.000Z'],
  ['2026-11-01T06:30Z', '2026-11-01T06:30:00.000Z'],
  ['2026-11-01T06:30:15.5Z', '2026-11-01T06:30:15.500Z'],
  ['2026-11-01T06:30:00+08:00', '2026-10-31T22:30:00.000Z'],
  ['30d', '2026-10-25T12:00:00.000Z'],
  ['90m', '2026-11-24T10:30:00.000Z'],
  ['0s', '2026-11-24T12:00:00.000Z'],
])('%s is %s', (text, time) => {
  expect(new Date(parseTime(text, nowMs) ?? Number.NaN).toISOString()).toBe(time);
});

test.each([
  ['2026-11-01', '2026-11-01T23:59:59.000Z'],
  ['2026-11-01T06:30Z', '2026-11-01T06:30:00.000Z'],
  ['30d', '2026-10-25T12:00:00.000Z'],
])('%s is %s, if a date means its last second', (text, time) => {
  expect(new Date(parseTime(text, nowMs, 'last') ?? Number.NaN).toISOString()).toBe(time);
});

test('no age leads to a time that Date cannot hold', () => {
  expect(new Date(parseTime('999999d', nowMs) ?? Number.NaN).getTime()).not.toBeNaN();
  expect(parseTime('999999999d', nowMs)).toBeNull();
});

test.each([
  ...['', ' ', '30', 'd', '-1d', '1.5d', '30D', '2026-13-01', '2026-02-30', '2027-02-29'],
  ...['2026-11-1', '2026-11-01T06:30', '2026-11-01T25:00Z', '2026-11-01 06:30Z', 'yesterday'],
])('%j is not valid', (text) => {
  expect(parseTime(text, nowMs)).toBeNull();
});
