// Responsible for the days of a report: the state of each target on each day, and all targets together. A day is one in UTC. Pure.

import {
  parseManifestKey,
  parsePartKey,
  parseSignatureKey,
  targetId,
} from '../core/object-keys.ts';
import { countProtection, type ProtectionCounts } from '../snapshots/protection.ts';
import type { Period, Timeline, TimelineSnapshot } from '../snapshots/timeline.ts';
import type { DayOfTarget, DayState, TargetFigures, TotalOfDay } from './figures.ts';
import { dateOf, dayMs, nameMs } from './report-times.ts';

/** The days that the period touches, oldest first. */
export function listDates({ sinceMs, untilMs }: Period): string[] {
  const first = Math.floor(sinceMs / dayMs);
  const days = Math.floor(untilMs / dayMs) - first + 1;
  return Array.from({ length: Math.max(0, days) }, (_, day) => dateOf((first + day) * dayMs));
}

/** One entry for each date. */
export function describeDays(timeline: Timeline, dates: readonly string[]): DayOfTarget[] {
  const snapshots = groupByDate(timeline.snapshots, ({ manifest }) => nameMs(manifest.snapshot));
  const missed = groupByDate(listMissedSlots(timeline), (slotMs) => slotMs);
  return dates.map((date) => describeDay(date, snapshots.get(date) ?? [], missed.get(date) ?? []));
}

/** Days with a snapshot that has one of the objects `faultyKeys` are faulty. */
export function markFaultyDays(
  targets: readonly TargetFigures[],
  faultyKeys: readonly string[],
): TargetFigures[] {
  const faulty = new Set<string>();
  for (const key of faultyKeys) {
    const found = parsePartKey(key) ?? parseManifestKey(key) ?? parseSignatureKey(key);
    if (found) faulty.add(`${targetId(found.target)} ${dateOf(nameMs(found.snapshot))}`);
  }
  return targets.map((target) => ({
    ...target,
    days: target.days.map((day) =>
      faulty.has(`${targetId(target)} ${day.date}`) ? { ...day, state: 'faulty' } : day,
    ),
  }));
}

function groupByDate<T>(items: readonly T[], timeOf: (item: T) => number): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const date = dateOf(timeOf(item));
    const group = groups.get(date);
    if (group) group.push(item);
    else groups.set(date, [item]);
  }
  return groups;
}

/** When each missed slot began, oldest first. Milliseconds. */
export function listMissedSlots({ gaps }: Pick<Timeline, 'gaps'>): number[] {
  return gaps.flatMap(({ from, to, slots }) => {
    const fromMs = nameMs(from);
    const slotMs = slots > 1 ? (nameMs(to) - fromMs) / (slots - 1) : 0;
    return Array.from({ length: slots }, (_, slot) => fromMs + slot * slotMs);
  });
}

function describeDay(
  date: string,
  snapshots: readonly TimelineSnapshot[],
  missed: readonly number[],
): DayOfTarget {
  const complete = snapshots.filter(({ manifest }) => manifest.verdict === 'complete');
  const drifted = snapshots.length - complete.length;
  const last = complete.at(-1);
  return {
    date,
    state: stateOf(complete, drifted, missed.length),
    complete: complete.length,
    drifted,
    missed: missed.length,
    counts: last ? countProtection(last.manifest) : null,
  };
}

function stateOf(complete: readonly TimelineSnapshot[], drifted: number, missed: number): DayState {
  if (complete.length > 0) return complete.some(({ pruned }) => !pruned) ? 'complete' : 'pruned';
  if (drifted > 0) return 'drifted';
  return missed > 0 ? 'missing' : 'none';
}

export interface DayTotals {
  /** The days of one target, and its snapshots. */
  add(days: readonly DayOfTarget[], snapshots: readonly TimelineSnapshot[]): void;
  list(): TotalOfDay[];
}

export function openDayTotals(dates: readonly string[]): DayTotals {
  const totals = new Map<string, TotalOfDay>();
  for (const date of dates) {
    totals.set(date, {
      ...{ date, nodes: 0, unprotected: 0, offline: 0, current: 0, carried: 0, unknown: 0 },
      ...{ added: 0, removed: 0, changed: 0 },
    });
  }
  return {
    add(days, snapshots) {
      let newest: ProtectionCounts | null = null;
      for (const { date, counts } of days) {
        const total = totals.get(date);
        if (!total) continue;
        newest = counts ?? newest;
        total[counts ? 'current' : newest ? 'carried' : 'unknown'] += 1;
        for (const name of ['nodes', 'unprotected', 'offline'] as const) {
          total[name] += newest?.[name] ?? 0;
        }
      }
      for (const { manifest } of snapshots) {
        const total = totals.get(dateOf(nameMs(manifest.snapshot)));
        if (!total || !manifest.changes) continue;
        for (const name of ['added', 'removed', 'changed'] as const) {
          total[name] += manifest.changes[name];
        }
      }
    },
    list: () => [...totals.values()],
  };
}
