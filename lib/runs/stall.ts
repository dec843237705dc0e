// Responsible for detecting targets whose attempts bring no page, and for reporting each such stall once.
// Faults that can pass by themselves are not reported otherwise, and the run stays open until it is abandoned.

import { ExportError, StoreError } from '../core/errors.ts';
import type { Agenda, Attempt, Invocation, Task } from './invocation.ts';
import { readCheckpoint } from './open-run.ts';
import { stallAfterMs, type TargetState, targetStateOf } from './schedule.ts';

/** True if, as far as the schedule knows, the target is stalled and that was not reported. */
export function hasUnreportedStall({ store, quota }: Agenda, state: TargetState): boolean {
  const { noPageSinceMs, reportedStallMs } = state;
  if (noPageSinceMs === undefined || noPageSinceMs === reportedStallMs) return false;
  return store.nowMs() - noPageSinceMs > stallAfterMs(quota.windowMs);
}

/**
 * Records since when attempts bring no page. Returns false if that was recorded already. The time counts from the first
 * failed attempt, not from the last page: a target that waits for its turn is not stalled.
 */
export function noteNoPage(state: TargetState, lastPageAtMs: number, nowMs: number): boolean {
  const { noPageSinceMs = Number.NEGATIVE_INFINITY } = state;
  // A time that is still to come is void: it was stored while a clock was ahead.
  if (noPageSinceMs >= lastPageAtMs && noPageSinceMs <= nowMs) return false;
  state.noPageSinceMs = Math.round(nowMs);
  return true;
}

/** For a target whose attempt brought no page. Reports a stall, if the policy asks for it and it lasts long enough. */
export async function noteStall(invocation: Invocation, attempt: Attempt): Promise<void> {
  const { policy, store, log, schedule, result, saveSchedule } = invocation;
  const { task, checkpoint } = attempt;
  if (!policy.reportsStalls) return;
  if (checkpoint && checkpoint.phase !== 'collecting') return;
  const state = targetStateOf(schedule, task.id);
  schedule.targets[task.id] = state;
  if (noteNoPage(state, checkpoint?.lastPageAtMs ?? 0, store.nowMs())) {
    await saveSchedule();
    return;
  }
  if (!hasUnreportedStall(invocation, state)) return;
  const minutes = Math.floor((store.nowMs() - (state.noPageSinceMs ?? 0)) / 60_000);
  const error = describeStall(attempt, minutes);
  state.reportedStallMs = state.noPageSinceMs;
  // Stored before it is reported: otherwise a failed write would repeat the alarm every minute.
  await saveSchedule();
  result.errors.push(error);
  log('error', error.message, {
    ...{ code: error.code, hint: error.hint, target: task.id, account: task.target.account },
  });
}

function describeStall({ task, checkpoint }: Attempt, minutes: number): ExportError {
  const { table, region, account } = task.target;
  if (checkpoint) {
    const { snapshot, run } = checkpoint;
    return new ExportError(
      'RUN_STALLED',
      `The open run ${snapshot} of ${task.id} (account ${account}, run ${run}) received no page for ${minutes} minutes.`,
      'It continues by itself as soon as a page arrives. Check the earlier log lines. If requests are throttled, quota is higher than the service allows, or another client uses the same key or address. If nothing answers, check the network of the function.',
    );
  }
  return new ExportError(
    'RUN_STALLED',
    `No run of ${table} in ${region} (account ${account}) can start: IAM did not return its project id for ${minutes} minutes.`,
    "It starts by itself as soon as IAM answers. Check the earlier log lines and the function's route to iamEndpoint (a VPC needs a NAT gateway). If you set the target's projectId, IAM is not needed for it.",
  );
}

/**
 * For a target that is held off, so that nothing tries it in this invocation. A checkpoint that cannot be read is not
 * reported here but by the attempt that needs it. Throws StoreError.
 */
export async function noteStallOfHeldTarget(invocation: Invocation, task: Task): Promise<void> {
  const { store, schedule, saveSchedule } = invocation;
  const state = targetStateOf(schedule, task.id);
  if (!hasUnreportedStall(invocation, state)) return;
  try {
    const { open } = state;
    const checkpoint = open && task.key && (await readCheckpoint(store, task.key, open));
    const attempt = { task, checkpoint, gotPage: false };
    if (isStillWithoutPage(attempt, state)) {
      await noteStall(invocation, attempt);
      return;
    }
    state.noPageSinceMs = undefined;
    await saveSchedule();
  } catch (error) {
    if (!(error instanceof ExportError) || error instanceof StoreError) throw error;
  }
}

/** A page may have arrived since, or the run may not exist any more. */
function isStillWithoutPage({ task, checkpoint }: Attempt, state: TargetState): boolean {
  if (task.projectId === null) return true;
  return (
    checkpoint?.phase === 'collecting' && checkpoint.lastPageAtMs <= (state.noPageSinceMs ?? 0)
  );
}
