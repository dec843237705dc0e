// Responsible for the `huawei` provider in Serverless: its schema, and which command each hook runs.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { configFault } from '../core/errors.ts';
import { allowSlowConnections } from '../platform/connections.ts';
import { createScrubber } from '../platform/scrubber.ts';
import { type CommandContext, type CommandOptions, selectFunctions } from './command-context.ts';
import { deploy, info, invoke, logs, remove } from './commands.ts';
import { packFunctions } from './function-zip.ts';
import { readSettings } from './settings.ts';
import {
  eventSchema,
  type FunctionSection,
  functionSchema,
  type ProviderSection,
  providerSchema,
} from './settings-schema.ts';

/** The parts of Serverless that the plugin uses. Source: osls 4.3.1, lib/classes, read 2026-11-24. */
interface Serverless {
  serviceDir: string;
  configurationFilename: string;
  service: {
    provider: ProviderSection & { name: string };
    functions: Record<string, FunctionSection & { package?: { artifact?: string } }>;
    package: { path?: string };
  };
  configSchemaHandler: {
    schema: { properties: { functions: { patternProperties: Record<string, FunctionRule> } } };
    defineProvider(name: string, parts: object): void;
  };
  classes: { Error: new (message: string, code: string) => Error };
  setProvider(name: string, provider: object): void;
}

interface FunctionRule {
  properties: { events: { items: { anyOf: unknown[] } } };
}

interface Tools {
  log: { notice(text: string): void; warning(text: string): void };
  progress: { get(name: string): { update(text: string): void; remove(): void } };
  writeText(text: string): void;
}

const providerName = 'huawei';

export function createPlugin(
  serverless: Serverless,
  options: CommandOptions,
  tools: Tools,
  process: Pick<CommandContext, 'env' | 'bundles'>,
) {
  const { name } = serverless.service.provider;
  if (name !== providerName) {
    const message = `provider.name: "${name}" is not the provider of this project\nWrite ${providerName}.`;
    throw new serverless.classes.Error(message, 'CONFIG');
  }
  defineSchema(serverless);
  allowSlowConnections();
  const context = createContext(serverless, options, tools, process);
  const command = (run: () => Promise<unknown>) => async () => {
    try {
      await run();
    } catch (error) {
      throw describeFault(error, serverless, context.scrubber.scrub);
    } finally {
      tools.progress.get(providerName).remove();
    }
  };
  const pack = async () => {
    const functions = context.selectFunctions();
    const { lines, warnings } = await packFunctions(context, functions);
    for (const warning of warnings) tools.log.warning(warning);
    for (const { key } of functions) {
      const section = serverless.service.functions[key];
      if (section) section.package = { ...section.package, artifact: context.zipPath(key) };
    }
    return lines;
  };
  const plugin = {
    provider: providerName,
    hooks: {
      'before:package:createDeploymentArtifacts': command(async () => {
        for (const line of await pack()) tools.log.notice(line);
      }),
      'deploy:deploy': command(() => deploy(context, 'all')),
      'deploy:function:initialize': command(async () => context.selectFunctions()),
      'deploy:function:packageFunction': command(pack),
      'deploy:function:deploy': command(() =>
        deploy(context, options['update-config'] ? 'config' : 'code'),
      ),
      'info:info': command(() => info(context)),
      'invoke:invoke': command(() => invoke(context)),
      'invoke:local:invoke': command(async () => {
        const hint = 'Run `cgs-export tick` instead: it does what one invocation does.';
        throw configFault('invoke local', 'is not supported by this provider', hint);
      }),
      'logs:logs': command(() => logs(context)),
      'remove:remove': command(() => remove(context)),
    },
  };
  serverless.setProvider(providerName, plugin);
  return plugin;
}

function createContext(
  { service, serviceDir: root, configurationFilename }: Serverless,
  options: CommandOptions,
  tools: Tools,
  process: Pick<CommandContext, 'env' | 'bundles'>,
): CommandContext {
  const { provider, functions } = service;
  const scrubber = createScrubber();
  return {
    root,
    provider,
    ...process,
    scrubber,
    // Called when a command runs: Serverless has resolved the variables and checked the schema by then.
    selectFunctions: () =>
      selectFunctions(readSettings(provider, functions), options, () =>
        readFileSync(join(root, configurationFilename), 'utf8'),
      ),
    zipPath: (key) =>
      resolve(root, options.package ?? service.package.path ?? '.serverless', `${key}.zip`),
    print: (text) => tools.writeText(`${scrubber.scrub(text)}\n`),
    progress: (text) => tools.progress.get(providerName).update(scrubber.scrub(text)),
  };
}

/** Serverless prints only the message of its own error class; it prints any other error with a stack, as a bug. */
function describeFault(error: unknown, { classes }: Serverless, scrub: (text: string) => string) {
  // Not `instanceof`: a bundle that runs in this process has its own error classes.
  const { code, message, syscall, hint = '' } = error as Partial<Record<string, string>>;
  // With `syscall` it is an error of the file system.
  if (code === undefined || (hint === '' && syscall === undefined)) return error;
  // The message of an alert already contains its hint.
  const text = message?.includes(hint) ? message : `${message}\n${hint}`;
  return new classes.Error(scrub(text), code);
}

function defineSchema({ configSchemaHandler }: Serverless): void {
  const parts = { provider: providerSchema, function: functionSchema };
  configSchemaHandler.defineProvider(providerName, parts);
  // Not defineFunctionEvent: it supports only events with one key, and these have three.
  const { patternProperties } = configSchemaHandler.schema.properties.functions;
  for (const { properties } of Object.values(patternProperties)) {
    properties.events.items.anyOf.push(eventSchema);
  }
}
