// Responsible for the stored targets: which ones a store has, and which of them a configuration covers.

import type { TargetKey } from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import { findNewest, listTargets } from '../snapshots/catalog.ts';

export interface StoredTarget extends TargetKey {
  /** Of the newest snapshot; null: no manifest can be read. */
  account: string | null;
  /** The list was filtered when the newest snapshot was read. */
  isFiltered: boolean;
  /** Of the newest snapshot; null: no manifest can be read. */
  dataset: string | null;
}

/** A target of the configuration. */
export interface ConfiguredTarget {
  account: string;
  table: string;
  region: string;
  /** Null: IAM is asked for it. */
  projectId: string | null;
}

const readsMax = 8;

/** By name. `isListed`: the others are left out, and their manifests are not read. */
export async function listStoredTargets(
  store: Store,
  isListed: (target: TargetKey) => boolean = () => true,
): Promise<StoredTarget[]> {
  const targets = [...(await listTargets(store)).values()].filter(isListed);
  return mapParallel(targets, readsMax, async (target) => {
    const newest = await findNewest(store, target);
    const scope = newest?.manifest.scope;
    const isFiltered = Object.keys(scope?.filters ?? {}).length > 0;
    const dataset = newest?.manifest.dataset ?? null;
    return { ...target, account: scope?.account ?? null, isFiltered, dataset };
  });
}

export function isConfigured(
  stored: StoredTarget,
  configured: readonly ConfiguredTarget[],
): boolean {
  return configured.some(
    ({ account, table, region, projectId }) =>
      table === stored.table &&
      region === stored.region &&
      (projectId === null ? account === stored.account : projectId === stored.projectId),
  );
}
