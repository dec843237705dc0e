// Responsible for comparing the wanted configuration with the deployed one, and for the request bodies that change it. Pure functions.

import { scryptSync } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ConfigError, configFault } from '../core/errors.ts';
import type { Environment } from '../core/ports.ts';
import type { AsyncSettings, DeployedFunction } from './function-graph.ts';
import { type FunctionSettings, secretsMark } from './settings.ts';

/** Name → value. */
export type Secrets = Readonly<Record<string, string>>;

const markBytes = 16;

/** Names and values together. Source: FunctionGraph User Guide, "Configuring Environment Variables", read 2026-11-24. */
const environmentMaxChars = 4_096;

/** Reads the values of the function's secrets from `env`. Throws ConfigError that lists all missing ones. */
export function takeSecrets(
  { key, environment, secrets }: FunctionSettings,
  env: Environment,
): Secrets {
  // Own properties only: objects inherit names such as `constructor`.
  const missing = secrets.filter((name) => !Object.hasOwn(env, name) || !env[name]);
  const issues = missing.map((name) => ({
    path: `functions.${key}.secrets`,
    message: `${name} is not set`,
    hint: `Set ${name} in the environment of this command. It is sent encrypted and not stored anywhere else.`,
  }));
  if (issues.length > 0) throw new ConfigError(issues);
  const taken = Object.fromEntries(secrets.map((name) => [name, env[name] ?? '']));
  // Only the length of the mark counts here, and computing the real mark is slow.
  const mark = secrets.length > 0 ? '0'.repeat(2 * markBytes) : '';
  const chars = JSON.stringify(withMark(environment, mark)).length + JSON.stringify(taken).length;
  if (chars <= environmentMaxChars) return taken;
  const message = `environment and secrets have ${chars} characters, the limit is ${environmentMaxChars}`;
  const hint = 'Move the settings that are not secret to cgs-export.yml: it is in the zip.';
  throw configFault(`functions.${key}`, message, hint);
}

/** A slow hash with the function as its salt: everyone who reads the mark could guess a password from a fast hash. */
export function markSecrets(urn: string, secrets: Secrets): string {
  if (Object.keys(secrets).length === 0) return '';
  return scryptSync(JSON.stringify(Object.entries(secrets).sort()), urn, markBytes).toString('hex');
}

function withMark(variables: Readonly<Record<string, string>>, mark: string) {
  return mark === '' ? variables : { ...variables, [secretsMark]: mark };
}

/** The settings that UpdateFunctionConfig changes, named as in settings.ts. `secrets` is their mark; empty: no secrets. */
type Configuration = ReturnType<typeof readDeployed> &
  Partial<Pick<FunctionSettings, 'ltsGroupName' | 'ltsStreamName'>>;

function readDeployed(current: DeployedFunction) {
  const { [secretsMark]: secrets = '', ...environment } = readUserData(current.user_data) ?? {};
  return {
    runtime: current.runtime,
    handler: current.handler,
    memorySize: current.memory_size,
    timeout: current.timeout,
    description: current.description ?? '',
    agencyName: current.xrole ?? '',
    appXrole: current.app_xrole ?? '',
    environment,
    secrets,
    vpcId: current.func_vpc?.vpc_id || undefined,
    subnetId: current.func_vpc?.subnet_id || undefined,
    enterpriseProjectId: current.enterprise_project_id || undefined,
    ltsGroupId: current.log_group_id || undefined,
    ltsStreamId: current.log_stream_id || undefined,
  };
}

/** Readable variables, by name; null if the text does not parse. */
export function readUserData(text: string | null | undefined): Record<string, string> | null {
  try {
    const parsed: unknown = JSON.parse(text || '{}');
    return typeof parsed === 'object' ? (parsed as Record<string, string> | null) : null;
  } catch {
    return null;
  }
}

/** Names of the settings that differ. What `wanted` does not set is not compared: no API call removes it. */
function listDifferences(wanted: Partial<Configuration>, current: DeployedFunction): string[] {
  const deployed = readDeployed(current);
  const names = Object.keys(deployed) as (keyof typeof deployed)[];
  return names.filter((name) => {
    const value = wanted[name];
    // The API reports the default enterprise project as 0 or not at all.
    if (name === 'enterpriseProjectId' && value === '0' && !deployed[name]) return false;
    return value !== undefined && !isDeepStrictEqual(value, deployed[name]);
  });
}

/** Names of the settings that differ; empty: the deployed configuration is as wanted. */
export function compareConfig(
  urn: string,
  current: DeployedFunction,
  settings: FunctionSettings,
  secrets: Secrets,
): string[] {
  return listDifferences({ ...settings, secrets: markSecrets(urn, secrets) }, current);
}

function bodyOf(name: string, wanted: Configuration) {
  const { vpcId, subnetId, ltsGroupId, ltsStreamId, enterpriseProjectId } = wanted;
  const logConfig = {
    group_id: ltsGroupId,
    group_name: wanted.ltsGroupName,
    stream_id: ltsStreamId,
    stream_name: wanted.ltsStreamName,
  };
  return {
    func_name: name,
    runtime: wanted.runtime,
    timeout: wanted.timeout,
    handler: wanted.handler,
    memory_size: wanted.memorySize,
    description: wanted.description,
    xrole: wanted.agencyName,
    app_xrole: wanted.appXrole,
    user_data: JSON.stringify(withMark(wanted.environment, wanted.secrets)),
    ...(vpcId ? { func_vpc: { vpc_id: vpcId, subnet_id: subnetId } } : {}),
    ...(ltsGroupId && ltsStreamId ? { log_config: logConfig } : {}),
    ...(enterpriseProjectId ? { enterprise_project_id: enterpriseProjectId } : {}),
  };
}

/** Without secrets and without their mark: an update sends both. */
export function createBody(settings: FunctionSettings, zip: Uint8Array): object {
  const body = bodyOf(settings.name, { ...settings, secrets: '' });
  return { ...body, package: settings.app, type: 'v2', ...codeBody(zip) };
}

export function codeBody(zip: Uint8Array): object {
  return {
    code_type: 'zip',
    code_filename: 'index.zip',
    func_code: { file: Buffer.from(zip).toString('base64') },
  };
}

export function configBody(urn: string, settings: FunctionSettings, secrets: Secrets): object {
  return {
    ...bodyOf(settings.name, { ...settings, secrets: markSecrets(urn, secrets) }),
    // Sent even if empty: this removes variables that are no longer wanted.
    encrypted_user_data: JSON.stringify(secrets),
  };
}

/**
 * Restores an earlier configuration. The API does not return encrypted variables, so they stay as they are now: `secrets` are the
 * values now deployed, and their mark stays with them; null if the deploy did not change them.
 */
export function restoreConfig(
  urn: string,
  before: DeployedFunction,
  secrets: Secrets | null,
): { body: object; isRestored: (after: DeployedFunction) => boolean } {
  const earlier = readDeployed(before);
  const wanted = secrets === null ? earlier : { ...earlier, secrets: markSecrets(urn, secrets) };
  return {
    body: bodyOf(before.func_name, wanted),
    isRestored: (after) => listDifferences(wanted, after).length === 0,
  };
}

/** Names of the settings that `after` has and `before` does not, and that no API call can remove. */
export function listAdded(before: DeployedFunction, after: DeployedFunction): string[] {
  const [old, now] = [readDeployed(before), readDeployed(after)];
  const isSet = (value: string | undefined) => value !== undefined && value !== '0';
  return (['vpcId', 'ltsGroupId', 'enterpriseProjectId'] as const).filter(
    (name) => isSet(now[name]) && !isSet(old[name]),
  );
}

/** What `current` still has, although `settings` no longer do. Not a log group: FunctionGraph may have created it. */
export function listLeftovers(settings: FunctionSettings, current: DeployedFunction | null) {
  if (current === null) return [];
  const { vpcId, enterpriseProjectId: project = '0' } = readDeployed(current);
  return [
    ...(vpcId && !settings.vpcId ? [`VPC ${vpcId}`] : []),
    ...(project !== '0' && !settings.enterpriseProjectId ? [`enterprise project ${project}`] : []),
  ];
}

/** An older event is dropped: the timer has sent newer ones. */
const eventAgeMaxSeconds = 3_600;

/** Null: the deployed settings are as wanted. The destination for successes is kept. */
export function asyncBody(current: AsyncSettings | null, settings: FunctionSettings) {
  const { on_failure: before, on_success: onSuccess } = current?.destination_config ?? {};
  const wanted = settings.onFailure;
  const isSame =
    current !== null &&
    current.max_async_retry_attempts === settings.asyncRetries &&
    current.max_async_event_age_in_seconds === eventAgeMaxSeconds &&
    (before?.destination ?? '') === (wanted?.destination ?? '') &&
    (before?.param ?? '') === (wanted?.param ?? '');
  if (isSame) return null;
  return {
    max_async_event_age_in_seconds: eventAgeMaxSeconds,
    max_async_retry_attempts: settings.asyncRetries,
    destination_config: {
      ...(onSuccess?.destination ? { on_success: onSuccess } : {}),
      ...(wanted ? { on_failure: wanted } : {}),
    },
  };
}
