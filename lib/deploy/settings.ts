// Owns what serverless.yml means for each function, defaults and all, and what is wrong with it. Refuses to read files or the environment.

import { ConfigError, type ConfigIssue } from '../errors.ts';
import { checkSchedule } from './timer-schedule.ts';

/** What provider and function may both say; the function's word counts. */
interface SharedSection {
  runtime?: string;
  memorySize?: number;
  timeout?: number;
  agencyName?: string;
  appXrole?: string;
  environment?: Record<string, string | number | boolean>;
  secrets?: string[];
  vpcId?: string;
  subnetId?: string;
  ltsGroupId?: string;
  ltsGroupName?: string;
  ltsStreamId?: string;
  ltsStreamName?: string;
  enterpriseProjectId?: string;
  maxInstances?: number;
  asyncRetries?: number;
  onFailure?: {
    destination: 'SMN' | 'OBS' | 'FunctionGraph';
    topicUrn?: string;
    bucket?: string;
    prefix?: string;
    expires?: number;
    funcUrn?: string;
  };
}

export interface ProviderSection extends SharedSection {
  region?: string;
  projectId?: string | null;
  endpoint?: string | null;
  iamEndpoint?: string | null;
}

export interface FunctionSection extends SharedSection {
  name?: string;
  handler?: string;
  description?: string;
  app?: string;
  events?: {
    triggerTypeCode: 'TIMER';
    status?: 'ACTIVE' | 'DISABLED';
    eventData: {
      name: string;
      scheduleType: 'Rate' | 'Cron';
      schedule: string;
      userEvent?: string;
    };
  }[];
}

export interface Timer {
  name: string;
  status: 'ACTIVE' | 'DISABLED';
  scheduleType: 'Rate' | 'Cron';
  schedule: string;
  userEvent: string;
}

export interface FunctionSettings {
  /** Its name in serverless.yml and of its bundle. */
  key: string;
  /** Its name at FunctionGraph. */
  name: string;
  app: string;
  runtime: string;
  handler: string;
  description: string;
  /** MB. */
  memorySize: number;
  timeoutSeconds: number;
  agency: string;
  /** Empty: the agency is for both configuration and execution. */
  executionAgency: string;
  environment: Record<string, string>;
  /** Variables of whoever deploys that become encrypted variables of the function. */
  secrets: readonly string[];
  vpc: { vpcId: string; subnetId: string } | null;
  log: { groupId: string; groupName: string; streamId: string; streamName: string } | null;
  enterpriseProjectId: string | null;
  maxInstances: number;
  asyncRetries: number;
  /** `param` is JSON, as the API wants it. */
  onFailure: { destination: string; param: string } | null;
  timers: readonly Timer[];
}

/** Names and values together. Source: FunctionGraph User Guide, "Configuring Environment Variables", read 2026-11-24. */
export const environmentMaxChars = 4_096;

const secretName = /(^|_)(SK|SECRET|SECRETKEY|PASSWORD|PASSWD|TOKEN)$/i;

/** Every function of the file. Throws ConfigError with every fault in it. */
export function readSettings(
  provider: ProviderSection,
  functions: Readonly<Record<string, FunctionSection>>,
): FunctionSettings[] {
  const issues: ConfigIssue[] = [];
  const settings = Object.entries(functions).map(([key, section]) =>
    readFunction(provider, key, section, issues),
  );
  if (issues.length > 0) throw new ConfigError(issues);
  return settings;
}

function readFunction(
  provider: ProviderSection,
  key: string,
  section: FunctionSection,
  issues: ConfigIssue[],
): FunctionSettings {
  const both = { ...provider, ...section };
  const report = (path: string, message: string, hint: string) =>
    issues.push({ path: `functions.${key}.${path}`, message, hint });
  const settings: FunctionSettings = {
    key,
    name: section.name ?? key,
    app: section.app ?? 'default',
    runtime: both.runtime ?? 'Node.js20.15',
    handler: section.handler ?? 'index.handler',
    description: section.description ?? '',
    memorySize: both.memorySize ?? 256,
    timeoutSeconds: both.timeout ?? 60,
    agency: both.agencyName ?? '',
    executionAgency: both.appXrole ?? '',
    environment: readVariables({ ...provider.environment, ...section.environment }),
    secrets: [...new Set([...(provider.secrets ?? []), ...(section.secrets ?? [])])],
    vpc: both.vpcId && both.subnetId ? { vpcId: both.vpcId, subnetId: both.subnetId } : null,
    log: readLog(both),
    enterpriseProjectId: both.enterpriseProjectId ?? null,
    maxInstances: both.maxInstances ?? 1,
    // Each failure is told by one invocation only: a retry would succeed and the destination never hear of it.
    asyncRetries: both.asyncRetries ?? 0,
    onFailure: readOnFailure(both, report),
    timers: readTimers(section, report),
  };
  checkFunction(settings, both, report);
  return settings;
}

type Report = (path: string, message: string, hint: string) => void;

function checkFunction(settings: FunctionSettings, both: SharedSection, report: Report): void {
  // Source: API Reference, "Creating a Function": letter first, letter or digit last, 60 at the most; read 2026-11-24.
  if (!/^[A-Za-z](?:[\w-]{0,58}[A-Za-z0-9])?$/.test(settings.name)) {
    const rule = 'A letter first, then up to 59 letters, digits, - and _, no - or _ at the end.';
    report('name', `"${settings.name}" is no name of a function`, rule);
  }
  if (Boolean(both.vpcId) !== Boolean(both.subnetId)) {
    report('vpcId', 'needs subnetId, and the other way round', 'Give both or neither.');
  }
  if (settings.vpc && settings.agency === '') {
    report('agencyName', 'is missing: a function in a VPC needs an agency', 'Name an agency.');
  }
  const logParts = [both.ltsGroupId, both.ltsStreamId].filter(Boolean).length;
  if (logParts === 1) {
    const hint = 'Give both ids, or neither: then FunctionGraph makes a group of its own.';
    report('ltsGroupId', 'needs ltsStreamId, and the other way round', hint);
  }
  for (const name of Object.keys(settings.environment)) {
    if (!secretName.test(name) && !settings.secrets.includes(name)) continue;
    const hint = `Put ${name} under secrets and its value into your shell's environment: deploy sends it encrypted.`;
    report(`environment.${name}`, 'looks like a secret, and environment is readable', hint);
  }
  const chars = JSON.stringify(settings.environment).length;
  if (chars > environmentMaxChars) {
    const hint = 'Put the settings into cgs-export.yml: it is in the zip.';
    report('environment', `has ${chars} characters, at most ${environmentMaxChars}`, hint);
  }
}

function readVariables(variables: Record<string, string | number | boolean>) {
  const entries = Object.entries(variables).map(([name, value]) => [name, String(value)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readLog(both: SharedSection): FunctionSettings['log'] {
  const { ltsGroupId, ltsStreamId, ltsGroupName, ltsStreamName } = both;
  if (!ltsGroupId || !ltsStreamId) return null;
  return {
    groupId: ltsGroupId,
    groupName: ltsGroupName ?? '',
    streamId: ltsStreamId,
    streamName: ltsStreamName ?? '',
  };
}

/** Source: API Reference, "Configuring Asynchronous Execution Notification", param; read 2026-11-24. */
function readOnFailure(both: SharedSection, report: Report): FunctionSettings['onFailure'] {
  const { onFailure } = both;
  if (!onFailure) return null;
  const { destination, topicUrn, bucket, prefix, expires, funcUrn } = onFailure;
  const need = (name: string, value: string | undefined) => {
    if (value) return;
    report(`onFailure.${name}`, `is missing: ${destination} needs it`, `Set ${name}.`);
  };
  if (destination === 'SMN') {
    need('topicUrn', topicUrn);
    return { destination, param: JSON.stringify({ topic_urn: topicUrn }) };
  }
  if (destination === 'OBS') {
    need('bucket', bucket);
    const param = { bucket, prefix: prefix ?? '/', expires: expires ?? 0 };
    return { destination, param: JSON.stringify(param) };
  }
  need('funcUrn', funcUrn);
  return { destination, param: JSON.stringify({ func_urn: funcUrn }) };
}

function readTimers(section: FunctionSection, report: Report): Timer[] {
  const names = new Set<string>();
  return (section.events ?? []).map(({ status = 'ACTIVE', eventData }, index) => {
    const { name, scheduleType, schedule, userEvent = '' } = eventData;
    const path = `events.${index}.eventData`;
    if (names.has(name)) {
      report(`${path}.name`, `"${name}" names two triggers`, 'Give each a name of its own.');
    }
    names.add(name);
    const refusal = checkSchedule(scheduleType, schedule);
    if (refusal) {
      const hint = `Rate: 1m. Cron: 0 */5 * * * ?, or @every 90s.`;
      report(`${path}.schedule`, refusal, hint);
    }
    return { name, status, scheduleType, schedule, userEvent };
  });
}
