// Owns `plan`: what exports will cost in requests, time and quota. Refuses to ask the service unless told to.

import type { Command } from 'commander';
import { type Connection, connect } from '../app/connect.ts';
import { describeError } from '../app/result.ts';
import { policyOf } from '../core/error-policy.ts';
import { AuthError, ExportError, StoppedError } from '../core/errors.ts';
import { quotaShare, requestsFor, spanMs } from '../runs/cost.ts';
import type { Target } from '../runs/invocation.ts';
import type { TargetStatus } from '../runs/target-status.ts';
import { worstOf } from './exit-code.ts';
import { formatPlural, formatTable } from './format.ts';
import {
  addCommonOptions,
  addHelp,
  addTargetOptions,
  allVariables,
  pickOf,
  readConfig,
  type TargetOptions,
} from './options.ts';
import type { Outcome } from './outcome.ts';
import { createTracker, formatCount, formatDuration } from './progress.ts';
import type { Session } from './session.ts';

interface PlanOptions extends TargetOptions {
  probe?: boolean;
}

export interface PlannedTarget {
  table: string;
  region: string;
  projectId: string | null;
  /** Null: not known. */
  rows: number | null;
  rowsFrom: 'probe' | 'open run' | 'last snapshot' | null;
  requests: number | null;
  /** From the first request to the last. */
  minutes: number | null;
  /** Of all that the quota allows, at one snapshot a schedule; 0.05 is 5 %. */
  quotaShare: number | null;
}

export function addPlan(program: Command): Command {
  const command = program
    .command('plan')
    .summary('requests, minutes and quota use ahead')
    .description(
      'Reckons what a snapshot of every target costs in requests, minutes and quota, from the sizes that the store knows. Checks the configuration on the way.',
    )
    .option('--probe', 'ask each list for its size: one request each, within the quota');
  addTargetOptions(addCommonOptions(command));
  return addHelp(command, {
    writes: 'nothing; with --probe the quota ledger in _quota/',
    codes: [0, 1, 2, 3, 4, 5],
    variables: allVariables,
    examples: ['cgs-export plan', 'cgs-export plan --probe --json'],
  });
}

export async function runPlan(options: PlanOptions, session: Session): Promise<Outcome> {
  const { world, log, scrubber } = session;
  const config = await readConfig(options, world);
  const connection = connect(config, { log, scrubber, pick: pickOf(options) });
  const statuses = await connection.status();
  const { sizes, errors } = options.probe
    ? await probeTargets(connection, session)
    : { sizes: new Map<Target, number>(), errors: [] };
  const targets = connection.targets.map((target, index) =>
    planTarget(target, statuses[index], sizes.get(target), connection),
  );
  const total = sumTargets(targets, connection);
  const warnings = findWarnings(targets, total, connection, options.probe === true);
  const described = errors.flatMap((error) => describeError(error, scrubber));
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
      errors: described,
    },
    text: describePlan(targets, total, warnings, connection),
    errors: described,
  };
}

/** One bad target stops no other, but a key that was refused is not used again: five failures lock it. */
async function probeTargets(
  connection: Connection,
  session: Session,
): Promise<{ sizes: Map<Target, number>; errors: ExportError[] }> {
  const { world, signal } = session;
  const sizes = new Map<Target, number>();
  const errors: ExportError[] = [];
  const refused = new Set<string>();
  const tracker = createTracker(connection.quota, connection.targets[0]?.dataset.limit ?? 200);
  const stopFollowing = session.follow(tracker.stateAt);
  try {
    for (const target of connection.targets) {
      if (refused.has(target.user)) continue;
      try {
        const size = await connection.probe(target, {
          signal,
          progress: (event) => tracker.observe(event, world.monotonicMs()),
        });
        sizes.set(target, size);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!(error instanceof ExportError) || error instanceof StoppedError) throw error;
        if (error instanceof AuthError) refused.add(target.user);
        errors.push(error);
      }
    }
  } finally {
    stopFollowing();
  }
  return { sizes, errors };
}

function planTarget(
  { table, region, projectId, dataset }: Target,
  status: TargetStatus | undefined,
  probed: number | undefined,
  { quota, scheduleMs }: Connection,
): PlannedTarget {
  const open = status?.open?.total ?? null;
  const last = status?.last?.rows ?? null;
  const rows = probed ?? open ?? last;
  const known =
    probed !== undefined
      ? 'probe'
      : open !== null
        ? 'open run'
        : last !== null
          ? 'last snapshot'
          : null;
  const requests = rows === null ? null : requestsFor(rows, dataset.limit);
  return {
    table,
    region,
    projectId: projectId ?? status?.projectId ?? null,
    rows,
    rowsFrom: known,
    requests,
    minutes: requests === null ? null : toMinutes(spanMs(requests, quota)),
    quotaShare: requests === null ? null : roundShare(quotaShare(requests, quota, scheduleMs)),
  };
}

interface Total {
  /** Of the targets whose size is known. */
  requests: number;
  minutes: number;
  quotaShare: number;
  /** How many targets' sizes are not known. */
  unknown: number;
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
  total: Total,
  { scheduleMs }: Connection,
  probed: boolean,
): string[] {
  const warnings: string[] = [];
  if (total.minutes * 60_000 > scheduleMs) {
    warnings.push(
      `The pages need ${formatDuration(total.minutes * 60_000)}, more than the schedule leaves (${formatDuration(scheduleMs)}): snapshots would come late, and some slots stay empty. Take a longer schedule, fewer targets, or ask for a higher quota.`,
    );
  }
  if (total.unknown > 0) {
    const more = probed ? '' : ' --probe asks them, with one request each.';
    const subject =
      total.unknown === targets.length
        ? targets.length === 1
          ? 'The size of the target is not known'
          : 'No size is known'
        : `The size of ${formatPlural(total.unknown, 'target')} is not known`;
    warnings.push(`${subject}, so the total is a lower bound.${more}`);
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
    'table',
    'region',
    'project',
    'nodes',
    'known from',
    'requests',
    'time',
    'of the quota',
  ];
  const rows = targets.map((target) => [
    target.table,
    target.region,
    target.projectId ?? '(to be asked)',
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
  const pace = `${formatPlural(quota.requests, 'request')} every ${formatDuration(quota.windowMs)}, a snapshot every ${formatDuration(scheduleMs)}, into ${store.url}`;
  const notes = warnings.map((warning) => `warning: ${warning}\n`).join('');
  return `${formatTable([header, ...rows, sum])}\n${pace}\n${notes}`;
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
