// Responsible for the command `history`: the snapshots and the missed slots of each stored target.

import { listErrors } from '../app/verify-run.ts';
import { exitCodes } from '../core/error-policy.ts';
import { configFault } from '../core/errors.ts';
import { snapshotTimeMs } from '../core/object-keys.ts';
import type { Column, Row, Store } from '../core/ports.ts';
import { findProtection } from '../snapshots/protection.ts';
import { describeReading, isReadAfter } from '../snapshots/reading-time.ts';
import {
  type Period,
  readTimeline,
  type Timeline,
  type TimelineSnapshot,
} from '../snapshots/timeline.ts';
import type { CommandDefinition, Outcome } from './command.ts';
import { worstOf } from './exit-code.ts';
import { describeTarget, fitLines, formatAge, formatCount, formatPlural } from './format.ts';
import { choice } from './options.ts';
import { addReaderOptions, connectPickedTargets, type ReaderOptions } from './picked-targets.ts';
import {
  chooseFormat,
  openPrinter,
  openRowOutput,
  type RowFormat,
  rowFormats,
} from './row-output.ts';
import { type Session, tableColumns } from './session.ts';
import type { StoredTarget } from './stored-targets.ts';
import { openTable } from './text-table.ts';
import { readFirstMoment, readLastMoment } from './time-option.ts';

type HistoryOptions = ReaderOptions & { format?: RowFormat; since?: string; until?: string };

export const historyCommand: CommandDefinition<HistoryOptions> = {
  name: 'history',
  summary: 'list the snapshots and the missed slots of every target',
  description:
    'Lists the stored snapshots of each target, oldest first: time, age, verdict, rows, unprotected and offline nodes, and how many nodes have each status. A slot is missed if a snapshot was due and none is stored. `pruned`: retention has deleted the rows, or will delete them after the grace period; the counts are kept. Reads manifests only. Sends nothing to the service.',
  addOptions: (command) =>
    command
      .option('--since <t>', 'only from this time on (default: all); see below')
      .option('--until <t>', 'only up to this time')
      .addOption(choice('--format <format>', 'format of the output (default: table)', rowFormats)),
  addTargetOptions: addReaderOptions,
  writes: 'nothing',
  codes: [0, 1, 2, 3, 4, 5],
  examples: [
    'cgs-export history',
    'cgs-export history --since 30d --account prod',
    'cgs-export history --since 2026-11-01 --until 2026-11-24 --format csv > history.csv',
    "cgs-export history --json | jq '.targets[].gaps[]'",
  ],
  note: 'A time is a date (in --since its first second, in --until its last one, in UTC), a time in UTC\n(2026-11-24T00:00:00Z) or with its offset (2026-11-24T08:00:00+08:00), or an age such as 30d. Both\nbounds are inclusive. CSV and NDJSON have one row for each snapshot and one for each gap. `read from\n… to …`: the rows were read a minute or more after the time in the name, which is the start of the\nslot of a timer. `unprotected`: protect_status is not `opened`, or not known. `offline`:\nagent_status is `offline`. Tables of another dataset than container_nodes have no such counts. A\nmanifest that cannot be read is an error, exit code 5; the others are listed.',
  run: runHistory,
};

async function runHistory(options: HistoryOptions, session: Session): Promise<Outcome> {
  const format = chooseFormat(session, options.format);
  const { connection, targets } = await connectPickedTargets(options, session);
  const { store } = connection;
  const period = readPeriod(options, store.nowMs());
  const print = openPrinter(session, format);
  const output = format === 'csv' || format === 'ndjson' ? openRowOutput(format, columns) : null;
  await print(output?.start ?? '');
  const results: object[] = [];
  const faults: Timeline['faults'] = [];
  let isRead = true;
  for (const target of targets) {
    session.signal.throwIfAborted();
    const timeline = await readTimeline(store, target, period);
    faults.push(...timeline.faults);
    if (session.json) results.push(toJson(target, timeline));
    const text = output
      ? output.formatRows(listEntries(timeline).map((entry) => toRow(target, entry)))
      : describeTimeline(target, timeline, { store, columns: tableColumns(session) });
    if (isRead) isRead = await print(text);
  }
  const errors = listErrors({ faults, unchecked: [] });
  return {
    exitCode: worstOf(errors.length > 0 ? [exitCodes.integrity] : []),
    json: {
      status: errors.length > 0 ? 'failed' : 'ok',
      store: store.url,
      targets: results,
      errors,
    },
    text: '',
  };
}

/** Without bounds it ends with the names that are not in the future: see readTimeline(). */
function readPeriod({ since, until }: HistoryOptions, nowMs: number): Period {
  const sinceMs = since === undefined ? 0 : readFirstMoment('--since', since, nowMs);
  const untilMs =
    until === undefined ? nowMs + 86_400_000 : readLastMoment('--until', until, nowMs);
  if (until === undefined && sinceMs > nowMs) {
    throw configFault('--since', `"${since}" is in the future`, 'Give a time that has passed.');
  }
  if (sinceMs <= untilMs) return { sinceMs, untilMs };
  const hint = 'Give --since a time that is not after --until.';
  throw configFault('--since', `"${since}" is after --until`, hint);
}

type Gap = Timeline['gaps'][number];
type Entry = { snapshot: TimelineSnapshot; gap: null } | { snapshot: null; gap: Gap };

/** Snapshots and gaps by time, oldest first. */
function listEntries({ snapshots, gaps }: Timeline): Entry[] {
  const entries: Entry[] = [
    ...snapshots.map((snapshot) => ({ snapshot, gap: null })),
    ...gaps.map((gap) => ({ snapshot: null, gap })),
  ];
  const nameOf = ({ snapshot, gap }: Entry) => snapshot?.manifest.snapshot ?? gap?.from ?? '';
  return entries.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function toJson({ account, table, region, projectId }: StoredTarget, timeline: Timeline): object {
  return {
    ...{ account, table, region, projectId },
    snapshots: timeline.snapshots.map(({ manifest, pruned }) => {
      const { snapshot, startedAt, sealedAt, verdict, rows, values } = manifest;
      return { snapshot, startedAt, sealedAt, verdict, rows, values, pruned };
    }),
    gaps: timeline.gaps.map(({ from, to, slots }) => {
      return { from: toIso(from), to: toIso(to), slots };
    }),
  };
}

function toIso(name: string): string {
  return new Date(snapshotTimeMs(name) ?? 0).toISOString();
}

const columns: readonly Column[] = [
  { name: 'account', type: 'string' },
  { name: 'table', type: 'string' },
  { name: 'region', type: 'string' },
  { name: 'project_id', type: 'string' },
  { name: 'snapshot', type: 'string' },
  { name: 'snapshot_at', type: 'timestamp' },
  { name: 'verdict', type: 'string' },
  { name: 'rows', type: 'int32' },
  { name: 'unprotected', type: 'int32' },
  { name: 'offline', type: 'int32' },
  { name: 'pruned', type: 'boolean' },
  { name: 'values', type: 'string' },
  { name: 'missed_from', type: 'timestamp' },
  { name: 'missed_to', type: 'timestamp' },
  { name: 'missed_slots', type: 'int32' },
  { name: 'started_at', type: 'timestamp' },
  { name: 'sealed_at', type: 'timestamp' },
];

/** A row of `columns`: of a snapshot, or of a gap. */
function toRow({ account, table, region, projectId }: StoredTarget, entry: Entry): Row {
  const place = [account, table, region, projectId];
  if (entry.gap) {
    const { from, to, slots } = entry.gap;
    const none = Array.from({ length: 8 }, () => null);
    return [...place, ...none, snapshotTimeMs(from), snapshotTimeMs(to), slots, null, null];
  }
  const { manifest, pruned } = entry.snapshot;
  const { snapshot, startedAt, sealedAt, verdict, rows, values } = manifest;
  const counts = findProtection(entry.snapshot.manifest);
  return [
    ...place,
    ...[snapshot, snapshotTimeMs(snapshot), verdict, rows],
    ...[counts?.unprotected ?? null, counts?.offline ?? null],
    ...[pruned, JSON.stringify(values), null, null, null],
    ...[Date.parse(startedAt), Date.parse(sealedAt)],
  ];
}

interface Shown {
  store: Store;
  /** Null: no limit. */
  columns: number | null;
}

function describeTimeline(target: StoredTarget, timeline: Timeline, shown: Shown): string {
  const entries = listEntries(timeline);
  const isOfNodes = timeline.snapshots.some((one) => findProtection(one.manifest) !== null);
  const header = [
    ...['snapshot', 'age', 'verdict', 'rows'],
    ...(isOfNodes ? ['unprotected', 'offline'] : []),
    'values',
  ];
  const toCells = (entry: Entry) => {
    const { name, age, verdict, rows, counts, values } = describeEntry(entry, shown.store.nowMs());
    return [name, age, verdict, rows, ...(isOfNodes ? counts : []), values];
  };
  const table = openTable({
    numeric: isOfNodes ? [1, 3, 4, 5] : [1, 3],
    columns: shown.columns,
    wrapsLast: true,
    linesMax: 2,
    // The name of a snapshot is never cut.
    least: { 0: 16 },
    indent: '  ',
  });
  const lines = entries.length === 0 ? '' : table.format([header, ...entries.map(toCells)]);
  return `${fitLines(describeTarget(target), shown.columns)}\n${lines}  ${fitLines(summarize(timeline), shown.columns)}\n`;
}

function describeEntry({ snapshot: one, gap }: Entry, nowMs: number) {
  const ageOf = (name: string) => formatAge(nowMs - (snapshotTimeMs(name) ?? 0));
  if (gap) {
    const { from, to, slots } = gap;
    const values = `${formatPlural(slots, 'missed slot')}${slots === 1 ? '' : `, to ${to}`}`;
    return { name: from, age: ageOf(from), verdict: 'missed', rows: '', counts: ['', ''], values };
  }
  const { snapshot, verdict, rows, values } = one.manifest;
  const counts = findProtection(one.manifest);
  return {
    name: snapshot,
    age: ageOf(snapshot),
    verdict: one.pruned ? `${verdict}, pruned` : verdict,
    rows: formatCount(rows),
    counts: counts ? [formatCount(counts.unprotected), formatCount(counts.offline)] : ['', ''],
    values: `${isReadAfter(one.manifest) ? `read ${describeReading(one.manifest)}; ` : ''}${describeValues(values)}`,
  };
}

function describeValues(values: TimelineSnapshot['manifest']['values']): string {
  return Object.entries(values)
    .filter(([, counts]) => Object.keys(counts).length > 0)
    .map(([column, counts]) => {
      const each = Object.entries(counts).map(([value, count]) => `${value} ${formatCount(count)}`);
      return `${column}: ${each.join(', ')}`;
    })
    .join('; ');
}

function summarize({ snapshots, gaps, faults }: Timeline): string {
  const count = (isCounted: (one: TimelineSnapshot) => boolean) =>
    formatCount(snapshots.filter(isCounted).length);
  const slots = gaps.reduce((sum, gap) => sum + gap.slots, 0);
  return [
    `${count(({ manifest }) => manifest.verdict === 'complete')} complete`,
    `${count(({ manifest }) => manifest.verdict === 'drifted')} drifted`,
    `${formatPlural(slots, 'missed slot')}`,
    `${count(({ pruned }) => pruned)} pruned`,
    ...(faults.length > 0 ? [`${formatCount(faults.length)} not readable`] : []),
  ].join(', ');
}
