// Tests the settings from serverless.yml: defaults, provider and function values, and all faults at once.

import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import { readSettings } from '../../lib/deploy/settings.ts';
import type { FunctionSection, ProviderSection } from '../../lib/deploy/settings-schema.ts';

const timer = (name: string, schedule = '1m', scheduleType: 'Rate' | 'Cron' = 'Rate') => ({
  triggerTypeCode: 'TIMER' as const,
  eventData: { name, scheduleType, schedule },
});

function read(section: FunctionSection, provider: ProviderSection = {}) {
  const [settings] = readSettings(provider, { collect: section });
  if (!settings) throw new Error('no settings');
  return settings;
}

function faultsOf(section: FunctionSection, provider: ProviderSection = {}): string[] {
  try {
    read(section, provider);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.issues.map(({ path, message }) => `${path} ${message}`);
    throw error;
  }
  return [];
}

test('uses defaults that suit a timer', () => {
  expect(read({ events: [timer('every-minute')] })).toEqual({
    key: 'collect',
    name: 'collect',
    app: 'default',
    runtime: 'Node.js20.15',
    handler: 'index.handler',
    description: '',
    memorySize: 256,
    timeout: 60,
    agencyName: '',
    appXrole: '',
    environment: {},
    secrets: [],
    vpcId: undefined,
    subnetId: undefined,
    ltsGroupId: undefined,
    ltsGroupName: '',
    ltsStreamId: undefined,
    ltsStreamName: '',
    enterpriseProjectId: undefined,
    maxInstances: 1,
    asyncRetries: 0,
    onFailure: null,
    timers: [
      {
        name: 'every-minute',
        status: 'ACTIVE',
        scheduleType: 'Rate',
        schedule: '1m',
      },
    ],
  });
});

test('the function wins over the provider; variables are merged and become text', () => {
  const provider = { memorySize: 128, environment: { A: 1, B: 'b' }, secrets: ['X'], timeout: 9 };
  const settings = read(
    { memorySize: 512, environment: { A: true }, secrets: ['Y', 'X'] },
    provider,
  );
  expect(settings).toMatchObject({
    memorySize: 512,
    timeout: 9,
    environment: { A: 'true', B: 'b' },
    secrets: ['X', 'Y'],
  });
});

test.each([
  [{ destination: 'SMN', topicUrn: 'urn:smn:a' }, '{"topic_urn":"urn:smn:a"}'],
  [{ destination: 'OBS', bucket: 'b' }, '{"bucket":"b","prefix":"/","expires":0}'],
  [{ destination: 'FunctionGraph', funcUrn: 'urn:fss:a' }, '{"func_urn":"urn:fss:a"}'],
] as const)('converts a failure destination to the form of the API: %j', (onFailure, param) => {
  expect(read({ onFailure }).onFailure).toEqual({ destination: onFailure.destination, param });
});

describe('rules that a schema cannot express', () => {
  test.each<[string, FunctionSection, string]>([
    ['a name', { name: '9lives' }, 'functions.collect.name "9lives" is not a valid function name'],
    ['half a VPC', { vpcId: 'v', agencyName: 'a' }, 'functions.collect.vpcId needs subnetId'],
    [
      'a VPC without agency',
      { vpcId: 'v', subnetId: 's' },
      'functions.collect.agencyName is missing',
    ],
    ['half a log', { ltsGroupId: 'g' }, 'functions.collect.ltsGroupId needs ltsStreamId'],
    [
      'a secret in environment',
      { environment: { PROD_SK: 'x' } },
      'environment.PROD_SK looks like a secret',
    ],
    [
      'a secret in both sections',
      { environment: { A: 'x' }, secrets: ['A'] },
      'environment.A looks like a secret',
    ],
    ['no topic', { onFailure: { destination: 'SMN' } }, 'onFailure.topicUrn is missing'],
    [
      'a key of another destination',
      { onFailure: { destination: 'SMN', topicUrn: 'urn:smn:a', bucket: 'b' } },
      'functions.collect.onFailure.bucket is not a key of SMN',
    ],
    [
      'the mark of secrets',
      { environment: { DEPLOYED_SECRETS: 'x' } },
      'functions.collect.environment DEPLOYED_SECRETS is a name that deploy uses itself',
    ],
    [
      'the mark of secrets as a secret',
      { secrets: ['DEPLOYED_SECRETS'] },
      'functions.collect.secrets DEPLOYED_SECRETS is a name that deploy uses itself',
    ],
    [
      'a schedule in brackets',
      {
        events: [{ ...timer('a'), eventData: { ...timer('a').eventData, schedule: ['1m'] } }],
      },
      'events.0.eventData.schedule ["1m"] is not a text',
    ],
    [
      'a bad rate',
      { events: [timer('a', '1s')] },
      'events.0.eventData.schedule "1s" is not a valid rate',
    ],
    [
      'a repeated name',
      { events: [timer('a'), timer('a')] },
      'events.1.eventData.name "a" is the name of two',
    ],
    [
      'a name without its ids',
      { ltsStreamName: 's' },
      'functions.collect.ltsStreamName needs ltsGroupId and ltsStreamId',
    ],
    ['a size', { memorySize: 300 }, 'functions.collect.memorySize 300 MB is not a size'],
    [
      'another secret',
      { environment: { API_KEY: 'x' } },
      'environment.API_KEY looks like a secret',
    ],
    [
      'a misspelt event',
      { events: [{ triggerTypCode: 'TIMER', eventData: timer('a').eventData }] },
      'functions.collect.events.0.triggerTypCode is not a key of an event',
    ],
    [
      'a misspelt part of one',
      {
        events: [{ triggerTypeCode: 'TIMER', eventData: { ...timer('a').eventData, scedule: '' } }],
      },
      'functions.collect.events.0.eventData.scedule is not a key of an event',
    ],
    [
      'another trigger',
      { events: [{ triggerTypeCode: 'APIG', eventData: timer('a').eventData }] },
      'functions.collect.events.0.triggerTypeCode must be TIMER',
    ],
    [
      'no data',
      { events: [{ triggerTypeCode: 'TIMER' }] },
      'eventData.name nothing is not a valid trigger name',
    ],
  ])('%s', (_what, section, fault) => {
    expect(faultsOf(section).join('\n')).toContain(fault);
  });

  test('reports all faults of all functions at once', () => {
    const functions = { a: { vpcId: 'v' }, b: { events: [timer('x', 'never', 'Cron')] } };
    expect(() => readSettings({}, functions)).toThrow(
      /functions\.a\.vpcId[\s\S]*functions\.b\.events/,
    );
  });

  test('suggests the key for a misspelt one', () => {
    const events = [{ triggerTypeCode: 'TIMER', eventDat: {} }];
    const thrown = (() => {
      try {
        readSettings({}, { collect: { events } });
      } catch (error) {
        return error as ConfigError;
      }
    })();
    expect(thrown?.issues.find(({ path }) => path.endsWith('eventDat'))?.hint).toBe(
      'Did you mean eventData?',
    );
  });

  test('rejects two functions with the same name', () => {
    const functions = {
      a: { name: 'same' },
      b: { name: 'same' },
      c: { name: 'same', app: 'other' },
    };
    expect(() => readSettings({}, functions)).toThrow(
      'functions.b.name: "same" is also the name of functions.a',
    );
  });
});
