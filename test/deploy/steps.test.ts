// Tests the order of the steps: configuration before code, timers last, and no step for what is already as wanted.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeployedTrigger, FunctionGraph } from '../../lib/deploy/function-graph.ts';
import type { FunctionSection } from '../../lib/deploy/settings-schema.ts';
import { type DeployedState, type DeployPlan, planSteps } from '../../lib/deploy/steps.ts';
import { deployed, settingsOf, timerOf } from '../support/deploy-api.ts';

const urn = deployed.func_urn;
const existing: DeployedState = {
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
const nothing: DeployedState = { function: null, async: null, triggers: [] };

function plan(
  before: DeployedState,
  section: FunctionSection,
  digest = 'new',
  scope: DeployPlan['scope'] = 'all',
) {
  const settings = settingsOf({ events: [timerOf('one')], ...section });
  const secrets = Object.fromEntries(settings.secrets.map((name) => [name, 'hunter2']));
  // The steps are planned and not run.
  const api = {} as FunctionGraph;
  const wanted = { api, urn, settings, secrets, zip: new Uint8Array(), digest, scope };
  return planSteps(wanted, before).map(({ id, label }) => `${id}: ${label}`);
}

test('a new function: function, secrets, limits, and timers last', () => {
  expect(plan(nothing, { secrets: ['PROD_SK'] })).toEqual([
    'create: create function',
    'config: set secrets',
    'instances: limit instances to 1',
    'async: set failure handling (0 retries, no destination)',
    'timer one: create timer one (1m)',
  ]);
});

const all: FunctionSection = {
  memorySize: 512,
  maxInstances: 2,
  asyncRetries: 1,
  events: [timerOf('two')],
};

test('an existing function: configuration before code, timers last, and removals at the end', () => {
  expect(plan(existing, all)).toEqual([
    'config: update configuration (memorySize)',
    'code: update code',
    'instances: limit instances to 2',
    'async: set failure handling (1 retries, no destination)',
    'timer two: create timer two (1m)',
    'remove t1: remove timer one',
  ]);
});

test('code or configuration alone: no timers', () => {
  expect(plan(existing, all, 'new', 'code')).toEqual(['code: update code']);
  expect(plan(existing, all, 'new', 'config')).toEqual([
    'config: update configuration (memorySize)',
    'instances: limit instances to 2',
    'async: set failure handling (1 retries, no destination)',
  ]);
});

test('no steps for a function that is as wanted', () => {
  expect(plan(existing, {}, 'old')).toEqual([]);
});

test('the steps turn any deployed timers into the wanted ones, and then there are no steps', async () => {
  const timer = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    status: fc.constantFrom('ACTIVE' as const, 'DISABLED' as const),
    schedule: fc.constantFrom('1m', '2m'),
  });
  const timers = fc.uniqueArray(timer, { selector: (one) => one.name });
  await fc.assert(
    fc.asyncProperty(timers, timers, async (before, after) => {
      let triggers: DeployedTrigger[] = [];
      const api = {
        async createTrigger(_urn: string, body: object) {
          const created = body as DeployedTrigger;
          triggers.push({ ...created, trigger_id: `id of ${created.event_data.name}` });
        },
        async deleteTrigger(_urn: string, { trigger_id }: DeployedTrigger) {
          triggers = triggers.filter((one) => one.trigger_id !== trigger_id);
        },
        async setTriggerStatus(_urn: string, trigger: DeployedTrigger, status: 'ACTIVE') {
          trigger.trigger_status = status;
        },
      } as unknown as FunctionGraph;
      const planFor = (wanted: typeof before) => {
        const events = wanted.map(({ name, schedule, status }) => timerOf(name, schedule, status));
        const settings = settingsOf({ events });
        const plan = { api, urn, settings, secrets: {}, zip: new Uint8Array(), digest: 'old' };
        return planSteps({ ...plan, scope: 'all' }, { ...existing, triggers });
      };
      for (const wanted of [before, after]) {
        for (const step of planFor(wanted)) await step.run();
        const now = triggers.map(({ event_data: { name, schedule }, trigger_status: status }) => ({
          name,
          status,
          schedule,
        }));
        const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
          (a.name ?? '') < (b.name ?? '') ? -1 : 1;
        expect(now.sort(byName)).toEqual([...wanted].sort(byName));
        expect(planFor(wanted)).toEqual([]);
      }
    }),
  );
});
