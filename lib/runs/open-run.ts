// Responsible for the run that a target continues: the open one, or a new one under the right name.

import {
  CorruptError,
  configFault,
  ExportError,
  NewerVersionError,
  OtherKeyError,
} from '../core/errors.ts';
import { stringifyCanonical } from '../core/exact-json.ts';
import {
  checkpointKey,
  damagedRunKey,
  isFutureName,
  runPrefix,
  snapshotName,
  snapshotTimeMs,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Dataset, Store } from '../core/ports.ts';
import { readState, type StateKey } from '../core/state.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  type Scope,
  startCheckpoint,
} from '../reading/checkpoint.ts';
import { endSeal } from '../sealing/seal-record.ts';
import { readNames, type SnapshotNames } from '../sealing/snapshot-names.ts';
import { readManifest } from '../snapshots/catalog.ts';
import type { Invocation, ResolvedTask, Target } from './invocation.ts';
import { findOtherRegion } from './other-region.ts';
import { abandonAfterMs, isDue, slotMs, type TargetState, targetStateOf } from './schedule.ts';
import { describeSetAside, setAside } from './set-aside.ts';

/** Two hosts' ideas of the store's time differ by less than this, milliseconds. */
const aheadMsMax = 5_000;
const minuteMs = 60_000;

/**
 * The checkpoint to continue from. Null: the target has nothing to do now. Throws NewerVersionError, before anything is written for
 * the target, if a newer version of cgs-export has sealed its newest snapshot.
 */
export async function openRun(
  invocation: Invocation,
  task: ResolvedTask,
): Promise<Checkpoint | null> {
  const { store, schedule } = invocation;
  const state = targetStateOf(schedule, task.id);
  schedule.targets[task.id] = state;
  if (state.open) {
    await refuseNewerChain(store, task.key, state);
    const resumed = await resumeRun(invocation, task, state, state.open);
    if (resumed === 'reported') return null;
    if (resumed) return resumed;
  }
  return startRun(invocation, task, state);
}

/**
 * Throws NewerVersionError. Before an open run continues, it is enough to read the snapshot that the schedule has as the newest:
 * one request in each tick. startRun() and the seal look for newer ones.
 */
async function refuseNewerChain(
  store: Store,
  key: TargetKey,
  { sealed }: TargetState,
): Promise<void> {
  if (sealed === null) return;
  await readManifest(store, key, sealed).catch((error: unknown) => {
    // The seal reports a damaged one.
    if (error instanceof NewerVersionError || !(error instanceof CorruptError)) throw error;
  });
}

/** Null: it does not exist. A damaged one is set aside and reported once: `damaged`. */
async function readOrSetAside(
  { store, log, result, signing }: Invocation,
  { target, key, id }: ResolvedTask,
  open: { snapshot: string; run: string },
): Promise<Checkpoint | null | 'damaged'> {
  try {
    return await readWithoutFuture(store, key, open, signing);
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    const asideKey = damagedRunKey(runPrefix(key, open.snapshot, open.run), 'checkpoint');
    await setAside(store, error.key, asideKey);
    await store.delete(error.key);
    const named = { target: id, account: target.account };
    if (error instanceof OtherKeyError) log('warn', error.message, { hint: error.hint, ...named });
    else result.errors.push(describeSetAside(error, asideKey, log, named));
    return 'damaged';
  }
}

/**
 * Null: the open run is gone or cannot be continued, and a new one may start. `reported`: it was abandoned, which is an
 * error of this invocation; the new run starts in the next one.
 */
async function resumeRun(
  invocation: Invocation,
  task: ResolvedTask,
  state: TargetState,
  open: { snapshot: string; run: string },
): Promise<Checkpoint | null | 'reported'> {
  const { policy, store, log, scheduleMs, result, saveSchedule } = invocation;
  const { target, projectId, key, id } = task;
  const checkpoint = await readOrSetAside(invocation, task, open);
  if (checkpoint === 'damaged') {
    state.open = null;
    await endSeal(store, key, open);
    await saveSchedule();
    return policy.reportsStalls ? 'reported' : null;
  }
  const wanted = { scope: target.scopeOf(projectId), dataset: target.dataset };
  const reason =
    checkpoint && whyAbandon({ checkpoint, wanted, id, nowMs: store.nowMs(), scheduleMs });
  if (checkpoint && !reason) {
    const { snapshot, run, pageCount } = checkpoint;
    const named = { target: id, account: target.account };
    log('info', 'continuing an open run', { snapshot, run, pages: pageCount, ...named });
    return checkpoint;
  }
  state.open = null;
  if (!reason) return null;
  const { code, message, hint } = reason;
  log('error', message, { code, hint, target: id, account: target.account });
  if (code === 'RUN_ABANDONED') {
    state.abandoned = { snapshot: open.snapshot, atMs: Math.round(store.nowMs()) };
  }
  // Otherwise the next run would wait for the abandoned one to seal, and its parts would stay.
  await endSeal(store, key, open);
  if (!policy.reportsStalls || code !== 'RUN_ABANDONED') return null;
  // Stored before it is reported, so that it is reported once.
  await saveSchedule();
  result.errors.push(reason);
  return 'reported';
}

async function startRun(
  invocation: Invocation,
  task: ResolvedTask,
  state: TargetState,
): Promise<Checkpoint | null> {
  const { policy, store, log, scheduleMs, signing, saveSchedule } = invocation;
  const { target, projectId, key, id } = task;
  const names = await readNames(store, key, state.lastSealed ?? null);
  checkDataset(target, id, names);
  state.sealed = names.newest?.manifest.snapshot ?? null;
  if (policy.selects === 'due' && !isDue(state.sealed, store.nowMs(), scheduleMs)) {
    await saveSchedule();
    return null;
  }
  const startedAtMs = Math.round(store.nowMs());
  const wantedMs =
    policy.snapshotNamedBy === 'slot' ? slotMs(startedAtMs, scheduleMs) : startedAtMs;
  const snapshot = nameAfter(names, wantedMs);
  // A few seconds are normal: exports in quick succession take the next second.
  if ((snapshotTimeMs(names.newestName ?? '') ?? 0) > startedAtMs + minuteMs) {
    const message =
      "the newest snapshot is named after the store's time, so a clock was or is wrong; the new snapshot is named one second later";
    log('warn', message, { newest: names.newestName, snapshot, target: id });
  }
  const other = names.newest === null ? findOtherRegion(invocation.schedule, key) : null;
  if (other) log('warn', other.message, { hint: other.hint, target: id, account: target.account });
  const { name: dataset, schemaVersion } = target.dataset;
  const scope = target.scopeOf(projectId);
  const read = { dataset, schemaVersion, scope };
  const checkpoint = startCheckpoint({ target: key, ...read, snapshot, startedAtMs });
  const { run } = checkpoint;
  // The schedule before the checkpoint: a run without a checkpoint just starts, one without a schedule entry is lost.
  state.open = { snapshot, run };
  await saveSchedule();
  const existing = await readOrSetAside(invocation, task, state.open);
  if (existing && existing !== 'damaged') return existing;
  await putCheckpoint(store, key, checkpoint, signing);
  log('info', 'starting a new run', { snapshot, run, target: id, account: target.account });
  return checkpoint;
}

/** Throws ConfigError if the stored snapshots of the target are of another dataset: one table cannot have two sets of columns. */
function checkDataset({ dataset, account }: Target, id: string, { newest }: SnapshotNames): void {
  const stored = newest?.manifest.dataset ?? dataset.name;
  if (stored === dataset.name) return;
  throw configFault(
    'datasets',
    `${id} (account ${account}): the configuration asks for ${dataset.name}, but the stored snapshots of this table have ${stored}`,
    `Give ${dataset.name} another \`table\`, because the columns differ. Nothing was exported for this target.`,
  );
}

/** Null: it does not exist. Throws CorruptError. `signing`: as for decodeCheckpoint(). */
export async function readCheckpoint(
  store: Store,
  key: TargetKey,
  open: { snapshot: string; run: string },
  signing: StateKey | null = null,
): Promise<Checkpoint | null> {
  const objectKey = checkpointKey(runPrefix(key, open.snapshot, open.run));
  const bytes = await readState(store, objectKey);
  return bytes ? decodeCheckpoint(objectKey, bytes, signing) : null;
}

async function putCheckpoint(
  store: Store,
  target: TargetKey,
  checkpoint: Checkpoint,
  by: StateKey | null,
): Promise<void> {
  const key = checkpointKey(runPrefix(target, checkpoint.snapshot, checkpoint.run));
  const bytes = encodeCheckpoint(checkpoint, { key, by });
  await store.put(key, bytes, { durability: 'acknowledged' });
}

/**
 * As readCheckpoint. If its last page is of a time that is still to come, a clock was ahead: the page counts as stored now,
 * because otherwise the run would neither stall nor be abandoned for as long.
 */
async function readWithoutFuture(
  store: Store,
  key: TargetKey,
  open: { snapshot: string; run: string },
  signing: StateKey | null,
): Promise<Checkpoint | null> {
  const checkpoint = await readCheckpoint(store, key, open, signing);
  const nowMs = Math.round(store.nowMs());
  if (!checkpoint || checkpoint.lastPageAtMs <= nowMs + aheadMsMax) return checkpoint;
  const corrected = { ...checkpoint, lastPageAtMs: nowMs };
  await putCheckpoint(store, key, corrected, signing);
  return corrected;
}

/** Names of one target only increase, even within one second or after a clock that stepped back. No name is used twice. */
function nameAfter({ newestName, taken }: SnapshotNames, wantedMs: number): string {
  const afterMs = newestName === null ? 0 : (snapshotTimeMs(newestName) ?? 0) + 1_000;
  let timeMs = Math.max(wantedMs, afterMs);
  while (taken.includes(snapshotName(timeMs))) timeMs += 1_000;
  return snapshotName(timeMs);
}

/** Null: the run can be continued. */
function whyAbandon(context: {
  checkpoint: Checkpoint;
  wanted: { scope: Scope; dataset: Dataset };
  id: string;
  nowMs: number;
  scheduleMs: number;
}): ExportError | null {
  const { checkpoint, wanted, id, nowMs, scheduleMs } = context;
  const { snapshot, run, phase, lastPageAtMs, scope } = checkpoint;
  const isSameScope = stringifyCanonical(scope) === stringifyCanonical(wanted.scope);
  if (!isSameScope || checkpoint.dataset !== wanted.dataset.name) {
    return new ExportError(
      'SCOPE_CHANGED',
      `The open run ${snapshot} of ${id} (account ${scope.account}, run ${run}) is abandoned: the configuration now asks for another scope, other filters or another dataset.`,
      'A new run starts with the new scope. The abandoned run will not publish a snapshot.',
    );
  }
  if (checkpoint.schemaVersion !== wanted.dataset.schemaVersion) {
    return new ExportError(
      'SCHEMA_CHANGED',
      `The open run ${snapshot} of ${id} (account ${scope.account}, run ${run}) is abandoned: another version of cgs-export started it with other columns.`,
      'A new run starts with the columns of this version. The abandoned run will not publish a snapshot.',
    );
  }
  if (isFutureName(snapshot, nowMs) && phase === 'collecting') {
    return new ExportError(
      'RUN_ABANDONED',
      `The open run ${snapshot} of ${id} (run ${run}) is abandoned: it is named more than 24 hours after the store's time.`,
      'A clock was wrong when the run started: check the clocks of all hosts that export to this store. A new run starts.',
    );
  }
  const silentMs = nowMs - lastPageAtMs;
  if (silentMs > abandonAfterMs(scheduleMs) && phase === 'collecting') {
    return new ExportError(
      'RUN_ABANDONED',
      `The open run ${snapshot} of ${id} (account ${scope.account}, run ${run}) is abandoned: it received no page for ${Math.floor(silentMs / 3_600_000)} hours.`,
      'A new run starts with the newest slot. The earlier errors in the log show why no page arrived.',
    );
  }
  return null;
}
