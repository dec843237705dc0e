// Responsible for which snapshots of a target retention keeps, and by which rule. Pure.

import { isFutureName, snapshotTimeMs } from '../core/object-keys.ts';
import type { Manifest } from '../snapshots/manifest.ts';

/** How long each rule keeps snapshots, milliseconds. Null: the rule keeps nothing. */
export interface RetentionRules {
  all: number | null;
  daily: number | null;
  weekly: number | null;
  monthly: number | null;
}

/** `newest`: the newest complete snapshot and everything after it. */
export type KeptBy = 'newest' | keyof RetentionRules;

export interface Candidate {
  snapshot: string;
  verdict: Manifest['verdict'];
  /** False: rows of it are lost, so the next one of a period is kept too. Default true. */
  isWhole?: boolean;
}

export interface Retained {
  /** The rule that keeps each snapshot, by its name; null: none. */
  rules: ReadonlyMap<string, KeptBy | null>;
  /** Snapshots with this name and later ones are always kept; null: there is no snapshot. */
  keptFrom: string | null;
}

const dayMs = 24 * 3_600_000;
/** From Thursday, 1970-01-01, back to the Monday of its week. */
const daysSinceMonday = 3;

/** The UTC period that a time belongs to. */
const periodOf = {
  daily: (timeMs: number) => Math.floor(timeMs / dayMs),
  weekly: (timeMs: number) => Math.floor((timeMs / dayMs + daysSinceMonday) / 7),
  monthly: (timeMs: number) => new Date(timeMs).toISOString().slice(0, 7),
} as const;

/**
 * `candidates`: the snapshots that are not pruned, oldest first. `nowMs`: store time. `latest`: the snapshot that `_latest`
 * names, which is kept too; null: none. Without a complete snapshot, the newest one of any verdict takes its place.
 */
export function retain(
  candidates: readonly Candidate[],
  rules: RetentionRules,
  nowMs: number,
  latest: string | null = null,
): Retained {
  const whole = candidates.filter(({ isWhole }) => isWhole !== false);
  const named = candidates.find(({ snapshot }) => snapshot === latest);
  const starts = [
    findKeptFrom(candidates, nowMs),
    findKeptFrom(whole, nowMs),
    named?.snapshot ?? null,
  ];
  const keptFrom = starts.filter((name) => name !== null).sort()[0] ?? null;
  const firsts = {
    daily: listFirsts([candidates, whole], periodOf.daily),
    weekly: listFirsts([candidates, whole], periodOf.weekly),
    monthly: listFirsts([candidates, whole], periodOf.monthly),
  };
  const ruleOf = ({ snapshot }: Candidate): KeptBy | null => {
    if (keptFrom !== null && snapshot >= keptFrom) return 'newest';
    const ageMs = nowMs - timeOf(snapshot);
    const reaches = (rule: keyof RetentionRules) => ageMs <= (rules[rule] ?? -Infinity);
    if (reaches('all')) return 'all';
    for (const rule of ['daily', 'weekly', 'monthly'] as const) {
      if (reaches(rule) && firsts[rule].has(snapshot)) return rule;
    }
    return null;
  };
  return { rules: new Map(candidates.map((one) => [one.snapshot, ruleOf(one)])), keptFrom };
}

/**
 * The newest complete snapshot. It and all later ones are always kept. Without a complete one, the newest of any verdict; null:
 * there is none. `candidates`: oldest first.
 */
export function findKeptFrom(candidates: readonly Candidate[], nowMs: number): string | null {
  const isPresent = ({ snapshot }: Candidate) => !isFutureName(snapshot, nowMs);
  const newest =
    candidates.findLast((one) => isComplete(one) && isPresent(one)) ??
    candidates.findLast(isPresent) ??
    candidates.at(-1);
  return newest?.snapshot ?? null;
}

function isComplete({ verdict }: Candidate): boolean {
  return verdict === 'complete';
}

/** The first complete snapshot of each period, in each of the lists. */
function listFirsts(
  lists: readonly (readonly Candidate[])[],
  period: (timeMs: number) => number | string,
): ReadonlySet<string> {
  const found = lists.map((list) => {
    const firsts = new Map<number | string, string>();
    for (const { snapshot } of list.filter(isComplete)) {
      const key = period(timeOf(snapshot));
      if (!firsts.has(key)) firsts.set(key, snapshot);
    }
    return [...firsts.values()];
  });
  return new Set(found.flat());
}

function timeOf(snapshot: string): number {
  return snapshotTimeMs(snapshot) ?? 0;
}

const units = [
  [365 * dayMs, 'y'],
  [dayMs, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
] as const;

/** As in the configuration: `all: 30d, monthly: 7y`. */
export function describeRules(rules: RetentionRules): string {
  return (['all', 'daily', 'weekly', 'monthly'] as const)
    .flatMap((rule) => {
      const ageMs = rules[rule];
      if (ageMs === null) return [];
      const [unitMs, unit] = units.find(([size]) => ageMs > 0 && ageMs % size === 0) ?? [
        1_000,
        's',
      ];
      return [`${rule}: ${ageMs / unitMs}${unit}`];
    })
    .join(', ');
}
