// Responsible for telling in `doctor` that a project already has snapshots under another region.

import { CorruptError, StoreError } from '../core/errors.ts';
import { scheduleKey, targetId } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readState } from '../core/state.ts';
import { findOtherRegion } from '../runs/other-region.ts';
import { knownProjectId } from '../runs/projects.ts';
import { decodeSchedule, type Schedule } from '../runs/schedule.ts';
import { type Check, warning } from './check-result.ts';
import type { ServiceTarget } from './target.ts';

/** One warning per target. Empty also if the schedule cannot be read: the check of the holds says that. */
export async function checkRegions(
  store: Store,
  targets: readonly ServiceTarget[],
): Promise<Check[]> {
  const schedule = await readScheduleOrNull(store);
  if (schedule === null) return [];
  return targets.flatMap((target) => {
    const { table, region, account } = target;
    const projectId = knownProjectId(target, schedule);
    const key = projectId === null ? null : { table, region, projectId };
    const found = key && findOtherRegion(schedule, key);
    if (!key || !found) return [];
    const subject = { check: 'region', account, target: targetId(key) } as const;
    return warning(subject, found.message, found.hint);
  });
}

async function readScheduleOrNull(store: Store): Promise<Schedule | null> {
  try {
    return decodeSchedule(await readState(store, scheduleKey));
  } catch (error) {
    if (error instanceof CorruptError || error instanceof StoreError) return null;
    throw error;
  }
}
