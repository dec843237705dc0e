// Owns that a run without pages is told, once a stall: what passes by itself is never told otherwise, and may go on until the run
// is given up. Refuses to mend it.

import { ExportError, StoreError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { CollectPorts, CollectResult, Work } from './invocation.ts';
import { readCheckpoint } from './open-run.ts';
import { type Schedule, stallAfterMs, type TargetState, targetStateOf } from './schedule.ts';

/** Whether a target has, as far as the schedule knows, a stall that nobody was told of. */
export function isSilent(
  { store, quota }: CollectPorts,
  state: TargetState,
): state is TargetState & { open: object } {
  const { open, silentSinceMs, stalledSinceMs } = state;
  if (open === null || silentSinceMs === undefined || silentSinceMs === stalledSinceMs)
    return false;
  return store.nowMs() - silentSinceMs > stallAfterMs(quota.windowMs);
}

/** Tells a run that got no page for long, once. */
export async function noteStall(
  ports: CollectPorts,
  schedule: Schedule,
  work: Work,
  { lastPageAtMs, phase, snapshot, run }: Checkpoint,
  result: CollectResult,
  saveSchedule: () => Promise<void>,
): Promise<void> {
  const { store, quota, log } = ports;
  if (phase !== 'collecting') return;
  const state = targetStateOf(schedule, work.id);
  const silentMs = store.nowMs() - lastPageAtMs;
  if (state.open === null || state.stalledSinceMs === lastPageAtMs) return;
  if (silentMs <= stallAfterMs(quota.windowMs)) return;
  const stalled = new ExportError(
    'RUN_STALLED',
    `The open run ${snapshot} of ${work.id} (run ${run}) got no page for ${Math.round(silentMs / 60_000)} minutes.`,
    'It goes on by itself as soon as one comes. See what was logged before: is it throttled, somebody else uses the key or the address; does nothing answer, check the network of the function.',
  );
  schedule.targets[work.id] = {
    ...state,
    silentSinceMs: lastPageAtMs,
    stalledSinceMs: lastPageAtMs,
  };
  // Stored before it is told: told twice would be an alarm a minute.
  await saveSchedule();
  result.errors.push(stalled);
  log('error', stalled.message, { code: stalled.code, hint: stalled.hint, target: work.id });
}

/** Of targets that are held off, too: nobody tries them. One that cannot be read is told where it is tried. */
export async function noteSilent(
  ports: CollectPorts,
  schedule: Schedule,
  work: Work,
  result: CollectResult,
  saveSchedule: () => Promise<void>,
): Promise<void> {
  const state = targetStateOf(schedule, work.id);
  if (!isSilent(ports, state)) return;
  try {
    const checkpoint = await readCheckpoint(ports.store, work.key, state.open);
    // A page may have come since.
    state.silentSinceMs = checkpoint?.phase === 'collecting' ? checkpoint.lastPageAtMs : undefined;
    if (!checkpoint || !isSilent(ports, state)) await saveSchedule();
    else await noteStall(ports, schedule, work, checkpoint, result, saveSchedule);
  } catch (error) {
    if (!(error instanceof ExportError) || error instanceof StoreError) throw error;
  }
}
