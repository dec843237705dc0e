// Responsible for one invocation's work under the lease: task after task, until nothing is left, or the quota or the time is
// used up. One failing target does not stop the others.

import { asksForLongWait, recoversByItself, refusesKey } from '../core/error-policy.ts';
import {
  type AuthError,
  EvidenceError,
  ExportError,
  RateLimitedError,
  StoppedError,
} from '../core/errors.ts';
import { stoppedError } from '../quota/budget.ts';
import type { SealOutcome } from '../sealing/seal.ts';
import { tidyTarget } from '../sealing/tidy.ts';
import { clearHolds, describeSubject, noteFailure, notTried } from './failure.ts';
import type {
  Attempt,
  CollectResult,
  Invocation,
  ResolvedTask,
  Target,
  Task,
} from './invocation.ts';
import { hasPassedSlots, noteMissedSlots } from './missed-slots.ts';
import { isHeldOff, pickNextTask } from './next-task.ts';
import { openRun } from './open-run.ts';
import { isResolved, listTasks, resolveProject } from './projects.ts';
import { advanceRun, type RunOutcome } from './run.ts';
import { sealedState, targetStateOf, toFailure } from './schedule.ts';
import { noteStall, noteStallOfHeldTarget } from './stall.ts';

/** No task starts with less time left than this, milliseconds. */
const taskTimeMinMs = 3_000;

/** How far the work has come. */
interface WorkState {
  /** Targets that this invocation does not try again. */
  done: Set<Target>;
  /** Users (key hashes) that the service throttles, with the list: by `throttleName`. */
  throttled: Set<string>;
  /** Users whose key the service refused, and why. Only for a command: the schedule holds the key for a timer. */
  refusals: Map<string, AuthError>;
  /** Names of the datasets for whose list the exporter's own quota, or the time, is used up. */
  usedUp: Set<string>;
  /** Nothing was tried yet. */
  isFirst: boolean;
  isPaused: boolean;
}

/** `done`: targets to skip; finished ones are added. `paused`: the invocation ended before its work did. */
export async function workThrough(
  invocation: Invocation,
  done: Set<Target>,
): Promise<'finished' | 'paused'> {
  const { policy, schedule, budget, result } = invocation;
  if (policy.selects === 'all') clearHolds(schedule);
  const tasks = listTasks(invocation);
  if (policy.selects === 'due') {
    await noteMissedSlots(invocation, tasks);
    await noteHeldTargets(invocation, tasks);
  }
  const state: WorkState = {
    done,
    throttled: new Set(),
    refusals: new Map(),
    usedUp: new Set(),
    isFirst: true,
    isPaused: false,
  };
  for (;;) {
    invocation.checkDistinct(tasks.filter(isResolved));
    const task = pickNextTask(invocation, tasks, (other) => isOver(state, other));
    if (!task) return state.isPaused ? 'paused' : 'finished';
    // Errors that are reported once end the invocation: nothing after them can keep them from being reported.
    if (policy.reportsStalls && hasErrorToReportOnce(result)) return 'paused';
    const isShortOfTime = budget.timeLeftMs() < taskTimeMinMs;
    if (isShortOfTime && !state.isFirst) return 'paused';
    const attempt: Attempt = { task, checkpoint: null, gotPage: false };
    const refusal = state.refusals.get(task.target.user);
    if (refusal) {
      state.done.add(task.target);
      result.errors.push(notTried({ ...task.target, ...task.key }, refusal));
      continue;
    }
    try {
      if (isResolved(task)) {
        await tryTask(invocation, state, attempt as Attempt<ResolvedTask>);
      } else if (isShortOfTime) {
        await noteStall(invocation, attempt);
        return 'paused';
      } else {
        tasks[tasks.indexOf(task)] = await resolveProject(invocation, task);
      }
    } catch (error) {
      if (!(await handleFailure(invocation, state, attempt, error))) return 'paused';
    }
  }
}

/** Targets that are not held off are tried below: a page may arrive. */
async function noteHeldTargets(invocation: Invocation, tasks: readonly Task[]): Promise<void> {
  for (const task of tasks) {
    const state = targetStateOf(invocation.schedule, task.id);
    if (isHeldOff(invocation, task.target, state)) await noteStallOfHeldTarget(invocation, task);
  }
}

/** Without quota, projects can still be resolved. */
function isOver({ done, usedUp, throttled }: WorkState, { target, projectId }: Task) {
  if (done.has(target)) return true;
  if (projectId === null) return false;
  return usedUp.has(target.dataset.name) || throttled.has(throttleName(target));
}

/** The service throttles a user for each list apart. */
function throttleName({ dataset, user }: Target): string {
  return `${dataset.name} ${user}`;
}

function hasErrorToReportOnce({ errors, snapshots }: CollectResult): boolean {
  return (
    errors.some(
      (error) => error instanceof EvidenceError || /^RUN_(STALLED|ABANDONED)$/.test(error.code),
    ) || snapshots.some(({ manifest }) => manifest.verdict === 'drifted')
  );
}

async function tryTask(
  invocation: Invocation,
  state: WorkState,
  attempt: Attempt<ResolvedTask>,
): Promise<void> {
  const { task } = attempt;
  const { schedule } = invocation;
  const { account, user } = task.target;
  schedule.targets[task.id] = { ...targetStateOf(schedule, task.id), account, user };
  attempt.checkpoint = await openRun(invocation, task);
  if (!attempt.checkpoint) return;
  const { run, snapshot } = attempt.checkpoint;
  invocation.progress({ kind: 'run', account, target: task.key, run, snapshot });
  const outcome = await advance(invocation, state, attempt);
  const wasFirst = state.isFirst;
  state.isFirst = false;
  if (outcome.kind === 'sealed') await noteSealed(invocation, state, task, outcome);
  else await notePaused(invocation, state, attempt, wasFirst);
}

async function advance(
  invocation: Invocation,
  state: WorkState,
  attempt: Attempt<ResolvedTask>,
): Promise<RunOutcome> {
  const { lease, log, progress, result } = invocation;
  const { target, key, id, projectId } = attempt.task;
  if (!attempt.checkpoint) throw new Error('no run is open');
  const { run } = attempt.checkpoint;
  const named = { run, target: id, account: target.account };
  return advanceRun(
    {
      ...invocation,
      first: state.isFirst,
      dataset: target.dataset,
      ledger: invocation.ledgerOf(target),
      user: target.user,
      source: target.openSource(projectId),
      remembered: targetStateOf(invocation.schedule, id).lastSealed ?? null,
      renew: () => lease.renew(),
      log: (level, message, fields) => log(level, message, { ...named, ...fields }),
      progress: (event) => {
        if (event.kind === 'page') attempt.gotPage = true;
        const isWait = event.kind === 'wait' || event.kind === 'retry';
        progress(isWait ? event : { ...event, account: target.account });
      },
      requested: (error) => {
        result.requests += 1;
        if (error instanceof RateLimitedError) result.throttled += 1;
        attempt.newestError = error;
      },
    },
    key,
    attempt.checkpoint,
  );
}

async function noteSealed(
  invocation: Invocation,
  state: WorkState,
  task: ResolvedTask,
  { sealed, faults }: SealOutcome,
): Promise<void> {
  const { policy, store, schedule, log, result, saveSchedule } = invocation;
  const { target, id } = task;
  const isTimer = policy.selects === 'due';
  if (!isTimer) {
    result.snapshots.push(sealed);
    // Each target once. A timer's target may be due again by now.
    state.done.add(target);
  }
  delete schedule.holds[target.user];
  // Before the new snapshot is in the schedule: it says nothing about the slots before its own.
  if (hasPassedSlots(invocation, targetStateOf(schedule, id))) {
    await noteMissedSlots(invocation, [task]);
  }
  const before = targetStateOf(schedule, id);
  const reportedFaults = faults.map((fault) => fault.key);
  schedule.targets[id] = { ...sealedState(before, sealed, store.nowMs()), reportedFaults };
  await saveSchedule();
  // After the schedule: a timer that could not save it meets the snapshot again, and reports it then.
  if (isTimer) result.snapshots.push(sealed);
  // Also after the schedule, so that each fault is reported once.
  for (const { key, message, hint } of faults) {
    if (before.reportedFaults?.includes(key)) continue;
    const error = new EvidenceError(key, message, hint);
    log('error', error.message, { code: error.code, hint, target: id, account: target.account });
    result.errors.push(error);
  }
  await tidy(invocation, task);
}

async function notePaused(
  invocation: Invocation,
  state: WorkState,
  attempt: Attempt<ResolvedTask>,
  wasFirst: boolean,
): Promise<void> {
  const { store, schedule, result, saveSchedule } = invocation;
  const { task, checkpoint, gotPage, newestError } = attempt;
  const waitsFor = invocation.ledgerOf(task.target).refusedWait();
  const isThrottled = waitsFor?.reason === 'throttled';
  state.isPaused = true;
  if (isThrottled) state.throttled.add(throttleName(task.target));
  else state.usedUp.add(task.target.dataset.name);
  // A target that only found the quota used up by the targets before it is not stalled.
  if (!gotPage && (wasFirst || isThrottled)) await noteStall(invocation, attempt);
  if (checkpoint && (gotPage || !newestError)) {
    const { snapshot } = checkpoint;
    result.paused.push({ account: task.target.account, ...task.key, snapshot, waitsFor });
  }
  const targetState = targetStateOf(schedule, task.id);
  if (gotPage && (targetState.failures > 0 || targetState.failure)) {
    targetState.failures = 0;
    targetState.failure = undefined;
    await saveSchedule();
  } else if (!gotPage && newestError) {
    // The quota ended the tries: without this, the cause would be lost.
    newestError.subject ??= describeSubject({ ...task.target, ...task.key }, checkpoint?.run);
    targetState.failure = toFailure(newestError, targetState.failure, store.nowMs());
    schedule.targets[task.id] = targetState;
    await saveSchedule();
  }
}

/** Returns false if the invocation must end. Rethrows stops, and errors that are bugs. */
async function handleFailure(
  invocation: Invocation,
  state: WorkState,
  attempt: Attempt,
  error: unknown,
): Promise<boolean> {
  const { policy, budget } = invocation;
  const { task, checkpoint, gotPage } = attempt;
  state.isFirst = false;
  if (budget.signal.aborted) throw stoppedError();
  if (!(error instanceof ExportError) || error instanceof StoppedError) throw error;
  state.done.add(task.target);
  if (refusesKey(error) && policy.selects === 'all') {
    state.refusals.set(task.target.user, error);
  }
  if (!(await noteFailure(invocation, attempt, error))) return false;
  if (error instanceof RateLimitedError && checkpoint && policy.selects === 'due') {
    state.throttled.add(throttleName(task.target));
  }
  const wasTried = checkpoint !== null || task.projectId === null;
  // A long wait was just reported: it is not a stall.
  const canStall = recoversByItself(error) && !asksForLongWait(error);
  if (wasTried && !gotPage && canStall) await noteStall(invocation, attempt);
  if (recoversByItself(error)) state.isPaused = true;
  return true;
}

/** A failure here does not fail an export that is already sealed. */
async function tidy(
  { store, log, keepPagesMs }: Invocation,
  { target: { account }, key, id }: ResolvedTask,
): Promise<void> {
  const named = { target: id, account };
  try {
    const removed = await tidyTarget(store, key, keepPagesMs);
    if (removed > 0) log('debug', 'deleted objects that no snapshot needs', { removed, ...named });
  } catch (error) {
    log('warn', 'old objects could not be deleted; the next run tries again', { error, ...named });
  }
}
