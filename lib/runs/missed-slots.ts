// Responsible for slots that pass without a snapshot of a target: each is logged and counted once. A target that misses slots is
// reported once until it is sealed again.

import { MissedSlotError } from '../core/errors.ts';
import type { Agenda, Invocation, Task } from './invocation.ts';
import {
  countPassedSlots,
  passedSlots,
  type Schedule,
  slotMs,
  type TargetState,
  targetStateOf,
} from './schedule.ts';

export function hasPassedSlots({ store, scheduleMs }: Agenda, state: TargetState): boolean {
  return passedSlots(state, store.nowMs(), scheduleMs) !== null;
}

/** True if a slot of the target is not counted yet, or its miss is not reported: also if an invocation was killed in between. */
export function hasMissToNote(agenda: Agenda, state: TargetState): boolean {
  return state.missed?.isUnreported === true || hasPassedSlots(agenda, state);
}

/** Counts and logs the slots that have passed since the last call. The first call for a target starts the count. */
export async function noteMissedSlots(
  { store, scheduleMs, schedule, log, saveSchedule }: Invocation,
  tasks: readonly Task[],
): Promise<void> {
  const nowMs = store.nowMs();
  const warnings: [message: string, fields: Record<string, unknown>][] = [];
  let isChanged = false;
  for (const { id, target } of tasks) {
    const state = targetStateOf(schedule, id);
    const passed = passedSlots(state, nowMs, scheduleMs);
    if (!passed && isCounting(state, slotMs(nowMs, scheduleMs), scheduleMs)) continue;
    const missed = countPassedSlots(state, nowMs, scheduleMs);
    schedule.targets[id] = { ...state, missed };
    isChanged = true;
    if (!passed) continue;
    const slot = new Date(passed.newestMs).toISOString();
    const what =
      passed.count === 1
        ? `The slot ${slot} has passed without a snapshot of ${id}`
        : `${passed.count} slots have passed without a snapshot of ${id}, the newest is ${slot}`;
    const fields = { target: id, account: target.account, slot, missedSlots: missed.count };
    warnings.push([`${what} (account ${target.account}).`, fields]);
  }
  if (!isChanged) return;
  // Stored before it is logged, so that no other invocation repeats it.
  await saveSchedule();
  for (const [message, fields] of warnings) log('warn', message, fields);
}

/** False: nothing was counted yet, or not for this schedule, or with a clock that was ahead. */
function isCounting({ missed }: TargetState, beginMs: number, scheduleMs: number): boolean {
  return missed?.scheduleMs === scheduleMs && missed.untilMs <= beginMs;
}

/** An error names at most this many targets. */
const namedMax = 3;

/**
 * Reports every miss that is counted and not reported, in one error. At the end of the invocation's work, so that it does not
 * cost a request; an invocation that is killed before leaves the report to the next one.
 */
export async function reportMissedSlots(
  { schedule, log, result, saveSchedule }: Invocation,
  tasks: readonly Task[],
): Promise<void> {
  const missing = tasks.filter(({ id }) => schedule.targets[id]?.missed?.isUnreported);
  if (missing.length === 0) return;
  const error = describeMiss(missing, schedule);
  for (const { id } of missing) delete schedule.targets[id]?.missed?.isUnreported;
  // Stored before it is reported, so that it is reported once.
  await saveSchedule();
  log('warn', error.message, { code: error.code, hint: error.hint, targets: missing.length });
  result.errors.push(error);
}

function describeMiss(tasks: readonly Task[], schedule: Schedule): MissedSlotError {
  const names = tasks.slice(0, namedMax).map(({ id, target }) => {
    const { sinceMs } = targetStateOf(schedule, id).missed ?? {};
    const slot = sinceMs === undefined ? '' : `, slot ${new Date(sinceMs).toISOString()}`;
    return `${id} (account ${target.account}${slot})`;
  });
  const more = tasks.length - names.length;
  const listed = more === 0 ? names.join(', ') : `${names.join(', ')} and ${more} more`;
  const message =
    tasks.length === 1
      ? `${listed} has missed at least one slot.`
      : `${tasks.length} targets have missed at least one slot: ${listed}.`;
  return new MissedSlotError(
    'SLOT_MISSED',
    message,
    'They are exported as soon as possible. `cgs-export status` shows which of them are held or fail, and why. If none does, the quota may be too small for the schedule: `cgs-export plan` calculates it. This is reported once for each target until it has a new snapshot.',
  );
}
