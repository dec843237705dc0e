// Responsible for the list of a whole store for `verify`, and for what it cannot show because folders may not be listed. It only
// reads.

import {
  manifestPrefix,
  parseManifestKey,
  parsePartKey,
  parsePointerKey,
  parseSignatureKey,
  parseTombstoneKey,
  type TargetKey,
} from '../core/object-keys.ts';
import type { IrregularEntry, OnRefused, Store, StoredObject } from '../core/ports.ts';
import type { Fault } from '../snapshots/catalog.ts';

export interface StoreList {
  objects: readonly StoredObject[];
  /** What cannot be an object. */
  irregular: readonly IrregularEntry[];
  /** The keys at which something is: objects, links, pipes and devices. */
  keys: readonly string[];
  /** Notes folders that later lists may not show. */
  onRefused: OnRefused;
  /** The folders that may not be listed, so far. */
  listRefused(): Fault[];
  /** Whether the key is below such a folder: if it is not in the list, it may exist all the same. */
  isHidden(key: string): boolean;
  /** Whether the manifests of the key's target are below such a folder: nothing is known of the target. */
  isTargetHidden(key: string): boolean;
}

/** Throws StoreError if the root may not be listed. */
export async function listStore(store: Store): Promise<StoreList> {
  const refused = new Map<string, Fault>();
  const onRefused: OnRefused = (key, { message, hint }) => {
    refused.set(key, { key, message: `is a folder that cannot be listed: ${message}`, hint });
  };
  const objects = await store.list('', onRefused);
  const irregular = (await store.listIrregular?.(onRefused)) ?? [];
  const special = irregular.filter(({ kind }) => kind === 'special');
  const isHidden = (key: string) => [...refused.keys()].some((one) => key.startsWith(`${one}/`));
  return {
    ...{ objects, irregular, onRefused, isHidden },
    keys: [...objects, ...special].map(({ key }) => key),
    listRefused: () => [...refused.values()],
    isTargetHidden(key) {
      const target = findTarget(key);
      return target !== null && isHidden(manifestPrefix(target));
    },
  };
}

/** The target that evidence or a part belongs to; null: none. */
function findTarget(key: string): TargetKey | null {
  const parsers = [parseManifestKey, parseSignatureKey, parseTombstoneKey, parsePartKey];
  const place = parsers.map((parse) => parse(key)).find((found) => found !== null);
  return place?.target ?? parsePointerKey(key);
}
