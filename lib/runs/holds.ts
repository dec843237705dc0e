// Responsible for describing holds to people: which targets a timer leaves alone, until when, and why.
// Not responsible for making them (failure.ts).

import type { Agenda, HeldTarget, Hold } from './invocation.ts';
import { isHeldOff } from './next-task.ts';
import { listTasks } from './projects.ts';
import { holdEndsMs, type Schedule, type TargetState, targetStateOf } from './schedule.ts';

/** `user`: hash of the access key; null: not known. */
export function describeHold(
  schedule: Schedule,
  user: string | null,
  state: TargetState,
  nowMs: number,
): Hold {
  const { keyMs, ownMs } = holdEndsMs(schedule, user, state, nowMs);
  const untilMs = Math.max(keyMs, ownMs);
  const heldUntil = untilMs > 0 ? toIso(untilMs) : null;
  const ofKey = keyMs > 0 && keyMs >= ownMs;
  const keyHold = user === null ? undefined : schedule.holds[user];
  const failure = ofKey ? keyHold?.failure : state.failure;
  if (!failure) return { heldUntil, failure: null };
  const { code, message, hint, sinceMs, lastMs } = failure;
  const since = toIso(sinceMs);
  // A failure that counts for no hold, such as a 429, is still the newest attempt.
  const failures = Math.max(1, (ofKey ? keyHold?.failures : state.failures) ?? 0);
  return {
    heldUntil,
    failure: { ofKey, code, message, hint, since, last: toIso(lastMs), failures },
  };
}

export function listHeldTargets(agenda: Agenda): HeldTarget[] {
  const { schedule, store } = agenda;
  return listTasks(agenda).flatMap(({ target, projectId, id }) => {
    const state = targetStateOf(schedule, id);
    if (!isHeldOff(agenda, target, state)) return [];
    const { account, table, region, user } = target;
    const hold = describeHold(schedule, user, state, store.nowMs());
    return [{ account, table, region, projectId, ...hold }];
  });
}

function toIso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
