// Responsible for the command `diff`: the rows that differ between two stored snapshots of each target.

import type { Connection } from '../app/connect.ts';
import { listErrors } from '../app/verify-run.ts';
import { exitCodes } from '../core/error-policy.ts';
import { CorruptError, configFault } from '../core/errors.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { Dataset } from '../core/ports.ts';
import { datasets } from '../datasets/index.ts';
import { parquetDecoder } from '../formats/parquet-rows.ts';
import type { Fault } from '../snapshots/catalog.ts';
import {
  type ChangeCounts,
  type ComparedRows,
  changeColumns,
  createChangeCounter,
  listChanges,
} from '../snapshots/changes.ts';
import { openPartRows, type PartRows, type PartRowsOptions } from '../snapshots/part-rows.ts';
import { type ChangeOutput, openChangeOutput } from './change-output.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { describeTarget, formatPlural } from './format.ts';
import { choice } from './options.ts';
import {
  addReaderOptions,
  connectPickedTargets,
  describePick,
  type ReaderOptions,
} from './picked-targets.ts';
import {
  chooseFormat,
  describeRead,
  openPrinter,
  type Print,
  type RowFormat,
  rowFormats,
} from './row-output.ts';
import { type Session, tableColumns } from './session.ts';
import {
  chooseForEach,
  choosePair,
  type Moment,
  type Retry,
  readMoment,
  type SnapshotPair,
} from './snapshot-pair.ts';
import type { StoredTarget } from './stored-targets.ts';

type DiffOptions = ReaderOptions & { format?: RowFormat };

export const diffCommand: CommandDefinition<DiffOptions> = {
  name: 'diff',
  summary: 'show which rows differ between two snapshots of each target',
  description:
    'Compares two stored snapshots of each target: which rows were added, removed and changed, and how. Without arguments it compares the last two complete snapshots; with one argument, that snapshot and the last complete one. Sends nothing to the service.',
  arguments: [
    ['[a]', 'the earlier snapshot: its name, or a time (see below)'],
    ['[b]', 'the later snapshot'],
  ],
  addOptions: (command) =>
    command.addOption(
      choice('--format <format>', 'format of the output (default: table)', rowFormats),
    ),
  addTargetOptions: addReaderOptions,
  writes: 'nothing in the store; copies of two parts in the folder for temporary files',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export diff',
    'cgs-export diff 7d --format csv > changes.csv',
    'cgs-export diff 2026-11-01 2026-11-24 --table container_nodes',
    'cgs-export diff 20261124T000000Z 20261124T060000Z --store file:./export --format ndjson',
  ],
  note: 'A time is a date (its last second in UTC), a time in UTC (2026-11-24T00:00:00Z) or with its offset\n(2026-11-24T08:00:00+08:00), or an age such as 12h or 30d. It means the newest complete snapshot\nthat is not later. A name means that snapshot of any verdict, in each target that has it. Two rows\ndiffer if a column that both snapshots have differs; snapshot_at, fetched_at, verdict, account,\nfirst_seen_at and the columns that end in _since are not compared. With --json, only the numbers of\nchanges are printed.',
  run: runDiff,
};

interface Comparison {
  target: StoredTarget;
  dataset: Dataset;
  pair: SnapshotPair;
}

async function runDiff(
  options: DiffOptions,
  session: Session,
  [a, b]: readonly string[] = [],
): Promise<Outcome> {
  const format = chooseFormat(session, options.format);
  const { connection, targets } = await connectPickedTargets(options, session);
  const { store, scratch } = connection;
  const nowMs = store.nowMs();
  const moments = [
    a === undefined ? null : readMoment('A', a, nowMs),
    b === undefined ? null : readMoment('B', b, nowMs),
  ] as const;
  const retry: Retry = (target, snapshots) =>
    `cgs-export diff ${snapshots.join(' ')}${describePick(options, target, targets)}`;
  const asked = { moments, retry };
  const { comparisons, faults } = await chooseComparisons(connection, session, targets, asked);
  await scratch.removeLeft();
  const results = await compareAll(connection, session, comparisons, { format });
  const errors = listErrors({ faults, unchecked: [] });
  return {
    exitCode: errors.length > 0 ? exitCodes.integrity : exitCodes.complete,
    json: {
      status: errors.length > 0 ? 'failed' : 'ok',
      store: store.url,
      targets: results,
      errors,
    },
    text: '',
  };
}

/** Logs the targets without such a pair. `faults`: manifests that could have been chosen. Throws ConfigError, or CorruptError, if no target has one. */
async function chooseComparisons(
  { store }: Connection,
  { log }: Session,
  targets: readonly StoredTarget[],
  { moments, retry }: { moments: readonly [Moment | null, Moment | null]; retry: Retry },
): Promise<{ comparisons: Comparison[]; faults: Fault[] }> {
  const comparisons: Comparison[] = [];
  const noted: Fault[] = [];
  const reasons: string[] = [];
  const choose = async (target: StoredTarget) => {
    const pair = await choosePair(store, target, moments, noted);
    const name = typeof pair === 'string' ? '' : pair.current.sealed.manifest.dataset;
    const dataset = datasets.find((one) => one.name === name);
    if (typeof pair === 'string') reasons.push(`${describeTarget(target)}: ${pair}`);
    else if (dataset) comparisons.push({ target, dataset, pair });
    else reasons.push(`${describeTarget(target)}: this version does not know the dataset ${name}`);
  };
  await chooseForEach(targets, choose, retry);
  // Both snapshots of a pair can have passed over the same manifest.
  const faults = [...new Map(noted.map((fault) => [fault.key, fault])).values()];
  const [fault] = faults;
  if (comparisons.length === 0 && fault) {
    throw new CorruptError(fault.key, fault.message, fault.hint);
  }
  if (comparisons.length === 0) {
    const hint = '`cgs-export history` shows all snapshots with their times.';
    throw configFault('diff', `there is nothing to compare: ${reasons.join('; ')}`, hint);
  }
  for (const reason of reasons) log('warn', `not compared: ${reason}`);
  if (comparisons.some(({ pair }) => pair.isSwapped)) {
    log('warn', 'A is later than B: what changed from B to A is shown');
  }
  for (const { target, pair } of comparisons) {
    if (scopeOf(pair.previous) === scopeOf(pair.current)) continue;
    const hint =
      'Rows can be added or removed for that reason alone. The manifests have both scopes.';
    const message = 'the two snapshots are of different lists: API, enterprise project or filters';
    log('warn', `${describeTarget(target)}: ${message}`, { hint });
  }
  return { comparisons, faults };
}

/** What must be equal in both snapshots for them to be of the same list. */
function scopeOf({ sealed }: SnapshotPair['current']): string {
  const { api, enterpriseProjectId, filters } = sealed.manifest.scope;
  return JSON.stringify([api, enterpriseProjectId, Object.entries(filters).sort()]);
}

/** `format`: null: nothing is printed. Throws ConfigError if one output cannot have the columns of all targets. */
async function compareAll(
  connection: Connection,
  session: Session,
  comparisons: readonly Comparison[],
  { format }: { format: RowFormat | null },
): Promise<object[]> {
  const names = [...new Set(comparisons.map(({ dataset }) => dataset.name))];
  const [first] = comparisons;
  if (!first) return [];
  if (names.length > 1 && format !== 'table' && format !== null) {
    const hint = `Pick tables of one dataset with --table. The datasets are: ${names.join(', ')}.`;
    throw configFault('--format', `${format} needs the same columns for all targets`, hint);
  }
  const print = openPrinter(session, format);
  const outputOf = ({ dataset }: Comparison) =>
    openChangeOutput(format ?? 'table', dataset, changeColumns(dataset), tableColumns(session));
  await print(outputOf(first).start);
  const results: object[] = [];
  for (const comparison of comparisons) {
    const { account, table, region, projectId } = comparison.target;
    const output = outputOf(comparison);
    const counts = await compareOne(connection, session, comparison, { output, print });
    const { previous, current } = comparison.pair;
    results.push({
      ...{ account, table, region, projectId },
      previous: previous.sealed.manifest.snapshot,
      snapshot: current.sealed.manifest.snapshot,
      ...counts,
    });
  }
  return results;
}

async function compareOne(
  { store, scratch }: Connection,
  session: Session,
  { target, dataset, pair }: Comparison,
  { output, print }: { output: ChangeOutput; print: Print },
): Promise<ChangeCounts> {
  const { columns, keyColumn } = dataset;
  const [before, after] = [pair.previous.sealed.manifest, pair.current.sealed.manifest];
  const context = {
    snapshotAtMs: snapshotTimeMs(after.snapshot) ?? 0,
    previousSnapshotAtMs: snapshotTimeMs(before.snapshot) ?? 0,
    account: after.scope.account,
    region: target.region,
    projectId: target.projectId,
  };
  const counter = createChangeCounter(dataset);
  const total = Math.max(before.rows, after.rows);
  let done = 0;
  const stateAt = () => describeRead(session, 'diff', { done, total });
  const options = { store, scratch, decoder: parquetDecoder, columns, keyColumn };
  return session.showProgress(stateAt, () =>
    withRows(pair, options, async (previous, current) => {
      await print(output.openTarget(describePair(target, pair)));
      for await (const { compared, changes } of listChanges(dataset, previous, current, context)) {
        session.signal.throwIfAborted();
        done += compared;
        counter.add(changes);
        if (!(await print(output.formatRows(changes)))) return counter.counts;
      }
      await print(output.closeTarget(counter.counts));
      return counter.counts;
    }),
  );
}

function describePair(target: StoredTarget, { previous, current }: SnapshotPair): string {
  const [before, after] = [previous, current].map(({ sealed: { manifest } }) => {
    const { snapshot, verdict, rows } = manifest;
    return `${snapshot} (${verdict}, ${formatPlural(rows, 'row')})`;
  });
  return `${describeTarget(target)}: ${before} → ${after}`;
}

/** Calls `work` with the rows of both snapshots, and deletes their temporary files when it has ended. */
async function withRows<T>(
  { previous, current }: SnapshotPair,
  options: PartRowsOptions,
  work: (previous: ComparedRows, current: ComparedRows) => Promise<T>,
): Promise<T> {
  const opened: PartRows[] = [];
  try {
    const rows: ComparedRows[] = [];
    for (const { part } of [previous, current]) {
      const one = await openPartRows(part, options);
      opened.push(one);
      rows.push({ columns: one.columns, batches: one.readBatches() });
    }
    return await work(...(rows as [ComparedRows, ComparedRows]));
  } finally {
    for (const one of opened) await one.close();
  }
}
