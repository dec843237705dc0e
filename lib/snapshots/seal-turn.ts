// Responsible for the order of two runs of one target that seal at the same time, which only happens if the lease failed.

import { parseRunKey, sealingPrefix, sealRecordKey, type TargetKey } from '../core/object-keys.ts';
import type { Clock, Log, Store, StoredObject } from '../core/ports.ts';
import { listSnapshots } from './catalog.ts';

/** A seal record older than this belongs to a run that was killed or abandoned, milliseconds. */
const recordLifeMs = 10 * 60_000;
/** A manifest whose PUT was under way when a seal record was written is visible after this, or never, milliseconds. */
const manifestDelayMs = 20_000;
/** How often a command looks whether its turn has come, milliseconds. */
const pollMs = 1_000;

export interface TurnPorts {
  store: Store;
  clock: Clock;
  log: Log;
  keepAlive: () => Promise<void>;
  /** False: an invocation that is billed while it waits returns `paused` instead. */
  mayWait: boolean;
}

/**
 * Waits until no other run of the target must seal first. Without this, both runs would name the same manifest as their
 * predecessor and fork the chain. Each run writes its own seal record before it lists the records, so at least one of two
 * runs sees the other. The older snapshot seals first. Exception: a younger run that may have looked before the older
 * record existed; it is given `manifestDelayMs` to finish.
 *
 * `sealedBefore`: the sealed snapshots, oldest first, that the caller's seal record is based on.
 * `changed`: another snapshot was sealed meanwhile, so that record may name the wrong predecessor.
 */
export async function waitForTurn(
  { store, clock, log, keepAlive, mayWait }: TurnPorts,
  target: TargetKey,
  own: { snapshot: string; run: string },
  sealedBefore: readonly string[],
): Promise<'mine' | 'changed' | 'paused'> {
  const newest = sealedBefore[sealedBefore.length - 1] ?? '';
  const ownKey = sealRecordKey(target, own.snapshot, own.run);
  let isLogged = false;
  for (;;) {
    const records = await store.list(sealingPrefix(target));
    // Listed after the records: a run whose record is missing here has sealed its snapshot by now.
    const sealedNow = await listSnapshots(store, target);
    if (sealedNow.length !== sealedBefore.length) return 'changed';
    const nowMs = store.nowMs();
    const ownMs = records.find(({ key }) => key === ownKey)?.modifiedMs ?? nowMs;
    const mustGoFirst = ({ key, modifiedMs }: StoredObject) => {
      const other = parseRunKey(target, key);
      if (!other || key === ownKey || other.snapshot <= newest) return false;
      // As far in the future: it was written while a clock was ahead.
      if (Math.abs(nowMs - modifiedMs) > recordLifeMs) return false;
      const isOlder =
        other.snapshot < own.snapshot || (other.snapshot === own.snapshot && other.run < own.run);
      return isOlder || (modifiedMs <= ownMs && nowMs < ownMs + manifestDelayMs);
    };
    if (!records.some(mustGoFirst)) return 'mine';
    if (!mayWait) return 'paused';
    if (!isLogged)
      log('info', 'another run of this target is sealing; waiting until it has finished');
    isLogged = true;
    await keepAlive();
    await clock.sleep(pollMs);
  }
}
