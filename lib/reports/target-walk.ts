// Responsible for going from the newest complete snapshot of a target back to the oldest one of a period, with the changes and, where
// these do not lead back, with rows. Not responsible for reading a part (walk-parts.ts), or for what a row means for a node
// (node-states.ts).

import type { TargetKey } from '../core/object-keys.ts';
import type { Row } from '../core/ports.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { isContinued, type TimelineSnapshot } from '../snapshots/timeline.ts';
import { restoreRows } from './later-rows.ts';
import { type Interval, type NodeStates, openNodeStates } from './node-states.ts';
import { type EndRow, openWalkParts, type WalkParts, type WalkPorts } from './walk-parts.ts';

/** What the walk finds, newest first. */
export interface WalkListener {
  /** Rows of the newest snapshot, some at a time. If they were pruned, as later snapshots restore them. */
  onEndRows(rows: readonly EndRow[]): void;
  /** Rows of changeColumns(), some at a time. */
  onChanges(snapshot: TimelineSnapshot, rows: readonly Row[]): Promise<void>;
  /** All changes of the snapshot were given. */
  onChangesEnd(): Promise<void>;
  /** Intervals, in no order. */
  onIntervals(intervals: readonly Interval[]): Promise<void>;
}

export interface WalkResult {
  /** The snapshot from which on the states of nodes are known. Null: of none. */
  knownFrom: string | null;
  /** Bytes of the parts that were read. */
  bytes: number;
  /** Parts that are needed and are missing or altered. Pruned parts are none. */
  faults: Fault[];
  /** Parts that exist but may not be read. */
  unchecked: Fault[];
}

interface Walk {
  parts: WalkParts;
  states: NodeStates;
  listener: WalkListener;
}

export interface WalkedSnapshots {
  /** Of the period, oldest first. */
  snapshots: readonly TimelineSnapshot[];
  /** Reads those after the period, oldest first. Called only if the rows of the newest one of the period were pruned. */
  readLater: () => Promise<readonly TimelineSnapshot[]>;
}

/**
 * Snapshots that are not complete are left out. Each part is read once. Memory: the nodes of one snapshot, one
 * row group. Throws StoreError and ScratchError.
 */
export async function walkTarget(
  ports: WalkPorts,
  target: TargetKey,
  { snapshots, readLater }: WalkedSnapshots,
  listener: WalkListener,
): Promise<WalkResult> {
  const isComplete = ({ manifest }: TimelineSnapshot) => manifest.verdict === 'complete';
  const complete = snapshots.filter(isComplete).reverse();
  const parts = openWalkParts(ports, target);
  const states = openNodeStates();
  const walk: Walk = { parts, states, listener };
  const newest = complete[0];
  let isKnown = newest !== undefined && (await readNewest(walk, newest));
  if (newest?.pruned && !isKnown) {
    const rows = await restoreRows(parts, newest, (await readLater()).filter(isComplete));
    isKnown = rows !== null;
    if (rows) beginWith(walk, rows);
  }
  let knownFrom: string | null = null;
  for (const [index, snapshot] of complete.entries()) {
    const previous = complete[index + 1];
    const isLinked = previous !== undefined && isContinued(previous, snapshot);
    const isRead = await readChanges(walk, snapshot, isKnown && isLinked);
    if (!isKnown) continue;
    const isReached = isLinked && isRead;
    isKnown = previous !== undefined && (isReached || (await readBefore(walk, snapshot, previous)));
    if (!isKnown) {
      knownFrom = snapshot.manifest.snapshot;
      states.finish(knownFrom);
    }
    await listener.onIntervals(states.take());
  }
  return { knownFrom, ...parts.findings() };
}

/** False: its rows were pruned or cannot be read. */
async function readNewest(walk: Walk, newest: TimelineSnapshot): Promise<boolean> {
  const isRead = await walk.parts.readRows(newest, (rows) => beginWith(walk, rows));
  if (!isRead) walk.states.clear();
  return isRead;
}

function beginWith({ states, listener }: Walk, rows: readonly EndRow[]): void {
  for (const row of rows) states.begin(row.hostId, row);
  listener.onEndRows(rows);
}

/** False: they cannot be read. `isApplied`: the states before the snapshot follow from them. */
async function readChanges(
  { parts, states, listener }: Walk,
  snapshot: TimelineSnapshot,
  isApplied: boolean,
): Promise<boolean> {
  const { snapshot: name } = snapshot.manifest;
  const isRead = await parts.readChanges(snapshot, async (rows, reader) => {
    if (isApplied) {
      for (const row of rows) {
        const { hostId, state } = reader.stateBefore(row);
        states.setBefore(name, hostId, state);
      }
    }
    await listener.onChanges(snapshot, rows);
    await listener.onIntervals(states.take());
  });
  if (isRead) await listener.onChangesEnd();
  return isRead;
}

/** Reads the states in `previous` from its rows. False: they were pruned or cannot be read. */
async function readBefore(
  { parts, states, listener }: Walk,
  { manifest }: TimelineSnapshot,
  previous: TimelineSnapshot,
): Promise<boolean> {
  states.startRows();
  const isRead = await parts.readRows(previous, async (rows) => {
    for (const row of rows) states.setBefore(manifest.snapshot, row.hostId, row);
    await listener.onIntervals(states.take());
  });
  if (isRead) states.endRows(manifest.snapshot);
  return isRead;
}
