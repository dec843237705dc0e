// Responsible for finding the targets that a store holds.

import {
  manifestsPrefix,
  parseManifestKey,
  scheduleKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { decodeSchedule } from '../runs/schedule.ts';

/** Every target that has a snapshot or an entry in the schedule, each once, sorted by name. */
export async function findStoredTargets(store: Store): Promise<TargetKey[]> {
  const found = new Map<string, TargetKey>();
  for (const { key } of await store.list(manifestsPrefix)) {
    const place = parseManifestKey(key);
    if (place) found.set(targetId(place.target), place.target);
  }
  for (const id of Object.keys(decodeSchedule(await store.get(scheduleKey)).targets)) {
    const [, table, region, projectId] = /^([^/]+)\/rgn=([^/]+)\/prj=([^/]+)$/.exec(id) ?? [];
    if (table && region && projectId) found.set(id, { table, region, projectId });
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
}
