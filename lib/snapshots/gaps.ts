// Responsible for the missed slots of a target: periods in which a snapshot was due and none is named. Pure.

import { snapshotName, snapshotTimeMs } from '../core/object-keys.ts';

/** Slots in a row without a snapshot. `from` and `to`: the names of the first and the last of them. */
export interface Gap {
  from: string;
  to: string;
  slots: number;
}

/** Which slots count: those that begin from `sinceMs` to `untilMs`, inclusive. Milliseconds. */
interface SlotBounds {
  sinceMs: number;
  untilMs: number;
}

/**
 * The gaps between snapshots, and after the newest one up to the last slot that is over. `snapshots`: oldest first. How long a
 * slot is, is what the snapshot before the gap says.
 */
export function findGaps(
  snapshots: readonly { snapshot: string; scheduleSeconds: number }[],
  nowMs: number,
  { sinceMs, untilMs }: SlotBounds = { sinceMs: -Infinity, untilMs: Infinity },
): Gap[] {
  return snapshots.flatMap(({ snapshot, scheduleSeconds }, index) => {
    const slotMs = scheduleSeconds * 1_000;
    if (slotMs <= 0) return [];
    const slotOf = (timeMs: number) => Math.floor(timeMs / slotMs);
    const next = snapshots[index + 1];
    const nextMs = next ? snapshotTimeMs(next.snapshot) : nowMs;
    const first = Math.max(slotOf(snapshotTimeMs(snapshot) ?? 0) + 1, Math.ceil(sinceMs / slotMs));
    const last = Math.min(slotOf(nextMs ?? 0) - 1, slotOf(untilMs));
    if (first > last) return [];
    const nameOf = (slot: number) => snapshotName(slot * slotMs);
    return [{ from: nameOf(first), to: nameOf(last), slots: last - first + 1 }];
  });
}
