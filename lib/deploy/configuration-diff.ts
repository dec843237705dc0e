// Owns the difference between what is wanted and what is deployed, and the bodies that close it. Pure.

import { scryptSync } from 'node:crypto';
import { ConfigError } from '../core/errors.ts';
import type { AsyncSettings, DeployedFunction, DeployedTrigger } from './function-graph.ts';
import { environmentMaxChars, type FunctionSettings, secretsMark, type Timer } from './settings.ts';

export type Secrets = Readonly<Record<string, string>>;

const markBytes = 16;

/** Takes the named secrets from `env`. Throws ConfigError with all that are missing. */
export function takeSecrets(
  settings: FunctionSettings,
  env: Readonly<Record<string, string | undefined>>,
): Secrets {
  // Own ones: an environment inherits names such as constructor.
  const missing = settings.secrets.filter((name) => !Object.hasOwn(env, name) || !env[name]);
  if (missing.length > 0) {
    throw new ConfigError(
      missing.map((name) => ({
        path: `functions.${settings.key}.secrets`,
        message: `${name} is not set`,
        hint: `Set ${name} in the environment of this command; it is sent encrypted and stored nowhere else.`,
      })),
    );
  }
  const taken = Object.fromEntries(settings.secrets.map((name) => [name, env[name] ?? '']));
  // The mark counts by its length alone: making it is slow.
  const mark = settings.secrets.length > 0 ? '0'.repeat(2 * markBytes) : null;
  const chars =
    JSON.stringify(withMark(settings.environment, mark)).length + JSON.stringify(taken).length;
  if (chars > environmentMaxChars) {
    throw new ConfigError([
      {
        path: `functions.${settings.key}.secrets`,
        message: `environment and secrets have ${chars} characters, at most ${environmentMaxChars}`,
        hint: 'Put the settings that are no secret into cgs-export.yml: it is in the zip.',
      },
    ]);
  }
  return taken;
}

/** Slow on purpose, salted by the function: the mark is readable, and a password could be guessed from a fast hash. */
function markSecrets(urn: string, secrets: Secrets): string | null {
  if (Object.keys(secrets).length === 0) return null;
  return scryptSync(JSON.stringify(Object.entries(secrets).sort()), urn, markBytes).toString('hex');
}

/** `mark` null: there are no secrets. */
function withMark(variables: Readonly<Record<string, string>>, mark: string | null) {
  return mark === null ? variables : { ...variables, [secretsMark]: mark };
}

export function userDataOf(urn: string, settings: FunctionSettings, secrets: Secrets) {
  return withMark(settings.environment, markSecrets(urn, secrets));
}

/** Names of the settings that differ; empty: the configuration stands as it is wanted. */
export function compareConfig(
  urn: string,
  current: DeployedFunction,
  settings: FunctionSettings,
  secrets: Secrets,
): string[] {
  const before = readUserData(current);
  const after: Record<string, string> = userDataOf(urn, settings, secrets);
  const { [secretsMark]: markBefore = '', ...plainBefore } = before;
  const { [secretsMark]: markAfter = '', ...plainAfter } = after;
  const pairs: [string, unknown, unknown][] = [
    ['runtime', current.runtime, settings.runtime],
    ['handler', current.handler, settings.handler],
    ['memorySize', current.memory_size, settings.memorySize],
    ['timeout', current.timeout, settings.timeoutSeconds],
    ['description', current.description ?? '', settings.description],
    ['agencyName', current.xrole ?? '', settings.agency],
    ['appXrole', current.app_xrole ?? '', settings.executionAgency],
    ['environment', sortKeys(plainBefore), sortKeys(plainAfter)],
    ['secrets', markBefore, markAfter],
  ];
  // Leaving a VPC or an enterprise project is not in the API: listStays says what stays.
  if (settings.vpc) {
    pairs.push(['vpcId', current.func_vpc?.vpc_id ?? '', settings.vpc.vpcId]);
    pairs.push(['subnetId', current.func_vpc?.subnet_id ?? '', settings.vpc.subnetId]);
  }
  if (settings.enterpriseProjectId !== null) {
    const { enterprise_project_id: project = '0' } = current;
    pairs.push(['enterpriseProjectId', project ?? '0', settings.enterpriseProjectId]);
  }
  // Without one of ours FunctionGraph makes a log group of its own: that is no difference.
  if (settings.log) {
    pairs.push(['ltsGroupId', current.log_group_id ?? '', settings.log.groupId]);
    pairs.push(['ltsStreamId', current.log_stream_id ?? '', settings.log.streamId]);
  }
  return pairs.filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b)).map(([name]) => name);
}

/** Anything that does not parse counts as different. */
function readUserData({ user_data: text }: DeployedFunction): Record<string, string> {
  try {
    const parsed: unknown = JSON.parse(text || '{}');
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, string>) : {};
  } catch {
    return {};
  }
}

function sortKeys(variables: Record<string, string>): [string, string][] {
  return Object.entries(variables).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The part that creating and updating share. */
function describeSettings(urn: string, settings: FunctionSettings, secrets: Secrets) {
  const { log, vpc } = settings;
  return {
    func_name: settings.name,
    runtime: settings.runtime,
    timeout: settings.timeoutSeconds,
    handler: settings.handler,
    memory_size: settings.memorySize,
    description: settings.description,
    xrole: settings.agency,
    app_xrole: settings.executionAgency,
    user_data: JSON.stringify(userDataOf(urn, settings, secrets)),
    ...(vpc ? { func_vpc: { vpc_id: vpc.vpcId, subnet_id: vpc.subnetId } } : {}),
    ...(log
      ? {
          log_config: {
            group_id: log.groupId,
            group_name: log.groupName,
            stream_id: log.streamId,
            stream_name: log.streamName,
          },
        }
      : {}),
    ...(settings.enterpriseProjectId === null
      ? {}
      : { enterprise_project_id: settings.enterpriseProjectId }),
  };
}

/** Without secrets, and without their mark: an update brings both. */
export function createBody(urn: string, settings: FunctionSettings, zip: Uint8Array): object {
  return {
    ...describeSettings(urn, settings, {}),
    package: settings.app,
    type: 'v2',
    ...codeBody(zip),
  };
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
    ...describeSettings(urn, settings, secrets),
    // Always: variables that are no longer wanted must go.
    encrypted_user_data: JSON.stringify(secrets),
  };
}

/**
 * What was deployed, to be put back. Encrypted variables cannot be read, so they are left as they are: `secrets`, if not null,
 * are those that stand now, and their mark goes with them.
 */
export function restoreBody(
  urn: string,
  current: DeployedFunction,
  secrets: Secrets | null,
): object {
  const { func_vpc: vpc, log_group_id: groupId, log_stream_id: streamId } = current;
  const { enterprise_project_id: project } = current;
  const { [secretsMark]: mark = null, ...plain } = readUserData(current);
  const standing = secrets === null ? mark : markSecrets(urn, secrets);
  return {
    func_name: current.func_name,
    runtime: current.runtime,
    timeout: current.timeout,
    handler: current.handler,
    memory_size: current.memory_size,
    description: current.description ?? '',
    xrole: current.xrole ?? '',
    app_xrole: current.app_xrole ?? '',
    user_data: JSON.stringify(withMark(plain, standing)),
    ...(vpc ? { func_vpc: vpc } : {}),
    ...(groupId && streamId ? { log_config: { group_id: groupId, stream_id: streamId } } : {}),
    ...(project ? { enterprise_project_id: project } : {}),
  };
}

/** What `after` has and `before` had not, of what no call takes away again. */
export function listAdded(before: DeployedFunction, after: DeployedFunction): string[] {
  const isIn = (value: string | null | undefined) => Boolean(value) && value !== '0';
  const kept: [string, (one: DeployedFunction) => string | null | undefined][] = [
    ['vpcId', ({ func_vpc: vpc }) => vpc?.vpc_id],
    ['ltsGroupId', ({ log_group_id: id }) => id],
    ['enterpriseProjectId', ({ enterprise_project_id: id }) => id],
  ];
  return kept.filter(([, read]) => !isIn(read(before)) && isIn(read(after))).map(([name]) => name);
}

/** What `current` has and `settings` have not. No log group: FunctionGraph makes one of its own, and nobody can tell whose it is. */
export function listStays(settings: FunctionSettings, current: DeployedFunction | null): string[] {
  const { vpc_id: vpcId } = current?.func_vpc ?? {};
  const { enterprise_project_id: project } = current ?? {};
  return [
    ...(vpcId && !settings.vpc ? [`VPC ${vpcId}`] : []),
    ...(project && project !== '0' && settings.enterpriseProjectId === null
      ? [`enterprise project ${project}`]
      : []),
  ];
}

/** A tick that waited longer for its turn has been overtaken by sixty others. */
const eventAgeMaxSeconds = 3_600;

/** Null: it stands as it is wanted. */
export function asyncBody(
  current: AsyncSettings | null,
  settings: FunctionSettings,
): object | null {
  const before = current?.destination_config?.on_failure;
  const wanted = settings.onFailure;
  const isSame =
    current !== null &&
    current.max_async_retry_attempts === settings.asyncRetries &&
    current.max_async_event_age_in_seconds === eventAgeMaxSeconds &&
    (before?.destination ?? '') === (wanted?.destination ?? '') &&
    (before?.param ?? '') === (wanted?.param ?? '');
  if (isSame) return null;
  const { on_success: onSuccess } = current?.destination_config ?? {};
  return {
    max_async_event_age_in_seconds: eventAgeMaxSeconds,
    max_async_retry_attempts: settings.asyncRetries,
    destination_config: {
      ...(onSuccess?.destination ? { on_success: onSuccess } : {}),
      ...(wanted ? { on_failure: wanted } : {}),
    },
  };
}

export type TimerChange =
  | { kind: 'create'; timer: Timer }
  /** A timer's schedule cannot be updated: it is deleted and created anew. */
  | { kind: 'replace'; timer: Timer; trigger: DeployedTrigger }
  | { kind: 'status'; timer: Timer; trigger: DeployedTrigger }
  | { kind: 'remove'; trigger: DeployedTrigger };

/** In the order in which they are made: a function is never longer without a timer than it takes to replace one. */
export function compareTimers(
  triggers: readonly DeployedTrigger[],
  timers: readonly Timer[],
): TimerChange[] {
  // Triggers of other kinds were made by somebody else.
  const left = new Map(
    triggers
      .filter(({ trigger_type_code: type }) => type === 'TIMER')
      .map((trigger) => [trigger.event_data.name ?? '', trigger]),
  );
  const changes: TimerChange[] = [];
  for (const timer of timers) {
    const trigger = left.get(timer.name);
    left.delete(timer.name);
    if (!trigger) changes.push({ kind: 'create', timer });
    else if (!hasSameSchedule(trigger, timer)) changes.push({ kind: 'replace', timer, trigger });
    else if (trigger.trigger_status !== timer.status) {
      changes.push({ kind: 'status', timer, trigger });
    }
  }
  return [
    ...changes,
    ...[...left.values()].map((trigger) => ({ kind: 'remove' as const, trigger })),
  ];
}

function hasSameSchedule({ event_data: event }: DeployedTrigger, timer: Timer): boolean {
  return (
    event.schedule_type === timer.scheduleType &&
    event.schedule === timer.schedule &&
    (event.user_event ?? '') === timer.userEvent
  );
}

export function triggerBody(timer: Timer): object {
  return {
    trigger_type_code: 'TIMER',
    trigger_status: timer.status,
    event_data: {
      name: timer.name,
      schedule_type: timer.scheduleType,
      schedule: timer.schedule,
      user_event: timer.userEvent,
    },
  };
}

/** A deployed trigger as a body, to be put back. */
export function restoreTriggerBody({ trigger_status, event_data }: DeployedTrigger): object {
  const { name, schedule_type, schedule, user_event = '' } = event_data;
  return {
    trigger_type_code: 'TIMER',
    trigger_status,
    event_data: { name, schedule_type, schedule, user_event },
  };
}
