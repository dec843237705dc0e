// Responsible for the text that the commands print about deployments, functions and invocations.

import { readUserData } from './configuration-diff.ts';
import type { Deployment } from './deployment.ts';
import type {
  AsyncInvocation,
  AsyncSettings,
  DeployedFunction,
  DeployedTrigger,
  FunctionGraph,
  LogStream,
} from './function-graph.ts';
import type { Removal } from './removal.ts';

const failures: Record<Deployment['running'], string> = {
  nothing: 'the function does not exist',
  'old code': 'the previous code is still running',
  'new code': 'the new code is deployed, but some of its settings or timers are not',
  unknown: 'which code is running is unknown',
};

const leftoverHint =
  'serverless.yml no longer sets this, and no API call removes it: change it in the console, or run remove and then deploy';

export function describeDeployment(
  name: string,
  { done, notDone, running, leftovers, error }: Deployment,
): string {
  const success = done.length === 0 ? 'no change' : 'deployed';
  return [
    `${name}: ${error ? `failed; ${failures[running]}` : success}`,
    ...listItems('done', done),
    ...listItems('not done', notDone),
    ...listItems('still set', leftovers).map((line) => `${line} (${leftoverHint})`),
  ].join('\n');
}

export function describeRemoval(name: string, { done, notDone, error }: Removal): string {
  if (!error) return `${name}: ${done.length > 0 ? 'removed' : 'was not deployed'}`;
  const head = `${name}: not completely removed; run remove again`;
  return [head, ...listItems('done', done), ...listItems('not done', notDone)].join('\n');
}

/** One line, or none without items. */
function listItems(label: string, items: readonly string[]): string[] {
  return items.length > 0 ? [`  ${label}: ${items.join(' · ')}`] : [];
}

/** Shows the names of variables only: a value may be a secret. */
export function describeFunction(
  name: string,
  deployed: DeployedFunction | null,
  triggers: readonly DeployedTrigger[],
  async: AsyncSettings | null,
): string {
  if (!deployed) return `${name}: not deployed`;
  const { destination, param = '' } = async?.destination_config?.on_failure ?? {};
  const instances = deployed.strategy_config?.concurrency ?? -1;
  const variables = readUserData(deployed.user_data);
  const names = variables ? Object.keys(variables).join(', ') || 'none' : 'not readable';
  const digest = (deployed.digest ?? '?').slice(0, 16);
  const lines: [string, string][] = [
    ['urn', deployed.func_urn],
    ['runtime', `${deployed.runtime}, ${deployed.handler}`],
    ['memory', `${deployed.memory_size} MB, ${deployed.timeout} s`],
    ['instances', instances < 0 ? 'no limit' : `at most ${instances}`],
    ['code', `${deployed.code_size ?? '?'} bytes, sha-512 ${digest}`],
    ['agency', deployed.xrole || 'none'],
    ['environment', names],
    ['on failure', destination ? `${destination} ${param}` : 'no destination; set onFailure'],
    ['modified', deployed.last_modified ?? '?'],
  ];
  for (const { trigger_type_code, trigger_status, event_data } of triggers) {
    const { name: timer, schedule_type, schedule } = event_data;
    const parts = [trigger_type_code, timer, schedule_type, schedule, trigger_status];
    lines.push(['trigger', parts.filter(Boolean).join(' ')]);
  }
  return [name, ...lines.map(([label, value]) => `  ${label.padEnd(11)} ${value}`)].join('\n');
}

type Invocation = Awaited<ReturnType<FunctionGraph['invoke']>>;

export function describeInvocation({ requestId, status, result, log }: Invocation): string {
  return [log.trimEnd(), result, `status ${status} · request ${requestId}`]
    .filter((part) => part !== '')
    .join('\n');
}

export function describeInvocations(
  name: string,
  invocations: readonly AsyncInvocation[],
  log: LogStream | null,
): string {
  const lines = invocations.map(({ request_id, status, error_message, start_time, end_time }) =>
    `  ${start_time ?? '?'} ${end_time ?? '?'} ${status} ${request_id} ${error_message ?? ''}`.trimEnd(),
  );
  const logLine = log?.group_name
    ? `  log: LTS group ${log.group_name}, stream ${log.stream_name ?? '?'}`
    : '  log: no LTS group; set ltsGroupId and ltsStreamId, or look in the console';
  return [name, ...(lines.length > 0 ? lines : ['  no invocation yet']), logLine].join('\n');
}
