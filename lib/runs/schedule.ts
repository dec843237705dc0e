// Owns when a target is due, what is held off, and the state that tells both in one read. Pure.

import { scheduleKey } from '../core/object-keys.ts';
import { decodeState, encodeState } from '../core/state.ts';

/** What the store remembers of one target. Rebuilt from its manifests where it is missing. */
export interface TargetState {
  /** The run that is open, or null. */
  open: { snapshot: string; run: string } | null;
  /** The newest snapshot known to be sealed, of any verdict; null if none is known. */
  sealed: string | null;
  /** Failing invocations in a row, and until when the target is left alone, store time; 0 if it is not. */
  failures: number;
  retryAtMs: number;
  /** Since when it is tried in vain, by what passes by itself; of no meaning once a page came after it. */
  silentSinceMs?: number | undefined;
  /** The `silentSinceMs` of the stall that was told: it is told once. */
  stalledSinceMs?: number | undefined;
}

/** A key that was refused, and until when it is not used by a timer. */
export interface KeyHold {
  failures: number;
  untilMs: number;
}

export interface Schedule {
  targets: Record<string, TargetState>;
  /** By fingerprint. */
  holds: Record<string, KeyHold>;
  /** Project ids that IAM gave, by what was asked. */
  projects: Record<string, string>;
}

const scheduleVersion = 1;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export function emptySchedule(): Schedule {
  return { targets: {}, holds: {}, projects: {} };
}

export function encodeSchedule(schedule: Schedule): Uint8Array {
  return encodeState('schedule', scheduleVersion, schedule);
}

/** Throws CorruptError. */
export function decodeSchedule(bytes: Uint8Array | null): Schedule {
  if (bytes === null) return emptySchedule();
  return decodeState<Schedule>('schedule', scheduleVersion, scheduleKey, bytes);
}

export function targetStateOf(schedule: Schedule, id: string): TargetState {
  return schedule.targets[id] ?? { open: null, sealed: null, failures: 0, retryAtMs: 0 };
}

/** The newest slot that has begun, counted from the epoch. */
export function slotMs(nowMs: number, scheduleMs: number): number {
  return Math.floor(nowMs / scheduleMs) * scheduleMs;
}

/** 5 minutes, doubling to 1 hour. */
export function holdOffMs(failures: number): number {
  return Math.min(5 * minuteMs * 2 ** Math.max(0, failures - 1), hourMs);
}

/** A run that is tried in vain for this long is told as stalled: half an hour by the service's own quota, milliseconds. */
export function stallAfterMs(windowMs: number): number {
  return Math.max(30 * windowMs, 10 * minuteMs);
}

/** A run without a page for this long is given up, milliseconds. */
export function abandonAfterMs(scheduleMs: number): number {
  return Math.max(2 * scheduleMs, 24 * hourMs);
}
