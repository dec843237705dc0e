// Responsible for the order of the steps that deploy a function. Not responsible for running them.
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
import { compareTimers, type TimerChange, triggerBody } from './timer-changes.ts';

/** `all` also includes the timers; `deploy function` changes `code` or `config` alone. */
export type DeployScope = 'all' | 'code' | 'config';

/** What to deploy. */
export interface DeployPlan {
  api: FunctionGraph;
  urn: string;
  settings: FunctionSettings;
  secrets: Secrets;
  zip: Uint8Array;
  scope: DeployScope;
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
    // Assumed: only an update accepts encrypted variables, as the public plugin does it.
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
  if (scope === 'config') return steps;
  const changes = compareTimers(state.triggers, settings.timers);
  return [...steps, ...changes.map((change) => planTimer(api, urn, change))];
}

function planTimer(api: FunctionGraph, urn: string, change: TimerChange): Step {
  if (change.kind === 'remove') {
    const { trigger } = change;
    const label = `remove timer ${trigger.event_data.name}`;
    // Not the name: two triggers may have the same.
    const id = `remove ${trigger.trigger_id}`;
    return { id, label, run: () => api.deleteTrigger(urn, trigger) };
  }
  const { timer } = change;
  const id = `timer ${timer.name}`;
  const create = () => api.createTrigger(urn, triggerBody(timer));
  if (change.kind === 'create') {
    return { id, label: `create timer ${timer.name} (${timer.schedule})`, run: create };
  }
  const { trigger } = change;
  if (change.kind === 'status') {
    const verb = timer.status === 'ACTIVE' ? 'enable' : 'disable';
    const run = () => api.setTriggerStatus(urn, trigger, timer.status);
    return { id, label: `${verb} timer ${timer.name}`, run };
  }
  return {
    id,
    label: `change timer ${timer.name} (${describeChange(change)})`,
    async run() {
      // The API rejects a second trigger with the same name, so the old one is deleted first. If the new one fails, deployment.ts
      // creates the old one again.
      await api.deleteTrigger(urn, trigger);
      await create();
    },
  };
}

function describeChange({
  timer,
  trigger: { event_data: event },
}: TimerChange & { kind: 'replace' }) {
  const isSame = event.schedule === timer.schedule && event.schedule_type === timer.scheduleType;
  return isSame ? 'userEvent' : `${event.schedule} to ${timer.schedule}`;
}
