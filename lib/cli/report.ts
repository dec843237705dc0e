// Responsible for the command `report`: a page about a period of the store, with its figures and its tables as files.

import { lstat, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { requireOutsideStore } from '../app/outside-store.ts';
import {
  type ReportLanguage,
  type ReportRun,
  reportLanguages,
  runReport,
} from '../app/report-run.ts';
import { listErrors } from '../app/verify-run.ts';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import { systemClock } from '../platform/clock.ts';
import type { TargetFigures, TargetName } from '../reports/figures.ts';
import type { ReadingProgress } from '../reports/report-reading.ts';
import type { Period } from '../snapshots/timeline.ts';
import { openFileStore, temporaryFolder } from '../store/file.ts';
import type { VerifyProgress } from '../verification/stored-evidence.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { checkFolder, connectStore } from './connection.ts';
import {
  describeTarget,
  escapeControls,
  formatBytes,
  formatCount,
  formatPlural,
} from './format.ts';
import {
  addBucketOptions,
  addStoredPickOptions,
  choice,
  collectValues,
  type StoreOptions,
} from './options.ts';
import type { ProgressState } from './progress.ts';
import type { Session, StateAt } from './session.ts';
import { pickStoredTargets, type StoredPicks, type StoredTarget } from './stored-targets.ts';
import { readFirstMoment, readLastMoment } from './time-option.ts';
import { describeProgress } from './verify.ts';

type ReportOptions = Omit<StoreOptions, 'region'> &
  StoredPicks & { until?: string; lang?: ReportLanguage; verify?: boolean; out?: string };

const defaultSince = '30d';
const outsideReason = 'programs that read the store would find the files';
const outsideHint = 'Name a folder outside the store.';

export const reportCommand: CommandDefinition<ReportOptions> = {
  name: 'report',
  summary: 'write a page and tables for an auditor about a period',
  description:
    'Writes report.html about the snapshots of a period: which days are complete, how many nodes there were, which were unprotected or offline and since when, what changed, and whether the store is unchanged. The page needs no network and no other file. Beside it are unprotected.csv (which nodes were unprotected or offline, and how long), changes.csv, snapshots.csv and report.json (the figures of the page). Verifies the store as `verify --since` does, but writes no pins. If there are faults, the report is still written, and shows them at its top. Sends nothing to the service.',
  addOptions: (command) =>
    command
      .requiredOption('--out <dir>', 'folder for the files; replaces those of an earlier report')
      .option(
        '--since <time>',
        `start of the period: a date, a time (2026-11-24T08:00:00+08:00) or an age such as 90d (default: ${defaultSince})`,
      )
      .option('--until <time>', 'end of the period (default: now)')
      .addOption(
        choice('--lang <lang>', 'language in which the page opens (default: en)', reportLanguages),
      )
      .option('--no-verify', 'do not verify the store; the report says that it was not done')
      .option(
        '--public-key <file>',
        'the newest manifest of every target must be signed by this key; repeatable (default: verify.publicKeys)',
        collectValues,
      )
      .option('--pins <file>', 'check these pins, and do not change them (default: verify.pins)'),
  addTargetOptions(command) {
    addStoredPickOptions(command);
    command
      .optionsGroup('A store without a configuration file. With --store, no file is read:')
      .option('--store <url>', 'file:./export or obs://bucket/prefix; covers all its targets');
    addBucketOptions(command);
  },
  writes: 'the folder of --out, nothing in the store; copies in the folder for temporary files',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export report --out ./report',
    'cgs-export report --since 2026-10-01 --until 2026-12-31 --lang zh --out ./q4',
    'cgs-export report --store file:./export --pins /safe/pins.jsonl --out ./report',
  ],
  note: 'A date means its first second in --since and its last second in --until, in UTC. The verification\ncovers the whole store, and hashes the files of snapshots from the start of the period on.',
  run: report,
};

async function report(options: ReportOptions, session: Session): Promise<Outcome> {
  const { account, table, region, project, since, until, verify, out, lang, ...rest } = options;
  const address = options.store;
  // With --store, the region that is picked is also that of the bucket.
  const ofBucket = address === undefined ? {} : { region: region?.[0] };
  const connection = await connectStore({ ...rest, ...ofBucket }, session);
  const { store, targets: configured } = connection;
  await checkFolder(store, address === undefined ? 'store' : '--store');
  const period = readPeriod(since, until, store.nowMs());
  const folder = await resolveFolder(session.runtime.cwd, out ?? '');
  const isByFlags = address !== undefined && options.config === undefined;
  const picks = { account, table, region, project };
  const covered = isByFlags ? null : configured;
  const stored = await pickStoredTargets(store, covered, picks, session.log);
  const targets = toTargets(stored.targets, session);
  await requireOutsideStore(
    { name: '--out', path: folder, reason: outsideReason, hint: outsideHint },
    store,
  );
  // New files get the permissions of the store's default: only the user can read them.
  const output = openFileStore({ root: folder, clock: systemClock });
  const place = { store: output, keyOf: (name: string) => name };
  const run = await showReportProgress(session, ({ onReading, onProgress }) =>
    runReport(connection, {
      ...{
        targets,
        configured: isByFlags ? [] : configured,
        period,
        lang: lang ?? 'en',
        onReading,
        place,
      },
      verify:
        verify === false
          ? null
          : { tables: isByFlags ? [] : configured.map((one) => one.table), onProgress },
    }),
  );
  // It is empty. Other files can be in the folder only if another program wrote them.
  await rmdir(join(folder, temporaryFolder)).catch(() => {});
  return {
    exitCode: run.exitCode,
    json: toJson(run, folder),
    text: describeRun(run, folder),
  };
}

/** Throws ConfigError if it has no time. */
function readPeriod(since = defaultSince, until: string | undefined, nowMs: number): Period {
  const sinceMs = readFirstMoment('--since', since, nowMs);
  const untilMs =
    until === undefined ? nowMs : Math.min(nowMs, readLastMoment('--until', until, nowMs));
  // Names of snapshots and the times in the report have no milliseconds.
  const period = {
    sinceMs: Math.ceil(sinceMs / 1_000) * 1_000,
    untilMs: Math.floor(untilMs / 1_000) * 1_000,
  };
  if (period.sinceMs <= period.untilMs) return period;
  const message = 'is after the end of the period';
  throw configFault('--since', message, 'Give an earlier --since, or a later --until up to now.');
}

/** Throws ConfigError if the place has something else than a folder. */
async function resolveFolder(cwd: string, out: string): Promise<string> {
  const folder = resolve(cwd, out);
  const found = await lstat(folder).catch(() => null);
  if (out !== '' && (!found || found.isDirectory())) return folder;
  const hint = 'Name a folder. It is created if it does not exist.';
  throw configFault('--out', out === '' ? 'is empty' : `${folder} is not a folder`, hint);
}

/** Throws ConfigError if no target has container nodes. */
function toTargets(stored: readonly StoredTarget[], { log }: Session): TargetName[] {
  const isOther = ({ dataset }: StoredTarget) =>
    dataset !== null && dataset !== containerNodes.name;
  const others = stored.filter(isOther);
  if (others.length === stored.length) {
    const hint = 'Pick a table of the dataset container_nodes with --table.';
    throw configFault('--table', 'no picked table has container nodes', hint);
  }
  if (others.length > 0) {
    log('info', 'tables of other datasets than container_nodes are left out', {
      targets: others.map(describeTarget),
    });
  }
  return stored
    .filter((one) => !isOther(one))
    .map(({ account, table, region, projectId }) => {
      return { account: account ?? 'unknown', table, region, projectId };
    });
}

interface Reporters {
  onReading: (progress: ReadingProgress) => void;
  onProgress: (progress: VerifyProgress) => void;
}

/** Shows first how far the reading is, then the verification. Both end with the reason of the session's signal once it has aborted. */
function showReportProgress<T>(
  session: Session,
  work: (reporters: Reporters) => Promise<T>,
): Promise<T> {
  const { runtime, signal } = session;
  let startMs = runtime.monotonicMs();
  let reading: ReadingProgress | null = null;
  let verifying: VerifyProgress | null = null;
  const stateAt: StateAt = (nowMs) =>
    verifying ? describeProgress(verifying, nowMs - startMs) : reading && describeReading(reading);
  return session.showProgress(stateAt, () =>
    work({
      onReading(progress) {
        signal.throwIfAborted();
        reading = progress;
      },
      onProgress(progress) {
        signal.throwIfAborted();
        if (progress.unit !== verifying?.unit) startMs = runtime.monotonicMs();
        verifying = progress;
      },
    }),
  );
}

function describeReading({ target, targets, done, total }: ReadingProgress): ProgressState {
  const rest = { perSecond: null, leftMs: null, wait: null, note: '' };
  return { label: `report, target ${target} of ${targets}`, unit: 'parts', done, total, ...rest };
}

/** The figures of all targets together. */
function addUp(targets: readonly TargetFigures[]) {
  const sums = { complete: 0, drifted: 0, missed: 0, pruned: 0 };
  const end = { nodes: 0, unprotected: 0, offline: 0 };
  for (const { snapshots, newestComplete } of targets) {
    for (const name of ['complete', 'drifted', 'missed', 'pruned'] as const) {
      sums[name] += snapshots[name];
    }
    for (const name of ['nodes', 'unprotected', 'offline'] as const) {
      end[name] += newestComplete?.[name] ?? 0;
    }
  }
  return { snapshots: sums, end };
}

function toJson(run: ReportRun, folder: string) {
  const { exitCode, figures, targets, findings, files, bytesRead } = run;
  const { period, changes, integrity, store } = figures;
  const { shown, ...totals } = changes;
  const { status, proven, notProven, notReached } = integrity;
  return {
    status: exitCode === exitCodes.complete ? 'written' : 'failed',
    ...{ store, period, targets: targets.length, ...addUp(targets), changes: totals },
    integrity: {
      ...{ status, proven, notProven },
      faults: findings.faults.length,
      unchecked: findings.unchecked.length,
      notReached: notReached.length,
    },
    ...{ bytesRead, out: folder, files },
    errors: listErrors(findings),
  };
}

/** Empty: the states of the target's nodes are known in the whole period. */
function describeKnown(target: TargetFigures): string[] {
  const { knownFrom, newestComplete, days } = target;
  const first = days.find(({ counts }) => counts !== null)?.date.replaceAll('-', '') ?? '';
  if (!newestComplete || (knownFrom !== null && knownFrom.slice(0, 8) <= first)) return [];
  const which = knownFrom === null ? '' : ` before ${knownFrom}`;
  const reason = 'the rows that are needed were pruned or cannot be read';
  return [`not known: which nodes of ${describeTarget(target)} were so${which}: ${reason}`];
}

function describeCoverage({ coverage }: ReportRun['figures']): string[] {
  const { neverSealed, notCovered } = coverage ?? {};
  return [
    ...(neverSealed?.shown ?? []).map(
      (one) => `not in the report: ${describeTarget(one)} has no snapshot`,
    ),
    ...(notCovered && notCovered.total > 0
      ? [
          `not in the report: ${formatPlural(notCovered.total, 'other stored target')}; the page names them`,
        ]
      : []),
  ];
}

function describeRun(run: ReportRun, folder: string): string {
  const { exitCode, figures, targets, findings, files } = run;
  const { period, changes, integrity } = figures;
  const { snapshots, end } = addUp(targets);
  const page = join(folder, 'report.html');
  const count = formatCount;
  const found = [
    ...findings.faults.map(({ key, message }) => `  fault        ${key} ${message}`),
    ...findings.unchecked.map(({ key, message }) => `  not checked  ${key} ${message}`),
  ];
  const shownMax = 20;
  const left = found.length - shownMax;
  const lines = [
    `report: ${page}`,
    `${period.since} to ${period.until}, ${formatPlural(targets.length, 'target')}`,
    ...(exitCode === exitCodes.complete
      ? []
      : [
          `${formatPlural(findings.faults.length, 'fault')}, ${formatPlural(findings.unchecked.length, 'object')} not checked: the report says so at its top`,
        ]),
    ...found.slice(0, shownMax),
    ...(left > 0 ? [`  and ${count(left)} more`] : []),
    `snapshots: ${count(snapshots.complete)} complete, ${count(snapshots.drifted)} drifted, ${count(snapshots.pruned)} pruned; ${formatPlural(snapshots.missed, 'missed slot')}`,
    `at the end: ${formatPlural(end.nodes, 'node')}, ${count(end.unprotected)} unprotected, ${count(end.offline)} offline`,
    `changes: ${count(changes.added)} added, ${count(changes.removed)} removed, ${count(changes.changed)} changed`,
    ...targets.flatMap(describeKnown),
    ...describeCoverage(figures),
    ...(integrity.proven === null
      ? ['integrity: not verified']
      : [`proven: ${integrity.proven}`, `not proven: ${integrity.notProven}`]),
    ...files.map(({ name, bytes }) => `  ${name.padEnd(15)}  ${formatBytes(bytes)}`),
  ];
  return `${lines.map(escapeControls).join('\n')}\n`;
}
