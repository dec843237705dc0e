// Responsible for when a target is due, what is held off, and the stored state that says both in one read. Pure.

import { backoffMs } from '../core/error-policy.ts';
import type { ExportError } from '../core/errors.ts';
import {
  isFutureName,
  isFutureTime,
  parseTargetId,
  scheduleKey,
  snapshotTimeMs,
} from '../core/object-keys.ts';
import { decodeState, encodeState } from '../core/state.ts';
import type { Previous, Sealed } from '../snapshots/manifest.ts';
import type { LastSealed } from '../verification/survey.ts';

/** What the store remembers of one target. If it is missing, it is rebuilt from the manifests. All times: store time. */
export interface TargetState {
  /** The account and the key hash of the newest attempt, for a reader that has no configuration. */
  account?: string | undefined;
  user?: string | undefined;
  /** The open run, or null. */
  open: { snapshot: string; run: string } | null;
  /** The newest snapshot known to be sealed, of any verdict; null if none is known. */
  sealed: string | null;
  /** The newest snapshot that was sealed with this schedule, and its hash: a witness if its manifest and the pointers are lost. */
  lastSealed?: Previous | undefined;
  /** When it was sealed. Of targets with equal names in `sealed`, the one that was sealed first waits longest. */
  sealedAtMs?: number | undefined;
  /** Failed invocations in a row. */
  failures: number;
  /** A timer does not try the target before this time; 0: not held. */
  retryAtMs: number;
  /** Since when attempts bring no page, although each fault can pass by itself. Void once a page arrived later. */
  noPageSinceMs?: number | undefined;
  /** The `noPageSinceMs` of the stall that was reported, so that each stall is reported once. */
  reportedStallMs?: number | undefined;
  /** Why the newest attempt failed. Absent: it did not fail. */
  failure?: Failure | undefined;
  /** The run that was given up because it received no page. Absent: none since the newest snapshot. */
  abandoned?: { snapshot: string; atMs: number } | undefined;
  /** Absent: no timer has looked at the target yet. */
  missed?: MissedSlots | undefined;
  /** Keys of the faults of evidence that the newest seal found: each is reported once while it lasts. */
  reportedFaults?: readonly string[] | undefined;
}

/** Why a target or a key fails. The texts are those of the newest error. */
export interface Failure {
  code: string;
  message: string;
  hint: string;
  /** The first and the newest failed attempt in a row. */
  sinceMs: number;
  lastMs: number;
}

/** Slots that passed without a snapshot of a target. */
export interface MissedSlots {
  count: number;
  /** Slots that start before this time have been counted. */
  untilMs: number;
  /** A slot before `untilMs` that is not counted yet, because a run with its name was open. Absent: none. */
  openMs?: number | undefined;
  /** The schedule that these slots belong to. */
  scheduleMs: number;
  /**
   * What `sealed` was when a slot was last found without a snapshot. The miss lasts as long as that is the newest snapshot.
   * Absent: no slot was missed.
   */
  after?: string | null | undefined;
  /** The start of the first slot of the newest miss. Absent: no slot was missed, or it is not known. */
  sinceMs?: number | undefined;
  /** The miss is counted, but not reported yet. */
  isUnreported?: true | undefined;
}

/** An access key that was refused or must wait, and until when a timer does not use it. */
export interface KeyHold {
  failures: number;
  untilMs: number;
  /** How long the service asked the key to wait, milliseconds. Absent: the key was refused. */
  askedMs?: number | undefined;
  failure?: Failure | undefined;
}

export interface Schedule {
  /** By `targetId`. */
  targets: Record<string, TargetState>;
  /** By hash of the access key. */
  holds: Record<string, KeyHold>;
  /** Project ids from IAM, by `projectQuestion`. */
  projects: Record<string, string>;
}

const scheduleVersion = 2;
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

/**
 * True if a slot has begun since the newest sealed snapshot (`sealed`, of any verdict; null: none). A name of after tomorrow
 * comes from a clock that was wrong, and does not count.
 */
export function isDue(sealed: string | null, nowMs: number, scheduleMs: number): boolean {
  const sealedMs = sealed === null ? null : snapshotTimeMs(sealed);
  if (sealedMs === null || isFutureTime(sealedMs, nowMs)) return true;
  return slotMs(nowMs, scheduleMs) > sealedMs;
}

/** The state of a target whose run was just sealed. What is counted over all runs remains. */
export function sealedState(
  before: TargetState,
  { manifest, manifestSha256 }: Sealed,
  nowMs: number,
): TargetState {
  const { account, user } = before;
  const sealed = manifest.snapshot;
  const missed = before.missed && withoutSlotOf(sealed, before.missed);
  const lastSealed = { snapshot: sealed, manifestSha256 };
  const times = { sealedAtMs: Math.round(nowMs), failures: 0, retryAtMs: 0 };
  return { account, user, open: null, sealed, lastSealed, ...times, missed };
}

/** The slot of `sealed` has its snapshot, so it is not waited for any more. */
function withoutSlotOf(sealed: string, { openMs, ...missed }: MissedSlots): MissedSlots {
  const isOver = openMs === undefined || openMs === slotOfName(sealed, missed.scheduleMs);
  return isOver ? missed : { ...missed, openMs };
}

/** What the schedule remembers of each target that was sealed. */
export function listLastSealed({ targets }: Schedule): LastSealed[] {
  return Object.entries(targets).flatMap(([id, { lastSealed }]) => {
    const target = parseTargetId(id);
    return target && lastSealed ? [{ target, ...lastSealed }] : [];
  });
}

/** Longer texts of an error are cut: they are stored, and read with every invocation. */
const failureCharsMax = 1_000;

/** `before`: the failure that was stored; absent: the last attempt did not fail. */
export function toFailure(
  { code, message, hint }: ExportError,
  before: Failure | undefined,
  nowMs: number,
): Failure {
  const lastMs = Math.round(nowMs);
  return {
    code,
    message: message.slice(0, failureCharsMax),
    hint: hint.slice(0, failureCharsMax),
    sinceMs: before?.sinceMs ?? lastMs,
    lastMs,
  };
}

type SlotState = Pick<TargetState, 'missed' | 'sealed' | 'open'>;

/**
 * The slots that have passed without a snapshot and are not counted yet: how many, and the starts of the first and of the
 * newest. Null: none.
 * The slot of an open run is not among them while it can still get its snapshot. Slots after it are: the next run is named
 * after the newest slot. Only exact if it is asked before each change of `sealed`.
 */
export function passedSlots(
  { missed, sealed, open }: SlotState,
  nowMs: number,
  scheduleMs: number,
): { count: number; firstMs: number; newestMs: number } | null {
  if (missed?.scheduleMs !== scheduleMs) return null;
  const beginMs = slotMs(nowMs, scheduleMs);
  if (missed.untilMs >= beginMs && missed.openMs === undefined) return null;
  const sealedMs = slotOfName(plausibleName(sealed, nowMs), scheduleMs);
  const openMs = slotOfName(open?.snapshot ?? null, scheduleMs);
  const fromMs = Math.max(missed.untilMs, sealedMs === null ? 0 : sealedMs + scheduleMs);
  let firstMs = fromMs;
  let newestMs = beginMs - scheduleMs;
  let count = Math.max(0, (beginMs - fromMs) / scheduleMs);
  if (openMs !== null && openMs >= fromMs && openMs < beginMs) {
    count -= 1;
    if (firstMs === openMs) firstMs += scheduleMs;
    if (newestMs === openMs) newestMs -= scheduleMs;
  }
  const { openMs: waitedMs } = missed;
  if (waitedMs !== undefined && waitedMs !== openMs && waitedMs !== sealedMs) {
    firstMs = waitedMs;
    if (count === 0) newestMs = waitedMs;
    count += 1;
  }
  return count === 0 ? null : { count, firstMs, newestMs };
}

/** `missed` with everything counted that passedSlots() returns. A miss that is new is marked as not reported. */
export function countPassedSlots(state: SlotState, nowMs: number, scheduleMs: number): MissedSlots {
  const { count = 0, after, sinceMs, isUnreported } = state.missed ?? {};
  const passed = passedSlots(state, nowMs, scheduleMs);
  const isNew = passed !== null && after !== state.sealed;
  // A run that is given up leaves a slot that is older than those that were counted.
  const firstMs = passed && sinceMs !== undefined ? Math.min(sinceMs, passed.firstMs) : sinceMs;
  const miss = isNew
    ? { after: state.sealed, sinceMs: passed.firstMs, isUnreported: true as const }
    : { after, sinceMs: firstMs, isUnreported };
  const untilMs = slotMs(nowMs, scheduleMs);
  const openMs = slotOfName(state.open?.snapshot ?? null, scheduleMs) ?? untilMs;
  const waited = openMs < untilMs ? { openMs } : {};
  return { count: count + (passed?.count ?? 0), untilMs, ...waited, scheduleMs, ...miss };
}

/** True if a slot has passed without a snapshot, and none was sealed since. */
export function missesSlot(state: SlotState, nowMs: number, scheduleMs: number): boolean {
  const { missed, sealed } = state;
  if (passedSlots(state, nowMs, scheduleMs)) return true;
  return missed?.after !== undefined && missed.after === sealed;
}

/** The start of the first slot that a target misses, while missesSlot(). Null: it misses none, or the state does not tell. */
export function behindSinceMs(state: SlotState, nowMs: number, scheduleMs: number): number | null {
  if (!missesSlot(state, nowMs, scheduleMs)) return null;
  return countPassedSlots(state, nowMs, scheduleMs).sinceMs ?? null;
}

/**
 * True if a target misses slots although a timer runs and no attempt of it failed, while the timer exports other targets: the
 * quota, or the time of the invocations, is not enough for all.
 */
export function isOutpaced(
  { targets }: Schedule,
  id: string,
  nowMs: number,
  scheduleMs: number,
): boolean {
  const state = targets[id];
  const sinceMs = state ? behindSinceMs(state, nowMs, scheduleMs) : null;
  if (!state || sinceMs === null || state.failure || state.open) return false;
  const isTimerRunning = (state.missed?.untilMs ?? 0) >= slotMs(nowMs, scheduleMs) - scheduleMs;
  const isExported = ({ sealedAtMs = 0, open, failure }: TargetState) =>
    sealedAtMs > sinceMs || (open !== null && !failure);
  return (
    isTimerRunning && Object.entries(targets).some(([key, one]) => key !== id && isExported(one))
  );
}

/** `sealed`, or null if it is named more than a day ahead: it comes from a clock that was wrong, and is ignored. */
export function plausibleName(sealed: string | null, nowMs: number): string | null {
  return sealed !== null && isFutureName(sealed, nowMs) ? null : sealed;
}

/** The start of the slot that a snapshot with this name belongs to. Null: there is no name. */
function slotOfName(snapshot: string | null, scheduleMs: number): number | null {
  const timeMs = snapshot === null ? null : snapshotTimeMs(snapshot);
  return timeMs === null ? null : slotMs(timeMs, scheduleMs);
}

/** How long a failed target is held off: 5 minutes, doubling to 1 hour. No target is held longer. */
export function holdOffMs(failures: number): number {
  return Math.min(5 * minuteMs * 2 ** Math.max(0, failures - 1), hourMs);
}

/**
 * Until when a timer does not try a target: by its own hold, and by that of its key (`user` null: not known); 0: not held. A
 * time later than any hold that is set now is ignored: it was stored while a clock was ahead.
 */
export function holdEndsMs(
  { holds }: Schedule,
  user: string | null,
  state: Pick<TargetState, 'retryAtMs'>,
  nowMs: number,
): { keyMs: number; ownMs: number } {
  const validMs = (untilMs: number, longestMs: number) =>
    untilMs > nowMs && untilMs - nowMs <= longestMs ? untilMs : 0;
  const keyHold = user === null ? undefined : holds[user];
  return {
    keyMs: keyHold ? validMs(keyHold.untilMs, keyHold.askedMs ?? backoffMs(keyHold.failures)) : 0,
    ownMs: validMs(state.retryAtMs, hourMs),
  };
}

/** A run without a page for this long counts as stalled: half an hour at the service's own quota, milliseconds. */
export function stallAfterMs(windowMs: number): number {
  return Math.max(30 * windowMs, 10 * minuteMs);
}

/** A run without a page for this long is abandoned, milliseconds. */
export function abandonAfterMs(scheduleMs: number): number {
  return Math.max(2 * scheduleMs, 24 * hourMs);
}
