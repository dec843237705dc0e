// Owns the proof of the comparison by itself: what counts as a difference, and what a mark of secrets tells.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import {
  asyncBody,
  compareConfig,
  compareTimers,
  takeSecrets,
  userDataOf,
} from '../../lib/deploy/configuration-diff.ts';
import type { DeployedTrigger } from '../../lib/deploy/function-graph.ts';
import type { Timer } from '../../lib/deploy/settings.ts';
import { deployed, settingsOf } from '../support/deploy-api.ts';

const urn = deployed.func_urn;

describe('configuration', () => {
  test.each([undefined, null, '', '{}'])('no variables may be told as %j', (user_data) => {
    const current = { ...deployed, ...(user_data === undefined ? {} : { user_data }) };
    expect(compareConfig(urn, current, settingsOf(), {})).toEqual([]);
  });

  test('the order of variables is no difference, what does not parse is one', () => {
    const settings = settingsOf({ environment: { A: '1', B: '2' } });
    const same = { ...deployed, user_data: '{"B":"2","A":"1"}' };
    expect(compareConfig(urn, same, settings, {})).toEqual([]);
    expect(compareConfig(urn, { ...deployed, user_data: '<' }, settings, {})).toEqual([
      'environment',
    ]);
  });

  test("a log group of the service's own making is no difference", () => {
    const current = { ...deployed, log_group_id: 'theirs', log_stream_id: 'theirs' };
    expect(compareConfig(urn, current, settingsOf(), {})).toEqual([]);
  });
});

describe('secrets', () => {
  test('all that are missing are said at once', () => {
    const settings = settingsOf({ secrets: ['A_SK', 'B_SK', 'C_SK'] });
    expect(() => takeSecrets(settings, { B_SK: 'b', C_SK: '' })).toThrow(ConfigError);
    expect(() => takeSecrets(settings, { B_SK: 'b' })).toThrow(
      /A_SK is not set[\s\S]*C_SK is not set/,
    );
  });

  test('they count against the limit', () => {
    const settings = settingsOf({ secrets: ['A_SK'], environment: { B: 'b'.repeat(4_000) } });
    expect(() => takeSecrets(settings, { A_SK: 'a'.repeat(100) })).toThrow('at most 4096');
  });

  test('the mark tells whether they are the same, and nothing else', () => {
    const mark = (of: string, secrets: Record<string, string>) =>
      (userDataOf(of, settingsOf(), secrets) as Record<string, string>).DEPLOYED_SECRETS;
    expect(mark(urn, { A: '1', B: '2' })).toBe(mark(urn, { B: '2', A: '1' }));
    expect(mark(urn, { A: '1' })).not.toBe(mark(urn, { A: '2' }));
    expect(mark(urn, { A: '1' })).not.toBe(mark(`${urn}2`, { A: '1' }));
    expect(mark(urn, { A: '1', B: '' })).not.toBe(mark(urn, { A: '', B: '1' }));
    expect(mark(urn, {})).toBeUndefined();
  });
});

describe('failures: 0 retries, told to nobody', () => {
  test('what others told to do on success stays', () => {
    const current = {
      max_async_event_age_in_seconds: 3_600,
      max_async_retry_attempts: 3,
      destination_config: { on_success: { destination: 'OBS', param: '{}' } },
    };
    expect(asyncBody(current, settingsOf())).toEqual({
      max_async_event_age_in_seconds: 3_600,
      max_async_retry_attempts: 0,
      destination_config: { on_success: { destination: 'OBS', param: '{}' } },
    });
    expect(asyncBody({ ...current, max_async_retry_attempts: 0 }, settingsOf())).toBeNull();
  });
});

test('whatever stands, the changes lead to what is wanted, and then there are none', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const timer: fc.Arbitrary<Timer> = fc.record({
    name,
    status: fc.constantFrom('ACTIVE', 'DISABLED'),
    scheduleType: fc.constant('Rate'),
    schedule: fc.constantFrom('1m', '2m'),
    userEvent: fc.constantFrom('', 'x'),
  });
  const timers = fc.uniqueArray(timer, { selector: (one) => one.name });
  const toTrigger = (one: Timer): DeployedTrigger => ({
    trigger_id: `id of ${one.name}`,
    trigger_type_code: 'TIMER',
    trigger_status: one.status,
    event_data: {
      name: one.name,
      schedule_type: one.scheduleType,
      schedule: one.schedule,
      user_event: one.userEvent,
    },
  });
  fc.assert(
    fc.property(timers, timers, (before, wanted) => {
      const standing = new Map(before.map((one) => [one.name, toTrigger(one)]));
      for (const change of compareTimers([...standing.values()], wanted)) {
        if (change.kind === 'remove') standing.delete(change.trigger.event_data.name ?? '');
        else if (change.kind === 'status') {
          const trigger = standing.get(change.timer.name);
          if (trigger) trigger.trigger_status = change.timer.status;
        } else standing.set(change.timer.name, toTrigger(change.timer));
      }
      const sort = (all: Iterable<DeployedTrigger>) =>
        [...all].sort((a, b) => (a.trigger_id < b.trigger_id ? -1 : 1));
      expect(sort(standing.values())).toEqual(sort(wanted.map(toTrigger)));
      expect(compareTimers([...standing.values()], wanted)).toEqual([]);
    }),
  );
});
