// Responsible for when a target is due, what is held off, and the stored state that says both in one read. Pure.

import { scheduleKey, snapshotName } from '../core/object-keys.ts';
import { decodeState, encodeState } from '../core/state.ts';

/** What the store remembers of one target. If it is missing, it is rebuilt from the manifests. All times: store time. */
export interface TargetState {
  /** The open run, or null. */
  open: { snapshot: string; run: string } | null;
  /** The newest snapshot known to be sealed, of any verdict; null if none is known. */
  sealed: string | null;
  /** Failed invocations in a row. */
  failures: number;
  /** A timer leaves the target alone until then; 0: not held off. */
  retryAtMs: number;
  /** Since when attempts bring no page, although each fault can pass by itself. Void once a page arrived later. */
  noPageSinceMs?: number | undefined;
  /** The `noPageSinceMs` of the stall that was reported, so that each stall is reported once. */
  reportedStallMs?: number | undefined;
}

/** A refused access key, and until when a timer does not use it. */
export interface KeyHold {
  failures: number;
  untilMs: number;
}

export interface Schedule {
  /** By `targetId`. */
  targets: Record<string, TargetState>;
  /** By hash of the access key. */
  holds: Record<string, KeyHold>;
  /** Project ids from IAM, by `projectQuestion`. */
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

/** Null: an empty schedule. Throws CorruptError. */
export function decodeSchedule(bytes: Uint8Array | null): Schedule {
  if (bytes === null) return emptySchedule();
  return decodeState<Schedule>('schedule', scheduleVersion, scheduleKey, bytes);
}

export function targetStateOf(schedule: Schedule, id: string): TargetState {
  return schedule.targets[id] ?? { open: null, sealed: null, failures: 0, retryAtMs: 0 };
}

/** The start of the newest slot that has begun. Slots are counted from the epoch. */
export function slotMs(nowMs: number, scheduleMs: number): number {
  return Math.floor(nowMs / scheduleMs) * scheduleMs;
}

/** True if a slot has begun since the newest sealed snapshot (`sealed`, of any verdict; null: none). */
export function isDue(sealed: string | null, nowMs: number, scheduleMs: number): boolean {
  return sealed === null || snapshotName(slotMs(nowMs, scheduleMs)) > sealed;
}

/** How long a failed target is held off: 5 minutes, doubling to 1 hour. */
export function holdOffMs(failures: number): number {
  return Math.min(5 * minuteMs * 2 ** Math.max(0, failures - 1), hourMs);
}

/** A run without a page for this long counts as stalled: half an hour at the service's own quota, milliseconds. */
export function stallAfterMs(windowMs: number): number {
  return Math.max(30 * windowMs, 10 * minuteMs);
}

/** A run without a page for this long is abandoned, milliseconds. */
export function abandonAfterMs(scheduleMs: number): number {
  return Math.max(2 * scheduleMs, 24 * hourMs);
}
