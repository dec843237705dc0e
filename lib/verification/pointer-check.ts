// Responsible for checking `_head` and `_latest` against the chain that they point into. Pure.

import { CorruptError } from '../core/errors.ts';
import { manifestKey, type TargetKey } from '../core/object-keys.ts';
import { type Fault, toFault } from '../snapshots/catalog.ts';
import {
  findChainEnd,
  findComplete,
  findPredecessor,
  type TargetChain,
} from '../snapshots/chain.ts';
import {
  decodePointer,
  decodePointerOrNull,
  encodePointer,
  type Pointer,
  pointerHint,
  pointerTo,
  restoreHint,
  type SealedSummary,
} from '../snapshots/manifest.ts';

/** A pointer as it was read; `bytes` null: it does not exist. */
export interface StoredPointer {
  key: string;
  bytes: Uint8Array | null;
}

export interface PointerCheck {
  faults: readonly Fault[];
  /** Not null: the pointers are right if this snapshot is being sealed, because they are exactly one snapshot behind. */
  ifUnderWay: { snapshot: string; faults: readonly Fault[] } | null;
}

/** `_head` must name the end of the chain, and `_latest` its newest complete snapshot. `nowMs`: the store's time. */
export function checkPointers(
  chain: TargetChain,
  { head, latest }: { head: StoredPointer; latest: StoredPointer },
  nowMs: number,
): PointerCheck {
  const end = findChainEnd(chain, nowMs);
  const complete = findComplete(chain, end);
  const what = { head: 'the newest snapshot', latest: 'the newest complete snapshot' };
  const headFaults = checkPointer(chain, head, { expected: end, what: what.head, witness: null });
  const latestFaults = checkPointer(chain, latest, {
    ...{ expected: complete, what: what.latest },
    witness: head.bytes && decodePointerOrNull(chain.target, head.key, head.bytes),
  });
  const faults = [...headFaults, ...latestFaults];
  const before = end && findPredecessor(chain, end);
  const isHeadBehind = end !== null && isPointerTo(head, before);
  if (faults.length === 0 || !isHeadBehind) return { faults, ifUnderWay: null };
  const isLatestBehind = isPointerTo(latest, findComplete(chain, before));
  const rest = latestFaults.length === 0 || isLatestBehind ? [] : latestFaults;
  return { faults, ifUnderWay: { snapshot: end.manifest.snapshot, faults: rest } };
}

function isPointerTo({ bytes }: StoredPointer, sealed: SealedSummary | null): boolean {
  if (!bytes || !sealed) return !bytes && !sealed;
  return Buffer.compare(bytes, encodePointer(pointerTo(sealed))) === 0;
}

function checkPointer(
  { target, found, sealed, newer }: TargetChain,
  { key, bytes }: StoredPointer,
  {
    expected,
    what,
    witness,
  }: { expected: SealedSummary | null; what: string; witness: Pointer | null },
): Fault[] {
  const faultOf = (message: string): Fault[] => [{ key, message, hint: pointerHint(key) }];
  if (!bytes) {
    if (!expected) return [];
    // Which snapshot it should name is known only if all manifests were read.
    const named = newer.size > 0 ? what : `${what}, ${expected.manifest.snapshot}`;
    return faultOf(`is missing: it should name ${named}`);
  }
  const decoded = decodeOrFault(target, key, bytes);
  if ('fault' in decoded) return [decoded.fault];
  const { snapshot, manifestSha256 } = decoded.pointer;
  const named = manifestKey(target, snapshot);
  const hash = found.get(named);
  // The manifest exists but cannot be read: it is listed as not checked.
  if (hash === null) return [];
  if (hash === undefined) {
    return [{ key: named, message: `is missing: ${key} names it`, hint: restoreHint }];
  }
  if (hash !== manifestSha256) {
    // If others confirm the manifest as it is, the pointer was altered, not the manifest.
    const others = [witness, ...[...sealed.values()].map(({ manifest }) => manifest.previous)];
    if (others.some((one) => one?.snapshot === snapshot && one.manifestSha256 === hash)) {
      return faultOf(`has another hash of ${named} than the chain: it was altered`);
    }
    const message = `was altered: ${key} recorded another hash of it`;
    return [{ key: named, message, hint: restoreHint }];
  }
  // What the manifest says is not known, and its own finding says so.
  if (newer.has(snapshot)) return [];
  if (snapshot !== expected?.manifest.snapshot) {
    return faultOf(`names ${snapshot}, but ${what} is ${expected?.manifest.snapshot ?? 'none'}`);
  }
  if (isPointerTo({ key, bytes }, expected)) return [];
  return faultOf(
    `does not match ${named}, which it names: it was altered, or another program wrote it`,
  );
}

function decodeOrFault(target: TargetKey, key: string, bytes: Uint8Array) {
  try {
    return { pointer: decodePointer(target, key, bytes) };
  } catch (error) {
    if (error instanceof CorruptError) return { fault: toFault(error) };
    throw error;
  }
}
