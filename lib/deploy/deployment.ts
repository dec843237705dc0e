// Responsible for deploying one function: it runs the steps and, if a step fails, rolls back what it can. Not responsible for printing.
// A lost response leaves the outcome unknown, so the deployed state is read again and the remaining steps are planned again.

import { createHash } from 'node:crypto';
import { configFault, ExportError, TransientError } from '../core/errors.ts';
import { compareConfig, listAdded, listLeftovers, restoreConfig } from './configuration-diff.ts';
import type { DeployedFunction } from './function-graph.ts';
import type { FunctionSettings } from './settings.ts';
import {
  type DeployedState,
  type DeployPlan,
  findTimer,
  planSteps,
  type Step,
  type Wanted,
} from './steps.ts';

export interface Deployment {
  /** Labels of the steps that changed something; empty without an error: no change was needed. */
  done: string[];
  /** Labels of the steps that `error` prevented. */
  notDone: string[];
  /** What runs after the deployment. `unknown`: the API did not answer. */
  running: 'nothing' | 'old code' | 'new code' | 'unknown';
  /** What the function still has, although serverless.yml no longer sets it: no API call removes it. */
  leftovers: string[];
  error: ExportError | null;
}

const noAnswer = 'outcome unknown: no answer';

export function urnOf(account: { region: string; projectId: string }, settings: FunctionSettings) {
  const { region, projectId } = account;
  return `urn:fss:${region}:${projectId}:function:${settings.app}:${settings.name}`;
}

/** Calls `progress` before each step. Throws only what it finds before the first change; later errors are in the result. */
export async function deployFunction(
  plan: DeployPlan,
  progress: (text: string) => void,
): Promise<Deployment> {
  const { settings, scope } = plan;
  const wanted = { ...plan, digest: createHash('sha512').update(plan.zip).digest('hex') };
  progress(`${settings.name}: read what is deployed`);
  const before = await readState(wanted);
  if (before.function === null && scope !== 'all') {
    const hint = 'Run `serverless deploy` once: it creates the function and its timers.';
    throw configFault(`functions.${settings.key}`, `${settings.name} is not deployed`, hint);
  }
  const done = new Map<string, string>();
  const failedOnce = new Set<string>();
  const planRest = (state: DeployedState) =>
    planSteps(wanted, state).filter(({ id }) => !done.has(id));
  let rest = planRest(before);
  for (let step = rest[0]; step; step = rest[0]) {
    const { id, label } = step;
    progress(`${settings.name}: ${label}`);
    try {
      const isChanged = (await step.run()) !== false;
      // Nothing to change in the second try: the first try did it, although its response was lost.
      if (isChanged || failedOnce.has(id)) done.set(id, label);
      rest = rest.slice(1);
    } catch (error) {
      if (!(error instanceof ExportError)) throw error;
      const state = await readState(wanted).catch(() => null);
      if (state) rest = planRest(state);
      const mayRepeat = state && error instanceof TransientError && !failedOnce.has(id);
      if (!rest.some((other) => other.id === id)) {
        // No longer planned: the step had its effect, whatever the response was.
        done.set(id, label);
      } else if (!mayRepeat) {
        return endFailed(wanted, { before, state, done, rest, failed: step, error });
      }
      failedOnce.add(id);
    }
  }
  const leftovers = scope === 'code' ? [] : listLeftovers(settings, before.function);
  return { done: [...done.values()], notDone: [], running: 'new code', leftovers, error: null };
}

/** Reads only what the scope changes. */
async function readState({ api, urn, scope }: DeployPlan): Promise<DeployedState> {
  const found = await api.findFunction(urn);
  const needsNoMore = found === null || scope === 'code';
  const async = needsNoMore ? null : await api.findAsync(urn);
  const triggers = needsNoMore || scope === 'config' ? [] : await api.listTriggers(urn);
  return { function: found, async, triggers };
}

/**
 * Rolls back and describes the result. The configuration is rolled back only if the old code certainly still runs: the old
 * configuration must not run with the new code.
 */
async function endFailed(
  wanted: Wanted,
  end: {
    before: DeployedState;
    /** After the failed step; null: could not be read. */
    state: DeployedState | null;
    done: Map<string, string>;
    rest: readonly Step[];
    failed: Step;
    error: ExportError;
  },
): Promise<Deployment> {
  const { before, done, rest, failed, error } = end;
  const old = before.function;
  const isOldCode = failed.id === 'code' && end.state !== null && old !== null;
  const rollsBack = isOldCode && done.has('config');
  const state = rollsBack
    ? await rollBackConfig(wanted, old, done)
    : await restoreTimer(wanted, before, end.state, failed);
  const left = (state ? planSteps(wanted, state) : rest).filter(({ id }) => !done.has(id));
  const notDone = left.map(({ id, label }) => {
    if (id === 'config' && rollsBack) return `${label} (rolled back)`;
    const hadTimer = findTimer(before, id) !== undefined;
    if (state) {
      return hadTimer && !findTimer(state, id) ? `${label} (the old timer is deleted)` : label;
    }
    if (id !== failed.id) return label;
    return `${label} (${noAnswer}${hadTimer ? '; the timer may be missing' : ''})`;
  });
  const leftovers = state ? listLeftovers(wanted.settings, state.function) : [];
  const running = findRunningCode(wanted, before, state, done);
  return { done: [...done.values()], notDone, running, leftovers, error };
}

/** Returns the state after the rollback, and moves its outcome into `done`. */
async function rollBackConfig(
  wanted: Wanted,
  before: DeployedFunction,
  done: Map<string, string>,
): Promise<DeployedState | null> {
  const { api, urn, settings, secrets } = wanted;
  const label = done.get('config') ?? '';
  const hasNewSecrets = compareConfig(urn, before, settings, secrets).includes('secrets');
  const { body, isRestored } = restoreConfig(urn, before, hasNewSecrets ? secrets : null);
  // Only the first error is reported. The state shows whether this call had an effect.
  await api.updateConfig(urn, body).catch(() => {});
  const state = await readState(wanted).catch(() => null);
  const after = state?.function;
  if (!after || !isRestored(after)) {
    done.set('config', `${label} (${after ? 'rollback failed' : `rollback: ${noAnswer}`})`);
    return state;
  }
  done.delete('config');
  if (hasNewSecrets) {
    done.set('secrets', 'update secrets (no rollback: the API does not return the old values)');
  }
  const added = listAdded(before, after);
  if (added.length > 0) {
    done.set('added', `set ${added.join(', ')} (no rollback: no API call removes it)`);
  }
  return state;
}

/** Creates the old timer again if the failed step was to replace it and it is gone. Returns the state after that. */
async function restoreTimer(
  wanted: Wanted,
  before: DeployedState,
  state: DeployedState | null,
  failed: Step,
): Promise<DeployedState | null> {
  const old = findTimer(before, failed.id);
  if (!old || (state && findTimer(state, failed.id))) return state;
  const { trigger_type_code, trigger_status, event_data } = old;
  const body = { trigger_type_code, trigger_status, event_data };
  // If the old timer still exists, the API rejects a second one with its name.
  await wanted.api.createTrigger(wanted.urn, body).catch(() => {});
  return readState(wanted).catch(() => null);
}

function findRunningCode(
  { digest, scope }: Wanted,
  before: DeployedState,
  state: DeployedState | null,
  done: ReadonlyMap<string, string>,
): Deployment['running'] {
  if (!state) return 'unknown';
  if (!state.function) return 'nothing';
  const hasNewDigest = state.function.digest === digest && before.function?.digest !== digest;
  const isNew = done.has('create') || done.has('code') || (scope !== 'config' && hasNewDigest);
  return isNew ? 'new code' : 'old code';
}
