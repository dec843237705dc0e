// Owns that a target which is tried in vain is told, once a stall: what passes by itself is never told otherwise, and may go on
// until the run is given up. Refuses to mend it.

import { ExportError, StoreError } from '../core/errors.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { CollectPorts, CollectResult, Work } from './invocation.ts';
import { readCheckpoint } from './open-run.ts';
import { type Schedule, stallAfterMs, type TargetState, targetStateOf } from './schedule.ts';

/** Whether there is, as far as the schedule knows, a stall that nobody was told of. */
export function isSilent({ store, quota }: CollectPorts, state: TargetState): boolean {
  const { silentSinceMs, stalledSinceMs } = state;
  if (silentSinceMs === undefined || silentSinceMs === stalledSinceMs) return false;
  return store.nowMs() - silentSinceMs > stallAfterMs(quota.windowMs);
}

/** Whether that is news. From the first time in vain, not from the last page: whoever waits for its turn is not silent. */
export function beginSilence(state: TargetState, lastPageAtMs: number, nowMs: number): boolean {
  const { silentSinceMs } = state;
  if (silentSinceMs !== undefined && silentSinceMs >= lastPageAtMs) return false;
  state.silentSinceMs = Math.round(nowMs);
  return true;
}

/** Of a target that was tried in vain in this invocation; `checkpoint` null: its project could not be asked. */
export async function noteStall(
  ports: CollectPorts,
  schedule: Schedule,
  work: Work,
  checkpoint: Checkpoint | null,
  result: CollectResult,
  saveSchedule: () => Promise<void>,
): Promise<void> {
  const { store, log } = ports;
  if (checkpoint && checkpoint.phase !== 'collecting') return;
  const state = targetStateOf(schedule, work.id);
  schedule.targets[work.id] = state;
  if (beginSilence(state, checkpoint?.lastPageAtMs ?? 0, store.nowMs())) {
    await saveSchedule();
    return;
  }
  if (!isSilent(ports, state)) return;
  const minutes = Math.round((store.nowMs() - (state.silentSinceMs ?? 0)) / 60_000);
  const stalled = describeStall(work, checkpoint, minutes);
  state.stalledSinceMs = state.silentSinceMs;
  // Stored before it is told: told twice would be an alarm a minute.
  await saveSchedule();
  result.errors.push(stalled);
  log('error', stalled.message, { code: stalled.code, hint: stalled.hint, target: work.id });
}

function describeStall(work: Work, checkpoint: Checkpoint | null, minutes: number): ExportError {
  if (checkpoint) {
    const { snapshot, run } = checkpoint;
    return new ExportError(
      'RUN_STALLED',
      `The open run ${snapshot} of ${work.id} (run ${run}) got no page for ${minutes} minutes.`,
      'It goes on by itself as soon as one comes. See what was logged before: is it throttled, somebody else uses the key or the address; does nothing answer, check the network of the function.',
    );
  }
  const { table, region, account } = work.target;
  return new ExportError(
    'RUN_STALLED',
    `No run of ${table} in ${region} (account ${account}) can begin: IAM could not be asked for its project for ${minutes} minutes.`,
    "It begins by itself as soon as IAM answers. See what was logged before, and check the function's way to iamEndpoint (a VPC needs a NAT gateway for it). Or set the target's projectId: then it is not asked.",
  );
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
    const { open } = state;
    const checkpoint = open && work.key && (await readCheckpoint(ports.store, work.key, open));
    if (isInVain(work, state, checkpoint)) {
      await noteStall(ports, schedule, work, checkpoint, result, saveSchedule);
      return;
    }
    state.silentSinceMs = undefined;
    await saveSchedule();
  } catch (error) {
    if (!(error instanceof ExportError) || error instanceof StoreError) throw error;
  }
}

/** A page may have come since, or the run may be gone. */
function isInVain(work: Work, state: TargetState, checkpoint: Checkpoint | null): boolean {
  if (work.projectId === null) return true;
  return (
    checkpoint?.phase === 'collecting' && checkpoint.lastPageAtMs <= (state.silentSinceMs ?? 0)
  );
}
