// Responsible for reading the schedule from the store.

import { scheduleKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readState } from '../core/state.ts';
import { decodeSchedule, type Schedule } from './schedule.ts';

/** An empty schedule if there is none. Throws CorruptError if it is damaged, and StoreError. */
export async function readSchedule(store: Store): Promise<Schedule> {
  return decodeSchedule(await readState(store, scheduleKey));
}
