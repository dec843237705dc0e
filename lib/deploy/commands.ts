// Responsible for the commands that call FunctionGraph: deploy, info, invoke, logs and remove.

import { setTimeout as sleep } from 'node:timers/promises';
import { ProtocolError } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import { readZip } from './bundle.ts';
import type { CommandContext } from './command-context.ts';
import { takeSecrets } from './configuration-diff.ts';
import { readDeployAccess, readProjectId } from './deploy-account.ts';
import { deployFunction, urnOf } from './deployment.ts';
import { type FunctionGraph, openFunctionGraph } from './function-graph.ts';
import { readEvent } from './local-invocation.ts';
import { checkPackedConfig } from './packed-config.ts';
import { removeFunction } from './removal.ts';
import type { FunctionSettings } from './settings.ts';
import type { DeployScope } from './steps.ts';
import {
  describeDeployment,
  describeFunction,
  describeInvocation,
  describeInvocations,
  describeRemoval,
} from './summary.ts';

interface Connection {
  api: FunctionGraph;
  urnOf(settings: FunctionSettings): string;
}

async function connect(context: CommandContext): Promise<Connection> {
  const { scrubber, nowMs, progress } = context;
  const access = readDeployAccess(context.provider, context.env);
  for (const secret of [access.ak, access.sk, access.securityToken]) scrubber.add(secret ?? '');
  progress('look up the project');
  const projectId = await readProjectId(access, { scrubber, nowMs });
  const api = await openFunctionGraph({
    ...access,
    projectId,
    userAgent: `cgs-export/${VERSION}`,
    sleep: async (delayMs) => void (await sleep(delayMs)),
    scrub: scrubber.scrub,
  });
  return { api, urnOf: (settings) => urnOf({ region: access.region, projectId }, settings) };
}

/** Checks every function before the first change, so that a fault does not leave half a deployment. */
export async function deploy(context: CommandContext, scope: DeployScope): Promise<void> {
  const { env, scrubber, print, progress } = context;
  const inputs = context.selectFunctions().map((settings) => {
    const secrets = takeSecrets(settings, env);
    for (const value of Object.values(secrets)) scrubber.add(value);
    return { settings, secrets };
  });
  const zips = await Promise.all(inputs.map(({ settings }) => readZip(context, settings.key)));
  const checked = inputs.map((input, index) => ({ ...input, zip: zips[index] as Buffer }));
  for (const { settings, secrets, zip } of checked) {
    await checkPackedConfig(context, settings, secrets, zip);
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

export async function info(context: CommandContext): Promise<void> {
  const functions = context.selectFunctions();
  const { api, urnOf } = await connect(context);
  for (const settings of functions) {
    const urn = urnOf(settings);
    const deployed = await api.findFunction(urn);
    const triggers = deployed ? await api.listTriggers(urn) : [];
    const async = deployed ? await api.findAsync(urn) : null;
    context.print(describeFunction(settings.name, deployed, triggers, async));
  }
}

export async function invoke(context: CommandContext): Promise<void> {
  const functions = context.selectFunctions();
  const events = await Promise.all(functions.map((settings) => readEvent(context, settings)));
  const { api, urnOf } = await connect(context);
  for (const [index, settings] of functions.entries()) {
    context.progress(`${settings.name}: run`);
    const invocation = await api.invoke(urnOf(settings), events[index] ?? {});
    context.print(describeInvocation(invocation));
    if (invocation.status === 200) continue;
    const hint = 'See its output above; the function log has the same lines.';
    throw new ProtocolError('INVOCATION_FAILED', `${settings.name} failed.`, hint);
  }
}

export async function logs(context: CommandContext): Promise<void> {
  const functions = context.selectFunctions();
  const { api, urnOf } = await connect(context);
  for (const settings of functions) {
    const urn = urnOf(settings);
    const invocations = await api.listInvocations(urn);
    context.print(describeInvocations(settings.name, invocations, await api.findLog(urn)));
  }
}

export async function remove(context: CommandContext): Promise<void> {
  const functions = context.selectFunctions();
  const { api, urnOf } = await connect(context);
  for (const settings of functions) {
    const removal = await removeFunction(api, urnOf(settings), context.progress);
    context.print(describeRemoval(settings.name, removal));
    if (removal.error) throw removal.error;
  }
}
