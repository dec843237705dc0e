// Responsible for which targets have work, and which one is next.

import type { Agenda, Target, Task } from './invocation.ts';
import { hasMissToNote } from './missed-slots.ts';
import { holdEndsMs, isDue, plausibleName, type TargetState, targetStateOf } from './schedule.ts';
import { hasUnreportedStall } from './stall.ts';

/** Decided from the schedule alone, so that an idle invocation costs one read of the store. */
export function hasWork(agenda: Agenda, tasks: readonly Task[]): boolean {
  return tasks.some((task) => {
    const state = targetStateOf(agenda.schedule, task.id);
    if (hasMissToNote(agenda, state)) return true;
    if (isHeldOff(agenda, task.target, state)) return hasUnreportedStall(agenda, state);
    return needsWork(agenda, task, state);
  });
}

/** A timer leaves a held-off target, and every target of a held key, alone. */
export function isHeldOff(
  { store, schedule }: Agenda,
  target: Target,
  state: TargetState,
): boolean {
  const { keyMs, ownMs } = holdEndsMs(schedule, target.user, state, store.nowMs());
  return keyMs > 0 || ownMs > 0;
}

function needsWork(
  { store, scheduleMs }: Agenda,
  { projectId }: Task,
  state: TargetState,
): boolean {
  return (
    projectId === null || state.open !== null || isDue(state.sealed, store.nowMs(), scheduleMs)
  );
}

/** A target that fails repeatedly comes after the others for this long after an attempt, milliseconds. */
function failureRankMs(scheduleMs: number): number {
  return Math.max(scheduleMs, 3_600_000);
}

/**
 * Open runs come first, the oldest first, and each is read to its end: a short scan drifts least. A new run starts for the
 * target that has waited longest: never sealed first, then the oldest newest snapshot. So no other target is sealed twice
 * while one waits. For a timer, targets that failed repeatedly come last, so that they cannot keep the others from being
 * tried; but not for ever, so that they are tried again although the others use the whole quota. A command resolves
 * projects before hours of reading; a timer does so after the known targets, unless that has already cost a slot.
 * `isOver`: true for targets that this invocation does not try (again). Null: nothing is left.
 */
export function pickNextTask(
  agenda: Agenda,
  tasks: readonly Task[],
  isOver: (task: Task) => boolean,
): Task | null {
  const { policy, schedule } = agenda;
  const ready = tasks.filter((task) => {
    if (isOver(task)) return false;
    if (policy.selects === 'all') return true;
    const state = targetStateOf(schedule, task.id);
    return !isHeldOff(agenda, task.target, state) && needsWork(agenda, task, state);
  });
  const ranked = ready.map((task) => ({ task, rank: rankOf(agenda, task) }));
  // The sort is stable: of equal ranks, the order of the configuration decides.
  ranked.sort((a, b) => compareRanks(a.rank, b.rank));
  return ranked[0]?.task ?? null;
}

type Rank = readonly (string | number)[];

/** The lowest rank is next. */
function rankOf({ policy, schedule, store, scheduleMs }: Agenda, { projectId, id }: Task): Rank {
  const isTimer = policy.selects === 'due';
  const { open, sealed, sealedAtMs, failures, failure, missed } = targetStateOf(schedule, id);
  const nowMs = store.nowMs();
  const failedForMs = nowMs - (failure?.lastMs ?? Number.POSITIVE_INFINITY);
  // A single failure does not count: it may have been a short disturbance.
  const failsRepeatedly = isTimer && failures > 1 && failedForMs < failureRankMs(scheduleMs);
  const isLate = isTimer && (missed?.count ?? 0) > 0;
  const isLast = isTimer ? projectId === null && !isLate : projectId !== null;
  const waitsSince = open ? [open.snapshot] : [plausibleName(sealed, nowMs) ?? '', sealedAtMs ?? 0];
  return [Number(isLast), Number(failsRepeatedly), Number(open === null), ...waitsSince];
}

function compareRanks(a: Rank, b: Rank): number {
  for (const [index, value] of a.entries()) {
    const other = b[index];
    if (other === undefined || value === other) continue;
    return value < other ? -1 : 1;
  }
  return 0;
}
