// Responsible for checking the witnesses of a target's newest snapshot, `_head`, `_latest` and the schedule, against the
// manifests when a run is sealed. It reads few manifests. `verify` checks all of them (pointer-check.ts).

import { CorruptError } from '../core/errors.ts';
import { headKey, latestKey, manifestKey, type TargetKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import {
  type Fault,
  readEvidence,
  readManifestOrFault,
  searchedMax,
  toFault,
} from '../snapshots/catalog.ts';
import {
  encodePointer,
  type Pointer,
  type Previous,
  pointerHint,
  pointerTo,
  restoreHint,
  type Sealed,
} from '../snapshots/manifest.ts';
import type { Report, SnapshotNames } from './snapshot-names.ts';

/** What is known while the end of a chain is searched. */
export interface EndSearch {
  store: Store;
  target: TargetKey;
  names: SnapshotNames;
  /** The newest snapshot that was sealed, as the schedule remembers it; null: it remembers none. */
  remembered: Previous | null;
  report: Report;
}

/** Reports the manifest that `witness` names if it is missing or altered. `witnessKey`: the object that names it. */
export async function checkNamed(
  { store, target, names, report }: EndSearch,
  witnessKey: string,
  witness: Previous,
): Promise<void> {
  const { snapshot, manifestSha256 } = witness;
  const read = [...names.future, names.newest];
  const known = read.find((sealed) => sealed?.manifest.snapshot === snapshot);
  const key = manifestKey(target, snapshot);
  let foundSha256 = known?.manifestSha256 ?? null;
  if (!known) {
    try {
      const bytes = await readEvidence(store, key);
      foundSha256 = bytes && sha256(bytes);
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      report(toFault(error));
      return;
    }
  }
  if (foundSha256 === null) {
    report({ key, message: `is missing, but ${witnessKey} names it`, hint: restoreHint });
  } else if (foundSha256 !== manifestSha256) {
    const message = `does not match the hash in ${witnessKey}: it was altered`;
    report({ key, message, hint: restoreHint });
  }
}

/**
 * Reports pointers that are not those to `newest`, the end of the chain, and to the newest complete snapshot up to it. Returns the
 * latter; null: none, or not found within `searchedMax` steps along the chain.
 */
export async function checkPointersTo(
  { store, target, names, report }: EndSearch,
  newest: Sealed,
): Promise<Sealed | null> {
  const { head, latest } = names;
  if (head && !isPointerTo(head, newest)) report(describeAltered(headKey(target), newest));
  const complete = await findComplete(store, target, newest);
  if (!complete) return null;
  const key = latestKey(target);
  const { snapshot } = complete.manifest;
  if (latest?.snapshot !== snapshot) {
    const found = latest ? `names ${latest.snapshot}` : 'is missing or cannot be read';
    const message = `${found}, but the newest complete snapshot is ${snapshot}`;
    report({ key, message, hint: pointerHint(key) });
  } else if (!isPointerTo(latest, complete)) report(describeAltered(key, complete));
  return complete;
}

async function findComplete(
  store: Store,
  target: TargetKey,
  newest: Sealed,
): Promise<Sealed | null> {
  let at = newest;
  for (let steps = 0; at.manifest.verdict !== 'complete'; steps += 1) {
    const { previous } = at.manifest;
    if (previous === null || steps === searchedMax) return null;
    const { sealed } = await readManifestOrFault(store, target, previous.snapshot);
    if (!sealed) return null;
    at = sealed;
  }
  return at;
}

function isPointerTo(pointer: Pointer, sealed: Sealed): boolean {
  return Buffer.compare(encodePointer(pointer), encodePointer(pointerTo(sealed))) === 0;
}

function describeAltered(key: string, { manifestKey: named }: Sealed): Fault {
  const message = `does not match ${named}, which it names: it was altered`;
  return { key, message, hint: pointerHint(key) };
}
