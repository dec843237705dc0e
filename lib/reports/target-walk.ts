// Responsible for going from the newest complete snapshot of a target back to the oldest one of a period, with the changes and, where
// these do not lead back, with rows. Not responsible for reading a part (walk-parts.ts), or for what a row means for a node
// (node-states.ts).

import type { TargetKey } from '../core/object-keys.ts';
import type { Row } from '../core/ports.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { isContinued, type TimelineSnapshot } from '../snapshots/timeline.ts';
import { type Interval, type NodeStates, openNodeStates } from './node-states.ts';
import { type EndRow, openWalkParts, type WalkParts, type WalkPorts } from './walk-parts.ts';

/** What the walk finds, newest first. */
export interface WalkListener {
  /** Rows of the newest snapshot, some at a time. */
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

/**
 * `snapshots`: oldest first; those that are not complete are left out. Each part is read once. Memory: the nodes of one snapshot, one
 * row group. Throws StoreError and ScratchError.
 */
export async function walkTarget(
  ports: WalkPorts,
  target: TargetKey,
  snapshots: readonly TimelineSnapshot[],
  listener: WalkListener,
): Promise<WalkResult> {
  const complete = snapshots.filter(({ manifest }) => manifest.verdict === 'complete').reverse();
  const parts = openWalkParts(ports, target);
  const states = openNodeStates();
  const walk: Walk = { parts, states, listener };
  let isKnown = await readNewest(walk, complete[0]);
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

/** False: there is none, or its rows were pruned or cannot be read. */
async function readNewest(
  { parts, states, listener }: Walk,
  newest: TimelineSnapshot | undefined,
): Promise<boolean> {
  if (!newest) return false;
  const isRead = await parts.readRows(newest, (rows) => {
    for (const row of rows) states.begin(row.hostId, row);
    listener.onEndRows(rows);
  });
  if (!isRead) states.clear();
  return isRead;
}

/** False: they cannot be read. `isApplied`: the states before the snapshot follow from them. */
async function readChanges(
  { parts, states, listener }: Walk,
  snapshot: TimelineSnapshot,
  isApplied: boolean,
): Promise<boolean> {
  const { snapshot: name } = snapshot.manifest;
  const isRead = await parts.readChanges(snapshot, async (rows, stateBefore) => {
    if (isApplied) {
      for (const row of rows) {
        const { hostId, state } = stateBefore(row);
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
