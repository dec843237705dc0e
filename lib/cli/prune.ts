// Responsible for the command `prune`: deletes the rows that retention no longer keeps, and shows what is kept, and why.

import type { Connection } from '../app/connect.ts';
import {
  addUp,
  type Count,
  hasVoidTombstone,
  logPruneWarnings,
  toPruneJson,
} from '../app/prune-json.ts';
import { type ExitCode, exitCodes, policyOf } from '../core/error-policy.ts';
import { ConfigError, type ConfigIssue, configFault } from '../core/errors.ts';
import type { TargetKey } from '../core/object-keys.ts';
import type { PruneProgress, PruneResult, SnapshotPruning, TargetPruning } from '../runs/prune.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { checkFolder, connectStore } from './connection.ts';
import { worstOf } from './exit-code.ts';
import { describeTarget, formatBytes, formatCount, formatPlural } from './format.ts';
import { addPickOptions, type CommonOptions, collectValues, type PickOptions } from './options.ts';
import { describeWait, type ProgressState } from './progress.ts';
import type { Session, StateAt } from './session.ts';
import { formatTable } from './text-table.ts';

interface PruneCommandOptions extends CommonOptions, PickOptions {
  region?: string[];
  project?: string[];
  dryRun?: boolean;
}

const fileHint =
  'What is kept is the setting `retention`, so `prune` needs a configuration file. Write the store there too, and name the file with --config.';

export const pruneCommand: CommandDefinition<PruneCommandOptions> = {
  name: 'prune',
  summary: 'delete the rows that the setting retention no longer keeps',
  description:
    'Deletes the rows and rejects of snapshots that no rule of the setting `retention` keeps. The newest complete snapshot of each target, all later snapshots, all manifests and all changes are always kept. Each pruned snapshot first gets a tombstone (a record of the deletion) under _pruned/. The first prune after the grace period deletes its files, so tables have time to drop them. Waits for any other exporter that uses the same store. If it is stopped or killed, run it again.',
  addOptions: (command) =>
    command.option('--dry-run', 'show what would be pruned; write and delete nothing'),
  addTargetOptions(command) {
    addPickOptions(command);
    command
      .option('--region <region>', 'only this region; repeatable', collectValues)
      .option('--project <id>', 'only this project; repeatable', collectValues);
  },
  lacks: Object.fromEntries(
    ['--store', '--obs-endpoint', '--obs-region', '--path-style'].map((name) => [name, fileHint]),
  ),
  writes: 'the store: tombstones in _pruned/, the lease in _lease/. Deletes parts',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export prune --dry-run',
    'cgs-export prune',
    'cgs-export prune --table web_nodes',
  ],
  run: runPrune,
};

async function runPrune(options: PruneCommandOptions, session: Session): Promise<Outcome> {
  const { config, logLevel, account, table, dryRun: isDryRun = false } = options;
  const picks = { ...(account && { account }), ...(table && { table }) };
  const common = { ...(config && { config }), ...(logLevel && { logLevel }) };
  const needs = { signs: !isDryRun, sourceFlags: [] };
  const connection = await connectStore({ ...common, ...picks }, session, needs);
  const { store } = connection;
  await checkFolder(store, 'store');
  const pick = (covered: readonly TargetKey[]) => pickFrom(options, covered);
  const result = await pruneWithProgress(connection, session, { isDryRun, pick });
  logPruneWarnings(result, session.log);
  return {
    exitCode: exitCodeOf(result),
    json: toPruneJson(result, { storeUrl: store.url, isDryRun }, session.scrubber),
    text: describePruning(result, store.url, isDryRun),
  };
}

type PruneCall = Pick<Parameters<NonNullable<Connection['prune']>>[0], 'isDryRun' | 'pick'>;

/** Throws ConfigError if the configuration has no `retention`. */
function pruneWithProgress(
  { prune }: Connection,
  session: Session,
  call: PruneCall,
): Promise<PruneResult> {
  if (!prune) {
    const hint =
      'Nothing is pruned without it. Write what to keep, as in `retention: { all: 30d, daily: 90d, weekly: 1y, monthly: 7y, grace: 7d }`, then look at `cgs-export prune --dry-run`.';
    throw configFault('retention', 'is not set', hint);
  }
  const { runtime, signal } = session;
  const startMs = runtime.monotonicMs();
  let seen: PruneProgress | null = null;
  let wait: ProgressState['wait'] = null;
  const stateAt: StateAt = (nowMs) => {
    const { done, total, deletedParts } = seen ?? { done: 0, total: 0, deletedParts: 0 };
    if (!seen && !wait) return null;
    const elapsedMs = nowMs - startMs;
    const perSecond = done > 0 && elapsedMs > 0 ? (done / elapsedMs) * 1_000 : null;
    const note = deletedParts > 0 ? `${formatPlural(deletedParts, 'part')} deleted` : '';
    return {
      ...{ label: 'prune', unit: 'targets', done, total: seen ? total : null },
      ...{ perSecond, leftMs: null, wait: seen ? null : wait, note },
    };
  };
  return session.showProgress(stateAt, () =>
    prune({
      ...call,
      signal,
      progress: (event) => {
        if (event.kind === 'wait') wait = describeWait(event, event.delayMs);
      },
      onProgress: (progress) => {
        seen = progress;
      },
    }),
  );
}

/** Throws ConfigError: a mistyped name must not look like a store with nothing to prune. */
function pickFrom(
  { region, project }: PruneCommandOptions,
  covered: readonly TargetKey[],
): readonly TargetKey[] {
  const unknown = (name: string, asked: readonly string[] = [], known: readonly string[]) =>
    asked
      .filter((value) => !known.includes(value))
      .map((value) => ({
        path: `--${name}`,
        message: `no target that is stored and configured has the ${name} "${value}"`,
        hint: `Choose one of: ${[...new Set(known)].join(', ') || '(there is none)'}.`,
      }));
  const issues: ConfigIssue[] = [
    ...unknown(
      'region',
      region,
      covered.map((one) => one.region),
    ),
    ...unknown(
      'project',
      project,
      covered.map((one) => one.projectId),
    ),
  ];
  if (issues.length > 0) throw new ConfigError(issues);
  return covered.filter(
    (one) => (region?.includes(one.region) ?? true) && (project?.includes(one.projectId) ?? true),
  );
}

function exitCodeOf({ errors }: PruneResult): ExitCode {
  return worstOf([exitCodes.complete, ...errors.map((error) => policyOf(error).exitCode)]);
}

function describePruning(result: PruneResult, url: string, isDryRun: boolean): string {
  const { targets, notCovered, locked, marked, parts, bytes } = result;
  const { kept, due, waiting, gone } = addUp(result);
  const rows = targets.flatMap((target) => target.snapshots.map((one) => toCells(target, one)));
  const header = ['target', 'snapshot', 'rule', 'parts', 'bytes'];
  const amount = (count: Count) =>
    `${formatPlural(count.parts, 'part')}, ${formatBytes(count.bytes)}`;
  const done = isDryRun
    ? `would be deleted: ${amount(due)}; nothing was written`
    : `deleted: ${formatPlural(parts, 'part')}, ${formatBytes(bytes)}; new tombstones: ${formatCount(marked)}`;
  return `${[
    ...(rows.length > 0 ? [formatTable([header, ...rows], [3, 4])] : []),
    ...locked.map((key) => `  not deleted, the store refused it: ${key}`),
    ...notCovered.map(
      ({ table, region, projectId }) =>
        `  left out, not in the configuration: ${table} ${region} ${projectId}`,
    ),
    `kept: ${formatPlural(kept.snapshots, 'snapshot')}, ${amount(kept)}`,
    `${isDryRun ? 'would be pruned' : 'pruned'}: ${formatPlural(due.snapshots + waiting.snapshots, 'snapshot')}; ${isDryRun ? 'would be in the grace period' : 'in the grace period'}: ${amount(waiting)}; pruned before, with no rows left: ${formatPlural(gone, 'snapshot')}`,
    `${done} in ${url}`,
  ].join('\n')}\n`;
}

function toCells(target: TargetPruning, one: SnapshotPruning): string[] {
  const { snapshot, rule, isDue, parts, bytes } = one;
  const waiting = rule === 'pruned' && !isDue ? 'pruned, in grace' : rule;
  const state = hasVoidTombstone(one) ? `${rule}, has a tombstone` : waiting;
  return [describeTarget(target), snapshot, state, formatCount(parts), formatBytes(bytes)];
}
