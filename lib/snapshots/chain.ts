// Responsible for checking a target's chain of manifests: each names the one before it with its hash. The order of the chain is
// given by `previous`, not by the names. Pure.

import { isFutureName, manifestKey, type TargetKey } from '../core/object-keys.ts';
import type { Fault } from './catalog.ts';
import { restoreHint, type SealedSummary } from './manifest.ts';
import type { ManifestSignature } from './manifest-signature.ts';

/** A target with all its manifests. */
export interface TargetChain {
  target: TargetKey;
  /** Those that are manifests of their keys, by the names of their snapshots, oldest first. */
  sealed: ReadonlyMap<string, SealedSummary>;
  /** Keys of all objects in their place with the SHA-256 of their bytes; null: it could not be read. */
  found: ReadonlyMap<string, string | null>;
  /** The names of the snapshots whose manifests name a greater version than this program reads: they are not in `sealed`. */
  newer: ReadonlySet<string>;
  /** Of the manifests that name a key, by the names of their snapshots. */
  signatures: ReadonlyMap<string, ManifestSignature>;
}

type Report = (fault: Fault) => void;

export function checkChain({ target, sealed, found }: TargetChain, report: Report): void {
  const followers = new Map<string, string>();
  const firsts = [...sealed.values()].filter(({ manifest }) => manifest.previous === null);
  for (const { manifestKey: key } of firsts) {
    if (firsts.length === 1) break;
    const message = `claims to be the first of its chain, as ${firsts.length - 1} other manifests do`;
    report({ key, message, hint: restoreHint });
  }
  for (const { manifestKey: key, manifest } of sealed.values()) {
    const { previous, snapshot } = manifest;
    if (!previous) continue;
    const before = manifestKey(target, previous.snapshot);
    const hash = found.get(before);
    if (hash === undefined) {
      const message = `is missing: ${snapshot} names it as its predecessor`;
      report({ key: before, message, hint: restoreHint });
    } else if (hash !== null && hash !== previous.manifestSha256) {
      const message = `was altered: ${snapshot} recorded another hash of it`;
      report({ key: before, message, hint: restoreHint });
    }
    const other = followers.get(previous.snapshot);
    if (other === undefined) followers.set(previous.snapshot, snapshot);
    else {
      const message = `names ${previous.snapshot} as its predecessor, as ${other} does: the chain forks`;
      report({ key, message, hint: restoreHint });
    }
  }
}

/** The snapshot at the end of the chain; null if there is none. Of several ends, the newest that is not named in the future. */
export function findChainEnd({ sealed }: TargetChain, nowMs: number): SealedSummary | null {
  const all = [...sealed.values()];
  const named = new Set(all.map(({ manifest }) => manifest.previous?.snapshot));
  const ends = all.filter(({ manifest }) => !named.has(manifest.snapshot));
  const isPresent = ({ manifest }: SealedSummary) => !isFutureName(manifest.snapshot, nowMs);
  return ends.findLast(isPresent) ?? ends.at(-1) ?? null;
}

/** The snapshot that `sealed` names as its predecessor; null if it names none or it is lost. */
export function findPredecessor(
  { sealed }: TargetChain,
  { manifest }: SealedSummary,
): SealedSummary | null {
  return sealed.get(manifest.previous?.snapshot ?? '') ?? null;
}

/** From the end of the chain to its first snapshot, or to where it is broken, newest first. */
export function listChain(chain: TargetChain, nowMs: number): SealedSummary[] {
  const listed = new Set<SealedSummary>();
  let at = findChainEnd(chain, nowMs);
  while (at && !listed.has(at)) {
    listed.add(at);
    at = findPredecessor(chain, at);
  }
  return [...listed];
}

/** The newest complete snapshot up to `end`; null if there is none. Where the chain is broken, the names decide. */
export function findComplete(chain: TargetChain, end: SealedSummary | null): SealedSummary | null {
  const seen = new Set<SealedSummary>();
  let at = end;
  while (at && !seen.has(at)) {
    if (at.manifest.verdict === 'complete') return at;
    seen.add(at);
    if (at.manifest.previous === null) return null;
    at = findPredecessor(chain, at);
  }
  const endName = end?.manifest.snapshot ?? '';
  const isOlder = ({ manifest }: SealedSummary) =>
    manifest.snapshot < endName && manifest.verdict === 'complete';
  return [...chain.sealed.values()].findLast(isOlder) ?? null;
}
