// Owns which run a target goes on with: the open one, or a new one under the right name. Refuses to advance it.

import { ExportError } from '../core/errors.ts';
import { stringifyCanonical } from '../core/exact-json.ts';
import {
  checkpointKey,
  runPrefix,
  sealRecordKey,
  snapshotName,
  snapshotTimeMs,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  runId,
  startCheckpoint,
} from '../reading/checkpoint.ts';
import type { Scope } from '../reading/evidence.ts';
import { listSnapshots } from '../snapshots/catalog.ts';
import type { CollectMode, CollectPorts, CollectResult, KnownWork } from './invocation.ts';
import {
  abandonAfterMs,
  type Schedule,
  slotMs,
  type TargetState,
  targetStateOf,
} from './schedule.ts';

/** Whether a slot has begun since the newest snapshot. */
export function isDue({ store, scheduleMs }: CollectPorts, state: TargetState): boolean {
  return state.sealed === null || snapshotName(slotMs(store.nowMs(), scheduleMs)) > state.sealed;
}

/** The checkpoint to go on from; null if the target turns out to have nothing to do now. */
export async function openRun(
  mode: CollectMode,
  ports: CollectPorts,
  schedule: Schedule,
  work: KnownWork,
  result: CollectResult,
  saveSchedule: () => Promise<void>,
): Promise<Checkpoint | null> {
  const { store, log, scheduleMs } = ports;
  const { target, projectId, key, id } = work;
  const scope = target.scopeOf(projectId);
  const state = targetStateOf(schedule, id);
  schedule.targets[id] = state;
  if (state.open) {
    const checkpoint = await readCheckpoint(store, key, state.open);
    const refusal = checkpoint ? whyNotResume(ports, checkpoint, scope, id) : null;
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
    }
    // Whoever seals next must not wait for a run that is given up.
    if (refusal) await store.delete(sealRecordKey(key, state.open.snapshot, state.open.run));
    state.open = null;
    // A command starts anew at once, so there is nothing left to do; a timer tells it, and stored before: once.
    if (mode === 'timer' && refusal?.code === 'RUN_ABANDONED') {
      await saveSchedule();
      result.errors.push(refusal);
      return null;
    }
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

/** Null: it is gone. Throws CorruptError. */
export async function readCheckpoint(
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
  id: string,
): ExportError | null {
  const { snapshot, run } = checkpoint;
  if (stringifyCanonical(checkpoint.scope) !== stringifyCanonical(scope)) {
    return new ExportError(
      'SCOPE_CHANGED',
      `The open run ${snapshot} of ${id} (run ${run}) is abandoned: the configuration asks for another scope or other filters than it began with.`,
      'A new run starts with the new scope. What the old one had not published by now, it never will.',
    );
  }
  const silentMs = store.nowMs() - checkpoint.lastPageAtMs;
  if (silentMs > abandonAfterMs(scheduleMs) && checkpoint.phase === 'collecting') {
    return new ExportError(
      'RUN_ABANDONED',
      `The open run ${snapshot} of ${id} (run ${run}) is abandoned: it got no page for ${Math.round(silentMs / 3_600_000)} hours.`,
      'A new run starts with the newest slot. See the errors logged before for why no page came.',
    );
  }
  return null;
}
