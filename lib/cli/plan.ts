// Responsible for the command `plan`: estimates the requests, the time and the share of the quota that exports need.

import type { Connection } from '../app/connect.ts';
import { type ErrorJson, toErrorsJson } from '../app/result-json.ts';
import { exitCodes, policyOf } from '../core/error-policy.ts';
import { allowedRequests, quotaShare, requestsFor, spanMs } from '../runs/cost.ts';
import { findSchedule, judgeFit, splitAccounts, tightShare } from '../runs/fit.ts';
import type { Target } from '../runs/invocation.ts';
import {
  type ProbedSize,
  type ProbedSizes,
  probedName,
  readProbedSizes,
} from '../runs/probed-sizes.ts';
import { readStatus, type TargetStatus } from '../runs/target-status.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { connectTargets } from './connection.ts';
import { worstOf } from './exit-code.ts';
import { fitLines, formatCount, formatDuration, formatPlural } from './format.ts';
import { addTargetOptions, type TargetOptions } from './options.ts';
import { probeTargets } from './probing.ts';
import { type Session, tableColumns } from './session.ts';
import { formatTargets } from './target-table.ts';
import { formatTable } from './text-table.ts';

interface PlanOptions extends TargetOptions {
  probe?: boolean;
}

export const planCommand: CommandDefinition<PlanOptions> = {
  name: 'plan',
  summary: 'estimate requests, time and quota use; check the configuration',
  description:
    'Estimates the requests and minutes for a snapshot of every target, and the share of the quota: the part of all allowed requests that one snapshot per schedule uses. Says whether the schedule fits the quota, in total and for each account alone, and what to do if it does not fit. Uses the newest size of each list that the store knows: from a snapshot, an open run or an earlier probe. Sends nothing to the service unless --probe is given. Also checks the configuration.',
  addOptions: (command) =>
    command.option('--probe', 'ask the service for the size of every list: one request per target'),
  addTargetOptions,
  writes:
    'nothing; with --probe, the quota ledger in _quota/ and the sizes in _runs/probed-sizes.json',
  codes: [0, 1, 2, 3, 4, 5],
  examples: ['cgs-export plan', 'cgs-export plan --probe --json'],
  note: 'Fits: `yes`, `no`, or `unknown` as long as that depends on a list of unknown size. --probe\nstores each size at once. If it is stopped, run it again: sizes that it learned in the last hour\n(longer with many targets) are not asked for again.',
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

export type PlannedTarget = (Estimate | Unknown) & {
  account: string;
  table: string;
  dataset: string;
  region: string;
  projectId: string | null;
  rows: number | null;
  rowsFrom: 'probe' | 'open run' | 'last snapshot' | null;
  /** When the size was learned, ISO 8601 UTC. */
  rowsAt: string | null;
};

/**
 * A sum over several targets; not known as long as the size of one of them is not. Each dataset is a list with a quota of its own:
 * `requests` is of all lists, `minutes` and `quotaShare` are those of the list that needs most.
 */
type Total = (Estimate | Unknown) & {
  /** How many targets have no known size. */
  unknown: number;
  /** The sum over the others: the least that is needed. */
  known: Estimate;
  /** Requests of the list that needs most, with one for each size that is not known. */
  busiest: number;
  /** Whether one snapshot of each per schedule fits the quota. Null: that depends on a size that is not known. */
  fits: boolean | null;
};
type AccountTotal = Total & { account: string; user: string; targets: number };

/** What would fit, if the schedule does not. */
interface Advice {
  /** The shortest usual schedule that gets no warning; null: none does. */
  scheduleSeconds: number | null;
  /** The accounts of each configuration, if they are split; null: one access key alone needs too much. */
  configurations: string[][] | null;
}

async function runPlan(options: PlanOptions, session: Session): Promise<Outcome> {
  const connection = await connectTargets(options, session);
  const { store, quota, scheduleMs } = connection;
  const statuses = await readStatus(store, scheduleMs, connection.targets);
  const sizes = await readProbedSizes(store, session.log);
  const projectIds = listProjectIds(connection.targets, statuses);
  const errors = options.probe
    ? await probeTargets(connection, session, { sizes, projectIds })
    : [];
  const targets = connection.targets.map((target, index) =>
    planTarget(target, statuses[index], sizes, connection),
  );
  const total = sumUp(targets, connection);
  const accounts = sumAccounts(targets, connection);
  const advice = total.fits === false ? advise(accounts, total, connection) : null;
  const warnings = [
    ...connection.warnings.map(({ path, message, hint }) => `${path}: ${message}. ${hint}`),
    ...findWarnings(total, advice, connection, options.probe === true),
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
      accounts: accounts.map(({ user, ...account }) => account),
      total,
      quota: { requests: quota.requests, windowSeconds: quota.windowMs / 1_000 },
      scheduleSeconds: scheduleMs / 1_000,
      requestsPerSchedule: allowedRequests(quota, scheduleMs),
      advice,
      warnings,
      errors: [...errors.flatMap((error) => toErrorsJson(error, session.scrubber)), ...unreadable],
    },
    text: describePlan({ targets, accounts, total, warnings }, connection, tableColumns(session)),
  };
}

/** Of targets whose project is known without asking IAM. */
function listProjectIds(
  targets: readonly Target[],
  statuses: readonly TargetStatus[],
): Map<Target, string> {
  return new Map(
    targets.flatMap((target, index) => {
      const projectId = target.projectId ?? statuses[index]?.projectId;
      return projectId ? [[target, projectId] as const] : [];
    }),
  );
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
  target: Target,
  status: TargetStatus | undefined,
  sizes: ProbedSizes,
  connection: Connection,
): PlannedTarget {
  const { account, table, region, projectId, dataset } = target;
  const size = findSize(status, sizes[probedName(target)]);
  return {
    account,
    table,
    dataset: dataset.name,
    region,
    projectId: projectId ?? status?.projectId ?? null,
    rows: size?.rows ?? null,
    rowsFrom: size?.from ?? null,
    rowsAt: size?.at ?? null,
    ...(size ? estimate(requestsFor(size.rows, dataset.limit), connection) : unknownEstimate),
  };
}

interface Size {
  rows: number;
  from: NonNullable<PlannedTarget['rowsFrom']>;
  at: string;
}

/** The newest size that is known; null: none. */
function findSize(status: TargetStatus | undefined, probed: ProbedSize | undefined): Size | null {
  const { open, last } = status ?? {};
  const sizes: Size[] = [];
  if (probed) {
    sizes.push({ rows: probed.rows, from: 'probe', at: new Date(probed.atMs).toISOString() });
  }
  if (typeof open?.total === 'number') {
    sizes.push({ rows: open.total, from: 'open run', at: open.lastPageAt });
  }
  if (last) sizes.push({ rows: last.rows, from: 'last snapshot', at: last.sealedAt });
  const [first] = sizes;
  return first ? sizes.reduce((newest, one) => (one.at > newest.at ? one : newest), first) : null;
}

function estimate(requests: number, { quota, scheduleMs }: Connection): Estimate {
  return {
    requests,
    minutes: requests === 0 ? 0 : Math.round(spanMs(requests, quota) / 600) / 100,
    quotaShare: Math.round(quotaShare(requests, quota, scheduleMs) * 1e6) / 1e6,
  };
}

function sumUp(targets: readonly PlannedTarget[], connection: Connection): Total {
  const lists = new Map<string, { requests: number; unknown: number }>();
  for (const { dataset, requests } of targets) {
    const list = lists.get(dataset) ?? { requests: 0, unknown: 0 };
    list.requests += requests ?? 0;
    if (requests === null) list.unknown += 1;
    lists.set(dataset, list);
  }
  const sums = [...lists.values()];
  const allowed = allowedRequests(connection.quota, connection.scheduleMs);
  const fits = sums.map(({ requests, unknown }) => judgeFit(requests, unknown, allowed));
  const unknown = sums.reduce((sum, list) => sum + list.unknown, 0);
  const known = {
    ...estimate(Math.max(0, ...sums.map(({ requests }) => requests)), connection),
    requests: sums.reduce((sum, list) => sum + list.requests, 0),
  };
  return {
    ...(unknown > 0 ? unknownEstimate : known),
    ...{ unknown, known },
    busiest: Math.max(0, ...sums.map((list) => list.requests + list.unknown)),
    fits: fits.includes(false) ? false : fits.includes(null) ? null : true,
  };
}

function sumAccounts(targets: readonly PlannedTarget[], connection: Connection): AccountTotal[] {
  const users = new Map(connection.targets.map(({ account, user }) => [account, user]));
  return [...users].map(([account, user]) => {
    const own = targets.filter((target) => target.account === account);
    return { account, user, targets: own.length, ...sumUp(own, connection) };
  });
}

/** From the least that is needed. */
function advise(
  accounts: readonly AccountTotal[],
  { busiest }: Total,
  { quota, scheduleMs }: Connection,
): Advice {
  const fittingMs = findSchedule(busiest, quota);
  const demands = accounts.map(({ account, user, busiest: requests }) => {
    return { account, user, requests };
  });
  const allowed = allowedRequests(quota, scheduleMs);
  return {
    scheduleSeconds: fittingMs === null ? null : fittingMs / 1_000,
    // A key that alone needs nearly the whole quota still fits.
    configurations: splitAccounts(demands, allowed * tightShare) ?? splitAccounts(demands, allowed),
  };
}

function findWarnings(
  { unknown, known, busiest, fits }: Total,
  advice: Advice | null,
  connection: Connection,
  isProbed: boolean,
): string[] {
  const { scheduleMs } = connection;
  const warnings: string[] = [];
  // Each target of unknown size needs one request.
  const least = known.quotaShare > 1 ? known : estimate(busiest, connection);
  const neededMs = least.minutes * 60_000;
  const atLeast = unknown > 0 ? 'at least ' : '';
  const needed = `${atLeast}${formatShare(least.quotaShare)}`;
  if (advice || neededMs > scheduleMs) {
    warnings.push(
      `A snapshot of every target in every slot needs ${needed} of the quota (${atLeast}${formatDuration(neededMs)} of ${formatDuration(scheduleMs)}), more than the schedule allows: targets take turns, and slots pass without a snapshot. ${describeAdvice(advice, unknown)}`,
    );
  } else if (fits !== false && known.quotaShare > tightShare) {
    warnings.push(
      `A snapshot of every target in every slot needs ${needed} of the quota. Little is left for pages that are read again while a list changes, and for retries. A longer schedule is safer.`,
    );
  }
  if (unknown > 0) {
    const advised = isProbed
      ? ' The errors say why the service did not tell it.'
      : ' To learn it, run `cgs-export plan --probe`: it sends one request per target.';
    warnings.push(
      `The size of ${formatPlural(unknown, 'target')} is not known, so the total is not known either.${advised}`,
    );
  }
  return warnings;
}

function describeAdvice(advice: Advice | null, unknown: number): string {
  const { scheduleSeconds, configurations } = advice ?? {};
  const fits = unknown > 0 ? 'may fit' : 'fits';
  const schedule = scheduleSeconds
    ? `A schedule of ${formatDuration(scheduleSeconds * 1_000)} ${fits}.`
    : 'Choose a longer schedule or fewer targets.';
  if (configurations && configurations.length > 1) {
    return `${schedule} Or split the accounts over ${configurations.length} configurations, each with a store and an exit address of its own: see "Many targets" in docs/operations.md. Or ask Huawei Cloud for a higher quota.`;
  }
  const alone =
    configurations === null
      ? ' One access key alone needs more than the quota, so splitting the accounts is not enough.'
      : '';
  return `${schedule}${alone} Or ask Huawei Cloud for a higher quota.`;
}

interface Plan {
  targets: readonly PlannedTarget[];
  accounts: readonly AccountTotal[];
  total: Total;
  warnings: readonly string[];
}

/** The verdict and the sums come first, then a line per target. `columns` null: no limit. */
function describePlan(plan: Plan, connection: Connection, columns: number | null): string {
  const { quota, scheduleMs, store } = connection;
  const settings = `quota: ${formatPlural(quota.requests, 'request')} per ${formatDuration(quota.windowMs)}; schedule: a snapshot every ${formatDuration(scheduleMs)}; store: ${store.url}`;
  const notes = plan.warnings.map((warning) => `warning: ${warning}\n`).join('');
  const { targets } = plan;
  const more = {
    header: ['rows', 'from', 'requests', 'time', 'share'],
    rows: targets.map((target) => [
      target.rows === null ? 'unknown' : formatCount(target.rows),
      target.rowsFrom?.replace('last ', '') ?? '-',
      ...describeEstimate(target),
    ]),
    numeric: [0, 2, 3, 4],
  };
  const list = formatTargets(targets, more, columns);
  const head = `${describeVerdict(plan, connection)}\n${notes}${settings}`;
  return fitLines(`${head}\n\n${describeSums(plan)}\n\n${list}\n`, columns);
}

function describeVerdict({ targets, accounts, total }: Plan, connection: Connection): string {
  const allowed = formatCount(allowedRequests(connection.quota, connection.scheduleMs));
  const verdict = { true: 'fits', false: 'does not fit', null: 'not known whether it fits' };
  const least = total.unknown > 0 ? 'at least ' : '';
  const lists = new Set(targets.map(({ dataset }) => dataset)).size;
  const needed = `${least}${formatCount(total.busiest)} of ${allowed} requests per schedule${lists > 1 ? ', in the list that needs most' : ''}`;
  const where = `${formatPlural(targets.length, 'target')} of ${formatPlural(accounts.length, 'account')}`;
  return `${verdict[`${total.fits}`]}: ${where}, ${needed}`;
}

/** One line per account, and the total. The accounts are left out if they would only repeat the total. */
function describeSums({ targets, accounts, total }: Plan): string {
  const header = ['', 'targets', 'of unknown size', 'requests', 'time', 'share of quota', 'fits'];
  const toRow = (name: string, count: number, sum: Total) => [
    ...[name, formatCount(count), formatCount(sum.unknown)],
    ...[...describeTotal(sum), fitWords[`${sum.fits}`]],
  ];
  const shown = accounts.length > 1 ? accounts : [];
  const rows = shown.map((one) => toRow(one.account, one.targets, one));
  const sums = [header, toRow('total', targets.length, total), ...rows];
  return formatTable(sums, [1, 2, 3, 4, 5]);
}

const fitWords = { true: 'yes', false: 'no', null: 'unknown' } as const;

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
