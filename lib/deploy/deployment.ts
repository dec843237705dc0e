// Owns the order in which a function is brought to what is wanted, and what is put back when that fails. Refuses to print.
// Triggers come last: what fires is always configured as a whole, and an old function fires on until the new one stands.
// Whoever gets no answer does not know whether it was done: then what stands is read, and what is left to do is planned anew.

import { createHash } from 'node:crypto';
import { ConfigError, ExportError, TransientError } from '../errors.ts';
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
import type {
  AsyncSettings,
  DeployedFunction,
  DeployedTrigger,
  FunctionGraph,
} from './function-graph.ts';
import type { FunctionSettings } from './settings.ts';

export interface Deployment {
  urn: string;
  /** What was changed, in words; empty and no error: nothing had to be. */
  done: string[];
  /** What was wanted and is not so, because of `error`. */
  notDone: string[];
  /** What runs after all; `unknown`: nobody answered. */
  stands: 'nothing' | 'old code' | 'new code' | 'unknown';
  error: ExportError | null;
}

export interface DeployPorts {
  api: FunctionGraph;
  /** Told before each step, for a person who watches. */
  progress: (text: string) => void;
}

/** `code` and `config` are one half each; triggers belong to the whole only. */
export type Extent = 'all' | 'code' | 'config';

/** What is at FunctionGraph. */
interface Standing {
  function: DeployedFunction | null;
  async: AsyncSettings | null;
  triggers: readonly DeployedTrigger[];
}

interface Step {
  /** The same for the same wish, however much of it is left to do. */
  id: string;
  what: string;
  /** False: it turned out to stand as wanted. */
  run: () => Promise<unknown>;
}

/** A step whose answer was lost, and that is not done, is tried this often. */
const triesMax = 2;

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
  const wish: Wish = { api, urn, settings, secrets, zip, extent };
  progress(`${settings.name}: what is deployed`);
  const before = await readStanding(wish);
  checkStanding(wish, before);
  const done = new Map<string, string>();
  const tries = new Map<string, number>();
  const planRest = (standing: Standing) =>
    planSteps(wish, standing).filter(({ id }) => !done.has(id));
  let rest = planRest(before);
  for (let step = rest[0]; step; step = rest[0]) {
    progress(`${settings.name}: ${step.what}`);
    try {
      if ((await step.run()) !== false) done.set(step.id, step.what);
      rest = rest.slice(1);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      tries.set(step.id, (tries.get(step.id) ?? 0) + 1);
      const standing = await readStanding(wish).catch(() => null);
      if (standing && error instanceof TransientError) {
        const { id, what } = step;
        rest = planRest(standing);
        if (!rest.some((other) => other.id === id)) {
          done.set(id, what);
          continue;
        }
        if ((tries.get(id) ?? 0) < triesMax) continue;
      }
      return endFailed(wish, { before, standing, done, rest, failed: step, error });
    }
  }
  return { urn, done: [...done.values()], notDone: [], stands: 'new code', error: null };
}

interface Wish {
  api: FunctionGraph;
  urn: string;
  settings: FunctionSettings;
  secrets: Secrets;
  zip: Uint8Array;
  extent: Extent;
}

async function readStanding({ api, urn, extent }: Wish): Promise<Standing> {
  const found = await api.findFunction(urn);
  const isPart = found === null || extent === 'code';
  const async = isPart ? null : await api.findAsync(urn);
  const triggers = isPart || extent === 'config' ? [] : await api.listTriggers(urn);
  return { function: found, async, triggers };
}

/** Throws ConfigError for what no call to the API would bring about. */
function checkStanding({ settings, extent }: Wish, { function: current }: Standing): void {
  const { key, name, vpc } = settings;
  if (!current && extent !== 'all') {
    const hint = 'Run `serverless deploy` once: it makes the function and its timers.';
    throw new ConfigError([{ path: `functions.${key}`, message: `${name} is not deployed`, hint }]);
  }
  const { vpc_id: vpcId } = current?.func_vpc ?? {};
  if (vpcId && !vpc && extent !== 'code') {
    const hint =
      'The API documents no way to take a function out of its VPC: do it in the console, or `serverless remove` it and deploy again. Or keep vpcId and subnetId.';
    const message = `is not set, but the deployed function is in ${vpcId}`;
    throw new ConfigError([{ path: `functions.${key}.vpcId`, message, hint }]);
  }
}

/** Says what stands. Only a refused code makes the configuration go back: the old code must not run under the new settings. */
async function endFailed(
  wish: Wish,
  end: {
    before: Standing;
    standing: Standing | null;
    done: Map<string, string>;
    rest: readonly Step[];
    failed: Step;
    error: ExportError;
  },
): Promise<Deployment> {
  const { api, urn, secrets } = wish;
  const { before, done, rest, failed, error } = end;
  const configured = done.get('config');
  let putBack = false;
  if (failed.id === 'code' && before.function && configured !== undefined) {
    const isSecret = compareConfig(urn, before.function, wish.settings, secrets).includes(
      'secrets',
    );
    try {
      await api.updateConfig(urn, restoreBody(urn, before.function, isSecret ? secrets : null));
      putBack = true;
      done.delete('config');
      if (isSecret) done.set('secrets', 'secrets (nobody can read the old ones to put them back)');
    } catch {
      // The first error is the one to act on; what remains is said.
      done.set('config', `${configured} (could not be put back)`);
    }
  }
  const standing = putBack ? await readStanding(wish).catch(() => null) : end.standing;
  const left = standing
    ? planSteps(wish, standing).filter(({ id }) => !done.has(id))
    : rest.filter(({ id }) => !done.has(id));
  const notDone = left.map(({ id, what }) => {
    if (id === 'config' && putBack) return `${what} (put back)`;
    return standing === null && id === failed.id ? `${what} (or it was: nobody answers)` : what;
  });
  const isNew = done.has('create') || done.has('code');
  const code = isNew ? 'new code' : 'old code';
  const stands = !standing ? 'unknown' : !standing.function ? 'nothing' : code;
  return { urn, done: [...done.values()], notDone, stands, error };
}

function planSteps(wish: Wish, standing: Standing): Step[] {
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
  if (async) steps.push(asyncStep(api, urn, async));
  return [...steps, ...planTimers(api, urn, compareTimers([], settings.timers))];
}

function planUpdate(
  { api, urn, settings, secrets, zip, extent }: Wish,
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
  const digest = createHash('sha512').update(zip).digest('hex');
  if (extent !== 'config' && current.digest !== digest) {
    steps.push({ id: 'code', what: 'code', run: () => api.updateCode(urn, codeBody(zip)) });
  }
  if (extent === 'code') return steps;
  if (current.strategy_config?.concurrency !== settings.maxInstances) {
    steps.push(limitStep(api, urn, settings));
  }
  const async = asyncBody(standing.async, settings);
  if (async) steps.push(asyncStep(api, urn, async));
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

function asyncStep(api: FunctionGraph, urn: string, body: object): Step {
  return { id: 'async', what: 'failure destination', run: () => api.updateAsync(urn, body) };
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
      what: `timer ${timer.name} changed (${trigger.event_data.schedule} to ${timer.schedule})`,
      async run() {
        // Two of one name are refused, so the old one goes first; it comes back if the new one is refused.
        await api.deleteTrigger(urn, trigger);
        try {
          await api.createTrigger(urn, triggerBody(timer));
        } catch (error) {
          // If that fails too, there is none, and what is left to do says so.
          if (!(error instanceof TransientError)) {
            await api.createTrigger(urn, restoreTriggerBody(trigger)).catch(() => {});
          }
          throw error;
        }
      },
    };
  });
}

export interface Removal {
  done: string[];
  notDone: string[];
  error: ExportError | null;
}

/** Nothing done and no error: there was nothing. Triggers go first, so that nothing fires into what is being removed. */
export async function removeFunction(
  { api, progress }: DeployPorts,
  urn: string,
): Promise<Removal> {
  if ((await api.findFunction(urn)) === null) return { done: [], notDone: [], error: null };
  const steps = (await api.listTriggers(urn)).map((trigger) => ({
    what: `trigger ${trigger.event_data.name ?? trigger.trigger_id}`,
    run: () => api.deleteTrigger(urn, trigger),
  }));
  steps.push({ what: 'function', run: () => api.deleteFunction(urn) });
  const done: string[] = [];
  for (const { what, run } of steps) {
    progress(`${what} of ${urn}`);
    try {
      await run();
      done.push(what);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      return { done, notDone: steps.slice(done.length).map((step) => step.what), error };
    }
  }
  return { done, notDone: [], error: null };
}
