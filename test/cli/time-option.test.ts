// Tests points in time on the command line.

import { expect, test } from 'vitest';
import { readFirstMoment, readLastMoment } from '../../lib/cli/time-option.ts';
import { timeHint } from '../../lib/core/time-text.ts';
import { call, createFolder } from './test-runtime.ts';

const nowMs = Date.UTC(2026, 10, 26, 12);
const read = (text: string) => new Date(readLastMoment('A', text, nowMs)).toISOString();

test.each([
  ['2026-11-24', '2026-11-24T23:59:59.000Z'],
  ['2024-02-29', '2024-02-29T23:59:59.000Z'],
  ['2026-11-24T06:00:00Z', '2026-11-24T06:00:00.000Z'],
  ['2026-11-24T06:00Z', '2026-11-24T06:00:00.000Z'],
  ['2026-11-24T06:00:00.250Z', '2026-11-24T06:00:00.250Z'],
  ['2026-11-24T01:00:00+08:00', '2026-11-23T17:00:00.000Z'],
  ['2026-11-24T08:00+08:00', '2026-11-24T00:00:00.000Z'],
  ['2026-11-23T19:00:00-05:00', '2026-11-24T00:00:00.000Z'],
  ['30d', '2026-10-27T12:00:00.000Z'],
  ['12h', '2026-11-26T00:00:00.000Z'],
  ['90m', '2026-11-26T10:30:00.000Z'],
  ['0s', '2026-11-26T12:00:00.000Z'],
])('%s means %s', (text, expected) => {
  expect(read(text)).toBe(expected);
});

test.each([
  '',
  'yesterday',
  '2026-02-30',
  '2026-13-01',
  '2026-11-24T06:00:00',
  '2026-11-24 08:00',
  '2026-11-24 08:00+08:00',
  '-1d',
  '1w',
  '1.5h',
  '30 d',
])('refuses "%s"', (text) => {
  expect(() => read(text)).toThrow(`A: "${text}" is not a point in time`);
});

test('the hint shows a time with an offset that is accepted, and refuses a time without one', () => {
  const run = () => read('2026-11-24 08:00');
  const hint = expect.stringMatching(/A time without Z or an offset is refused\.$/);
  expect(run).toThrow(expect.objectContaining({ hint }));
  expect(timeHint).toContain('(2026-11-24T08:00:00+08:00)');
  for (const [, example = ''] of timeHint.matchAll(/\((.*?)\)/g)) {
    expect(() => read(example), example).not.toThrow();
  }
});

test.each(['nodes', 'diff', 'history', 'report', 'verify'])(
  'the help of %s shows a time with an offset',
  async (command) => {
    const { runtime } = await call([command, '--help'], { cwd: createFolder() });
    expect(runtime.out().replace(/\s+/g, ' ')).toContain('2026-11-24T08:00:00+08:00');
  },
);

test('a date means its first second where a period begins', () => {
  const first = (text: string) => new Date(readFirstMoment('A', text, nowMs)).toISOString();
  expect(first('2026-11-24')).toBe('2026-11-24T00:00:00.000Z');
  expect(first('2026-11-24T06:00:00Z')).toBe('2026-11-24T06:00:00.000Z');
  expect(() => first('soon')).toThrow('A: "soon" is not a point in time');
});
