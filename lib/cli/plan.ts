// Responsible for the command `plan`: estimates the requests, the time and the share of the quota that exports need.

import type { Connection } from '../app/connect.ts';
import { probeSize } from '../app/probe.ts';
import { toErrorsJson } from '../app/result-json.ts';
import { policyOf } from '../core/error-policy.ts';
import { AuthError, ExportError, StoppedError } from '../core/errors.ts';
import { quotaShare, requestsFor, spanMs } from '../runs/cost.ts';
import type { Target } from '../runs/invocation.ts';
import { readStatus, type TargetStatus } from '../runs/target-status.ts';
import { allVariables, type CommandDefinition } from './command.ts';
import { connectTargets, withProgress } from './connection.ts';
import { worstOf } from './exit-code.ts';
import { formatCount, formatDuration, formatPlural, formatTable } from './format.ts';
import type { Outcome } from './outcome.ts';
import type { Session } from './session.ts';
import type { TargetOptions } from './target-options.ts';

interface PlanOptions extends TargetOptions {
  probe?: boolean;
}

export const planCommand: CommandDefinition<PlanOptions> = {
  name: 'plan',
  summary: 'estimate requests, time and quota use; check the configuration',
  description:
    'Estimates what a snapshot of every target needs: requests, minutes, and share of the quota. Uses the sizes that the store knows from earlier runs, and sends nothing to the service unless --probe is given. Also checks the configuration.',
  addOptions: (command) =>
    command.option('--probe', 'ask the service for the size of every list: one request per target'),
  hasTargets: true,
  help: {
    writes: 'nothing; with --probe, the quota ledger in _quota/',
    codes: [0, 1, 2, 3, 4, 5],
    variables: allVariables,
    examples: ['cgs-export plan', 'cgs-export plan --probe --json'],
  },
  run: runPlan,
};

interface PlannedTarget {
  table: string;
  region: string;
  projectId: string | null;
  /** Null: not known. */
  rows: number | null;
  rowsFrom: 'probe' | 'open run' | 'last snapshot' | null;
  requests: number | null;
  /** From the first request to the last. */
  minutes: number | null;
  /** Share of all requests that the quota allows, with one snapshot per schedule; 0.05 is 5 %. */
  quotaShare: number | null;
}

interface Total {
  /** This and the next two: only of the targets whose size is known. */
  requests: number;
  minutes: number;
  quotaShare: number;
  /** How many targets have a size that is not known. */
  unknown: number;
}

async function runPlan(options: PlanOptions, session: Session): Promise<Outcome> {
  const connection = await connectTargets(options, session);
  const statuses = await readStatus(connection.store, connection.scheduleMs, connection.targets);
  const { sizes, errors } = options.probe
    ? await probeTargets(connection, session)
    : { sizes: new Map<Target, number>(), errors: [] };
  const targets = connection.targets.map((target, index) =>
    planTarget(target, statuses[index], sizes.get(target), connection),
  );
  const total = sumTargets(targets, connection);
  const warnings = findWarnings(targets, total, connection, options.probe === true);
  const errorsJson = errors.flatMap((error) => toErrorsJson(error, session.scrubber));
  const { quota, scheduleMs } = connection;
  return {
    exitCode: worstOf(errors.map((error) => policyOf(error).exitCode)),
    json: {
      status: errors.length > 0 ? 'failed' : 'ok',
      targets,
      total,
      quota: { requests: quota.requests, windowSeconds: quota.windowMs / 1_000 },
      scheduleSeconds: scheduleMs / 1_000,
      warnings,
      errors: errorsJson,
    },
    text: describePlan(targets, total, warnings, connection),
    errors: errorsJson,
  };
}

/**
 * Asks for the size of every target. An error of one target does not stop the others, but a key that was refused is
 * not used again: five failures lock it.
 */
function probeTargets(
  connection: Connection,
  session: Session,
): Promise<{ sizes: Map<Target, number>; errors: ExportError[] }> {
  const { log, signal } = session;
  return withProgress(connection, session, async (progress) => {
    const sizes = new Map<Target, number>();
    const errors: ExportError[] = [];
    const refused = new Set<string>();
    for (const target of connection.targets) {
      if (refused.has(target.user)) continue;
      try {
        sizes.set(target, await probeSize(connection, target, { log, signal, progress }));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ExportError) || error instanceof StoppedError) throw error;
        if (error instanceof AuthError) refused.add(target.user);
        errors.push(error);
      }
    }
    return { sizes, errors };
  });
}

function planTarget(
  { table, region, projectId, dataset }: Target,
  status: TargetStatus | undefined,
  probed: number | undefined,
  { quota, scheduleMs }: Connection,
): PlannedTarget {
  const [rows, rowsFrom] = findSize(status, probed);
  const requests = rows === null ? null : requestsFor(rows, dataset.limit);
  return {
    table,
    region,
    projectId: projectId ?? status?.projectId ?? null,
    rows,
    rowsFrom,
    requests,
    minutes: requests === null ? null : toMinutes(spanMs(requests, quota)),
    quotaShare: requests === null ? null : roundShare(quotaShare(requests, quota, scheduleMs)),
  };
}

/** The newest size that is known. */
function findSize(
  status: TargetStatus | undefined,
  probed: number | undefined,
): readonly [rows: number, from: PlannedTarget['rowsFrom']] | readonly [rows: null, from: null] {
  if (probed !== undefined) return [probed, 'probe'];
  const { open, last } = status ?? {};
  if (typeof open?.total === 'number') return [open.total, 'open run'];
  return last ? [last.rows, 'last snapshot'] : [null, null];
}

function sumTargets(targets: readonly PlannedTarget[], { quota, scheduleMs }: Connection): Total {
  const requests = targets.reduce((sum, target) => sum + (target.requests ?? 0), 0);
  return {
    requests,
    minutes: requests === 0 ? 0 : toMinutes(spanMs(requests, quota)),
    quotaShare: roundShare(quotaShare(requests, quota, scheduleMs)),
    unknown: targets.filter(({ rows }) => rows === null).length,
  };
}

function findWarnings(
  targets: readonly PlannedTarget[],
  { minutes, unknown }: Total,
  { scheduleMs }: Connection,
  isProbed: boolean,
): string[] {
  const warnings: string[] = [];
  if (minutes * 60_000 > scheduleMs) {
    warnings.push(
      `Reading all pages takes ${formatDuration(minutes * 60_000)}, more than the schedule allows (${formatDuration(scheduleMs)}): snapshots will be late, and some slots will have no snapshot. Choose a longer schedule or fewer targets, or ask Huawei Cloud for a higher quota.`,
    );
  }
  if (unknown > 0) {
    const advice = isProbed ? '' : ' Use --probe to ask the service, with one request per target.';
    warnings.push(
      `The size of ${unknown} of ${formatPlural(targets.length, 'target')} is not known, so the total is a lower bound.${advice}`,
    );
  }
  return warnings;
}

function describePlan(
  targets: readonly PlannedTarget[],
  total: Total,
  warnings: readonly string[],
  { quota, scheduleMs, store }: Connection,
): string {
  const header = [
    ...['table', 'region', 'project', 'nodes', 'nodes from'],
    ...['requests', 'time', 'share of quota'],
  ];
  const rows = targets.map((target) => [
    target.table,
    target.region,
    target.projectId ?? '(not known yet)',
    target.rows === null ? 'unknown' : formatCount(target.rows),
    target.rowsFrom ?? '-',
    target.requests === null ? '?' : formatCount(target.requests),
    target.minutes === null ? '?' : formatDuration(target.minutes * 60_000),
    target.quotaShare === null ? '?' : formatShare(target.quotaShare),
  ]);
  const sum = [
    ...['total', '', '', '', ''],
    formatCount(total.requests),
    formatDuration(total.minutes * 60_000),
    formatShare(total.quotaShare),
  ];
  const settings = `quota: ${formatPlural(quota.requests, 'request')} per ${formatDuration(quota.windowMs)}; schedule: a snapshot every ${formatDuration(scheduleMs)}; store: ${store.url}`;
  const notes = warnings.map((warning) => `warning: ${warning}\n`).join('');
  return `${formatTable([header, ...rows, sum])}\n${settings}\n${notes}`;
}

function toMinutes(durationMs: number): number {
  return Math.round(durationMs / 600) / 100;
}

function roundShare(share: number): number {
  return Math.round(share * 1e6) / 1e6;
}

function formatShare(share: number): string {
  const percent = share * 100;
  return `${percent >= 10 ? Math.round(percent) : percent.toPrecision(2)} %`;
}
