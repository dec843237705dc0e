// Responsible for the figures of the headline and the days that are not proven, from the figures of a report. Pure.

import {
  parseManifestKey,
  parsePartKey,
  parseSignatureKey,
  parseTombstoneKey,
} from '../../core/object-keys.ts';
import type { DayState, IntegrityFigures, ReportFigures, TargetFigures } from '../figures.ts';

export interface DayCounts {
  /** Days on which a snapshot was due for at least one target. */
  due: number;
  /** Of these, the days that are faulty, drifted or missing for at least one target. */
  unproven: number;
}

const isUnproven = (state: DayState) => ['faulty', 'drifted', 'missing'].includes(state);

export function describeDays(targets: readonly TargetFigures[]): DayCounts {
  const due = new Set<string>();
  const unproven = new Set<string>();
  for (const { date, state } of targets.flatMap(({ days }) => days)) {
    if (state !== 'none') due.add(date);
    if (isUnproven(state)) unproven.add(date);
  }
  return { due: due.size, unproven: unproven.size };
}

export interface UnknownNodes {
  /** Targets with a complete snapshot in the period. */
  targets: number;
  /** Of these, those of which no single node is known; their counts are known. */
  never: number;
  unprotected: number;
  offline: number;
  /** Of these, those of which single nodes are known only from a later day on than the counts. */
  late: number;
}

export function describeUnknownNodes(targets: readonly TargetFigures[]): UnknownNodes {
  const counted = targets.flatMap((target) =>
    target.newestComplete ? { ...target, counts: target.newestComplete } : [],
  );
  const never = counted.filter(({ knownFrom }) => knownFrom === null);
  const sum = (name: 'unprotected' | 'offline') =>
    never.reduce((total, { counts }) => total + counts[name], 0);
  return {
    targets: counted.length,
    never: never.length,
    ...{ unprotected: sum('unprotected'), offline: sum('offline') },
    late: counted.filter((target) => findLateStart(target) !== null).length,
  };
}

/** Since when single nodes are known, ISO 8601, if that is a later day than that of the first counts. Otherwise null. */
export function findLateStart({ knownFrom, days }: TargetFigures): string | null {
  const counted = days.find(({ counts }) => counts !== null)?.date;
  if (counted === undefined || knownFrom === null) return null;
  const known = readSnapshotTime(knownFrom);
  return known.slice(0, 10) > counted ? known : null;
}

/** Times of the oldest and the newest of the snapshots whose figures count, ISO 8601; null: none counts. */
export function describeTimes(
  targets: readonly TargetFigures[],
): { from: string; to: string } | null {
  const times = targets
    .flatMap(({ newestComplete }) => newestComplete ?? [])
    .map(({ snapshot }) => readSnapshotTime(snapshot))
    .sort();
  const [from, to] = [times[0], times.at(-1)];
  return from === undefined || to === undefined ? null : { from, to };
}

/** `20261125T201552Z` → `2026-11-25T20:15:52Z`. */
export function readSnapshotTime(snapshot: string): string {
  return snapshot.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
}

export type Trust = 'failed' | 'notVerified' | 'unchecked' | 'consistent' | 'anchored';

/** `anchored`: verified with keys or pins from outside the store. `consistent`: verified without. */
export function judgeIntegrity(integrity: IntegrityFigures): Trust {
  const { status, faults, unchecked, signatures, pinned } = integrity;
  if (faults.total > 0) return 'failed';
  if (status === 'notVerified') return 'notVerified';
  if (unchecked.total > 0 || integrity.notReached.length > 0) return 'unchecked';
  if (status === 'failed') return 'failed';
  const isAnchored = signatures.keysFrom === 'given' || (pinned !== null && pinned.targets > 0);
  return isAnchored ? 'anchored' : 'consistent';
}

/** True if there are faults and every one of them is of a snapshot outside the period. */
export function areFaultsOutside({ integrity, period }: ReportFigures): boolean {
  const { total, shown } = integrity.faults;
  const isOutside = (key: string) => {
    const parsed =
      parsePartKey(key) ??
      parseManifestKey(key) ??
      parseSignatureKey(key) ??
      parseTombstoneKey(key);
    if (!parsed) return false;
    const time = readSnapshotTime(parsed.snapshot);
    return time < period.since || time > period.until;
  };
  return total > 0 && total === shown.length && shown.every(({ key }) => isOutside(key));
}

export interface DayRange {
  from: string;
  to: string;
  state: DayState;
  missed: number;
}

/** Days that follow each other with the same unproven state are one range. */
export function listUnprovenDays({ days }: TargetFigures): DayRange[] {
  const ranges: DayRange[] = [];
  for (const [index, { date, state, missed }] of days.entries()) {
    if (!isUnproven(state)) continue;
    const last = ranges.at(-1);
    if (last?.state === state && last.to === days[index - 1]?.date) {
      last.to = date;
      last.missed += missed;
    } else {
      ranges.push({ from: date, to: date, state, missed });
    }
  }
  return ranges;
}
