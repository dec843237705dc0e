// Owns the order in which a function is brought to what is wanted, and what is put back when that fails. Refuses to print.
// Triggers come last: what fires is always configured as a whole, and an old function fires on until the new one stands.

import { createHash } from 'node:crypto';
import { ExportError } from '../errors.ts';
import {
  asyncBody,
  codeBody,
  compareConfig,
  compareTimers,
  configBody,
  createBody,
  restoreBody,
  restoreTriggerBody,
  type Secrets,
  type TimerChange,
  triggerBody,
} from './changes.ts';
import type { DeployedFunction, FunctionGraph } from './function-graph.ts';
import type { FunctionSettings } from './settings.ts';

export interface Deployment {
  urn: string;
  /** What was changed, in words; empty and no error: nothing had to be. */
  done: string[];
  /** What was wanted and is not so, because of `error`. */
  notDone: string[];
  error: ExportError | null;
}

export interface DeployPorts {
  api: FunctionGraph;
  /** Told before each step, for a person who watches. */
  progress: (text: string) => void;
}

/** `code` and `config` are one half each; triggers belong to the whole only. */
export type Extent = 'all' | 'code' | 'config';

interface Step {
  what: string;
  /** False: it turned out to stand as wanted. */
  run: () => Promise<unknown>;
  /** Puts back what stood before, when a later step of the function itself fails. */
  undo?: () => Promise<unknown>;
}

export function urnOf(place: { region: string; projectId: string }, settings: FunctionSettings) {
  const { region, projectId } = place;
  return `urn:fss:${region}:${projectId}:function:${settings.app}:${settings.name}`;
}

/** A fault of the API is in the result; only what is found before the first change is thrown. */
export async function deployFunction(
  ports: DeployPorts,
  urn: string,
  settings: FunctionSettings,
  secrets: Secrets,
  zip: Uint8Array,
  extent: Extent = 'all',
): Promise<Deployment> {
  const { api, progress } = ports;
  progress(`${settings.name}: what is deployed`);
  const current = await api.findFunction(urn);
  const steps = current
    ? await planUpdate(api, urn, current, settings, secrets, zip, extent)
    : planCreation(api, urn, settings, secrets, zip);
  const done: Step[] = [];
  for (const [index, step] of steps.entries()) {
    progress(`${settings.name}: ${step.what}`);
    try {
      if ((await step.run()) !== false) done.push(step);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      const { kept, undone } = await putBack(done, step);
      const notDone = [...undone, ...steps.slice(index).map(({ what }) => what)];
      return { urn, done: kept, notDone, error };
    }
  }
  return { urn, done: done.map(({ what }) => what), notDone: [], error: null };
}

/** Only a failed code makes the configuration go back: the old code must not run under the new settings. */
async function putBack(done: readonly Step[], failed: Step) {
  const kept: string[] = [];
  const undone: string[] = [];
  for (const step of done) {
    if (failed.what !== 'code' || !step.undo) {
      kept.push(step.what);
      continue;
    }
    try {
      await step.undo();
      undone.push(`${step.what} (put back)`);
    } catch {
      // The first error is the one to act on; what remains is said.
      kept.push(`${step.what} (could not be put back)`);
    }
  }
  return { kept, undone };
}

function planCreation(
  api: FunctionGraph,
  urn: string,
  settings: FunctionSettings,
  secrets: Secrets,
  zip: Uint8Array,
): Step[] {
  const steps: Step[] = [
    {
      what: 'created',
      run: () => api.createFunction(createBody(urn, settings, secrets, zip)),
    },
  ];
  if (Object.keys(secrets).length > 0) {
    // Assumed: encrypted variables are taken by an update only, as the public plugin has it.
    steps.push({
      what: 'secrets',
      run: () => api.updateConfig(urn, configBody(urn, settings, secrets)),
    });
  }
  const { maxInstances } = settings;
  steps.push({
    what: `instances: at most ${maxInstances}`,
    run: () => api.limitInstances(urn, maxInstances),
  });
  const async = asyncBody(null, settings);
  if (async) steps.push({ what: 'failure destination', run: () => api.updateAsync(urn, async) });
  return [...steps, ...planTimers(api, urn, compareTimers([], settings.timers))];
}

async function planUpdate(
  api: FunctionGraph,
  urn: string,
  current: DeployedFunction,
  settings: FunctionSettings,
  secrets: Secrets,
  zip: Uint8Array,
  extent: Extent,
): Promise<Step[]> {
  const steps: Step[] = [];
  if (extent !== 'code') {
    const changed = compareConfig(urn, current, settings, secrets);
    if (changed.length > 0) {
      steps.push({
        what: `configuration (${changed.join(', ')})`,
        run: () => api.updateConfig(urn, configBody(urn, settings, secrets)),
        undo: () => api.updateConfig(urn, restoreBody(current)),
      });
    }
  }
  const digest = createHash('sha512').update(zip).digest('hex');
  if (extent !== 'config' && current.digest !== digest) {
    steps.push({ what: 'code', run: () => api.updateCode(urn, codeBody(zip)) });
  }
  if (extent === 'code') return steps;
  const { maxInstances } = settings;
  if (current.strategy_config?.concurrency !== maxInstances) {
    steps.push({
      what: `instances: at most ${maxInstances}`,
      run: () => api.limitInstances(urn, maxInstances),
    });
  }
  const async = asyncBody(await api.findAsync(urn), settings);
  if (async) steps.push({ what: 'failure destination', run: () => api.updateAsync(urn, async) });
  if (extent === 'config') return steps;
  const triggers = await api.listTriggers(urn);
  return [...steps, ...planTimers(api, urn, compareTimers(triggers, settings.timers))];
}

function planTimers(api: FunctionGraph, urn: string, changes: readonly TimerChange[]): Step[] {
  return changes.map((change) => {
    if (change.kind === 'remove') {
      const { trigger } = change;
      const what = `timer ${trigger.event_data.name} removed`;
      return { what, run: () => api.deleteTrigger(urn, trigger) };
    }
    const { timer } = change;
    if (change.kind === 'create') {
      const run = () => api.createTrigger(urn, triggerBody(timer));
      return { what: `timer ${timer.name} created (${timer.schedule})`, run };
    }
    const { trigger } = change;
    if (change.kind === 'status') {
      const run = () => api.setTriggerStatus(urn, trigger, timer.status);
      return { what: `timer ${timer.name} ${timer.status.toLowerCase()}`, run };
    }
    const { schedule } = trigger.event_data;
    const step: Step = {
      what: `timer ${timer.name} changed (${schedule} to ${timer.schedule})`,
      async run() {
        // Two of one name are refused, so the old one goes first; it comes back if the new one is refused.
        await api.deleteTrigger(urn, trigger);
        try {
          await api.createTrigger(urn, triggerBody(timer));
        } catch (error) {
          try {
            await api.createTrigger(urn, restoreTriggerBody(trigger));
          } catch {
            step.what = `timer ${timer.name} (deleted, and neither old nor new could be made: deploy again)`;
          }
          throw error;
        }
      },
    };
    return step;
  });
}

/** False: there was nothing. Triggers go first, so that nothing fires into what is being removed. */
export async function removeFunction(
  { api, progress }: DeployPorts,
  urn: string,
): Promise<boolean> {
  if ((await api.findFunction(urn)) === null) return false;
  for (const trigger of await api.listTriggers(urn)) {
    progress(`trigger ${trigger.event_data.name ?? trigger.trigger_id}`);
    await api.deleteTrigger(urn, trigger);
  }
  progress(urn);
  await api.deleteFunction(urn);
  return true;
}
