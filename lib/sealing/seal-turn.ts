// Responsible for the order of two runs of one target that seal at the same time, which only happens if the lease failed.

import {
  checkpointKey,
  parseRunKey,
  runPrefix,
  sealingPrefix,
  sealRecordKey,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Clock, Log, Store } from '../core/ports.ts';
import { listSnapshots } from '../snapshots/catalog.ts';
import type { RunName } from './seal-record.ts';
import type { SnapshotNames } from './snapshot-names.ts';

/** A seal record older than this belongs to a run that was killed or abandoned, milliseconds. No wait is longer. */
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
  /** Called while another run must seal first, with the longest time until this run may seal, milliseconds. */
  onWait: (leftMs: number) => void;
}

/** A run that must seal first. */
export interface Rival extends RunName {
  /** It is not waited for any longer after this, milliseconds from now. */
  leftMs: number;
}

/**
 * Returns a function that waits until no other run of the target must seal first. Without this, both runs would name the same
 * manifest as their predecessor and fork the chain. Each run writes its own seal record before it lists the records, so at least
 * one of two runs sees the other. It is called right before the manifest, and also before the parts, so that they are not
 * written long before it. All its calls together wait for 10 minutes at most. `end`: what the caller's seal record is based on.
 * `changed`: another snapshot was sealed meanwhile, so that record may name the wrong predecessor.
 */
export function openTurn(
  { store, clock, log, keepAlive, mayWait, onWait }: TurnPorts,
  target: TargetKey,
  own: RunName,
  end: Pick<SnapshotNames, 'taken' | 'newestName'>,
): () => Promise<'mine' | 'changed' | 'paused'> {
  let waitedMs = 0;
  let isLogged = false;

  /** The store's time may step. The monotonic time bounds the wait. */
  async function wait(delayMs: number): Promise<void> {
    const startMonotonicMs = clock.monotonicMs();
    await keepAlive();
    await clock.sleep(delayMs);
    waitedMs += clock.monotonicMs() - startMonotonicMs;
  }

  return async () => {
    for (;;) {
      const rivals = await findRivals(store, target, own, end);
      // Listed after the records: a run whose record is missing there has sealed its snapshot by now.
      const sealedNow = await listSnapshots(store, target);
      if (sealedNow.length !== end.taken.length) return 'changed';
      const boundMs = recordLifeMs - waitedMs;
      const [rival] = rivals.sort((a, b) => b.leftMs - a.leftMs);
      if (!rival || boundMs <= 0) return 'mine';
      const leftMs = Math.min(rival.leftMs, boundMs);
      if (!isLogged) {
        const { snapshot, run } = rival;
        const message = `another run of this target must seal first: ${snapshot} (run ${run})`;
        const next = mayWait ? 'waiting' : 'the next invocation tries again';
        log('info', `${message}; ${next}, for at most ${Math.ceil(leftMs / 1_000)} s`);
      }
      isLogged = true;
      if (!mayWait) return 'paused';
      onWait(leftMs);
      await wait(Math.min(pollMs, leftMs));
    }
  };
}

/**
 * The runs that must seal before `own`. The older snapshot seals first. Exception: a younger run that may have looked before
 * the older record existed; it is given `manifestDelayMs` to finish. A run that is finished, overtaken or deleted, or whose
 * record is old, is not waited for.
 */
export async function findRivals(
  store: Store,
  target: TargetKey,
  own: RunName,
  { taken, newestName }: Pick<SnapshotNames, 'taken' | 'newestName'>,
): Promise<Rival[]> {
  const records = await store.list(sealingPrefix(target));
  const nowMs = store.nowMs();
  const ownKey = sealRecordKey(target, own.snapshot, own.run);
  const ownMs = records.find(({ key }) => key === ownKey)?.modifiedMs ?? nowMs;
  const rivals: Rival[] = [];
  for (const { key, modifiedMs } of records) {
    const other = parseRunKey(target, key);
    if (!other || key === ownKey) continue;
    const isOver = taken.includes(other.snapshot) || other.snapshot <= (newestName ?? '');
    // A time stamp far ahead comes from a clock that was wrong: such a record would block for as long as that.
    if (isOver || Math.abs(nowMs - modifiedMs) > recordLifeMs) continue;
    const isOlder =
      other.snapshot < own.snapshot || (other.snapshot === own.snapshot && other.run < own.run);
    const endMs = isOlder
      ? modifiedMs + recordLifeMs
      : modifiedMs <= ownMs
        ? ownMs + manifestDelayMs
        : nowMs;
    if (endMs <= nowMs) continue;
    // Without its checkpoint a run cannot be sealed: it was deleted.
    const checkpoint = checkpointKey(runPrefix(target, other.snapshot, other.run));
    if ((await store.list(checkpoint)).length > 0) rivals.push({ ...other, leftMs: endMs - nowMs });
  }
  return rivals;
}
