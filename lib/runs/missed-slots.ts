// Responsible for reporting slots that pass without a snapshot of a target: each once, in the log and in the stored count.

import type { Agenda, Invocation, Task } from './invocation.ts';
import {
  countPassedSlots,
  passedSlots,
  slotMs,
  type TargetState,
  targetStateOf,
} from './schedule.ts';

export function hasPassedSlots({ store, scheduleMs }: Agenda, state: TargetState): boolean {
  return passedSlots(state, store.nowMs(), scheduleMs) !== null;
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
