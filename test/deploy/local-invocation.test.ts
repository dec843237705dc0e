// Tests the event and the context of a local invocation.

import { expect, test } from 'vitest';
import { createLocalContext, createTimerEvent } from '../../lib/deploy/local-invocation.ts';
import { readAgencyKey } from '../../lib/platform/function-context.ts';
import { settingsOf, timerOf } from '../support/deploy-api.ts';

test('uses the event of the first timer', () => {
  const timer = timerOf('every-minute');
  const events = [{ ...timer, eventData: { ...timer.eventData, userEvent: 'x' } }, timerOf('b')];
  expect(createTimerEvent(settingsOf({ events }), 0)).toEqual({
    version: 'v2.0',
    time: '1970-01-01T00:00:00.000Z',
    trigger_type: 'TIMER',
    trigger_name: 'every-minute',
    user_event: 'x',
  });
  expect(createTimerEvent(settingsOf(), 0)).toMatchObject({
    trigger_name: 'local',
    user_event: '',
  });
});

test('counts the time down and returns only the variables of the function', () => {
  let nowMs = 1_000;
  const settings = settingsOf({ timeout: 30, environment: { A: 'a' }, secrets: ['B_SK'] });
  const variables = { A: 'not used', B_SK: 'b', C: 'c', HUAWEICLOUD_SDK_AK: 'ak' };
  const context = createLocalContext(settings, variables, () => nowMs);
  expect(context.getRemainingTimeInMilliSeconds?.()).toBe(30_000);
  nowMs += 29_000;
  expect(context.getRemainingTimeInMilliSeconds?.()).toBe(1_000);
  nowMs += 29_000;
  expect(context.getRemainingTimeInMilliSeconds?.()).toBe(0);
  const all = ['A', 'B_SK', 'C'].map((name) => context.getUserData?.(name));
  expect(all).toEqual(['a', 'b', undefined]);
  expect(context.getSecurityAccessKey?.()).toBe('ak');
  expect(context.getSecurityToken?.()).toBe('');
  expect(context.getMemorySize?.()).toBe(256);
});

test('uses the key of the shell instead of an agency, also a permanent key', () => {
  const variables = { HUAWEICLOUD_SDK_AK: 'ak', HUAWEICLOUD_SDK_SK: 'sk' };
  const permanent = createLocalContext(settingsOf(), variables, () => 0);
  expect(readAgencyKey(permanent)).toEqual({ kind: 'aksk', ak: 'ak', sk: 'sk' });
  const temporary = { ...variables, HUAWEICLOUD_SDK_SECURITY_TOKEN: 'token' };
  expect(readAgencyKey(createLocalContext(settingsOf(), temporary, () => 0))).toMatchObject({
    securityToken: 'token',
  });
});
