// Responsible for the steps that deploy a function, and their order. Not responsible for running them.
// Timers come last: a timer never starts a function that is only half configured.

import {
  asyncBody,
  codeBody,
  compareConfig,
  configBody,
  createBody,
  type Secrets,
} from './configuration-diff.ts';
import type {
  AsyncSettings,
  DeployedFunction,
  DeployedTrigger,
  FunctionGraph,
} from './function-graph.ts';
import type { FunctionSettings } from './settings.ts';
import type { Timer } from './timer-events.ts';

/** What to deploy. */
export interface DeployPlan {
  api: FunctionGraph;
  urn: string;
  settings: FunctionSettings;
  secrets: Secrets;
  zip: Uint8Array;
  /** `all` includes the timers; `deploy function` changes `code` or `config` alone. */
  scope: 'all' | 'code' | 'config';
}

export interface Wanted extends DeployPlan {
  /** SHA-512 of the zip, hex. */
  digest: string;
}

/** What FunctionGraph has now. */
export interface DeployedState {
  function: DeployedFunction | null;
  async: AsyncSettings | null;
  triggers: readonly DeployedTrigger[];
}

export interface Step {
  /** Stays the same when the steps are planned again. */
  id: string;
  /** An imperative, for people: `update code`. */
  label: string;
  /** False: nothing had to be changed. */
  run: () => Promise<unknown>;
}

export function planSteps(wanted: Wanted, state: DeployedState): Step[] {
  const { api, urn, settings, secrets, zip, digest, scope } = wanted;
  const { function: current } = state;
  const updateConfig = () => api.updateConfig(urn, configBody(urn, settings, secrets));
  const steps: Step[] = [];
  if (current === null) {
    const run = () => api.createFunction(createBody(settings, zip));
    steps.push({ id: 'create', label: 'create function', run });
    // Assumed: only an update accepts encrypted variables. The public plugin sends them in this way.
    if (Object.keys(secrets).length > 0) {
      steps.push({ id: 'config', label: 'set secrets', run: updateConfig });
    }
  } else {
    const changed = scope === 'code' ? [] : compareConfig(urn, current, settings, secrets);
    if (changed.length > 0) {
      const label = `update configuration (${changed.join(', ')})`;
      steps.push({ id: 'config', label, run: updateConfig });
    }
    if (scope !== 'config' && current.digest !== digest) {
      const run = () => api.updateCode(urn, codeBody(zip));
      steps.push({ id: 'code', label: 'update code', run });
    }
  }
  if (scope === 'code') return steps;
  const { maxInstances, asyncRetries, onFailure } = settings;
  if (current?.strategy_config?.concurrency !== maxInstances) {
    const run = () => api.limitInstances(urn, maxInstances);
    steps.push({ id: 'instances', label: `limit instances to ${maxInstances}`, run });
  }
  const async = asyncBody(state.async, settings);
  if (async) {
    const destination = onFailure ? `destination ${onFailure.destination}` : 'no destination';
    const label = `set failure handling (${asyncRetries} retries, ${destination})`;
    steps.push({ id: 'async', label, run: () => api.updateAsync(urn, async) });
  }
  return scope === 'config' ? steps : [...steps, ...planTimers(wanted, state.triggers)];
}

/** Removals are last, so that the function keeps a timer. Triggers of other types are left alone. */
function planTimers({ api, urn, settings }: Wanted, triggers: readonly DeployedTrigger[]): Step[] {
  const timers = triggers.filter(({ trigger_type_code: type }) => type === 'TIMER');
  const deployed = new Map(timers.map((trigger) => [trigger.event_data.name ?? '', trigger]));
  const changes = settings.timers.flatMap((timer): Step[] => {
    const { name, status, scheduleType, schedule } = timer;
    const trigger = deployed.get(name);
    deployed.delete(name);
    const id = `timer ${name}`;
    const create = () => api.createTrigger(urn, triggerBody(timer));
    if (!trigger) return [{ id, label: `create timer ${name} (${schedule})`, run: create }];
    const { schedule: before, schedule_type: typeBefore } = trigger.event_data;
    if (before !== schedule || typeBefore !== scheduleType) {
      // The API cannot update a schedule, and it rejects a second trigger with the same name, so the old one is deleted first. If
      // the new one fails, deployment.ts creates the old one again.
      const replace = () => api.deleteTrigger(urn, trigger).then(create);
      return [{ id, label: `change timer ${name} (${before} to ${schedule})`, run: replace }];
    }
    if (trigger.trigger_status === status) return [];
    const verb = status === 'ACTIVE' ? 'enable' : 'disable';
    const run = () => api.setTriggerStatus(urn, trigger, status);
    return [{ id, label: `${verb} timer ${name}`, run }];
  });
  const removals = [...deployed.values()].map((trigger) => ({
    id: `remove ${trigger.trigger_id}`,
    label: `remove timer ${trigger.event_data.name}`,
    run: () => api.deleteTrigger(urn, trigger),
  }));
  return [...changes, ...removals];
}

/** The timer that the step creates, changes, enables or disables. */
export function findTimer({ triggers }: DeployedState, stepId: string) {
  return triggers.find(({ event_data }) => stepId === `timer ${event_data.name}`);
}

export function triggerBody({ name, status, scheduleType, schedule }: Timer): object {
  const event = { name, schedule_type: scheduleType, schedule };
  return { trigger_type_code: 'TIMER', trigger_status: status, event_data: event };
}
