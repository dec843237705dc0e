// Responsible for pins: hashes of manifests that are kept outside the store, as one JSON line per target. Pure. Not responsible
// for where they are kept.

import * as v from 'valibot';
import { manifestKey, snapshotTimeMs, targetId } from '../core/object-keys.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { findChainEnd, listChain, type TargetChain } from '../snapshots/chain.ts';

const text = v.pipe(v.string(), v.nonEmpty());
const pinShape = v.object({
  account: v.optional(v.string(), ''),
  table: text,
  region: text,
  projectId: text,
  snapshot: v.pipe(
    v.string(),
    v.check((name) => snapshotTimeMs(name) !== null),
  ),
  manifestSha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});

/** The newest manifest of a target that `verify` has seen. `account` is for people. */
export type Pin = v.InferOutput<typeof pinShape>;

/** The chain of each target that has manifests, by targetId(). */
type Chains = ReadonlyMap<string, TargetChain>;

/** Returns what is wrong, for people, if the bytes are not pins: for example `line 2 is not a pin`. */
export function decodePins(bytes: Uint8Array): readonly Pin[] | string {
  const lines = Buffer.from(bytes).toString().split('\n');
  // Each line ends with a line feed, so that a shortened file is noticed.
  if (lines.pop() !== '' || lines.length === 0) return 'is empty or ends in the middle of a line';
  const pins = new Map<string, Pin>();
  for (const [index, line] of lines.entries()) {
    const pin = v.safeParse(v.pipe(v.string(), v.parseJson(), pinShape), line);
    if (!pin.success) return `has a line ${index + 1} that is not a pin`;
    const id = targetId(pin.output);
    if (pins.has(id)) return `has a line ${index + 1} for a target that an earlier line has`;
    pins.set(id, pin.output);
  }
  return [...pins.values()];
}

/** In the order of the targets. */
export function encodePins(pins: readonly Pin[]): Uint8Array {
  const sorted = [...pins].sort((a, b) => compareUtf8(targetId(a), targetId(b)));
  const lines = sorted.map(({ account, table, region, projectId, snapshot, manifestSha256 }) =>
    JSON.stringify({ account, table, region, projectId, snapshot, manifestSha256 }),
  );
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

/** Every pin must be in the chain of its target, with its hash. `nowMs`: the store's time. */
export function checkPins(pins: readonly Pin[], chains: Chains, nowMs: number): Fault[] {
  return pins.flatMap((pin) => {
    const chain = chains.get(targetId(pin));
    const key = manifestKey(pin, pin.snapshot);
    const message = chain ? findPinFault(pin, chain, nowMs) : `is missing, ${goneTarget}`;
    return message === null ? [] : [{ key, message, hint: pinHint }];
  });
}

const goneTarget = 'with all manifests of its target: a pin names it';
const pinHint =
  'Restore the store from a version in the bucket or from a backup. Only if the snapshots were removed on purpose: remove the line of this target from the pins, and note why.';

function findPinFault(pin: Pin, chain: TargetChain, nowMs: number): string | null {
  const { snapshot, manifestSha256 } = pin;
  const hash = chain.found.get(manifestKey(pin, snapshot));
  // It exists but cannot be read: it is listed already.
  if (hash === null) return null;
  if (hash === undefined) {
    return 'is missing: a pin names it. The history was set back or replaced';
  }
  if (hash !== manifestSha256) return 'was altered or replaced: a pin has another hash of it';
  const listed = listChain(chain, nowMs).map(({ manifest }) => manifest);
  const isInChain = listed.some((manifest) => manifest.snapshot === snapshot);
  // Not known: what a manifest of a newer version names as its predecessor. Its own finding says so.
  const before = listed.at(-1)?.previous?.snapshot ?? '';
  if (chain.newer.has(snapshot) || chain.newer.has(before)) return null;
  return isInChain
    ? null
    : 'is no longer in the chain of its target: a pin names it, but the newest manifest does not lead to it';
}

/** The newest manifest of each target. */
export function listNewest(chains: Chains, nowMs: number): Pin[] {
  return [...chains.values()].flatMap((chain) => {
    const end = findChainEnd(chain, nowMs);
    if (!end) return [];
    const { snapshot, scope } = end.manifest;
    const { manifestSha256 } = end;
    return [{ account: scope.account, ...chain.target, snapshot, manifestSha256 }];
  });
}

/**
 * The pins after a verification without faults. A stored pin that these chains do not hold stays: another verification has
 * written it meanwhile, and has seen a newer snapshot.
 */
export function advancePins(stored: readonly Pin[], chains: Chains, nowMs: number): Pin[] {
  const pins = new Map(stored.map((pin) => [targetId(pin), pin]));
  for (const newest of listNewest(chains, nowMs)) {
    const id = targetId(newest);
    const pin = pins.get(id);
    const chain = chains.get(id);
    if (pin && chain && findPinFault(pin, chain, nowMs) !== null) continue;
    pins.set(id, newest);
  }
  return [...pins.values()];
}
