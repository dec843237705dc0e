// Responsible for `invoke local`: runs the bundle in this process with the event and the context of FunctionGraph.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { configFault } from '../core/errors.ts';
import type { Environment } from '../core/ports.ts';
import type { FunctionContext } from '../platform/function-context.ts';
import { bundleOf, configName } from './bundle.ts';
import type { CommandContext } from './command-context.ts';
import type { FunctionSettings } from './settings.ts';

/** The bundles must have been built. */
export async function invokeLocal(context: CommandContext): Promise<void> {
  const { root, env, nowMs } = context;
  for (const one of context.selectFunctions()) {
    const environment = {
      // Relative paths in the configuration start at its folder, so this is the file in the checkout, not a copy.
      CGS_EXPORT_CONFIG: join(root, configName),
      ...one.environment,
      ...readVariables(context),
    };
    const functionContext = createLocalContext({ ...one, environment }, env, nowMs);
    const load = createRequire(join(root, 'package.json'));
    const { handler } = load(bundleOf(root, one.key));
    const result: unknown = await handler(await readEvent(context, one), functionContext);
    context.print(JSON.stringify(result, null, 2));
  }
}

/** The variables of --env. */
function readVariables({ options }: CommandContext): Record<string, string> {
  const pairs = [options.env ?? []].flat().map((text) => {
    const [, name, value = ''] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
    if (name !== undefined) return [name, value] as const;
    throw configFault('--env', `"${text}" is not a variable`, 'Write --env NAME=value.');
  });
  return Object.fromEntries(pairs);
}

/** The event in --data or --path, as JSON or YAML; without them the event of the first timer. */
export async function readEvent(
  { root, options: { data, path }, nowMs }: CommandContext,
  settings: FunctionSettings,
): Promise<object> {
  if (data === undefined && path === undefined) return createTimerEvent(settings, nowMs());
  try {
    const event: unknown = parse(data ?? (await readFile(resolve(root, path ?? ''), 'utf8')));
    return typeof event === 'object' && event !== null ? event : { event };
  } catch (error) {
    const option = data === undefined ? '--path' : '--data';
    const { message } = error as Error;
    throw configFault(option, `is not a valid event: ${message}`, 'Use JSON or YAML.');
  }
}

/** Source: FunctionGraph User Guide, "Supported Event Sources", TIMER, read 2026-11-24. */
export function createTimerEvent({ timers: [timer] }: FunctionSettings, nowMs: number): object {
  return {
    version: 'v2.0',
    time: new Date(nowMs).toISOString(),
    trigger_type: 'TIMER',
    trigger_name: timer?.name ?? 'local',
    user_event: timer?.userEvent ?? '',
  };
}

/** Like FunctionGraph's context, but with the key in `env`: a local process cannot use an agency. */
export function createLocalContext(
  settings: FunctionSettings,
  env: Environment,
  nowMs: () => number,
): FunctionContext {
  const endMs = nowMs() + settings.timeout * 1_000;
  return {
    isLocal: true,
    getSecurityToken: () => env.HUAWEICLOUD_SDK_SECURITY_TOKEN ?? '',
    getRequestID: () => 'local',
    getMemorySize: () => settings.memorySize,
    getRemainingTimeInMilliSeconds: () => Math.max(0, endMs - nowMs()),
    getSecurityAccessKey: () => env.HUAWEICLOUD_SDK_AK ?? '',
    getSecuritySecretKey: () => env.HUAWEICLOUD_SDK_SK ?? '',
    getUserData: (name) =>
      settings.environment[name] ?? (settings.secrets.includes(name) ? env[name] : undefined),
  };
}
