// Responsible for how long nodes were unprotected or offline: their states are given from the newest snapshot back to the oldest one.
// Pure. Not responsible for reading them (target-walk.ts).

import type { Cell } from '../core/ports.ts';
import { isOffline, isUnprotected } from '../snapshots/protection.ts';

export const reasons = ['unprotected', 'offline'] as const;
export type Reason = (typeof reasons)[number];

/** What one snapshot says about a node. */
export interface NodeState {
  hostName: Cell;
  protectStatus: Cell;
  agentStatus: Cell;
}

/** `from` and `to` are names of snapshots. */
export interface Interval {
  hostId: string;
  /** In the newest snapshot of the interval. */
  hostName: Cell;
  reason: Reason;
  /** The first snapshot in which the node has this state. */
  from: string;
  /** The first later snapshot in which the node does not have this state, or is not listed. Null: it has it in the newest one. */
  to: string | null;
}

/** An interval of which the start is not reached yet. */
type Open = Pick<Interval, 'hostName' | 'to'>;

interface Node {
  unprotected: Open | null;
  offline: Open | null;
  /** The reading of all rows in which it was listed last. */
  reading: number;
}

const isSo: Record<Reason, (state: NodeState) => boolean> = {
  unprotected: ({ protectStatus }) => isUnprotected(protectStatus),
  offline: ({ agentStatus }) => isOffline(agentStatus),
};

export interface NodeStates {
  /** The state of a node in the newest snapshot. */
  begin(hostId: string, state: NodeState): void;
  /** The state of a node in the snapshot before `at`; null: it is not listed there. A repeated call with the same values does nothing. */
  setBefore(at: string, hostId: string, state: NodeState | null): void;
  /** All nodes of the snapshot before `at` follow, each by setBefore(). */
  startRows(): void;
  /** Nodes that did not follow are not listed there. */
  endRows(at: string): void;
  /** No state before `first` is known: intervals that are open there start with it. */
  finish(first: string): void;
  /** Forgets everything, also the intervals that were not taken. */
  clear(): void;
  /** The intervals since the last call of which the start was reached. */
  take(): Interval[];
}

/** Memory: the nodes that are listed in one snapshot. */
// Long because: one state, and the functions that share it.
export function openNodeStates(): NodeStates {
  const nodes = new Map<string, Node>();
  let reading = 0;
  let found: Interval[] = [];

  function update(hostId: string, node: Node, state: NodeState | null, at: string | null): void {
    for (const reason of reasons) {
      const open = node[reason];
      const is = state !== null && isSo[reason](state);
      if (open && !is && at !== null) {
        found.push({ hostId, reason, from: at, ...open });
        node[reason] = null;
      } else if (!open && is) node[reason] = { hostName: state.hostName, to: at };
    }
  }

  function set(hostId: string, state: NodeState | null, at: string | null): void {
    let node = nodes.get(hostId);
    if (!node) {
      if (state === null) return;
      node = { unprotected: null, offline: null, reading };
      nodes.set(hostId, node);
    }
    update(hostId, node, state, at);
    if (state === null) {
      nodes.delete(hostId);
      return;
    }
    node.reading = reading;
  }

  return {
    begin: (hostId, state) => set(hostId, state, null),
    setBefore: (at, hostId, state) => set(hostId, state, at),
    startRows() {
      reading += 1;
    },
    endRows(at) {
      for (const [hostId, node] of nodes) if (node.reading !== reading) set(hostId, null, at);
    },
    finish(first) {
      for (const [hostId, node] of nodes) {
        for (const reason of reasons) {
          const open = node[reason];
          // One that ends with `first` is of a snapshot that could not be read to its end.
          if (open && open.to !== first) found.push({ hostId, reason, from: first, ...open });
        }
      }
      nodes.clear();
    },
    clear() {
      nodes.clear();
      found = [];
    },
    take() {
      const taken = found;
      found = [];
      return taken;
    },
  };
}
