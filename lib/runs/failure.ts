// Responsible for what a failed attempt means for later invocations: holds and retries. Not responsible for its log line.

import { asksForLongWait, backoffMs, recoversByItself, refusesKey } from '../core/error-policy.ts';
import {
  AuthError,
  ConfigError,
  CorruptError,
  type ExportError,
  messageWithSubject,
  RateLimitedError,
  StoreError,
} from '../core/errors.ts';
import {
  checkpointKey,
  damagedRunKey,
  manifestKey,
  runPrefix,
  sealRecordKey,
  targetId,
} from '../core/object-keys.ts';
import { endSeal } from '../sealing/seal-record.ts';
import { describeHold, describeNewHold } from './holds.ts';
import type { Attempt, Invocation, Target } from './invocation.ts';
import {
  holdOffMs,
  type Schedule,
  type TargetState,
  targetStateOf,
  toFailure,
} from './schedule.ts';
import { setAside } from './set-aside.ts';
import { noteNoPage } from './stall.ts';

/** A fault that can pass by itself holds a target off only after this many failed invocations in a row. */
const transientFailuresMax = 5;

/** A manual export clears all back-off state, for every key and target. */
export function clearHolds(schedule: Schedule): void {
  schedule.holds = {};
  for (const state of Object.values(schedule.targets)) state.retryAtMs = 0;
}

/** Stores what the failure means for later invocations. Returns false if this invocation must end. */
export async function noteFailure(
  invocation: Invocation,
  attempt: Attempt,
  error: ExportError,
): Promise<boolean> {
  const { policy, store, log, schedule, result, saveSchedule } = invocation;
  const { task } = attempt;
  const { account } = task.target;
  // The path in a ConfigError names the setting already, and a StoreError is about the store.
  const namesItsSubject = error instanceof ConfigError || error instanceof StoreError;
  if (!namesItsSubject) {
    error.subject = describeSubject({ ...task.target, ...task.key }, attempt.checkpoint?.run);
  }
  const report = () => {
    const { code, hint } = error;
    const level = recoversByItself(error) ? 'warn' : 'error';
    log(level, messageWithSubject(error), { code, hint, target: task.id, account });
  };
  // The store itself failed: the failure cannot be stored, and the other targets need the store too.
  if (error instanceof StoreError) {
    report();
    result.errors.push(error);
    return false;
  }
  const state = targetStateOf(schedule, task.id);
  schedule.targets[task.id] = state;
  state.failure = toFailure(error, state.failure, store.nowMs());
  // A timer comes back after a short wait, so such a 429 needs no hold.
  const isShortWait = error instanceof RateLimitedError && !asksForLongWait(error);
  if (isShortWait && policy.selects === 'due') {
    report();
    return true;
  }
  result.errors.push(error);
  holdOff(invocation, attempt, state, error);
  if (policy.errorsNameHold) {
    // After the failure is stored: its own hint stays as it is, and `status` adds the hold.
    const hold = describeHold(schedule, task.target.user, state, store.nowMs());
    const holdText = describeNewHold(account, hold);
    if (holdText !== null && !error.hint.includes(holdText)) error.hint += `\n${holdText}`;
  }
  report();
  await discardUnusableRun(invocation, attempt, state, error);
  await saveSchedule();
  return true;
}

/**
 * For a target whose key was refused for another target of the same run, with the error `cause`: five refusals lock the key. The
 * reason is that of the cause.
 */
export function notTried(target: NamedTarget, cause: AuthError): AuthError {
  const [reason, todo] = reasonsNotTried[cause.code] ?? [
    'the key was refused',
    `Correct the key of account ${target.account} first`,
  ];
  const error = new AuthError(
    'NOT_TRIED',
    `not tried: ${reason} (${cause.code})`,
    `${todo}: the error of the refused request says what is wrong. Five refused requests lock a key, so a refused key is not used again in the same run.`,
  );
  error.subject = describeSubject(target);
  return error;
}

/** By the code of the first error: what happened, and what to do. Every other code is about the key. */
const reasonsNotTried: Readonly<Record<string, readonly [reason: string, todo: string]>> = {
  CLOCK_SKEW: ["this host's clock is wrong", 'Correct the clock of this host first'],
  PROXY_REFUSED: ['the proxy refused the login', 'Correct the login in HTTPS_PROXY first'],
  KEY_LOCKED: ['the service has locked the key', 'Wait 5 minutes, and correct the key first'],
};

type NamedTarget = Pick<Target, 'table' | 'region' | 'projectId' | 'account'>;

/** For people, as the subject of an error. `run`: the open run. */
export function describeSubject(
  { table, region, projectId, account }: NamedTarget,
  run?: string,
): string {
  const id = projectId === null ? `${table}/rgn=${region}` : targetId({ table, region, projectId });
  return `${id} (account ${account}${run === undefined ? '' : `, run ${run}`})`;
}

function holdOff(
  { store, schedule }: Invocation,
  { task, checkpoint, gotPage }: Attempt,
  state: TargetState,
  error: ExportError,
): void {
  const nowMs = store.nowMs();
  const isTemporary = recoversByItself(error);
  // A run that stored a page makes progress, however slow.
  state.failures = isTemporary && gotPage ? 1 : state.failures + 1;
  if (!isTemporary || gotPage || asksForLongWait(error)) state.noPageSinceMs = undefined;
  else noteNoPage(state, checkpoint?.lastPageAtMs ?? 0, nowMs);
  const before = schedule.holds[task.target.user];
  if (asksForLongWait(error)) {
    const askedMs = Math.ceil(error.retryAfterMs);
    const failure = toFailure(error, undefined, nowMs);
    const untilMs = Math.round(nowMs) + askedMs;
    schedule.holds[task.target.user] = { failures: 1, untilMs, askedMs, failure };
  } else if (refusesKey(error)) {
    const failures = (before?.failures ?? 0) + 1;
    const failure = toFailure(error, before?.failure, nowMs);
    schedule.holds[task.target.user] = { failures, untilMs: nowMs + backoffMs(failures), failure };
  } else if (!isTemporary || state.failures >= transientFailuresMax) {
    const holds = isTemporary ? state.failures - transientFailuresMax + 1 : state.failures;
    state.retryAtMs = nowMs + holdOffMs(holds);
  }
}

/**
 * A run that was overtaken, whose name is taken, whose pages hold too many rejects, or whose pages or checkpoint are damaged, cannot
 * be sealed any more. The next attempt starts again.
 */
async function discardUnusableRun(
  { store }: Invocation,
  { task: { key } }: Attempt,
  state: TargetState,
  error: ExportError,
): Promise<void> {
  const { open } = state;
  if (!open || !key) return;
  const { snapshot, run } = open;
  const isNameTaken = error instanceof CorruptError && error.key === manifestKey(key, snapshot);
  const hasRejects = error.code === 'TOO_MANY_REJECTS';
  const prefix = runPrefix(key, snapshot, run);
  const isDamaged = error instanceof CorruptError && error.key.startsWith(prefix);
  if (!hasRejects && !isNameTaken && !isDamaged && error.code !== 'OVERTAKEN') return;
  if (isDamaged) {
    const recordKey = sealRecordKey(key, snapshot, run);
    await setAside(store, recordKey, damagedRunKey(prefix, 'seal-record'));
    // The next attempt must not find the record, which refers to the damaged pages.
    await endSeal(store, key, open);
  }
  // The stored pages do not change: the next attempt must read the list again.
  if (hasRejects || isDamaged) await store.delete(checkpointKey(prefix));
  state.open = null;
}
