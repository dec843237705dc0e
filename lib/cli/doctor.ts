// Responsible for the command `doctor`: finds out why an export does not work, and prints one line per check with the fix.

import { type Check, type CheckStatus, failed, ok, skipped, warning } from '../app/check-result.ts';
import { examineConnection } from '../app/doctor.ts';
import { countRequests } from '../app/service-check.ts';
import { policyOf } from '../core/error-policy.ts';
import { type ConfigIssue, configFault } from '../core/errors.ts';
import { spanMs } from '../runs/cost.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectValidTargets, withProgress } from './connection.ts';
import { worstOf } from './exit-code.ts';
import { formatDuration, formatPlural } from './format.ts';
import { addTargetOptions, type TargetOptions } from './options.ts';
import type { Session } from './session.ts';
import { formatTable } from './text-table.ts';

export const doctorCommand: CommandDefinition<TargetOptions> = {
  name: 'doctor',
  summary: 'find out why an export does not work; one line per check, with the fix',
  description:
    "Checks what an export needs, and prints one line per check, with the fix: configuration, region, enterprise project, proxy, connection (name resolution, TLS), clock, store, temporary files, sign-in, and permission on each target. For hss it also compares the totals with and without container_node, and the service's own count. Sends up to 4 requests per target, within the quota: it waits for it, also while an export runs. A key that was refused is not used again.",
  addTargetOptions,
  writes: 'the quota ledger in _quota/; an object in _runs/ and a temporary file, deleted again',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export doctor',
    'cgs-export doctor --region cn-south-4 --store file:./export',
    'cgs-export doctor --json | jq -r \'.checks[] | select(.status == "failed") | .message\'',
  ],
  run: runDoctor,
};

async function runDoctor(options: TargetOptions, session: Session): Promise<Outcome> {
  const { log, signal, scrubber } = session;
  const { connected, issues } = await connectValidTargets(options, session);
  const checks = issues.map(toConfigCheck);
  if (connected === null) {
    checks.push(skipped({ check: 'doctor' }, 'the other checks need a correct configuration'));
  } else {
    const { connection, config } = connected;
    const { targets, quota, store, warnings } = connection;
    checks.push(...warnings.map(toConfigWarning));
    const scope = `${formatPlural(targets.length, 'target')}, store ${store.url}`;
    if (issues.length === 0) checks.push(ok({ check: 'configuration' }, scope));
    const requests = countRequests(targets);
    log(
      'info',
      `doctor sends at most ${formatPlural(requests, 'request')} to the service, within the quota of ${formatPlural(quota.requests, 'request')} per ${formatDuration(quota.windowMs)}: this takes at least ${formatDuration(spanMs(requests, quota))}`,
    );
    const found = await withProgress(connection, session, (progress) =>
      examineConnection(connection, config, { log, signal, progress }),
    );
    checks.push(...found);
  }
  const json = checks.map((check) => toJson(check, scrubber));
  const errors = json
    .filter(({ status }) => status === 'failed')
    .map(({ code, message, hint }) => ({ code: code ?? '', message, hint }));
  return {
    exitCode: worstOf(checks.flatMap(({ error }) => (error ? [policyOf(error).exitCode] : []))),
    json: {
      status: errors.length > 0 ? 'failed' : 'ok',
      checks: json,
      // Without --json the text has them already, and they would be printed twice.
      errors: session.json ? errors : [],
    },
    text: describeChecks(checks),
  };
}

function toConfigWarning({ path, message, hint }: ConfigIssue): Check {
  return warning({ check: 'configuration' }, `${path}: ${message}`, hint);
}

function toConfigCheck({ path, message, hint }: ConfigIssue): Check {
  const error = configFault(path, message, hint);
  const text = path === '' ? message : `${path}: ${message}`;
  return { ...failed({ check: 'configuration' }, error), message: text };
}

function toJson(
  { check, target, account, status, message, hint, error }: Check,
  { scrub }: Session['scrubber'],
) {
  const code = error?.code ?? null;
  return { check, target, account, status, code, message: scrub(message), hint: scrub(hint) };
}

const countedStatuses: readonly CheckStatus[] = ['failed', 'warning', 'skipped', 'ok'];

/** What needs a person comes last, so that it is not lost above many lines. Within each, the order of the checks. */
const shownLast: readonly CheckStatus[] = ['warning', 'failed'];

/** One line per check. A hint follows on a line of its own. */
function describeChecks(found: readonly Check[]): string {
  const rankOf = ({ status }: Check) => shownLast.indexOf(status);
  const checks = [...found].sort((a, b) => rankOf(a) - rankOf(b));
  const table = formatTable(
    checks.map(({ status, check, message, ...about }) => [
      status,
      check,
      `${describeSubject(about)}${message.replaceAll('\n', ' ')}`,
    ]),
  );
  const lines = table.split('\n').flatMap((line, index) => {
    const hint = checks[index]?.hint ?? '';
    return hint === '' ? [line] : [line, ...hint.split('\n').map((part) => `         → ${part}`)];
  });
  const counts = countedStatuses.map(
    (status) => `${checks.filter((check) => check.status === status).length} ${status}`,
  );
  return `${lines.join('\n')}\n\n${counts.join(', ')}\n`;
}

function describeSubject({ target, account }: Pick<Check, 'target' | 'account'>): string {
  if (account === null) return '';
  return target === null ? `${account}: ` : `${target} (account ${account}): `;
}
