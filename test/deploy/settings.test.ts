// Owns the proof of what serverless.yml means: defaults, whose word counts, and every fault at once.

import { describe, expect, test } from 'vitest';
import {
  type FunctionSection,
  type ProviderSection,
  readSettings,
} from '../../lib/deploy/settings.ts';
import { ConfigError } from '../../lib/errors.ts';

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

test('a function that says nothing gets what suits a timer', () => {
  expect(read({ events: [timer('every-minute')] })).toEqual({
    key: 'collect',
    name: 'collect',
    app: 'default',
    runtime: 'Node.js20.15',
    handler: 'index.handler',
    description: '',
    memorySize: 256,
    timeoutSeconds: 60,
    agency: '',
    executionAgency: '',
    environment: {},
    secrets: [],
    vpc: null,
    log: null,
    enterpriseProjectId: null,
    maxInstances: 1,
    asyncRetries: 0,
    onFailure: null,
    timers: [
      {
        name: 'every-minute',
        status: 'ACTIVE',
        scheduleType: 'Rate',
        schedule: '1m',
        userEvent: '',
      },
    ],
  });
});

test("the function's word counts before the provider's; variables are joined and become text", () => {
  const provider = { memorySize: 128, environment: { A: 1, B: 'b' }, secrets: ['X'], timeout: 9 };
  const settings = read(
    { memorySize: 512, environment: { A: true }, secrets: ['Y', 'X'] },
    provider,
  );
  expect(settings).toMatchObject({
    memorySize: 512,
    timeoutSeconds: 9,
    environment: { A: 'true', B: 'b' },
    secrets: ['X', 'Y'],
  });
});

test.each([
  [{ destination: 'SMN', topicUrn: 'urn:smn:a' }, '{"topic_urn":"urn:smn:a"}'],
  [{ destination: 'OBS', bucket: 'b' }, '{"bucket":"b","prefix":"/","expires":0}'],
  [{ destination: 'FunctionGraph', funcUrn: 'urn:fss:a' }, '{"func_urn":"urn:fss:a"}'],
] as const)('a failure destination becomes what the API wants: %j', (onFailure, param) => {
  expect(read({ onFailure }).onFailure).toEqual({ destination: onFailure.destination, param });
});

describe('what a schema cannot say', () => {
  test.each<[string, FunctionSection, string]>([
    ['a name', { name: '9lives' }, 'functions.collect.name "9lives" is no name'],
    ['half a VPC', { vpcId: 'v', agencyName: 'a' }, 'functions.collect.vpcId needs subnetId'],
    [
      'a VPC without agency',
      { vpcId: 'v', subnetId: 's' },
      'functions.collect.agencyName is missing',
    ],
    ['half a log', { ltsGroupId: 'g' }, 'functions.collect.ltsGroupId needs ltsStreamId'],
    [
      'a secret in the open',
      { environment: { PROD_SK: 'x' } },
      'environment.PROD_SK looks like a secret',
    ],
    [
      'a secret twice',
      { environment: { A: 'x' }, secrets: ['A'] },
      'environment.A looks like a secret',
    ],
    ['a large environment', { environment: { A: 'x'.repeat(4_090) } }, 'has 4098 characters'],
    ['no topic', { onFailure: { destination: 'SMN' } }, 'onFailure.topicUrn is missing'],
    ['a bad rate', { events: [timer('a', '1s')] }, 'events.0.eventData.schedule "1s" is no rate'],
    [
      'one name twice',
      { events: [timer('a'), timer('a')] },
      'events.1.eventData.name "a" names two',
    ],
  ])('%s', (_what, section, fault) => {
    expect(faultsOf(section).join('\n')).toContain(fault);
  });

  test('all faults of all functions at once', () => {
    const functions = { a: { vpcId: 'v' }, b: { events: [timer('x', 'never', 'Cron')] } };
    expect(() => readSettings({}, functions)).toThrow(
      /functions\.a\.vpcId[\s\S]*functions\.b\.events/,
    );
  });

  test('just as many characters as are taken', () => {
    expect(faultsOf({ environment: { A: 'x'.repeat(4_088) } })).toEqual([]);
  });
});
