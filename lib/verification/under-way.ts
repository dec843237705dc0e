// Responsible for the seals that are under way, as their records say: what they explain is neither proven nor a fault. It only
// reads.

import {
  headKey,
  isFutureName,
  parseRunKey,
  sealingPrefix,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { underWayMs } from '../sealing/chain-end.ts';
import { readSealRecord } from '../sealing/seal-record.ts';
import { decodePointerOrNull } from '../snapshots/manifest.ts';

export type SealsUnderWay = ReturnType<typeof openSealsUnderWay>;

/** `lastSealed`: of a target; its seals are over up to there. Null: not known. */
export function openSealsUnderWay(store: Store, lastSealed: (target: TargetKey) => string | null) {
  const known = new Map<string, Promise<(readonly string[])[]>>();

  async function readParts(target: TargetKey, snapshot: string): Promise<(readonly string[])[]> {
    const lists: (readonly string[])[] = [];
    if (snapshot <= (lastSealed(target) ?? '')) return lists;
    // No later seal gets a newer name. So its parts would never be a fault as long as another person renews its record.
    if (isFutureName(snapshot, store.nowMs())) return lists;
    for (const { key, modifiedMs } of await store.list(sealingPrefix(target))) {
      const run = parseRunKey(target, key);
      if (run?.snapshot !== snapshot || modifiedMs <= store.nowMs() - underWayMs) continue;
      const record = await readSealRecord(store, target, run);
      if (record) lists.push(record.parts);
    }
    return lists;
  }

  return {
    /** The part keys in each seal record of this snapshot. Empty: no seal of it is under way. */
    partsOf(target: TargetKey, snapshot: string): Promise<(readonly string[])[]> {
      const name = `${sealingPrefix(target)}${snapshot}`;
      const found = known.get(name) ?? readParts(target, snapshot);
      known.set(name, found);
      return found;
    },
    /** Once `_head` names the snapshot or a newer one, its seal is over. `head`: the bytes of `_head`; null: there is none. */
    isNewerThanHead(target: TargetKey, snapshot: string, head: Uint8Array | null): boolean {
      if (!head) return true;
      const pointer = decodePointerOrNull(target, headKey(target), head);
      if (!pointer) return false;
      return snapshot > pointer.snapshot || isFutureName(pointer.snapshot, store.nowMs());
    },
  };
}
