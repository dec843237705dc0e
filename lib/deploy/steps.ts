// Owns the order in which a function is brought from what stands to what is wanted. Refuses to take the steps, and to mend them.
// Triggers come last: what fires is always configured as a whole, and an old function fires on until the new one stands.

import {
  asyncBody,
  codeBody,
  compareConfig,
  compareTimers,
  configBody,
  createBody,
  type Secrets,
  type TimerChange,
  triggerBody,
} from './configuration-diff.ts';
import type {
  AsyncSettings,
  DeployedFunction,
  DeployedTrigger,
  FunctionGraph,
} from './function-graph.ts';
import type { FunctionSettings } from './settings.ts';

/** `code` and `config` are one half each; triggers belong to the whole only. */
export type Extent = 'all' | 'code' | 'config';

export interface Wish {
  api: FunctionGraph;
  urn: string;
  settings: FunctionSettings;
  secrets: Secrets;
  zip: Uint8Array;
  /** Sha-512 of the zip, hex. */
  digest: string;
  extent: Extent;
}

/** What is at FunctionGraph. */
export interface Standing {
  function: DeployedFunction | null;
  async: AsyncSettings | null;
  triggers: readonly DeployedTrigger[];
}

export interface Step {
  /** The same for the same wish, however much of it is left to do. */
  id: string;
  what: string;
  /** False: it turned out to stand as wanted. */
  run: () => Promise<unknown>;
}

export function planSteps(wish: Wish, standing: Standing): Step[] {
  return standing.function ? planUpdate(wish, standing, standing.function) : planCreation(wish);
}

function planCreation({ api, urn, settings, secrets, zip }: Wish): Step[] {
  const steps: Step[] = [
    {
      id: 'create',
      what: 'created',
      run: () => api.createFunction(createBody(urn, settings, zip)),
    },
  ];
  if (Object.keys(secrets).length > 0) {
    // Assumed: encrypted variables are taken by an update only, as the public plugin has it.
    const run = () => api.updateConfig(urn, configBody(urn, settings, secrets));
    steps.push({ id: 'config', what: 'secrets', run });
  }
  steps.push(limitStep(api, urn, settings));
  const async = asyncBody(null, settings);
  if (async) steps.push(asyncStep(api, urn, settings, async));
  return [...steps, ...planTimers(api, urn, compareTimers([], settings.timers))];
}

function planUpdate(
  { api, urn, settings, secrets, zip, digest, extent }: Wish,
  standing: Standing,
  current: DeployedFunction,
): Step[] {
  const steps: Step[] = [];
  if (extent !== 'code') {
    const changed = compareConfig(urn, current, settings, secrets);
    if (changed.length > 0) {
      const run = () => api.updateConfig(urn, configBody(urn, settings, secrets));
      steps.push({ id: 'config', what: `configuration (${changed.join(', ')})`, run });
    }
  }
  if (extent !== 'config' && current.digest !== digest) {
    steps.push({ id: 'code', what: 'code', run: () => api.updateCode(urn, codeBody(zip)) });
  }
  if (extent === 'code') return steps;
  if (current.strategy_config?.concurrency !== settings.maxInstances) {
    steps.push(limitStep(api, urn, settings));
  }
  const async = asyncBody(standing.async, settings);
  if (async) steps.push(asyncStep(api, urn, settings, async));
  if (extent === 'config') return steps;
  return [...steps, ...planTimers(api, urn, compareTimers(standing.triggers, settings.timers))];
}

function limitStep(api: FunctionGraph, urn: string, { maxInstances }: FunctionSettings): Step {
  return {
    id: 'instances',
    what: `instances: at most ${maxInstances}`,
    run: () => api.limitInstances(urn, maxInstances),
  };
}

function asyncStep(
  api: FunctionGraph,
  urn: string,
  settings: FunctionSettings,
  body: object,
): Step {
  const { asyncRetries, onFailure } = settings;
  const what = `failures: ${asyncRetries} retries, told to ${onFailure?.destination ?? 'nobody'}`;
  return { id: 'async', what, run: () => api.updateAsync(urn, body) };
}

function planTimers(api: FunctionGraph, urn: string, changes: readonly TimerChange[]): Step[] {
  return changes.map((change) => {
    if (change.kind === 'remove') {
      const { trigger } = change;
      const { name } = trigger.event_data;
      // By its own id: two may have one name.
      const id = `remove ${trigger.trigger_id}`;
      return { id, what: `timer ${name} removed`, run: () => api.deleteTrigger(urn, trigger) };
    }
    const { timer } = change;
    const id = `timer ${timer.name}`;
    if (change.kind === 'create') {
      const run = () => api.createTrigger(urn, triggerBody(timer));
      return { id, what: `timer ${timer.name} created (${timer.schedule})`, run };
    }
    const { trigger } = change;
    if (change.kind === 'status') {
      const run = () => api.setTriggerStatus(urn, trigger, timer.status);
      return { id, what: `timer ${timer.name} ${timer.status.toLowerCase()}`, run };
    }
    return {
      id,
      what: `timer ${timer.name} changed (${describeChange(change)})`,
      async run() {
        // Two of one name are refused, so the old one goes first. Whether it comes back is deployment.ts's.
        await api.deleteTrigger(urn, trigger);
        await api.createTrigger(urn, triggerBody(timer));
      },
    };
  });
}

function describeChange({
  timer,
  trigger: { event_data: event },
}: TimerChange & { kind: 'replace' }) {
  const isSame = event.schedule === timer.schedule && event.schedule_type === timer.scheduleType;
  return isSame ? 'userEvent' : `${event.schedule} to ${timer.schedule}`;
}
