// Owns an invocation: which targets have work, in which order, and what becomes of those that fail. One bad target stops no other.

import {
  AuthError,
  CorruptError,
  ExportError,
  ProtocolError,
  RateLimitedError,
  StoppedError,
  StoreError,
  TransientError,
} from '../errors.ts';
import type { Budget } from './budget.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  runId,
  startCheckpoint,
} from './checkpoint.ts';
import { stringifyCanonical } from './json.ts';
import {
  checkpointKey,
  runPrefix,
  scheduleKey,
  snapshotName,
  snapshotTimeMs,
  type TargetKey,
  targetId,
} from './layout.ts';
import { type Lease, takeLease } from './lease.ts';
import { type Ledger, openLedger } from './ledger.ts';
import type { Scope } from './manifest.ts';
import type { Clock, Dataset, Encoder, Host, Log, Source, Store } from './ports.ts';
import type { Quota } from './quota.ts';
import { advanceRun, type Progress } from './run.ts';
import {
  abandonAfterMs,
  decodeSchedule,
  encodeSchedule,
  holdOffMs,
  keyHoldMs,
  type Schedule,
  slotMs,
  type TargetState,
  targetStateOf,
} from './schedule.ts';
import { listSnapshots, type Sealed } from './seal.ts';
import { tidyTarget } from './tidy.ts';

/** One list of nodes to be exported, as the configuration names it. */
export interface Target {
  account: string;
  table: string;
  region: string;
  /** Null: `findProjectId` asks. */
  projectId: string | null;
  findProjectId: (signal: AbortSignal) => Promise<string>;
  /** Under which an answer of `findProjectId` is remembered. */
  projectQuestion: string;
  /** Hash of the access key. */
  user: string;
  dataset: Dataset;
  scopeOf: (projectId: string) => Scope;
  openSource: (projectId: string) => Source;
}

export interface CollectPorts {
  store: Store;
  clock: Clock;
  host: Host;
  log: Log;
  random: () => number;
  encoders: readonly Encoder[];
  quota: Quota;
  requestTimeoutMs: number;
  scheduleMs: number;
  keepPagesMs: number;
  writer: string;
  targets: readonly Target[];
  budget: Budget;
  progress: Progress;
  /** Throws ConfigError when two targets turn out to be one. */
  checkDistinct: (targets: readonly { target: Target; projectId: string }[]) => void;
}

/**
 * `timer`: what is due, as far as the quota and the time left allow; leaves at once when somebody else works.
 * `command`: every target now; waits.
 */
export type CollectMode = 'timer' | 'command';

export interface CollectResult {
  status: 'sealed' | 'paused' | 'failed' | 'idle';
  snapshots: Sealed[];
  requests: number;
  /** What went wrong, each once; `failed` if any of them needs more than another invocation. */
  errors: ExportError[];
}

/** Failing invocations in a row before a fault that passes by itself holds a target off. */
const transientFailuresMax = 5;
/** Waits are slept in slices of this, so that the lease is renewed and a signal is heard, milliseconds. */
const sliceMs = 5_000;
/** How often a command looks whether the lease has come free, milliseconds. */
const leasePollMs = 1_000;

interface Work {
  target: Target;
  projectId: string;
  id: string;
}

/** Faults are in the result, each once; only a programming error is thrown. */
export async function collect(mode: CollectMode, ports: CollectPorts): Promise<CollectResult> {
  const { store, log } = ports;
  const result: CollectResult = { status: 'idle', snapshots: [], requests: 0, errors: [] };
  const done = new Set<Target>();
  try {
    const schedule = decodeSchedule(await store.get(scheduleKey));
    if (mode === 'timer' && !hasWork(ports, schedule)) {
      log('debug', 'nothing is due');
      return result;
    }
    for (;;) {
      const lease = await waitForLease(mode, ports);
      if (!lease) {
        log('info', 'another exporter is at work on this store');
        return result;
      }
      try {
        result.status = statusOf(result, await workUnderLease(mode, ports, result, done, lease));
        return result;
      } catch (error) {
        // A command that was suspended for longer than a lease lasts waits for its turn and goes on.
        const lost = error instanceof StoppedError && error.code === 'LEASE_LOST';
        if (!lost || mode === 'timer') throw error;
        log('warn', error.message, { code: error.code, hint: error.hint });
      }
    }
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    result.errors.push(error);
    result.status = statusOf(result, true);
    return result;
  }
}

/** Whatever happens, what was reserved and taken is given back. */
async function workUnderLease(
  mode: CollectMode,
  ports: CollectPorts,
  result: CollectResult,
  done: Set<Target>,
  lease: Lease,
): Promise<boolean> {
  const ledger = openQuota(mode, ports, lease);
  try {
    return await workThrough(mode, ports, result, done, lease, ledger);
  } finally {
    await ledger.release().catch((error: unknown) => {
      ports.log('warn', 'the quota reserved was not given back; it ends by itself', { error });
    });
    await lease.release();
  }
}

function statusOf(result: CollectResult, paused: boolean): CollectResult['status'] {
  if (result.errors.some((error) => !passesByItself(error))) return 'failed';
  if (paused || result.errors.length > 0) return 'paused';
  return result.snapshots.length > 0 ? 'sealed' : 'idle';
}

/** Another invocation may mend it; nobody needs to be told. */
export function passesByItself(error: ExportError): boolean {
  return (
    error instanceof TransientError ||
    error instanceof RateLimitedError ||
    error instanceof StoppedError ||
    (error instanceof StoreError && error.code === 'STORE_FAILED')
  );
}

/** From the schedule alone: what an idle invocation costs is one read. */
function hasWork(ports: CollectPorts, schedule: Schedule): boolean {
  return ports.targets.some((target) => {
    const projectId = target.projectId ?? schedule.projects[target.projectQuestion];
    if (isKeyHeld(ports, schedule, target)) return false;
    if (projectId === undefined) return true;
    const state = targetStateOf(schedule, targetId({ ...target, projectId }));
    if (state.retryAtMs > ports.store.nowMs()) return false;
    return state.open !== null || isDue(ports, state);
  });
}

function isKeyHeld({ store }: CollectPorts, schedule: Schedule, target: Target): boolean {
  return (schedule.holds[target.user]?.untilMs ?? 0) > store.nowMs();
}

function isDue({ store, scheduleMs }: CollectPorts, state: TargetState): boolean {
  return state.sealed === null || snapshotName(slotMs(store.nowMs(), scheduleMs)) > state.sealed;
}

async function waitForLease(mode: CollectMode, ports: CollectPorts): Promise<Lease | null> {
  const { clock, log, budget, progress } = ports;
  let said = false;
  for (;;) {
    const lease = await takeLease(ports);
    if (!('heldForMs' in lease)) return lease;
    if (mode === 'timer') return null;
    const { heldForMs } = lease;
    if (!said) {
      log('info', 'another exporter is at work on this store: waiting for it to end', { heldForMs });
    }
    said = true;
    const delayMs = Math.min(heldForMs + 50, leasePollMs);
    progress({ kind: 'wait', delayMs, reason: 'lease' });
    await sleep(clock, delayMs, budget.signal);
  }
}

async function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(delayMs, signal);
  } catch (error) {
    if (signal.aborted) throw stopped();
    throw error;
  }
}

function openQuota(mode: CollectMode, ports: CollectPorts, lease: Lease): Ledger {
  const { clock, budget, log, progress } = ports;
  return openLedger({
    ...ports,
    heldFrom: mode === 'command' ? 'answer' : 'departure',
    mayWait: (delayMs) => budget.takeWait(delayMs),
    async wait(delayMs, reason) {
      progress({ kind: 'wait', delayMs, reason });
      if (delayMs >= 1_000) log('debug', 'waiting for the quota', { delayMs, reason });
      const endMs = clock.monotonicMs() + delayMs;
      for (let restMs = delayMs; restMs > 0; restMs = endMs - clock.monotonicMs()) {
        await sleep(clock, Math.min(restMs, sliceMs), budget.signal);
        await lease.renew();
      }
    },
  });
}

/** True if the invocation ended before its work did. */
async function workThrough(
  mode: CollectMode,
  ports: CollectPorts,
  result: CollectResult,
  done: Set<Target>,
  lease: Lease,
  ledger: Ledger,
): Promise<boolean> {
  const { store, log } = ports;
  const schedule = decodeSchedule(await store.get(scheduleKey));
  const saveSchedule = async () => {
    await lease.renew();
    await store.put(scheduleKey, encodeSchedule(schedule));
  };
  if (mode === 'command') clearHolds(ports, schedule);
  const works = await findProjects(mode, ports, schedule, result, done, saveSchedule);
  let first = true;
  let paused = false;
  for (;;) {
    const work = nextWork(mode, ports, schedule, works, done);
    if (!work) return paused;
    try {
      const checkpoint = await openRun(mode, ports, schedule, work, result, saveSchedule);
      if (!checkpoint) continue;
      const outcome = await advanceRun(
        {
          ...ports,
          ledger,
          first,
          dataset: work.target.dataset,
          user: work.target.user,
          source: work.target.openSource(work.projectId),
          renew: () => lease.renew(),
          log: (level, message, fields) =>
            log(level, message, { run: checkpoint.run, target: work.id, ...fields }),
          requested: () => {
            result.requests += 1;
          },
        },
        { ...work.target, projectId: work.projectId },
        checkpoint,
      );
      first = false;
      if (outcome.kind === 'paused') return true;
      result.snapshots.push(outcome.sealed);
      // A timer's target may be due again by now.
      if (mode === 'command') done.add(work.target);
      const { snapshot } = outcome.sealed.manifest;
      delete schedule.holds[work.target.user];
      schedule.targets[work.id] = { open: null, sealed: snapshot, failures: 0, retryAtMs: 0 };
      await saveSchedule();
      await tidy(ports, work);
    } catch (error) {
      first = false;
      if (!(error instanceof ExportError) || error instanceof StoppedError) throw error;
      done.add(work.target);
      const goesOn = await fail(mode, ports, schedule, work, error, result, saveSchedule);
      if (!goesOn) return true;
      paused = paused || passesByItself(error);
    }
  }
}

/** An export by hand is the operator's word: nothing is held against it. */
function clearHolds({ targets }: CollectPorts, schedule: Schedule): void {
  for (const { user } of targets) delete schedule.holds[user];
  for (const state of Object.values(schedule.targets)) state.retryAtMs = 0;
}

/** Names every target's project; a target whose project cannot be found fails alone. */
async function findProjects(
  mode: CollectMode,
  ports: CollectPorts,
  schedule: Schedule,
  result: CollectResult,
  done: Set<Target>,
  saveSchedule: () => Promise<void>,
): Promise<Work[]> {
  const works: Work[] = [];
  let asked = false;
  for (const target of ports.targets) {
    let projectId = target.projectId ?? schedule.projects[target.projectQuestion];
    if (projectId === undefined) {
      if (mode === 'timer' && isKeyHeld(ports, schedule, target)) continue;
      try {
        projectId = await target.findProjectId(ports.budget.signal);
      } catch (error) {
        if (ports.budget.signal.aborted) throw stopped();
        if (!(error instanceof ExportError)) throw error;
        done.add(target);
        holdKey(ports, schedule, target, error);
        result.errors.push(error);
        await saveSchedule();
        continue;
      }
      schedule.projects[target.projectQuestion] = projectId;
      asked = true;
    }
    works.push({ target, projectId, id: targetId({ ...target, projectId }) });
  }
  if (asked) await saveSchedule();
  ports.checkDistinct(works);
  return works;
}

/** Open runs first, the oldest before the others, each to its end: a short scan drifts least. */
function nextWork(
  mode: CollectMode,
  ports: CollectPorts,
  schedule: Schedule,
  works: readonly Work[],
  done: ReadonlySet<Target>,
): Work | null {
  const ready = works.filter((work) => {
    if (done.has(work.target)) return false;
    if (mode === 'command') return true;
    const state = targetStateOf(schedule, work.id);
    if (isKeyHeld(ports, schedule, work.target)) return false;
    if (state.retryAtMs > ports.store.nowMs()) return false;
    return state.open !== null || isDue(ports, state);
  });
  const openOf = (work: Work) => targetStateOf(schedule, work.id).open;
  const open = ready.filter((work) => openOf(work) !== null);
  open.sort((a, b) => ((openOf(a)?.snapshot ?? '') < (openOf(b)?.snapshot ?? '') ? -1 : 1));
  return open[0] ?? ready[0] ?? null;
}

/** The checkpoint to go on from; null if the target turns out to have nothing to do now. */
async function openRun(
  mode: CollectMode,
  ports: CollectPorts,
  schedule: Schedule,
  work: Work,
  result: CollectResult,
  saveSchedule: () => Promise<void>,
): Promise<Checkpoint | null> {
  const { store, log, scheduleMs } = ports;
  const { target, projectId, id } = work;
  const key: TargetKey = { table: target.table, region: target.region, projectId };
  const scope = target.scopeOf(projectId);
  const state = targetStateOf(schedule, id);
  schedule.targets[id] = state;
  if (state.open) {
    const checkpoint = await readCheckpoint(store, key, state.open);
    const refusal = checkpoint ? whyNotResume(ports, checkpoint, scope) : null;
    if (checkpoint && !refusal) {
      log('info', 'going on with an open run', {
        snapshot: checkpoint.snapshot,
        run: checkpoint.run,
        pages: checkpoint.pages.length,
      });
      return checkpoint;
    }
    if (refusal) {
      log('error', refusal.message, { code: refusal.code, hint: refusal.hint, target: id });
      // A command starts anew at once, so there is nothing left to do; a timer tells it once.
      if (mode === 'timer' && refusal.code === 'RUN_ABANDONED') result.errors.push(refusal);
    }
    state.open = null;
  }
  const snapshots = await listSnapshots(store, key);
  const newest = snapshots[snapshots.length - 1] ?? null;
  if (newest !== null && newest > (state.sealed ?? '')) state.sealed = newest;
  if (mode === 'timer' && !isDue(ports, state)) {
    await saveSchedule();
    return null;
  }
  const startedAtMs = Math.round(store.nowMs());
  const snapshot =
    mode === 'timer'
      ? snapshotName(slotMs(startedAtMs, scheduleMs))
      : nameAfter(state.sealed, startedAtMs);
  const run = runId(key, snapshot, scope);
  // The schedule before the checkpoint: a run that nobody knows of would be lost, one without a checkpoint just begins.
  state.open = { snapshot, run };
  await saveSchedule();
  const standing = await readCheckpoint(store, key, state.open);
  if (standing) return standing;
  const { schemaVersion } = target.dataset;
  const checkpoint = startCheckpoint({ target: key, schemaVersion, snapshot, scope, startedAtMs });
  const prefix = runPrefix(key, snapshot, run);
  await store.put(checkpointKey(prefix), encodeCheckpoint(checkpoint));
  log('info', 'a new run', { snapshot, run, target: id });
  return checkpoint;
}

async function readCheckpoint(
  store: Store,
  key: TargetKey,
  open: { snapshot: string; run: string },
): Promise<Checkpoint | null> {
  const objectKey = checkpointKey(runPrefix(key, open.snapshot, open.run));
  const bytes = await store.get(objectKey);
  return bytes ? decodeCheckpoint(objectKey, bytes) : null;
}

/** Names of one target only grow, also within one second and after a clock that stepped back. */
function nameAfter(sealed: string | null, nowMs: number): string {
  const after = sealed === null ? 0 : (snapshotTimeMs(sealed) ?? 0) + 1_000;
  return snapshotName(Math.max(nowMs, after));
}

function whyNotResume(
  { store, scheduleMs }: CollectPorts,
  checkpoint: Checkpoint,
  scope: Scope,
): ExportError | null {
  const { snapshot } = checkpoint;
  if (stringifyCanonical(checkpoint.scope) !== stringifyCanonical(scope)) {
    return new ExportError(
      'SCOPE_CHANGED',
      `The open run ${snapshot} is abandoned: the configuration asks for another scope or other filters than it began with.`,
      'A new run starts with the new scope. Nothing of the old one was published.',
    );
  }
  const silentMs = store.nowMs() - checkpoint.lastPageAtMs;
  if (silentMs > abandonAfterMs(scheduleMs) && checkpoint.phase === 'collecting') {
    return new ExportError(
      'RUN_ABANDONED',
      `The open run ${snapshot} is abandoned: it got no page for ${Math.round(silentMs / 3_600_000)} hours.`,
      'A new run starts with the newest slot. See the errors logged before for why no page came.',
    );
  }
  return null;
}

function holdKey(ports: CollectPorts, schedule: Schedule, target: Target, error: ExportError): void {
  if (!(error instanceof AuthError)) return;
  const failures = (schedule.holds[target.user]?.failures ?? 0) + 1;
  const untilMs = ports.store.nowMs() + keyHoldMs(failures);
  schedule.holds[target.user] = { failures, untilMs };
}

/** Stores what a failure means for the next invocations. False: this one must end. */
async function fail(
  mode: CollectMode,
  ports: CollectPorts,
  schedule: Schedule,
  work: Work,
  error: ExportError,
  result: CollectResult,
  saveSchedule: () => Promise<void>,
): Promise<boolean> {
  const { store, log } = ports;
  const { code, message, hint } = error;
  log(passesByItself(error) ? 'warn' : 'error', message, { code, hint, target: work.id });
  // The store itself fails: there is nowhere to note it, and the other targets need it too.
  if (error instanceof StoreError) {
    result.errors.push(error);
    return false;
  }
  const state = targetStateOf(schedule, work.id);
  schedule.targets[work.id] = state;
  if (error instanceof RateLimitedError && mode === 'timer') return false;
  result.errors.push(error);
  state.failures += 1;
  if (error instanceof AuthError) {
    holdKey(ports, schedule, work.target, error);
  } else if (!passesByItself(error) || state.failures >= transientFailuresMax) {
    state.retryAtMs = store.nowMs() + holdOffMs(state.failures);
  }
  if (error.code === 'OVERTAKEN') state.open = null;
  if (error instanceof ProtocolError && error.code === 'TOO_MANY_REJECTS' && state.open) {
    // Its pages will not change: the next attempt reads the list anew.
    const key: TargetKey = { ...work.target, projectId: work.projectId };
    const { snapshot, run } = state.open;
    await store.delete(checkpointKey(runPrefix(key, snapshot, run)));
    state.open = null;
  }
  // A corrupt ledger or schedule must not be written over; what is noted here is another object.
  if (!(error instanceof CorruptError && error.key === scheduleKey)) await saveSchedule();
  return true;
}

/** Never fails an export that is already sealed. */
async function tidy(ports: CollectPorts, work: Work): Promise<void> {
  const { store, log, keepPagesMs } = ports;
  const key: TargetKey = { table: work.target.table, region: work.target.region, projectId: work.projectId };
  try {
    const removed = await tidyTarget(store, key, keepPagesMs);
    if (removed > 0) log('debug', 'tidied away what no snapshot needs', { removed, target: work.id });
  } catch (error) {
    log('warn', 'tidying failed; the next run tries again', { error, target: work.id });
  }
}

function stopped(): StoppedError {
  return new StoppedError(
    'STOPPED',
    'Stopped before everything was exported.',
    'Run the same command again: it goes on after the last stored page.',
  );
}
