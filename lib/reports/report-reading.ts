// Responsible for reading a period of a store once: the figures and the files of its report. Not responsible for verifying the store,
// or for the page.

import type { Dataset } from '../core/ports.ts';
import { formatTime } from '../core/time-text.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { countKinds, type HostKinds, sumKinds } from '../snapshots/host-kinds.ts';
import { countProtection } from '../snapshots/protection.ts';
import {
  type Period,
  readTimeline,
  type Timeline,
  type TimelineSnapshot,
} from '../snapshots/timeline.ts';
import { describeDays, listDates, openDayTotals } from './calendar.ts';
import { openChangeSummary } from './change-summary.ts';
import { openEndNodes } from './end-nodes.ts';
import type { ReportFigures, SnapshotFigures, TargetFigures, TargetName } from './figures.ts';
import { openQuality } from './quality.ts';
import {
  type OpenFormat,
  openSectionedTableFile,
  openSortedTableFile,
  openTableFile,
  type ReportFile,
} from './report-files.ts';
import {
  intervalColumns,
  listSnapshotRows,
  snapshotColumns,
  toIntervalRow,
} from './report-tables.ts';
import { dayMs } from './report-times.ts';
import { type WalkListener, walkTarget } from './target-walk.ts';
import type { WalkPorts } from './walk-parts.ts';

export interface ReadingProgress {
  /** The number of the target, from 1, and how many there are. */
  target: number;
  targets: number;
  /** Parts of the target that were read or begun, and at most how many there are. */
  done: number;
  total: number;
}

export interface ReadingPorts extends Omit<WalkPorts, 'onProgress'> {
  openFormat: OpenFormat;
  /** May throw to stop the reading. */
  onProgress: (progress: ReadingProgress) => void;
}

/** What of the figures comes from the snapshots. */
export interface ReportReading
  extends Pick<ReportFigures, 'targets' | 'days' | 'nodes' | 'hostKinds' | 'changes' | 'quality'> {
  files: ReportFile[];
  /** Objects of the period that are not as they were sealed, and those that may not be read. */
  faults: Fault[];
  unchecked: Fault[];
  /** Of the parts that were read. */
  bytes: number;
}

/**
 * `targets`: in the order of the report. Memory: the manifests of one target, its nodes in one snapshot, one row group. Throws
 * StoreError and ScratchError; then no temporary file is left. Otherwise the caller removes the files.
 */
// Long because: one state for each part of the figures, and each target passes through all of them.
export async function readReport(
  ports: ReadingPorts,
  targets: readonly TargetName[],
  period: Period,
): Promise<ReportReading> {
  const { store, scratch, openFormat } = ports;
  const dates = listDates(period);
  const totals = openDayTotals(dates);
  const nodes = openEndNodes(period.untilMs);
  const quality = openQuality();
  const columns = changeColumns(ports.dataset);
  const summary = openChangeSummary(columns);
  const sum = { bytes: 0, faults: [] as Fault[], unchecked: [] as Fault[] };
  const figures: TargetFigures[] = [];
  const kinds: HostKinds[] = [];
  const intervals = openSortedTableFile(scratch, 'unprotected.csv', openFormat(intervalColumns));
  const changes = openSectionedTableFile(scratch, 'changes.csv', openFormat(columns));
  const snapshots = openTableFile(scratch, 'snapshots.csv', openFormat(snapshotColumns));

  async function readTarget(target: TargetName, index: number): Promise<void> {
    const readSnapshots = async (of: Period) =>
      selectDataset(await readTimeline(store, target, of), ports.dataset);
    const timeline = await readSnapshots(period);
    const order = String(index).padStart(6, '0');
    const listener: WalkListener = {
      onEndRows: (rows) => nodes.addRows(rows),
      async onChanges({ manifest }, rows) {
        summary.addRows(target, rows);
        await changes.add(`${manifest.snapshot} ${order}`, rows);
      },
      onChangesEnd: () => changes.endSection(),
      async onIntervals(found) {
        nodes.addIntervals(found);
        for (const one of found) {
          const key = [order, one.hostId, one.from, one.reason].join('\0');
          await intervals.add(key, toIntervalRow(target, one, period.untilMs));
        }
      },
    };
    const place = { target: index + 1, targets: targets.length };
    const total = timeline.snapshots.length;
    let done = 0;
    const onProgress = (isPart: boolean) => {
      if (isPart) done = Math.min(done + 1, total);
      ports.onProgress({ ...place, done, total });
    };
    const after = { sinceMs: period.untilMs + 1_000, untilMs: store.nowMs() + dayMs };
    const walked = {
      snapshots: timeline.snapshots,
      readLater: async () => (await readSnapshots(after)).snapshots,
    };
    const walk = await walkTarget({ ...ports, onProgress }, target, walked, listener);
    nodes.endTarget(target, {
      knownFrom: walk.knownFrom,
      withoutBefore: listWithoutBefore(timeline),
    });
    const last = findNewestComplete(timeline);
    if (last) kinds.push(countKinds(last.manifest));
    for (const { manifest } of timeline.snapshots) {
      quality.add(manifest);
      if (manifest.changes) summary.addCounts(manifest.changes);
    }
    await snapshots.add(listSnapshotRows(target, timeline));
    const days = describeDays(timeline, dates);
    totals.add(days, timeline.snapshots);
    figures.push({ ...describeTarget(target, timeline), knownFrom: walk.knownFrom, days });
    sum.bytes += walk.bytes;
    sum.faults.push(...timeline.faults, ...walk.faults);
    sum.unchecked.push(...walk.unchecked);
  }

  try {
    for (const [index, target] of targets.entries()) await readTarget(target, index);
    return {
      ...{ targets: figures, days: totals.list(), nodes: nodes.figures() },
      hostKinds: { all: sumKinds(kinds), unprotected: nodes.unprotectedKinds() },
      ...{ changes: summary.figures(), quality: quality.figures(), ...sum },
      files: [await intervals.finish(), await changes.finish(), await snapshots.finish()],
    };
  } catch (error) {
    for (const file of [intervals, changes, snapshots]) await file.remove();
    throw error;
  }
}

/** Another dataset has other columns. A table has one dataset, unless its configuration was changed. */
function selectDataset(timeline: Timeline, { name }: Dataset): Timeline {
  const snapshots = timeline.snapshots.filter(({ manifest }) => manifest.dataset === name);
  return { ...timeline, snapshots };
}

/** Snapshots that were compared with none before them, as far as the period has them. */
function listWithoutBefore({ firstStored, snapshots }: Timeline): string[] {
  const first = snapshots.filter(({ manifest }) =>
    ['first', 'scope'].includes(manifest.changesNone ?? ''),
  );
  return [firstStored ?? [], first.map(({ manifest }) => manifest.snapshot)].flat();
}

function findNewestComplete({ snapshots }: Timeline): TimelineSnapshot | undefined {
  return snapshots.findLast(({ manifest }) => manifest.verdict === 'complete');
}

function describeTarget(
  target: TargetName,
  timeline: Timeline,
): Omit<TargetFigures, 'days' | 'knownFrom'> {
  const { snapshots, gaps } = timeline;
  const newest = snapshots.at(-1);
  const complete = snapshots.filter(({ manifest }) => manifest.verdict === 'complete');
  const last = findNewestComplete(timeline);
  return {
    ...target,
    newest: newest ? describeSnapshot(newest) : null,
    newestComplete: last ? { ...describeSnapshot(last), ...countProtection(last.manifest) } : null,
    snapshots: {
      complete: complete.length,
      drifted: snapshots.length - complete.length,
      missed: gaps.reduce((sum, { slots }) => sum + slots, 0),
      pruned: snapshots.filter(({ pruned }) => pruned).length,
    },
    gaps: [...gaps],
  };
}

function describeSnapshot({
  manifest,
  manifestKey,
  manifestSha256,
}: TimelineSnapshot): SnapshotFigures {
  const { snapshot, verdict, rows, signing } = manifest;
  const [startedAt, sealedAt] = [manifest.startedAt, manifest.sealedAt].map((time) =>
    formatTime(Date.parse(time)),
  ) as [string, string];
  const keyId = signing?.keyId ?? null;
  return {
    snapshot,
    startedAt,
    sealedAt,
    verdict,
    rows,
    manifest: manifestKey,
    manifestSha256,
    keyId,
  };
}
