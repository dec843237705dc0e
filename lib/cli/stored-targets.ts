// Owns reading a store by its address alone: which it is and what it holds. Refuses keys and regions.

import { connect } from '../app/connect.ts';
import { configFromFlags } from '../config/flags.ts';
import {
  manifestsPrefix,
  parseManifestKey,
  scheduleKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { decodeSchedule } from '../runs/schedule.ts';
import type { TargetOptions } from './options.ts';
import { toConfigFlags } from './options.ts';
import type { Session } from './session.ts';

/** Throws ConfigError, also where a bucket asks for a key and there is none. */
export function openStoreByFlags(options: TargetOptions, { world, log, scrubber }: Session): Store {
  const flags = { region: 'cn-south-4', ...toConfigFlags(options) };
  const config = configFromFlags(flags, world.env, world.cwd, { needs: 'store' });
  return connect(config, { log, scrubber }).store;
}

/** Every target that has a snapshot or an open run, by name. */
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
