// Responsible for what a report says: the figures in `report.json`, which the page shows. Types only. Times are ISO 8601 in UTC,
// to the second; `snapshot` is a snapshot's name; `date` is a day in UTC.

import type { HostKinds } from '../snapshots/host-kinds.ts';
import type { ProtectionCounts } from '../snapshots/protection.ts';
import type { ProofStatement } from '../verification/proof-texts.ts';

/** Limits of the lists in the page. The CSV files have all rows. */
export const nodesShownMax = 500;
export const changesShownMax = 500;
export const faultsShownMax = 100;
export const uncoveredShownMax = 100;

export interface ReportFigures {
  reportVersion: 1;
  /** The program that made the report: `cgs-export/<version>`. */
  writer: string;
  madeAt: string;
  /** The address of the store. */
  store: string;
  /** Bounds are inclusive; `until` is at most the time of the report. */
  period: { since: string; until: string };
  targets: TargetFigures[];
  coverage?: CoverageFigures;
  /** All targets together, one entry for each day of the period. */
  days: TotalOfDay[];
  /**
   * Unprotected or offline in the newest complete snapshot of the period; those for the longest time first. Targets without a
   * `knownFrom` count with no node.
   */
  nodes: { total: number; unprotected: number; offline: number; shown: NodeAtEnd[] };
  /**
   * How many hosts are container nodes, of those in the newest complete snapshots of the period: of all, as the manifests count them,
   * and of those that `nodes.unprotected` counts.
   */
  hostKinds: { all: HostKinds; unprotected: HostKinds };
  /** The newest first. */
  changes: ChangeTotals & { shown: ShownChange[] };
  /** Counted in all snapshots of the period. */
  quality: QualityFigures;
  integrity: IntegrityFigures;
  /** The files beside the page, without `report.json`. */
  files: { name: string; rows: number; bytes: number; sha256: string }[];
  /** What the lists above lack so that the page is not too large. Absent: nothing. `nodes` and `changes` have their totals. */
  leftOut?: LeftOut;
}

export interface LeftOut {
  /** Targets, those without missed slots and drifted snapshots first. They count in all sums. */
  targets: number;
  /** The oldest gaps of targets. Their slots count in `snapshots.missed`. */
  gaps: number;
  /** The oldest of all days together. */
  days: number;
  /** Targets in the list whose `days` are empty, those without missed slots and drifted snapshots first. */
  calendars: number;
  /** Keys in `integrity.notReached`. */
  notReached: number;
  /** Values, fields and columns in `quality`. */
  quality: number;
}

/** What the report says nothing about, at most `uncoveredShownMax` of each kind. */
export interface CoverageFigures {
  /** Targets of the configuration without a snapshot. `projectId` null: IAM was not asked for it yet. */
  neverSealed: {
    total: number;
    shown: (Omit<TargetName, 'projectId'> & { projectId: string | null })[];
  };
  /** Stored targets: the configuration does not have them, their list is filtered, they have other rows, or they were not picked. */
  notCovered: { total: number; shown: TargetName[] };
}

export interface TargetName {
  account: string;
  table: string;
  region: string;
  projectId: string;
}

export interface TargetFigures extends TargetName {
  /** The newest snapshot of the period, of any verdict. Null: the period has none. */
  newest: SnapshotFigures | null;
  /** Its counts are those at the end of the period. Null: the period has none. */
  newestComplete: (SnapshotFigures & ProtectionCounts) | null;
  /**
   * The states of single nodes are known from this snapshot on. Null: of no snapshot. It is the first complete snapshot of the
   * period unless rows that are needed were pruned or cannot be read.
   */
  knownFrom: string | null;
  snapshots: { complete: number; drifted: number; missed: number; pruned: number };
  days: DayOfTarget[];
  gaps: { from: string; to: string; slots: number }[];
}

export interface SnapshotFigures {
  snapshot: string;
  /** When its rows were read. A timer's snapshot has the name of its slot, and can be read later. */
  startedAt: string;
  sealedAt: string;
  verdict: 'complete' | 'drifted';
  rows: number;
  manifest: string;
  manifestSha256: string;
  /** Null: it is not signed. */
  keyId: string | null;
}

/**
 * `complete`: the day has a complete snapshot with its rows. `pruned`: it has complete ones, but the rows of all were deleted; their
 * counts and changes are kept. `faulty`: an object of one of its snapshots is missing or altered, whatever else it has. `drifted`: it has only drifted ones. `missing`: it has none, and a slot was missed. `none`: none was
 * due, or the target had no snapshot yet.
 */
export type DayState = 'complete' | 'pruned' | 'faulty' | 'drifted' | 'missing' | 'none';

export interface DayOfTarget {
  date: string;
  state: DayState;
  /** Snapshots of the day, and slots that began on it and were missed. */
  complete: number;
  drifted: number;
  missed: number;
  /** Of the last complete snapshot of the day; null: it has none. */
  counts: ProtectionCounts | null;
}

/** Of each target, its newest complete snapshot of the period up to the end of the day counts. */
export interface TotalOfDay extends ProtectionCounts {
  date: string;
  /** How many targets count with a snapshot of this day, with one of an earlier day, and not at all. */
  current: number;
  carried: number;
  unknown: number;
  added: number;
  removed: number;
  changed: number;
}

export interface NodeAtEnd extends TargetName {
  hostId: string;
  hostName: string | null;
  protectStatus: string | null;
  agentStatus: string | null;
  /** Null: it is protected. */
  unprotected: SinceTime | null;
  /** Null: it is not offline. */
  offline: SinceTime | null;
}

export interface SinceTime {
  /** The first complete snapshot from which on the node has this state, as far as the row and the period show it. Null: not known. */
  since: string | null;
  /** From `since` to the end of the period, with up to two decimals. */
  days: number | null;
  /**
   * True: `since` is the first snapshot that can show it, so it began at that time or before it. It is the first snapshot of the
   * target or of a scope, or the first of which single nodes are known.
   */
  onOrBefore: boolean;
}

export interface ChangeTotals {
  added: number;
  removed: number;
  changed: number;
  /** Nodes that became unprotected or protected again, and offline or not offline again, while they were listed. */
  unprotected: number;
  protected: number;
  offline: number;
  notOffline: number;
}

export interface ShownChange extends TargetName {
  snapshotAt: string;
  hostId: string;
  hostName: string | null;
  /** Absent: the name did not change. */
  hostNameBefore?: string | null;
  change: 'added' | 'removed' | 'changed';
  /** Names of the changed columns; empty unless `changed`. */
  columns: string[];
  /** The statuses that are watched, before and after. Null: no value, or not listed. */
  protectStatus: [string | null, string | null];
  agentStatus: [string | null, string | null];
}

export interface QualityFigures {
  snapshots: number;
  rejects: number;
  /** Records that the list had twice with equal values. */
  repeats: number;
  /** Counts by column and value, or by column. */
  unknownValues: Record<string, Record<string, number>>;
  unknownFields: string[];
  mistyped: Record<string, number>;
  /** Requests that were sent, and those that were repeated or refused because of the quota. */
  requests: number;
  retries: number;
  throttled: number;
}

export interface IntegrityFigures {
  /**
   * `failed`: there is a fault or an object that could not be read, also if it was found without a verification. `notVerified`: the
   * user left the verification out.
   */
  status: 'verified' | 'failed' | 'notVerified';
  /** Null: not verified. The words of `cgs-export verify`, in English. */
  proven: string | null;
  notProven: string | null;
  /** The same as codes with parameters, so that the page says them in each language. Empty: not verified. */
  statements: { proven: ProofStatement[]; notProven: ProofStatement[] };
  manifests: number;
  /** Parts that were hashed, and their bytes. */
  parts: number;
  bytes: number;
  /** Parts that exist with the right size, but were not hashed. `since`: all parts from this time on were hashed. */
  notHashed: { parts: number; since: string | null };
  /** Parts for which the time did not suffice. */
  notReached: string[];
  /** `keysFrom`: `given`: the user trusts the keys. `store`: they are those of the store itself. */
  signatures: { valid: number; unsigned: number; keysFrom: 'given' | 'store'; keyIds: string[] };
  /** Null: no pins were given. */
  pinned: { targets: number; without: number } | null;
  /** Snapshots with a tombstone that allows their rows to be missing. */
  pruned: number;
  faults: { total: number; shown: { key: string; message: string; hint: string }[] };
  unchecked: { total: number; shown: { key: string; message: string; hint: string }[] };
}
