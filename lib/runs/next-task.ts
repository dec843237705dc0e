// Responsible for which targets have work, and which one is next.

import type { Agenda, Target, Task } from './invocation.ts';
import { listTasks } from './projects.ts';
import { isDue, type TargetState, targetStateOf } from './schedule.ts';
import { hasUnreportedStall } from './stall.ts';

/** Decided from the schedule alone, so that an idle invocation costs one read of the store. */
export function hasWork(agenda: Agenda): boolean {
  return listTasks(agenda).some((task) => {
    const state = targetStateOf(agenda.schedule, task.id);
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
  const keyHeldUntilMs = schedule.holds[target.user]?.untilMs ?? 0;
  return Math.max(keyHeldUntilMs, state.retryAtMs) > store.nowMs();
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

/**
 * Open runs come first, the oldest first, and each is read to its end: a short scan drifts least. For a timer, targets
 * that failed repeatedly come last, so that they cannot keep the others from being tried. A command resolves projects
 * before hours of reading; a timer does so after the known targets.
 * `isOver`: true for targets that this invocation does not try (again). Null: nothing is left.
 */
export function pickNextTask(
  agenda: Agenda,
  tasks: readonly Task[],
  isOver: (task: Task) => boolean,
): Task | null {
  const { policy, schedule } = agenda;
  const isTimer = policy.selects === 'due';
  const ready = tasks.filter((task) => {
    if (isOver(task)) return false;
    if (!isTimer) return true;
    const state = targetStateOf(schedule, task.id);
    return !isHeldOff(agenda, task.target, state) && needsWork(agenda, task, state);
  });
  /** The lowest rank is next. */
  const rankOf = ({ projectId, id }: Task): string => {
    const { open, failures } = targetStateOf(schedule, id);
    // A single failure does not count: it may have been a short disturbance.
    const failsRepeatedly = isTimer && failures > 1;
    const isLast = isTimer ? projectId === null : projectId !== null;
    return `${Number(isLast)}${Number(failsRepeatedly)}${Number(open === null)}${open?.snapshot ?? ''}`;
  };
  const ranked = ready.map((task) => ({ task, rank: rankOf(task) }));
  // The sort is stable: of equal ranks, the order of the configuration decides.
  ranked.sort((a, b) => (a.rank === b.rank ? 0 : a.rank < b.rank ? -1 : 1));
  return ranked[0]?.task ?? null;
}
