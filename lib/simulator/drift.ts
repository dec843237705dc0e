// Responsible for drift: random changes of a list between two requests.

import { ConfigError } from '../core/errors.ts';
import type { NodeList } from './node-list.ts';
import { drawCount, drawInteger, type Random } from './random.ts';

/** Mean number of changes after each request, at random places of the list. Fractions are allowed. Default 0 each. */
export interface Drift {
  insertsPerRequest?: number;
  deletesPerRequest?: number;
  /** Moves one node to another place. The other nodes keep their order. */
  reordersPerRequest?: number;
  /** The agent of one node goes from online to offline. */
  offlinePerRequest?: number;
  /** An agent that is offline or not installed gets online. */
  onlinePerRequest?: number;
  /** The protection of one node is closed. */
  closedPerRequest?: number;
  openedPerRequest?: number;
  /** Default 1. */
  seed?: number;
}

type StatusKind = 'offline' | 'online' | 'closed' | 'opened';
export type ChangeKind = 'inserted' | 'deleted' | 'reordered' | StatusKind;

/** One change of the list. */
export interface Change {
  kind: ChangeKind;
  /** The host_id of the node, or the id of the cluster. */
  hostId: string;
  /** Only if a status changed: its value before and after. */
  before?: string;
  after?: string;
}

/** The field that each kind changes, the values from which it can change, and the fields after it. */
export type StatusChanges = {
  [kind in StatusKind]?: {
    field: string;
    from: readonly string[];
    fields: Readonly<Record<string, string>>;
  };
};

export const nodeStatusChanges: StatusChanges = {
  offline: { field: 'agent_status', from: ['online'], fields: { agent_status: 'offline' } },
  online: {
    field: 'agent_status',
    from: ['offline', 'not_installed', 'not_register'],
    fields: { agent_status: 'online' },
  },
  closed: { field: 'protect_status', from: ['opened'], fields: { protect_status: 'closed' } },
  opened: { field: 'protect_status', from: ['closed'], fields: { protect_status: 'opened' } },
};

/** What the records of a list are called and how their status changes. */
export interface DriftingRecords {
  keyField: string;
  statusChanges: StatusChanges;
}

const nodeRecords: DriftingRecords = { keyField: 'host_id', statusChanges: nodeStatusChanges };

/** How many nodes are looked at to find one whose status can change. */
const searchMax = 1_000;

/** Changes `list` in place, and returns the changes in order. */
export function applyDrift(
  list: NodeList,
  drift: Drift,
  random: Random,
  { keyField, statusChanges }: DriftingRecords = nodeRecords,
): Change[] {
  const changes: Change[] = [];
  const keyAt = (position: number) => String(list.at(position)[keyField]);
  const repeat = (rate: number | undefined, change: () => Change | null) => {
    for (let left = drawCount(random, rate ?? 0); left > 0; left -= 1) {
      const made = change();
      if (made) changes.push(made);
    }
  };
  repeat(drift.deletesPerRequest, () => {
    if (list.length === 0) return null;
    const position = drawInteger(random, 0, list.length - 1);
    const hostId = keyAt(position);
    list.remove(position);
    return { kind: 'deleted', hostId };
  });
  repeat(drift.insertsPerRequest, () => {
    const position = drawInteger(random, 0, list.length);
    list.insert(position);
    return { kind: 'inserted', hostId: keyAt(position) };
  });
  repeat(drift.reordersPerRequest, () => {
    if (list.length < 2) return null;
    const from = drawInteger(random, 0, list.length - 1);
    // Always another place: a move to the same place would change nothing.
    const to = (from + drawInteger(random, 1, list.length - 1)) % list.length;
    list.move(from, to);
    return { kind: 'reordered', hostId: keyAt(to) };
  });
  for (const kind of ['offline', 'online', 'closed', 'opened'] as const) {
    const change = statusChanges[kind];
    if (!change) continue;
    repeat(drift[`${kind}PerRequest`], () => {
      const found = changeStatus(list, change, random);
      if (!found) return null;
      const { position, before } = found;
      const after = String(change.fields[change.field]);
      return { kind, hostId: keyAt(position), before, after };
    });
  }
  return changes;
}

/** Changes the first record from a random place on, also past the end, that can change. Null: none was found. */
function changeStatus(
  list: NodeList,
  { field, from, fields }: NonNullable<StatusChanges[StatusKind]>,
  random: Random,
): { position: number; before: string } | null {
  if (list.length === 0) return null;
  const start = drawInteger(random, 0, list.length - 1);
  for (let tried = 0; tried < Math.min(searchMax, list.length); tried += 1) {
    const position = (start + tried) % list.length;
    const before = list.at(position)[field];
    if (!(from as readonly unknown[]).includes(before)) continue;
    list.change(position, fields);
    return { position, before: String(before) };
  }
  return null;
}

const driftKeys: Readonly<Record<string, keyof Drift>> = {
  insert: 'insertsPerRequest',
  delete: 'deletesPerRequest',
  reorder: 'reordersPerRequest',
  offline: 'offlinePerRequest',
  online: 'onlinePerRequest',
  closed: 'closedPerRequest',
  opened: 'openedPerRequest',
  seed: 'seed',
};

/** Reads `insert=2,delete=1,offline=0.5,seed=7`; each part is optional. Throws ConfigError with every problem found. */
export function parseDrift(text: string): Drift {
  const drift: Drift = {};
  const issues: string[] = [];
  for (const part of text.split(',')) {
    const [, name = '', value = ''] = /^\s*([a-z]+)=(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
    const key = Object.hasOwn(driftKeys, name) ? driftKeys[name] : undefined;
    if (!key) issues.push(`"${part}" is not valid`);
    else if (drift[key] !== undefined) issues.push(`"${name}" appears more than once`);
    else drift[key] = Number(value);
  }
  if (issues.length > 0) {
    const hint =
      'Use insert, delete, reorder, offline, online, closed, opened (mean changes per request) and seed, for example --drift insert=2,delete=1,offline=0.5,seed=7.';
    throw new ConfigError(issues.map((message) => ({ path: '--drift', message, hint })));
  }
  return drift;
}
