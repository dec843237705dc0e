// Responsible for the nodes that are unprotected or offline at the end of the period, and since when. Pure.

import { formatTime } from '../core/time-text.ts';
import { addHost, countHosts, type HostKinds, noHosts } from '../snapshots/host-kinds.ts';
import { isOffline, isUnprotected } from '../snapshots/protection.ts';
import { type NodeAtEnd, nodesShownMax, type SinceTime, type TargetName } from './figures.ts';
import type { Interval } from './node-states.ts';
import { daysBetween, nameMs } from './report-times.ts';
import { openTopList } from './top-list.ts';
import type { EndRow } from './walk-parts.ts';

export interface EndNodes {
  /** Rows of the newest complete snapshot of a target. */
  addRows(rows: readonly EndRow[]): void;
  /** Of the same target. */
  addIntervals(intervals: readonly Interval[]): void;
  /** All rows and intervals of the target were added. */
  endTarget(target: TargetName, start: TargetStart): void;
  figures(): { total: number; unprotected: number; offline: number; shown: NodeAtEnd[] };
  /** Of the unprotected ones. */
  unprotectedKinds(): HostKinds;
}

/** Names of snapshots. */
export interface TargetStart {
  /** The first one of which single nodes are known. Null: the rows could not be read, and none of them counts. */
  knownFrom: string | null;
  /** Those that were compared with none before them: what they show can have begun earlier. */
  withoutBefore: readonly string[];
}

type Starts = Record<'unprotected' | 'offline', number | null>;

/** Memory: the nodes of one target that are unprotected or offline. */
export function openEndNodes(untilMs: number): EndNodes {
  const totals = { total: 0, offline: 0 };
  const kinds = noHosts();
  let nodes = new Map<string, { row: EndRow; starts: Starts }>();
  const longest = (node: NodeAtEnd) =>
    Math.max(node.unprotected?.days ?? 0, node.offline?.days ?? 0);
  const shown = openTopList<NodeAtEnd>(nodesShownMax, (a, b) => longest(b) - longest(a));

  /** The start in the period can be later than what the row says, or earlier: the list was changed in between. */
  function toSince(
    [inPeriod, inRow]: readonly [number | null, number | null],
    { knownFrom, withoutBefore }: TargetStart,
  ): SinceTime {
    const known = [inPeriod, inRow].filter((time) => time !== null);
    if (known.length === 0) return { since: null, days: null, onOrBefore: false };
    const sinceMs = Math.min(...known);
    // The walk saw no state before `knownFrom`. A row of that time or earlier knows the one before it.
    const isCut = knownFrom !== null && sinceMs === nameMs(knownFrom) && inRow !== sinceMs;
    const onOrBefore = isCut || withoutBefore.some((name) => nameMs(name) === sinceMs);
    return { since: formatTime(sinceMs), days: daysBetween(sinceMs, untilMs), onOrBefore };
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
    endTarget(target, start) {
      for (const { row, starts } of start.knownFrom === null ? [] : nodes.values()) {
        const { hostId, hostName, protectStatus, agentStatus, protectSinceMs, agentSinceMs } = row;
        const [isOpen, isOff] = [isUnprotected(protectStatus), isOffline(agentStatus)];
        totals.total += 1;
        if (isOpen) addHost(kinds, row.isContainerNode);
        if (isOff) totals.offline += 1;
        shown.add({
          ...target,
          hostId,
          hostName: hostName as string | null,
          protectStatus: protectStatus as string | null,
          agentStatus: agentStatus as string | null,
          unprotected: isOpen ? toSince([starts.unprotected, protectSinceMs], start) : null,
          offline: isOff ? toSince([starts.offline, agentSinceMs], start) : null,
        });
      }
      nodes = new Map();
    },
    figures: () => ({ ...totals, unprotected: countHosts(kinds), shown: shown.list() }),
    unprotectedKinds: () => kinds,
  };
}
