// Owns what a failure means for the invocations after it: holds, and which failures pass by themselves. Refuses to say it to anybody.

import { keyHoldMs, recoversByItself } from '../core/error-policy.ts';
import {
  AuthError,
  ConfigError,
  CorruptError,
  type ExportError,
  ProtocolError,
  RateLimitedError,
  StoreError,
} from '../core/errors.ts';
import { checkpointKey, runPrefix, scheduleKey } from '../core/object-keys.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { CollectMode, CollectPorts, CollectResult, Target, Work } from './invocation.ts';
import { holdOffMs, type Schedule, targetStateOf } from './schedule.ts';
import { beginSilence } from './stall.ts';

/** Failing invocations in a row before a fault that passes by itself holds a target off. */
const transientFailuresMax = 5;
export function isKeyHeld({ store }: CollectPorts, schedule: Schedule, target: Target): boolean {
  return (schedule.holds[target.user]?.untilMs ?? 0) > store.nowMs();
}

/** An export by hand is the operator's word: nothing is held against it, nor against the timers after it, whatever keys they have. */
export function clearHolds(schedule: Schedule): void {
  schedule.holds = {};
  for (const state of Object.values(schedule.targets)) state.retryAtMs = 0;
}

function holdKey(ports: CollectPorts, schedule: Schedule, target: Target): void {
  const failures = (schedule.holds[target.user]?.failures ?? 0) + 1;
  const untilMs = ports.store.nowMs() + keyHoldMs(failures);
  schedule.holds[target.user] = { failures, untilMs };
}

function nameSubject({ target, key, id }: Work, checkpoint: Checkpoint | null): string {
  const { table, region, account } = target;
  const run = checkpoint ? `, run ${checkpoint.run}` : '';
  return `${key ? id : `${table}/rgn=${region}`} (account ${account}${run})`;
}

export interface Failure {
  work: Work;
  error: ExportError;
  /** Null: there is none yet. */
  checkpoint: Checkpoint | null;
  /** In this invocation, before it failed. */
  gotPage: boolean;
}

/** Stores what a failure means for the next invocations. False: this one must end. */
export async function noteFailure(
  mode: CollectMode,
  ports: CollectPorts,
  schedule: Schedule,
  { work, error, checkpoint, gotPage }: Failure,
  result: CollectResult,
  saveSchedule: () => Promise<void>,
): Promise<boolean> {
  const { store, log } = ports;
  const { code, message, hint } = error;
  log(recoversByItself(error) ? 'warn' : 'error', message, { code, hint, target: work.id });
  // The store itself fails: there is nowhere to note it, and the other targets need it too.
  if (error instanceof StoreError) {
    result.errors.push(error);
    return false;
  }
  const state = targetStateOf(schedule, work.id);
  schedule.targets[work.id] = state;
  if (error instanceof RateLimitedError && mode === 'timer') return true;
  // A ConfigError says by its path whom it is about.
  if (!(error instanceof ConfigError)) error.subject = nameSubject(work, checkpoint);
  result.errors.push(error);
  const passes = recoversByItself(error);
  // With a page it gets on, however slowly.
  state.failures = passes && gotPage ? 1 : state.failures + 1;
  if (!passes || gotPage) state.silentSinceMs = undefined;
  else beginSilence(state, checkpoint?.lastPageAtMs ?? 0, store.nowMs());
  if (error instanceof AuthError) {
    holdKey(ports, schedule, work.target);
  } else if (!passes || state.failures >= transientFailuresMax) {
    const held = passes ? state.failures - transientFailuresMax + 1 : state.failures;
    state.retryAtMs = store.nowMs() + holdOffMs(held);
  }
  if (error.code === 'OVERTAKEN') state.open = null;
  if (
    error instanceof ProtocolError &&
    error.code === 'TOO_MANY_REJECTS' &&
    state.open &&
    work.key
  ) {
    // Its pages will not change: the next attempt reads the list anew.
    const { snapshot, run } = state.open;
    await store.delete(checkpointKey(runPrefix(work.key, snapshot, run)));
    state.open = null;
  }
  // A corrupt ledger or schedule must not be written over; what is noted here is another object.
  if (!(error instanceof CorruptError && error.key === scheduleKey)) await saveSchedule();
  return true;
}
