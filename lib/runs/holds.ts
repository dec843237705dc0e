// Responsible for describing holds to people: which targets a timer leaves alone, until when, and why.
// Not responsible for making them (failure.ts).

import type { Agenda, FailureStatus, HeldTarget, Hold, Task } from './invocation.ts';
import { isHeldOff } from './next-task.ts';
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

/** `held`: what a timer leaves alone. `failing`: the other targets whose newest attempt failed. */
export function listFailures(
  agenda: Agenda,
  tasks: readonly Task[],
): { held: HeldTarget[]; failing: HeldTarget[] } {
  const { schedule, store } = agenda;
  const held: HeldTarget[] = [];
  const failing: HeldTarget[] = [];
  for (const { target, projectId, id } of tasks) {
    const state = targetStateOf(schedule, id);
    const isHeld = isHeldOff(agenda, target, state);
    if (!isHeld && !state.failure) continue;
    const { account, table, region, user } = target;
    const hold = describeHold(schedule, user, state, store.nowMs());
    const described = { account, table, region, projectId, ...hold };
    if (isHeld) held.push(described);
    else if (hold.failure !== null) failing.push(described);
  }
  return { held, failing };
}

/**
 * The next step for what is held. `account` null: not known. Null: the service asked the key to wait, so an export must wait too; the
 * failure's own hint says that.
 */
export function describeLift(account: string | null, failure: FailureStatus | null): string | null {
  if (failure?.ofKey && failure.code === 'RATE_LIMITED') return null;
  const narrower = account === null ? '' : `; \`--account ${account}\` limits it to this account`;
  return `A timer tries again when the hold ends. \`cgs-export export\` tries at once${narrower}.`;
}

/** For the error that led to the hold: until when timers leave the target alone, and what ends that. Null: it is not held. */
export function describeNewHold(account: string, { heldUntil, failure }: Hold): string | null {
  if (heldUntil === null) return null;
  const what = failure?.ofKey ? 'Its access key' : 'This target';
  const lift = describeLift(account, failure);
  if (lift === null) return `${what} is held until ${heldUntil}.`;
  return `${what} is held until ${heldUntil}, also after a correction. ${lift}`;
}

function toIso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
