// Responsible for how long ago an entry of the quota ledger was written. Each clock that could tell may be wrong, so every
// answer is an age that the entry has reached for certain. Why: docs/design/quota.md, "Clocks". Pure.

import type { Stamp } from './ledger-entry.ts';

/** Store times of a host or server can be this far ahead of what this process knows of them, milliseconds. */
const aheadMs = 5_000;

/** What a process knows when it reads the ledger. */
export interface Reader {
  monotonicMs: number;
  /** Store time. */
  nowMs: number;
  /** `store`: nowMs is a clock of the store's own. `server`, `host`: as in FileClock. */
  clock: 'store' | 'server' | 'host';
  /** As Host.boot. */
  boot: string | null;
  /** An entry by the store's own clock that is later than this from now is void, milliseconds. */
  aheadMsMax: number;
  /** Since when this process knows the entry, monotonic time. */
  knownSinceMs: number;
}

/** Milliseconds, negative if the entry is in the future; null: void, because no clock of the store can have shown its time. */
export function ageOf({ writtenMs, modifiedMs, writer }: Stamp, reader: Reader): number | null {
  const { monotonicMs, nowMs, clock, boot, aheadMsMax } = reader;
  const ofThisBoot = writer !== null && writer.boot === boot ? writer : null;
  // A time that is still to come was not of this boot: a machine was resumed from an image of itself.
  if (ofThisBoot && ofThisBoot.monotonicMs <= monotonicMs + 1) {
    return monotonicMs - ofThisBoot.monotonicMs;
  }
  // Another process's idea of the store's time may be wrong: on a file system the time stamp of the file counts.
  const byStoreMs = nowMs - (writer ? latestMs(modifiedMs) : writtenMs);
  if (clock === 'store' || boot === null) return byStoreMs < -aheadMsMax ? null : byStoreMs;
  const knownMs = monotonicMs - reader.knownSinceMs;
  if (clock === 'server') {
    return byStoreMs < -aheadMsMax ? null : Math.max(knownMs, byStoreMs);
  }
  // The entry is from before this boot, or from another host that writes to a disk of this one. In the first case it is
  // older than this boot, whatever the clock says; in the second one the clock of this host stamped it.
  const sinceBootMs = monotonicMs;
  const isStepped = byStoreMs < -aheadMs;
  return Math.max(knownMs, isStepped ? sinceBootMs : Math.min(sinceBootMs, byStoreMs));
}

/** Some file systems keep whole seconds only, rounded down. */
function latestMs(modifiedMs: number): number {
  return modifiedMs % 1_000 === 0 ? modifiedMs + 999 : modifiedMs;
}
