// Tests which differences between wanted and deployed configuration count, and the mark of the secrets.

import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import {
  asyncBody,
  compareConfig,
  markSecrets,
  takeSecrets,
} from '../../lib/deploy/configuration-diff.ts';
import { deployed, settingsOf } from '../support/deploy-api.ts';

const urn = deployed.func_urn;

describe('configuration', () => {
  test.each([undefined, null, '', '{}'])('reads user_data %j as no variables', (user_data) => {
    const current = { ...deployed, ...(user_data === undefined ? {} : { user_data }) };
    expect(compareConfig(urn, current, settingsOf(), {})).toEqual([]);
  });

  test('ignores the order of variables, and finds a difference in a text that does not parse', () => {
    const settings = settingsOf({ environment: { A: '1', B: '2' } });
    const same = { ...deployed, user_data: '{"B":"2","A":"1"}' };
    expect(compareConfig(urn, same, settings, {})).toEqual([]);
    expect(compareConfig(urn, { ...deployed, user_data: '<' }, settings, {})).toEqual([
      'environment',
    ]);
  });

  test('ignores a log group that FunctionGraph created', () => {
    const current = { ...deployed, log_group_id: 'created', log_stream_id: 'created' };
    expect(compareConfig(urn, current, settingsOf(), {})).toEqual([]);
  });
});

describe('secrets', () => {
  test('reports all missing secrets at once', () => {
    const settings = settingsOf({ secrets: ['A_SK', 'B_SK', 'C_SK'] });
    expect(() => takeSecrets(settings, { B_SK: 'b', C_SK: '' })).toThrow(ConfigError);
    expect(() => takeSecrets(settings, { B_SK: 'b' })).toThrow(
      /A_SK is not set[\s\S]*C_SK is not set/,
    );
  });

  test('counts secrets against the size limit of the environment', () => {
    const settings = settingsOf({ secrets: ['A_SK'], environment: { B: 'b'.repeat(4_000) } });
    expect(() => takeSecrets(settings, { A_SK: 'a'.repeat(100) })).toThrow('the limit is 4096');
  });

  test('accepts an environment of exactly the maximum size', () => {
    const take = (length: number) =>
      takeSecrets(settingsOf({ environment: { A: 'x'.repeat(length) } }), {});
    // 4,088 characters and {"A":""}, with {} for no secrets: 4,098; so 4,086 is the most.
    expect(take(4_086)).toEqual({});
    expect(() => take(4_087)).toThrow('have 4097 characters, the limit is 4096');
  });

  test('gives a mark that depends on names, values and function, and not on the order', () => {
    expect(markSecrets(urn, { A: '1', B: '2' })).toBe(markSecrets(urn, { B: '2', A: '1' }));
    expect(markSecrets(urn, { A: '1' })).not.toBe(markSecrets(urn, { A: '2' }));
    expect(markSecrets(urn, { A: '1' })).not.toBe(markSecrets(`${urn}2`, { A: '1' }));
    expect(markSecrets(urn, { A: '1', B: '' })).not.toBe(markSecrets(urn, { A: '', B: '1' }));
    expect(markSecrets(urn, {})).toBe('');
  });
});

describe('failure handling', () => {
  test('keeps a destination for successes that was set elsewhere', () => {
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
