// Responsible for the forms of times and durations in a report. Pure.

import { snapshotTimeMs } from '../core/object-keys.ts';
import { formatTime } from '../core/time-text.ts';

export const dayMs = 86_400_000;

/** The time in the name of a snapshot, as formatTime() writes it. */
export function timeOfName(snapshot: string): string {
  return formatTime(nameMs(snapshot));
}

/** `snapshot`: a valid name. Milliseconds. */
export function nameMs(snapshot: string): number {
  return snapshotTimeMs(snapshot) ?? 0;
}

/** The day in UTC: `2026-11-24`. */
export function dateOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

/** With up to two decimals, rounded down: it is never longer than it says. */
export function daysBetween(fromMs: number, toMs: number): number {
  return Math.floor((toMs - fromMs) / (dayMs / 100)) / 100;
}
