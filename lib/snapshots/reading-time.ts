// Responsible for when the rows of a snapshot were read. A timer names a snapshot by the start of its schedule slot: if the timer was
// late, or other targets came first, the rows were read later than the name says. Pure.

import { snapshotTimeMs } from '../core/object-keys.ts';
import { formatTime } from '../core/time-text.ts';
import type { Manifest } from './manifest.ts';

/** A timer that fires each minute starts within it. */
const promptMs = 60_000;

export type ReadManifest = Pick<Manifest, 'snapshot' | 'startedAt' | 'sealedAt'>;

/** True: all rows were read at least a minute after `timeMs`, or after the time in the name. */
export function isReadAfter(
  { snapshot, startedAt }: ReadManifest,
  timeMs = snapshotTimeMs(snapshot) ?? 0,
): boolean {
  return Date.parse(startedAt) - timeMs >= promptMs;
}

/** `from 2026-11-24T09:12:08Z to 2026-11-24T09:21:40Z`, in UTC. */
export function describeReading({ startedAt, sealedAt }: ReadManifest): string {
  return `from ${formatTime(Date.parse(startedAt))} to ${formatTime(Date.parse(sealedAt))}`;
}
