// Responsible for the command `plan`: estimates the requests, the time and the share of the quota that exports need.

import type { Connection } from '../app/connect.ts';
import { probeSize } from '../app/probe.ts';
import { type ErrorJson, toErrorsJson } from '../app/result-json.ts';
import { exitCodes, policyOf, refusesKey } from '../core/error-policy.ts';
import { type AuthError, ExportError, StoppedError } from '../core/errors.ts';
import { quotaShare, requestsFor, spanMs } from '../runs/cost.ts';
import { describeSubject, notTried } from '../runs/failure.ts';
import type { Target } from '../runs/invocation.ts';
import { readStatus, type TargetStatus } from '../runs/target-status.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectTargets, withProgress } from './connection.ts';
import { worstOf } from './exit-code.ts';
import { formatCount, formatDuration, formatPlural, formatTable } from './format.ts';
import { addTargetOptions, type TargetOptions } from './options.ts';
import type { Session } from './session.ts';

interface PlanOptions extends TargetOptions {
  probe?: boolean;
}

export const planCommand: CommandDefinition<PlanOptions> = {
  name: 'plan',
  summary: 'estimate requests, time and quota use; check the configuration',
  description:
    'Estimates what a snapshot of every target needs: requests, minutes, and share of the quota: how much of all requests that the quota allows one snapshot per schedule uses. Uses the sizes that the store knows from earlier runs, and sends nothing to the service unless --probe is given. Also checks the configuration.',
  addOptions: (command) =>
    command.option('--probe', 'ask the service for the size of every list: one request per target'),
  addTargetOptions,
  writes: 'nothing; with --probe, the quota ledger in _quota/',
  codes: [0, 1, 2, 3, 4, 5],
  examples: ['cgs-export plan', 'cgs-export plan --probe --json'],
  run: runPlan,
};

interface Estimate {
  requests: number;
  /** From the first request to the last. */
  minutes: number;
  /** Share of all requests that the quota allows, with one snapshot per schedule; 0.05 is 5 %. */
  quotaShare: number;
}

/** All null: the size is not known. */
type Unknown = { [name in keyof Estimate]: null };
const unknownEstimate: Unknown = { requests: null, minutes: null, quotaShare: null };

type PlannedTarget = (Estimate | Unknown) & {
  account: string;
  table: string;
  region: string;
  projectId: string | null;
  rows: number | null;
  rowsFrom: 'probe' | 'open run' | 'last snapshot' | null;
};

/** A sum over several targets; not known as long as the size of one of them is not. */
type Total = (Estimate | Unknown) & {
  /** How many targets have no known size. */
  unknown: number;
  /** The sum over the others: the least that is needed. */
  known: Estimate;
};

async function runPlan(options: PlanOptions, session: Session): Promise<Outcome> {
  const connection = await connectTargets(options, session);
  const { store, quota, scheduleMs } = connection;
  const statuses = await readStatus(store, scheduleMs, connection.targets);
  const probed = options.probe ? connection.targets : [];
  const { sizes, errors } = await probeTargets(probed, connection, session);
  const targets = connection.targets.map((target, index) =>
    planTarget(target, statuses[index], sizes.get(target), connection),
  );
  const total = sumUp(targets, connection);
  const accounts = [...new Set(targets.map(({ account }) => account))].map((account) => {
    const own = targets.filter((target) => target.account === account);
    return { account, ...sumUp(own, connection) };
  });
  const warnings = [
    ...connection.warnings.map(({ path, message, hint }) => `${path}: ${message}. ${hint}`),
    ...findWarnings(total, connection, options.probe === true),
  ];
  const unreadable = listUnreadable(statuses);
  return {
    exitCode: worstOf([
      ...errors.map((error) => policyOf(error).exitCode),
      ...unreadable.map(({ code }) =>
        code === 'CORRUPT' ? exitCodes.integrity : exitCodes.denied,
      ),
    ]),
    json: {
      status: errors.length + unreadable.length > 0 ? 'failed' : 'ok',
      targets,
      accounts,
      total,
      quota: { requests: quota.requests, windowSeconds: quota.windowMs / 1_000 },
      scheduleSeconds: scheduleMs / 1_000,
      warnings,
      errors: [...errors.flatMap((error) => toErrorsJson(error, session.scrubber)), ...unreadable],
    },
    text: describePlan({ targets, accounts, total, warnings }, connection),
  };
}

/**
 * Asks for the size of every target. An error of one target does not stop the others, but a key that was refused is
 * not used again: five failures lock it.
 */
function probeTargets(targets: readonly Target[], connection: Connection, session: Session) {
  const { log, signal } = session;
  return withProgress(connection, session, async (progress) => {
    const sizes = new Map<Target, number>();
    const errors: ExportError[] = [];
    const refusals = new Map<string, AuthError>();
    for (const target of targets) {
      const refusal = refusals.get(target.user);
      if (refusal) {
        errors.push(notTried(target, refusal));
        continue;
      }
      try {
        sizes.set(target, await probeSize(connection, target, { log, signal, progress }));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ExportError) || error instanceof StoppedError) throw error;
        if (refusesKey(error)) refusals.set(target.user, error);
        error.subject = describeSubject(target);
        errors.push(error);
      }
    }
    return { sizes, errors };
  });
}

/** Objects that the sizes may depend on, each once. */
function listUnreadable(statuses: readonly TargetStatus[]): ErrorJson[] {
  const found = statuses
    .flatMap(({ problems }) => problems)
    .filter(({ kind }) => kind === 'unreadable')
    .map(({ code, message, hint }) => ({ code: code ?? '', message, hint }));
  return [...new Map(found.map((error) => [error.message, error])).values()];
}

function planTarget(
  { account, table, region, projectId, dataset }: Target,
  status: TargetStatus | undefined,
  probed: number | undefined,
  connection: Connection,
): PlannedTarget {
  const [rows, rowsFrom] = findSize(status, probed);
  return {
    account,
    table,
    region,
    projectId: projectId ?? status?.projectId ?? null,
    rows,
    rowsFrom,
    ...(rows === null ? unknownEstimate : estimate(requestsFor(rows, dataset.limit), connection)),
  };
}

/** The newest size that is known. */
function findSize(
  status: TargetStatus | undefined,
  probed: number | undefined,
): readonly [rows: number | null, from: PlannedTarget['rowsFrom']] {
  if (probed !== undefined) return [probed, 'probe'];
  const { open, last } = status ?? {};
  if (typeof open?.total === 'number') return [open.total, 'open run'];
  return last ? [last.rows, 'last snapshot'] : [null, null];
}

function estimate(requests: number, { quota, scheduleMs }: Connection): Estimate {
  return {
    requests,
    minutes: requests === 0 ? 0 : Math.round(spanMs(requests, quota) / 600) / 100,
    quotaShare: Math.round(quotaShare(requests, quota, scheduleMs) * 1e6) / 1e6,
  };
}

function sumUp(targets: readonly PlannedTarget[], connection: Connection): Total {
  const requests = targets.reduce((sum, target) => sum + (target.requests ?? 0), 0);
  const unknown = targets.filter(({ rows }) => rows === null).length;
  const known = estimate(requests, connection);
  return { ...(unknown > 0 ? unknownEstimate : known), unknown, known };
}

function findWarnings(
  { unknown, known }: Total,
  { scheduleMs }: Connection,
  isProbed: boolean,
): string[] {
  const warnings: string[] = [];
  const neededMs = known.minutes * 60_000;
  if (known.quotaShare > 1 || neededMs > scheduleMs) {
    const needed = `${unknown > 0 ? 'at least ' : ''}${formatShare(known.quotaShare)}`;
    warnings.push(
      `A snapshot of every target in every slot needs ${needed} of the quota (${formatDuration(neededMs)} of ${formatDuration(scheduleMs)}), more than the schedule allows: targets take turns, and slots pass without a snapshot. Choose a longer schedule or fewer targets, or ask Huawei Cloud for a higher quota.`,
    );
  }
  if (unknown > 0) {
    const advice = isProbed
      ? ' The errors say why the service did not tell it.'
      : ' To learn it, run `cgs-export plan --probe`: it sends one request per target.';
    warnings.push(
      `The size of ${formatPlural(unknown, 'target')} is not known, so the total is not known either.${advice}`,
    );
  }
  return warnings;
}

function describePlan(
  {
    targets,
    accounts,
    total,
    warnings,
  }: {
    targets: readonly PlannedTarget[];
    accounts: readonly (Total & { account: string })[];
    total: Total;
    warnings: readonly string[];
  },
  { quota, scheduleMs, store }: Connection,
): string {
  const header = [
    ...['account', 'table', 'region', 'project', 'nodes', 'nodes from'],
    ...['requests', 'time', 'share of quota'],
  ];
  const rows = targets.map((target) => [
    target.account,
    target.table,
    target.region,
    target.projectId ?? '(not known yet)',
    target.rows === null ? 'unknown' : formatCount(target.rows),
    target.rowsFrom ?? '-',
    ...describeEstimate(target),
  ]);
  const toSum = (name: string, sum: Total) => [
    ...[name, 'all targets', '', '', '', ''],
    ...describeTotal(sum),
  ];
  // A sum over one target, or over all, would only repeat another line.
  const countOf = (name: string) => targets.filter(({ account }) => account === name).length;
  const sums = accounts
    .filter(({ account }) => countOf(account) > 1 && countOf(account) < targets.length)
    .map((one) => toSum(one.account, one));
  const table = formatTable([header, ...rows, ...sums, toSum('total', total)]);
  const settings = `quota: ${formatPlural(quota.requests, 'request')} per ${formatDuration(quota.windowMs)}; schedule: a snapshot every ${formatDuration(scheduleMs)}; store: ${store.url}`;
  const notes = warnings.map((warning) => `warning: ${warning}\n`).join('');
  return `${table}\n${settings}\n${notes}`;
}

function describeEstimate({ requests, minutes, quotaShare }: Estimate | Unknown): string[] {
  if (requests === null) return ['unknown', 'unknown', 'unknown'];
  return [formatCount(requests), formatDuration(minutes * 60_000), formatShare(quotaShare)];
}

/** With targets of unknown size: the least that is needed, marked as such. */
function describeTotal(sum: Total): string[] {
  if (sum.unknown === 0 || sum.known.requests === 0) return describeEstimate(sum);
  return describeEstimate(sum.known).map((text) => `at least ${text}`);
}

function formatShare(share: number): string {
  const percent = share * 100;
  return `${percent >= 10 ? Math.round(percent) : percent.toPrecision(2)} %`;
}
