// Responsible for looking at the stored schedule once per invocation. An instance that finds the bytes of its last look does not
// decode them again.

import { scheduleKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readState } from '../core/state.ts';
import type { ScheduleView, Target } from './invocation.ts';
import { listTasks } from './projects.ts';
import { decodeSchedule } from './schedule.ts';

/** Returns a function that reads the schedule. It throws CorruptError and StoreError. */
export function openScheduleView(
  store: Store,
  targets: readonly Target[],
): () => Promise<ScheduleView> {
  let seen: { bytes: Uint8Array; view: ScheduleView } | null = null;
  return async () => {
    const bytes = await readState(store, scheduleKey);
    if (seen && bytes && Buffer.compare(bytes, seen.bytes) === 0) return seen.view;
    const schedule = decodeSchedule(bytes);
    const view = { schedule, tasks: listTasks({ targets, schedule }) };
    seen = bytes && { bytes, view };
    return view;
  };
}
