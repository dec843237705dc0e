// Tests which schedules are accepted, and compares with the separately written rules of the FunctionGraph double.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkSchedule } from '../../lib/deploy/timer-events.ts';
import { countCases } from '../support/cases.ts';
import { checkTrigger } from '../support/function-graph-rules.ts';

const accepts = (scheduleType: 'Rate' | 'Cron', schedule: string) =>
  checkSchedule(scheduleType, schedule) === null;

const doubleAccepts = (schedule_type: string, schedule: string) =>
  checkTrigger(
    { trigger_type_code: 'TIMER', event_data: { name: 'a', schedule_type, schedule } },
    [],
  ) === null;

describe('rates', () => {
  test.each(['1m', '60m', '24h', '30d'])('accepts %s', (text) => {
    expect(accepts('Rate', text)).toBe(true);
  });

  test.each(['0m', '61m', '25h', '31d', '1s', 'm', '1', '01m', '1.5h', ' 1m', '1m '])(
    'rejects "%s"',
    (text) => {
      expect(accepts('Rate', text)).toBe(false);
      expect(checkSchedule('Rate', text)).toContain('1m to 60m');
    },
  );
});

describe('cron expressions', () => {
  test.each([
    '0 15 2 * * ?',
    '0 */5 * * * ?',
    '0 0/10 8-18 ? * MON-FRI',
    '0 0 0 1,15 Jan,Jul *',
    'CRON_TZ=Asia/Shanghai 0 30 6 * * ?',
    '0 0 0 29 2 ?',
    '0 0 0 31 */2 ?',
    '0 0 0 20/11 1 ?',
    '0 0 0 31 2 MON',
    '0 00 03 01 01 ?',
    '@every 90s',
    '@every 1h30m',
    '@every 1.5h',
  ])('accepts %s', (text) => {
    expect(checkSchedule('Cron', text)).toBeNull();
  });

  test.each([
    ['* * * *', '4 fields'],
    ['0 0 0 0 * *', '"0" is not valid for day of month'],
    ['60 * * * * *', '"60" is not valid for seconds'],
    ['0 0 24 * * *', '"24" is not valid for hours'],
    ['0 0 0 * 13 *', '"13" is not valid for month'],
    ['0 0 0 * * 7', '"7" is not valid for day of week'],
    ['0 ? * * * *', '"?" is not valid for minutes'],
    ['0 5-1 * * * *', '"5-1" is not valid for minutes'],
    ['0 */0 * * * *', '"*/0" is not valid for minutes'],
    ['0  0 * * * *', '7 fields'],
    ['@every', '1 fields'],
    ['@every x', 'not a valid duration'],
    ['@every 0s', 'not a valid duration'],
    ['@every 1ns', 'not a valid duration'],
    ['*/5 * * * *', '5 fields, not 6'],
    ['0 0 0 ? 2 8', '"8" is not valid for day of week'],
    ['CRON_TZ=Mars/Olympus 0 30 6 * * ?', 'not a time zone'],
  ])('rejects %s and names the wrong part', (text, part) => {
    expect(checkSchedule('Cron', text)).toContain(part);
  });
});

test('agrees with the rules of the double for random schedules', () => {
  const part = fc.oneof(
    fc.constantFrom(
      '*',
      '?',
      '*/5',
      '1-5',
      '0',
      '59',
      '60',
      '7',
      '31',
      '32',
      '1,2',
      'mon',
      'JAN',
      '',
    ),
    fc.integer({ min: 0, max: 70 }).map(String),
  );
  const cron = fc.array(part, { minLength: 4, maxLength: 7 }).map((parts) => parts.join(' '));
  const rate = fc
    .tuple(fc.integer({ min: 0, max: 70 }), fc.constantFrom('m', 'h', 'd', 's', ''))
    .map(([count, unit]) => `${count}${unit}`);
  fc.assert(
    fc.property(cron, rate, (cronText, rateText) => {
      // FunctionGraph accepts five fields with seconds first, but the author means minutes: only the double accepts them.
      const isWhole = cronText.split(' ').length === 6;
      expect([cronText, accepts('Cron', cronText)]).toEqual([
        cronText,
        isWhole && doubleAccepts('Cron', cronText),
      ]);
      expect([rateText, accepts('Rate', rateText)]).toEqual([
        rateText,
        doubleAccepts('Rate', rateText),
      ]);
    }),
    { numRuns: countCases(2_000) },
  );
});
