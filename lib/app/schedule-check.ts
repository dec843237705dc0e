// Responsible for the checks of `doctor` that need the schedule. It is read once, and not changed.

import { CorruptError, StoreError } from '../core/errors.ts';
import { scheduleKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readSchedule } from '../runs/stored-schedule.ts';
import { type Check, failed, skipped } from './check-result.ts';
import { checkHolds } from './hold-check.ts';
import { checkRegions } from './region-check.ts';
import type { ServiceTarget } from './target.ts';

/** At least one check. A schedule that cannot be read is one failed or skipped check. */
export async function checkSchedule(
  store: Store,
  targets: readonly ServiceTarget[],
): Promise<Check[]> {
  try {
    const schedule = await readSchedule(store);
    const holds = checkHolds(schedule, targets, store.nowMs());
    return [...holds, ...checkRegions(schedule, targets)];
  } catch (error) {
    if (error instanceof CorruptError) return [failed({ check: 'hold' }, error)];
    if (!(error instanceof StoreError)) throw error;
    return [
      skipped({ check: 'hold' }, `${scheduleKey} cannot be read: see the checks of the store`),
    ];
  }
}
