// Responsible for the columns and rows of `unprotected.csv` and `snapshots.csv`. Pure. Those of `changes.csv` are the columns of a
// change. Not responsible for the text (formats/csv.ts) or the files (report-files.ts).

import { manifestKey, parseManifestKey, snapshotName } from '../core/object-keys.ts';
import type { Cell, Column, Row } from '../core/ports.ts';
import { countProtection } from '../snapshots/protection.ts';
import type { Timeline, TimelineSnapshot } from '../snapshots/timeline.ts';
import { listMissedSlots } from './calendar.ts';
import type { TargetName } from './figures.ts';
import type { Interval } from './node-states.ts';
import { daysBetween, nameMs, timeOfName } from './report-times.ts';

const toColumn = (name: string): Column => ({ name, type: 'string' });

/** One row an interval. */
export const intervalColumns: readonly Column[] = [
  ...['account', 'region', 'project_id', 'host_id', 'host_name', 'reason', 'from', 'to', 'days'],
].map(toColumn);

/** `untilMs`: the end of the period, up to which an interval counts that has no end. */
export function toIntervalRow(
  { account, region, projectId }: TargetName,
  { hostId, hostName, reason, from, to }: Interval,
  untilMs: number,
): Row {
  const days = daysBetween(nameMs(from), to === null ? untilMs : nameMs(to));
  const place = [account, region, projectId, hostId, hostName, reason];
  return [...place, timeOfName(from), to === null ? null : timeOfName(to), days];
}

/** One row a snapshot, and one a slot or manifest without one. */
export const snapshotColumns: readonly Column[] = [
  ...['account', 'table', 'region', 'project_id', 'snapshot', 'started_at', 'sealed_at'],
  ...['verdict', 'rows', 'unprotected', 'offline', 'rejects', 'added', 'removed', 'changed'],
  ...['pruned', 'manifest', 'manifest_sha256', 'key_id'],
].map(toColumn);

/**
 * Oldest first. The verdict `missing` is that of a slot without a snapshot, which is named by its start; `unreadable` that of a
 * manifest that cannot be read. They have no figures.
 */
export function listSnapshotRows(target: TargetName, timeline: Timeline): Row[] {
  const { account, table, region, projectId } = target;
  const place = [account, table, region, projectId];
  const without = (snapshot: string, verdict: string, manifest: Cell): [string, Row] => [
    snapshot,
    [...place, snapshot, null, null, verdict, ...Array(8).fill(null), manifest, null, null],
  ];
  const rows = [
    ...timeline.snapshots.map((one): [string, Row] => [
      one.manifest.snapshot,
      [...place, ...describeSnapshot(one)],
    ]),
    ...listMissedSlots(timeline).map((slotMs) => without(snapshotName(slotMs), 'missing', null)),
    ...timeline.faults.map(({ key }) =>
      without(parseManifestKey(key)?.snapshot ?? '', 'unreadable', key),
    ),
  ];
  return rows.sort(([a], [b]) => (a < b ? -1 : Number(a > b))).map(([, row]) => row);
}

function describeSnapshot({ manifest, manifestSha256, pruned }: TimelineSnapshot): Cell[] {
  const { snapshot, startedAt, sealedAt, verdict, rows, rejects, changes, signing } = manifest;
  const { unprotected, offline } = countProtection(manifest);
  const { table, scope } = manifest;
  const target = { table, region: scope.region, projectId: scope.projectId };
  return [
    ...[snapshot, startedAt, sealedAt, verdict, rows, unprotected, offline, rejects],
    ...(changes ? [changes.added, changes.removed, changes.changed] : [null, null, null]),
    ...[pruned, manifestKey(target, snapshot), manifestSha256, signing?.keyId ?? null],
  ];
}
