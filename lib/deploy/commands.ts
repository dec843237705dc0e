// Responsible for the commands that call FunctionGraph: deploy, info, invoke, logs and remove.

import { ProtocolError } from '../core/errors.ts';
import { systemClock } from '../platform/clock.ts';
import type { CommandContext } from './command-context.ts';
import { takeSecrets } from './configuration-diff.ts';
import { readDeployAccess, readProjectId } from './deploy-account.ts';
import { deployFunction, urnOf } from './deployment.ts';
import { type FunctionGraph, openFunctionGraph } from './function-graph.ts';
import { readZip } from './function-zip.ts';
import { checkPackedConfig } from './packed-config.ts';
import { removeFunction } from './removal.ts';
import type { FunctionSettings } from './settings.ts';
import type { DeployPlan } from './steps.ts';
import {
  describeDeployment,
  describeFunction,
  describeInvocation,
  describeInvocations,
  describeRemoval,
} from './summary.ts';

async function connect(context: CommandContext) {
  const { scrubber } = context;
  const access = readDeployAccess(context.provider, context.env);
  for (const secret of [access.ak, access.sk, access.securityToken]) scrubber.add(secret ?? '');
  context.progress('look up the project');
  const account = { ...access, projectId: await readProjectId(access, scrubber) };
  const { sleep } = systemClock;
  const api = await openFunctionGraph({ ...account, sleep, scrub: scrubber.scrub });
  return { api, urnOf: (settings: FunctionSettings) => urnOf(account, settings) };
}

/** Runs `work` for the selected functions, one after the other. */
async function forEachFunction(
  context: CommandContext,
  work: (api: FunctionGraph, urn: string, settings: FunctionSettings) => Promise<void>,
): Promise<void> {
  const functions = context.selectFunctions();
  const { api, urnOf } = await connect(context);
  for (const settings of functions) await work(api, urnOf(settings), settings);
}

/** Checks every function before the first change, so that a fault does not leave half a deployment. */
export async function deploy(context: CommandContext, scope: DeployPlan['scope']): Promise<void> {
  const { env, scrubber, print, progress } = context;
  const inputs = context.selectFunctions().map((settings) => {
    const secrets = takeSecrets(settings, env);
    for (const value of Object.values(secrets)) scrubber.add(value);
    return { settings, secrets };
  });
  const checked = [];
  for (const { settings, secrets } of inputs) {
    const zip = await readZip(context, settings.key);
    await checkPackedConfig(context, settings, secrets, zip);
    checked.push({ settings, secrets, zip });
  }
  const { api, urnOf } = await connect(context);
  let error: Error | null = null;
  for (const input of checked) {
    const { settings } = input;
    if (error) {
      print(`${settings.name}: not started`);
      continue;
    }
    const plan = { ...input, api, urn: urnOf(settings), scope };
    const deployment = await deployFunction(plan, progress);
    print(describeDeployment(settings.name, deployment));
    error = deployment.error;
  }
  if (error) throw error;
}

export function info(context: CommandContext): Promise<void> {
  return forEachFunction(context, async (api, urn, { name }) => {
    const deployed = await api.findFunction(urn);
    const triggers = deployed ? await api.listTriggers(urn) : [];
    const async = deployed ? await api.findAsync(urn) : null;
    context.print(describeFunction(name, deployed, triggers, async));
  });
}

export function invoke(context: CommandContext): Promise<void> {
  return forEachFunction(context, async (api, urn, { name }) => {
    context.progress(`${name}: run`);
    // The functions ignore their event.
    const invocation = await api.invoke(urn, {});
    context.print(describeInvocation(invocation));
    if (invocation.status === 200) return;
    const hint = 'See its output above; the function log has the same lines.';
    throw new ProtocolError('INVOCATION_FAILED', `${name} failed.`, hint);
  });
}

export function logs(context: CommandContext): Promise<void> {
  return forEachFunction(context, async (api, urn, { name }) => {
    const invocations = await api.listInvocations(urn);
    context.print(describeInvocations(name, invocations, await api.findLog(urn)));
  });
}

export function remove(context: CommandContext): Promise<void> {
  return forEachFunction(context, async (api, urn, { name }) => {
    const removal = await removeFunction(api, urn, context.progress);
    context.print(describeRemoval(name, removal));
    if (removal.error) throw removal.error;
  });
}
