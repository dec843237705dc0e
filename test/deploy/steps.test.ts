// Owns the proof of the order: settings before code, what fires last, and no step for what stands as wanted.

import { expect, test } from 'vitest';
import type { FunctionGraph } from '../../lib/deploy/function-graph.ts';
import type { FunctionSection } from '../../lib/deploy/settings.ts';
import { type Extent, planSteps, type Standing } from '../../lib/deploy/steps.ts';
import { deployed, settingsOf, timerOf } from '../support/deploy-api.ts';

const urn = deployed.func_urn;
const standing: Standing = {
  function: { ...deployed, digest: 'old', strategy_config: { concurrency: 1 } },
  async: {
    max_async_event_age_in_seconds: 3_600,
    max_async_retry_attempts: 0,
    destination_config: {},
  },
  triggers: [
    {
      trigger_id: 't1',
      trigger_type_code: 'TIMER',
      trigger_status: 'ACTIVE',
      event_data: { name: 'one', schedule_type: 'Rate', schedule: '1m' },
    },
  ],
};
const nothing: Standing = { function: null, async: null, triggers: [] };

function plan(before: Standing, section: FunctionSection, digest = 'new', extent: Extent = 'all') {
  const settings = settingsOf({ events: [timerOf('one')], ...section });
  const secrets = Object.fromEntries(settings.secrets.map((name) => [name, 'hunter2']));
  // No step is taken here.
  const api = {} as FunctionGraph;
  const wish = { api, urn, settings, secrets, zip: new Uint8Array(), digest, extent };
  return planSteps(wish, before).map(({ id, what }) => `${id}: ${what}`);
}

test('of a new function: itself, its secrets, what limits it, and only then what fires', () => {
  expect(plan(nothing, { secrets: ['PROD_SK'] })).toEqual([
    'create: created',
    'config: secrets',
    'instances: instances: at most 1',
    'async: failures: 0 retries, told to nobody',
    'timer one: timer one created (1m)',
  ]);
});

const all: FunctionSection = {
  memorySize: 512,
  maxInstances: 2,
  asyncRetries: 1,
  events: [timerOf('two')],
};

test('of one that stands: settings before code, timers last, the new one before the old one goes', () => {
  expect(plan(standing, all)).toEqual([
    'config: configuration (memorySize)',
    'code: code',
    'instances: instances: at most 2',
    'async: failures: 1 retries, told to nobody',
    'timer two: timer two created (1m)',
    'remove t1: timer one removed',
  ]);
});

test('half of it: the code alone, the settings alone; timers belong to the whole', () => {
  expect(plan(standing, all, 'new', 'code')).toEqual(['code: code']);
  expect(plan(standing, all, 'new', 'config')).toEqual([
    'config: configuration (memorySize)',
    'instances: instances: at most 2',
    'async: failures: 1 retries, told to nobody',
  ]);
});

test('of what stands as wanted: nothing', () => {
  expect(plan(standing, {}, 'old')).toEqual([]);
});
