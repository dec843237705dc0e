// Owns what serverless.yml means for each function, defaults and all, and what is wrong with it. Refuses to read files or the environment.

import { suggest } from '../config/suggest.ts';
import { ConfigError, type ConfigIssue } from '../core/errors.ts';
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
  /** As written: Serverless cannot say which of an event's keys is wrong, so they are checked here. */
  events?: Readonly<Record<string, unknown>>[];
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

/** MB. Source: FunctionGraph API Reference, "Creating a Function", read 2026-11-24. */
const memorySizes = [128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096];
/** Every bundle lies at the zip's root as index.js and exports this. */
const handlerOfBundles = 'index.handler';

/** Names and values together. Source: FunctionGraph User Guide, "Configuring Environment Variables", read 2026-11-24. */
export const environmentMaxChars = 4_096;

/** The readable variable that tells whether the encrypted ones, which nobody can read back, are still the same. */
export const secretsMark = 'DEPLOYED_SECRETS';

const secretName = /(^|_)(SK|KEY|SECRET|SECRETKEY|PASS|PASSWORD|PASSWD|PWD|TOKEN|CREDENTIALS?)$/i;

/** Every function of the file. Throws ConfigError with every fault in it. */
export function readSettings(
  provider: ProviderSection,
  functions: Readonly<Record<string, FunctionSection>>,
): FunctionSettings[] {
  const issues: ConfigIssue[] = [];
  const settings = Object.entries(functions).map(([key, section]) =>
    readFunction(provider, key, section, issues),
  );
  const named = new Map<string, string>();
  for (const { key, app, name } of settings) {
    const other = named.get(`${app}/${name}`);
    named.set(`${app}/${name}`, key);
    if (other === undefined) continue;
    const message = `"${name}" is also the name of functions.${other}: one would overwrite the other`;
    issues.push({ path: `functions.${key}.name`, message, hint: 'Give each a name of its own.' });
  }
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
    handler: section.handler ?? handlerOfBundles,
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
  if (settings.handler !== handlerOfBundles) {
    const hint = `Write ${handlerOfBundles}: it is what a bundle exports.`;
    report('handler', `"${settings.handler}" is nothing that the zip has`, hint);
  }
  if (!memorySizes.includes(settings.memorySize)) {
    const hint = `One of ${memorySizes.join(', ')}.`;
    report('memorySize', `${settings.memorySize} MB is no size that FunctionGraph has`, hint);
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
  for (const name of ['ltsGroupName', 'ltsStreamName'] as const) {
    if (!both[name] || logParts > 0) continue;
    report(
      name,
      'needs ltsGroupId and ltsStreamId',
      'The ids are what counts; the name is for people.',
    );
  }
  for (const [section, names] of [
    ['environment', Object.keys(settings.environment)],
    ['secrets', settings.secrets],
  ] as const) {
    if (!names.includes(secretsMark)) continue;
    report(section, `${secretsMark} is what deploy sets itself`, 'Choose another name.');
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

const onFailureKeys: Record<NonNullable<SharedSection['onFailure']>['destination'], string[]> = {
  SMN: ['topicUrn'],
  OBS: ['bucket', 'prefix', 'expires'],
  FunctionGraph: ['funcUrn'],
};

/** Source: API Reference, "Configuring Asynchronous Execution Notification", param; read 2026-11-24. */
function readOnFailure(both: SharedSection, report: Report): FunctionSettings['onFailure'] {
  const { onFailure } = both;
  if (!onFailure) return null;
  const { destination, topicUrn, bucket, prefix, expires, funcUrn } = onFailure;
  const known = onFailureKeys[destination];
  for (const key of Object.keys(onFailure)) {
    if (key === 'destination' || known.includes(key)) continue;
    report(`onFailure.${key}`, `is no key of ${destination}`, `It takes ${known.join(', ')}.`);
  }
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

const eventKeys = ['triggerTypeCode', 'status', 'eventData'];
const eventDataKeys = ['name', 'scheduleType', 'schedule', 'userEvent'];

/** Events as the public plugin serverless-huawei-functions has them: its docs/trigger.md, read 2026-11-24. */
function readTimers(section: FunctionSection, report: Report): Timer[] {
  const names = new Set<string>();
  return (section.events ?? []).flatMap((event, index) => {
    const path = `events.${index}`;
    const timer = readTimer(event, path, report);
    if (timer && names.has(timer.name)) {
      const hint = 'Give each a name of its own.';
      report(`${path}.eventData.name`, `"${timer.name}" names two triggers`, hint);
    }
    if (timer) names.add(timer.name);
    return timer ?? [];
  });
}

/** Null: a fault was reported. */
function readTimer(
  event: Readonly<Record<string, unknown>>,
  path: string,
  report: Report,
): Timer | null {
  let isRight = true;
  const refuse = (key: string, message: string, hint: string) => {
    isRight = false;
    report(`${path}.${key}`, message, hint);
  };
  const { triggerTypeCode, status = 'ACTIVE', eventData = {} } = event;
  for (const [keys, prefix, value] of [
    [eventKeys, '', event],
    [eventDataKeys, 'eventData.', eventData],
  ] as const) {
    for (const key of Object.keys(Object(value)).filter((one) => !keys.includes(one))) {
      const near = suggest(key, keys);
      const hint = near ? `Did you mean ${near}?` : `Known here: ${keys.join(', ')}.`;
      refuse(`${prefix}${key}`, 'is no key of an event', hint);
    }
  }
  const example =
    'triggerTypeCode: TIMER, eventData: { name: every-minute, scheduleType: Rate, schedule: 1m }.';
  if (triggerTypeCode !== 'TIMER') {
    refuse('triggerTypeCode', "must be TIMER: other triggers are not this provider's", example);
  }
  if (status !== 'ACTIVE' && status !== 'DISABLED') {
    refuse('status', `${JSON.stringify(status)} is no status`, 'ACTIVE or DISABLED.');
  }
  const {
    name,
    scheduleType,
    schedule,
    userEvent = '',
  } = Object(eventData) as Record<string, unknown>;
  if (typeof name !== 'string' || !/^[A-Za-z][\w-]{0,63}$/.test(name)) {
    const hint = 'A letter first, then up to 63 letters, digits, - and _.';
    refuse('eventData.name', `${JSON.stringify(name) ?? 'nothing'} is no name of a trigger`, hint);
  }
  if (typeof userEvent !== 'string' || userEvent.length > 2_048) {
    refuse('eventData.userEvent', 'is no text of at most 2,048 characters', 'Shorten it.');
  }
  if (scheduleType !== 'Rate' && scheduleType !== 'Cron') {
    const said = JSON.stringify(scheduleType) ?? 'nothing';
    refuse('eventData.scheduleType', `${said} is no type of schedule`, 'Rate or Cron.');
  } else {
    const isText = typeof schedule === 'string';
    const said = JSON.stringify(schedule) ?? 'nothing';
    const refusal = isText ? checkSchedule(scheduleType, schedule) : `${said} is no text`;
    if (refusal)
      refuse('eventData.schedule', refusal, 'Rate: 1m. Cron: 0 */5 * * * ?, or @every 90s.');
  }
  return isRight ? ({ name, status, scheduleType, schedule, userEvent } as Timer) : null;
}
