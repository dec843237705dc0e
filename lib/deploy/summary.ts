// Owns what a person reads of deployments, functions and invocations. Refuses to ask the API for anything.

import type { Deployment } from './deployment.ts';
import type {
  AsyncInvocation,
  AsyncSettings,
  DeployedFunction,
  DeployedTrigger,
  Invocation,
} from './function-graph.ts';
import type { Removal } from './removal.ts';

const standings: Record<Deployment['stands'], string> = {
  nothing: 'nothing is deployed',
  'old code': 'the code that was deployed before runs on',
  'new code': 'the new code is there, but not all that belongs to it',
  unknown: 'what runs now cannot be read',
};

export function describeDeployment(
  name: string,
  { done, notDone, stands, stays, error }: Deployment,
): string {
  const success = done.length === 0 ? 'no change' : 'deployed';
  const head = error ? `failed; ${standings[stands]}` : success;
  const kept =
    'serverless.yml does not name it, and the API documents no way to take it away: do it in the console, or remove and deploy again';
  const rest = stays.length > 0 ? [`  stays: ${stays.join(' · ')} (${kept})`] : [];
  return [`${name}: ${head}`, ...listSteps(done, notDone), ...rest].join('\n');
}

export function describeRemoval(name: string, { done, notDone, error }: Removal): string {
  if (!error) return `${name}: ${done.length > 0 ? 'removed' : 'was not deployed'}`;
  return [`${name}: not all of it is removed; remove it again`, ...listSteps(done, notDone)].join(
    '\n',
  );
}

function listSteps(done: readonly string[], notDone: readonly string[]): string[] {
  return [
    ...(done.length > 0 ? [`  done: ${done.join(' · ')}`] : []),
    ...(notDone.length > 0 ? [`  not done: ${notDone.join(' · ')}`] : []),
  ];
}

/** Values of variables are not told: one of them may be a secret that was put among them. */
export function describeFunction(
  name: string,
  deployed: DeployedFunction | null,
  triggers: readonly DeployedTrigger[],
  async: AsyncSettings | null,
): string {
  if (!deployed) return `${name}: not deployed`;
  const onFailure = async?.destination_config?.on_failure;
  const instances = deployed.strategy_config?.concurrency ?? -1;
  const lines: [string, string][] = [
    ['urn', deployed.func_urn],
    ['runtime', `${deployed.runtime}, ${deployed.handler}`],
    ['memory', `${deployed.memory_size} MB, ${deployed.timeout} s`],
    ['instances', instances < 0 ? 'no limit' : `at most ${instances}`],
    [
      'code',
      `${deployed.code_size ?? '?'} bytes, sha-512 ${(deployed.digest ?? '?').slice(0, 16)}`,
    ],
    ['agency', deployed.xrole || 'none'],
    ['environment', namesOf(deployed.user_data)],
    ['on failure', describeDestination(onFailure)],
    ['modified', deployed.last_modified ?? '?'],
    ...triggers.map((trigger): [string, string] => ['trigger', describeTrigger(trigger)]),
  ];
  return [name, ...lines.map(([label, value]) => `  ${label.padEnd(11)} ${value}`)].join('\n');
}

function namesOf(userData: string | null | undefined): string {
  try {
    return Object.keys(JSON.parse(userData || '{}') as object).join(', ') || 'none';
  } catch {
    return 'not readable';
  }
}

function describeDestination(
  onFailure: { destination?: string; param?: string } | null | undefined,
) {
  if (!onFailure?.destination) return 'told to nobody: set onFailure';
  return `${onFailure.destination} ${onFailure.param ?? ''}`;
}

function describeTrigger({
  trigger_type_code,
  trigger_status,
  event_data,
}: DeployedTrigger): string {
  const { name = '', schedule_type = '', schedule = '' } = event_data;
  return [trigger_type_code, name, schedule_type, schedule, trigger_status]
    .filter(Boolean)
    .join(' ');
}

export function describeInvocation({ requestId, status, result, log }: Invocation): string {
  return [log.trimEnd(), result, `status ${status} · request ${requestId}`]
    .filter((part) => part !== '')
    .join('\n');
}

export function describeInvocations(
  name: string,
  invocations: readonly AsyncInvocation[],
  log: { group_name?: string; stream_name?: string } | null,
): string {
  const lines = invocations.map(({ request_id, status, error_message, start_time, end_time }) =>
    `  ${start_time ?? '?'} ${end_time ?? '?'} ${status} ${request_id} ${error_message ?? ''}`.trimEnd(),
  );
  const where = log?.group_name
    ? `  lines: LTS, group ${log.group_name}, stream ${log.stream_name ?? '?'}`
    : '  lines: no log group; set ltsGroupId and ltsStreamId, or look at the console';
  return [name, ...(lines.length > 0 ? lines : ['  no invocation yet']), where].join('\n');
}
