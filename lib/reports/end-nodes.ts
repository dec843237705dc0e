// Responsible for the nodes that are unprotected or offline at the end of the period, and since when. Pure.

import { isOffline, isUnprotected } from '../snapshots/protection.ts';
import { type NodeAtEnd, nodesShownMax, type SinceTime, type TargetName } from './figures.ts';
import type { Interval } from './node-states.ts';
import { daysBetween, formatTime, nameMs } from './report-times.ts';
import { openTopList } from './top-list.ts';
import type { EndRow } from './walk-parts.ts';

export interface EndNodes {
  /** Rows of the newest complete snapshot of a target. */
  addRows(rows: readonly EndRow[]): void;
  /** Of the same target. */
  addIntervals(intervals: readonly Interval[]): void;
  /** All rows and intervals of the target were added. `isKnown` false: its rows could not be read, and none of them counts. */
  endTarget(target: TargetName, isKnown: boolean): void;
  figures(): { total: number; unprotected: number; offline: number; shown: NodeAtEnd[] };
}

type Starts = Record<'unprotected' | 'offline', number | null>;

/** Memory: the nodes of one target that are unprotected or offline. */
export function openEndNodes(untilMs: number): EndNodes {
  const totals = { total: 0, unprotected: 0, offline: 0 };
  let nodes = new Map<string, { row: EndRow; starts: Starts }>();
  const longest = (node: NodeAtEnd) =>
    Math.max(node.unprotected?.days ?? 0, node.offline?.days ?? 0);
  const shown = openTopList<NodeAtEnd>(nodesShownMax, (a, b) => longest(b) - longest(a));

  /** The start in the period can be later than what the row says, or earlier: the list was changed in between. */
  function toSince(isSo: boolean, times: readonly (number | null)[]): SinceTime | null {
    if (!isSo) return null;
    const known = times.filter((time) => time !== null);
    if (known.length === 0) return { since: null, days: null };
    const sinceMs = Math.min(...known);
    return { since: formatTime(sinceMs), days: daysBetween(sinceMs, untilMs) };
  }

  return {
    addRows(rows) {
      for (const row of rows) {
        if (!isUnprotected(row.protectStatus) && !isOffline(row.agentStatus)) continue;
        nodes.set(row.hostId, { row, starts: { unprotected: null, offline: null } });
      }
    },
    addIntervals(intervals) {
      for (const { hostId, reason, from, to } of intervals) {
        const node = to === null ? nodes.get(hostId) : undefined;
        if (node) node.starts[reason] = nameMs(from);
      }
    },
    endTarget(target, isKnown) {
      for (const { row, starts } of isKnown ? nodes.values() : []) {
        const { hostId, hostName, protectStatus, agentStatus, protectSinceMs, agentSinceMs } = row;
        const [isOpen, isOff] = [isUnprotected(protectStatus), isOffline(agentStatus)];
        totals.total += 1;
        if (isOpen) totals.unprotected += 1;
        if (isOff) totals.offline += 1;
        shown.add({
          ...target,
          hostId,
          hostName: hostName as string | null,
          protectStatus: protectStatus as string | null,
          agentStatus: agentStatus as string | null,
          unprotected: toSince(isOpen, [starts.unprotected, protectSinceMs]),
          offline: toSince(isOff, [starts.offline, agentSinceMs]),
        });
      }
      nodes = new Map();
    },
    figures: () => ({ ...totals, shown: shown.list() }),
  };
}
