// Responsible for checking the configuration in a zip before the deployment: a fault shows here, and not in every timer invocation.

import { join, relative } from 'node:path';
import { type FunctionNeeds, needsOf } from '../app/function-needs.ts';
import { openSigningKey } from '../app/signing-check.ts';
import { readConfig } from '../config/load.ts';
import type { Config } from '../config/model.ts';
import { ConfigError, configFault } from '../core/errors.ts';
import type { CommandContext } from './command-context.ts';
import type { Secrets } from './configuration-diff.ts';
import { configName, readZipped, usesPackedConfig } from './function-zip.ts';
import type { FunctionSettings } from './settings.ts';
import { checkWrittenSecrets } from './written-secrets.ts';

/** Reads the configuration with the variables that the function will have, and no others. Throws ConfigError. */
export async function checkPackedConfig(
  { root, zipPath }: CommandContext,
  settings: FunctionSettings,
  secrets: Secrets,
  zip: Buffer,
): Promise<void> {
  const { key, environment } = settings;
  const zipName = relative(root, zipPath(key));
  const bytes = await readZipped(zip, configName).catch((error: Error) => {
    const hint = 'Run `serverless package` again.';
    throw configFault('package', `${zipName} is not a valid zip: ${error.message}`, hint);
  });
  if (bytes !== null) checkWrittenSecrets(String(bytes), configName);
  if (!usesPackedConfig(environment)) return;
  if (bytes === null) {
    const hint = 'Write it (`cgs-export init` creates one to edit), then package again.';
    throw configFault('package', `${configName} is not in ${zipName}`, hint);
  }
  const needs = needsOf(key);
  const config = readFunctionConfig(String(bytes), join(root, configName), settings, secrets);
  if (needs.signs) openSigningKey(config.signing);
  if (settings.agencyName || settings.appXrole || !needsAgency(config, needs)) return;
  const message = `is missing, but ${configName} uses the credentials \`agency\``;
  const hint = 'Set agencyName, or write other credentials into the configuration.';
  throw configFault(`functions.${key}.agencyName`, message, hint);
}

function readFunctionConfig(
  text: string,
  path: string,
  { key, environment }: FunctionSettings,
  secrets: Secrets,
): Config {
  try {
    const env = { ...environment, ...secrets };
    return readConfig(text, path, { env, inFunction: true, ...needsOf(key) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const hint = `Add its name to secrets (or environment) of functions.${key} in serverless.yml. Deploy reads the values of secrets from this shell.`;
    const issues = error.issues.map((issue) =>
      issue.message.endsWith('is not set') ? { ...issue, hint } : issue,
    );
    throw new ConfigError(issues);
  }
}

function needsAgency({ accounts, store, verify }: Config, { needs }: FunctionNeeds): boolean {
  const buckets = [store, verify.pins?.store].flatMap((one) => (one?.kind === 'obs' ? [one] : []));
  const holders = needs === 'service' ? [...accounts, ...buckets] : buckets;
  return holders.some(({ credentials }) => credentials.kind === 'agency');
}
