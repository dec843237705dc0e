// Responsible for what serverless.yml means for each function: defaults, and every fault at once. Not responsible for reading files.

import { ConfigError, type ConfigIssue } from '../core/errors.ts';
import type { FunctionSection, ProviderSection, SharedSection } from './settings-schema.ts';
import { type Report, readTimers } from './timer-events.ts';

/** Settings of one function, by their names in serverless.yml, with all defaults. */
export type FunctionSettings = ReturnType<typeof readFunction>;

/** MB. Source: FunctionGraph API Reference, "Creating a Function", read 2026-11-24. */
const memorySizes = [128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096];

/** A readable variable of the function: a hash that shows whether its encrypted variables changed. The API does not return those. */
export const secretsMark = 'DEPLOYED_SECRETS';

const secretName = /(^|_)(SK|KEY|SECRET|SECRETKEY|PASS|PASSWORD|PASSWD|PWD|TOKEN|CREDENTIALS?)$/i;

/**
 * For each destination: key in serverless.yml → name in `param` and default; null: required.
 * Source: API Reference, "Configuring Asynchronous Execution Notification", param; read 2026-11-24.
 */
const destinations = {
  SMN: { topicUrn: ['topic_urn', null] },
  OBS: { bucket: ['bucket', null], prefix: ['prefix', '/'], expires: ['expires', 0] },
  FunctionGraph: { funcUrn: ['func_urn', null] },
} as const;

/** Settings of every function in serverless.yml. Throws ConfigError that lists every fault. */
export function readSettings(
  provider: ProviderSection,
  functions: Readonly<Record<string, FunctionSection>>,
): FunctionSettings[] {
  const issues: ConfigIssue[] = [];
  const settings = Object.entries(functions).map(([key, section]) =>
    readFunction(provider, key, section, (path, message, hint) =>
      issues.push({ path: `functions.${key}.${path}`, message, hint }),
    ),
  );
  const keyByName = new Map<string, string>();
  for (const { key, app, name } of settings) {
    const other = keyByName.get(`${app}/${name}`);
    keyByName.set(`${app}/${name}`, key);
    if (other === undefined) continue;
    const message = `"${name}" is also the name of functions.${other}: one would overwrite the other`;
    issues.push({ path: `functions.${key}.name`, message, hint: 'Use a different name.' });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return settings;
}

function readFunction(
  provider: ProviderSection,
  key: string,
  section: FunctionSection,
  report: Report,
) {
  const both = { ...provider, ...section };
  const settings = {
    /** The name in serverless.yml and of the file in functions/. */
    key,
    /** The name in FunctionGraph. */
    name: section.name ?? key,
    app: section.app ?? 'default',
    runtime: both.runtime ?? 'Node.js20.15',
    handler: section.handler ?? 'index.handler',
    description: section.description ?? '',
    /** MB. */
    memorySize: both.memorySize ?? 256,
    /** Seconds. */
    timeout: both.timeout ?? 60,
    /** For reading the configuration and, without `appXrole`, for running. Empty: none. */
    agencyName: both.agencyName ?? '',
    appXrole: both.appXrole ?? '',
    /** Sorted by name. */
    environment: readVariables({ ...provider.environment, ...section.environment }),
    /** Names of shell variables that become encrypted variables of the function. */
    secrets: [...new Set([...(provider.secrets ?? []), ...(section.secrets ?? [])])],
    vpcId: both.vpcId,
    subnetId: both.subnetId,
    ltsGroupId: both.ltsGroupId,
    ltsGroupName: both.ltsGroupName ?? '',
    ltsStreamId: both.ltsStreamId,
    ltsStreamName: both.ltsStreamName ?? '',
    enterpriseProjectId: both.enterpriseProjectId,
    maxInstances: both.maxInstances ?? 1,
    // Only one invocation throws each fault: a retry would succeed, and the destination would get no message.
    asyncRetries: both.asyncRetries ?? 0,
    onFailure: readOnFailure(both, report),
    timers: readTimers(section.events ?? [], report),
  };
  checkFunction(settings, report);
  checkVariables(settings, report);
  return settings;
}

function readVariables(variables: Record<string, string | number | boolean>) {
  const entries = Object.entries(variables).map(([name, value]) => [name, String(value)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function checkFunction(settings: FunctionSettings, report: Report): void {
  const { vpcId, subnetId, ltsGroupId, ltsStreamId } = settings;
  // Source: API Reference, "Creating a Function", func_name, read 2026-11-24.
  if (!/^[A-Za-z](?:[\w-]{0,58}[A-Za-z0-9])?$/.test(settings.name)) {
    const rule = 'A letter, then up to 59 letters, digits, - and _; not - or _ at the end.';
    report('name', `"${settings.name}" is not a valid function name`, rule);
  }
  if (!memorySizes.includes(settings.memorySize)) {
    const message = `${settings.memorySize} MB is not a size that FunctionGraph offers`;
    report('memorySize', message, `Use one of ${memorySizes.join(', ')}.`);
  }
  if (Boolean(vpcId) !== Boolean(subnetId)) {
    report('vpcId', 'needs subnetId, and subnetId needs vpcId', 'Set both or neither.');
  }
  if (vpcId && subnetId && settings.agencyName === '') {
    report('agencyName', 'is missing: a function in a VPC needs an agency', 'Set agencyName.');
  }
  if (Boolean(ltsGroupId) !== Boolean(ltsStreamId)) {
    const hint = 'Set both ids, or neither: FunctionGraph then creates a log group.';
    report('ltsGroupId', 'needs ltsStreamId, and ltsStreamId needs ltsGroupId', hint);
  }
  for (const name of ['ltsGroupName', 'ltsStreamName'] as const) {
    if (settings[name] === '' || ltsGroupId || ltsStreamId) continue;
    const hint = `Set both ids, or remove ${name}: it only labels them.`;
    report(name, 'needs ltsGroupId and ltsStreamId', hint);
  }
}

function checkVariables({ environment, secrets }: FunctionSettings, report: Report): void {
  const names = Object.keys(environment);
  for (const [section, all] of Object.entries({ environment: names, secrets })) {
    if (!all.includes(secretsMark)) continue;
    report(section, `${secretsMark} is a name that deploy uses itself`, 'Choose another name.');
  }
  for (const name of names) {
    if (!secretName.test(name) && !secrets.includes(name)) continue;
    const hint = `Move ${name} to secrets and set its value in your shell: deploy sends it encrypted.`;
    report(`environment.${name}`, 'looks like a secret, and environment is readable', hint);
  }
}

/** `param` is JSON text, as the API expects it. Null: no destination. */
function readOnFailure({ onFailure }: SharedSection, report: Report) {
  if (!onFailure?.destination) return null;
  const { destination, ...given } = onFailure;
  const keys = Object.entries<readonly [string, string | number | null]>(destinations[destination]);
  const known = keys.map(([key]) => key);
  for (const key of Object.keys(given).filter((one) => !known.includes(one))) {
    report(`onFailure.${key}`, `is not a key of ${destination}`, `Use ${known.join(', ')}.`);
  }
  const param = keys.map(([key, [apiName, fallback]]) => {
    const value = given[key as keyof typeof given] || fallback;
    if (value === null) {
      report(`onFailure.${key}`, `is missing: ${destination} needs it`, `Set ${key}.`);
    }
    return [apiName, value];
  });
  return { destination, param: JSON.stringify(Object.fromEntries(param)) };
}
