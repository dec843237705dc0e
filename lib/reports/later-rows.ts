// Responsible for the rows of a pruned snapshot, as far as a later snapshot leads back to them: its rows and the changes in between.

import { isContinued, type TimelineSnapshot } from '../snapshots/timeline.ts';
import { nameMs } from './report-times.ts';
import type { EndRow, WalkParts } from './walk-parts.ts';

/**
 * Null: no later snapshot leads back to `newest`. `later`: the complete snapshots after it, oldest first. Memory: the rows of one
 * snapshot.
 */
export async function restoreRows(
  parts: WalkParts,
  newest: TimelineSnapshot,
  later: readonly TimelineSnapshot[],
): Promise<EndRow[] | null> {
  const passed: TimelineSnapshot[] = [];
  let previous = newest;
  for (const snapshot of later) {
    if (!isContinued(previous, snapshot)) return null;
    passed.push(snapshot);
    previous = snapshot;
    if (snapshot.pruned) continue;
    const rows = await readRows(parts, snapshot);
    if (rows) return goBack(parts, rows, { passed, endMs: nameMs(newest.manifest.snapshot) });
  }
  return null;
}

async function readRows(
  parts: WalkParts,
  snapshot: TimelineSnapshot,
): Promise<Map<string, EndRow> | null> {
  const rows = new Map<string, EndRow>();
  const isRead = await parts.readRows(snapshot, (batch) => {
    for (const row of batch) rows.set(row.hostId, row);
  });
  return isRead ? rows : null;
}

const unknownRow = { protectSinceMs: null, agentSinceMs: null, isContainerNode: null };

/** `passed`: the snapshots whose changes are undone, oldest first. `endMs`: the time that the rows shall be of. */
async function goBack(
  parts: WalkParts,
  rows: Map<string, EndRow>,
  { passed, endMs }: { passed: readonly TimelineSnapshot[]; endMs: number },
): Promise<EndRow[] | null> {
  for (const snapshot of [...passed].reverse()) {
    const isRead = await parts.readChanges(snapshot, async (changes, reader) => {
      for (const change of changes) {
        const { hostId, state } = reader.stateBefore(change);
        if (state === null) {
          rows.delete(hostId);
          continue;
        }
        const later = rows.get(hostId) ?? unknownRow;
        const kind = reader.isContainerNodeBefore(change);
        const isContainerNode = kind === undefined ? later.isContainerNode : kind;
        rows.set(hostId, { ...later, ...state, isContainerNode, hostId });
      }
    });
    if (!isRead) return null;
  }
  // A status that is dated later was another one at that time: since when is not known.
  const upTo = (timeMs: number | null) => (timeMs !== null && timeMs <= endMs ? timeMs : null);
  return [...rows.values()].map((row) => ({
    ...row,
    protectSinceMs: upTo(row.protectSinceMs),
    agentSinceMs: upTo(row.agentSinceMs),
  }));
}
