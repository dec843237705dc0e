// Responsible for the seal record: what is fixed before the first part of a snapshot is written, and the parts that a run may
// leave behind.

import { CorruptError } from '../core/errors.ts';
import {
  headKey,
  isFutureName,
  parsePartKey,
  sealRecordKey,
  signatureKey,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { decodeState, encodeState, readState, type StateKey } from '../core/state.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import {
  type Fault,
  listSnapshots,
  readEvidenceOrNull,
  readManifestOrFault,
} from '../snapshots/catalog.ts';
import { decodePointerOrNull, type Previous, type Sealed } from '../snapshots/manifest.ts';
import type { Base } from './base.ts';

/** Everything besides the stored pages that the parts and the manifest depend on. */
export interface SealRecord {
  sealedAtMs: number;
  previous: Previous | null;
  /** What the snapshot is compared with. */
  base: Base;
  writer: string;
  scheduleSeconds: number;
  /** Of the key that signs the manifest. Null: the manifest is not signed. */
  keyId: string | null;
  /** Whether this run may have written a signature, also with an earlier record. */
  mayHaveSignature: boolean;
  checkpoint: Checkpoint;
  /** The keys of all parts that this run may have written. */
  parts: readonly string[];
  /** What was wrong with the evidence when the record was made. */
  faults: readonly Fault[];
}

const sealRecordVersion = 8;

/** `at`: as for encodeState(). */
export function encodeSealRecord(
  record: SealRecord,
  at?: { key: string; by: StateKey | null },
): Uint8Array {
  return encodeState('seal record', sealRecordVersion, record, at);
}

/** Its MAC is not checked: see requireMac(). Throws CorruptError. */
export function decodeSealRecord(key: string, bytes: Uint8Array): SealRecord {
  return decodeState<SealRecord>('seal record', sealRecordVersion, key, bytes);
}

/** Identifies a run of a target. */
export interface RunName {
  snapshot: string;
  run: string;
}

/** Null if there is none, or if it cannot be read. */
export async function readSealRecord(
  store: Store,
  target: TargetKey,
  { snapshot, run }: RunName,
): Promise<SealRecord | null> {
  const key = sealRecordKey(target, snapshot, run);
  try {
    const bytes = await readState(store, key);
    return bytes && decodeSealRecord(key, bytes);
  } catch (error) {
    if (error instanceof CorruptError) return null;
    throw error;
  }
}

/**
 * Deletes the parts that the record of a run lists and that no manifest names. The exporter deletes nothing else in a data
 * directory. `sealed`: the manifest of the run's snapshot, the only one that can name them, because their keys contain its
 * name; null if it does not exist.
 */
export async function deleteLeftParts(
  store: Store,
  target: TargetKey,
  record: SealRecord,
  sealed: Sealed | null,
): Promise<void> {
  const named = new Set(sealed?.manifest.parts.map(({ key }) => key));
  for (const key of record.parts) {
    const part = parsePartKey(key);
    const isOwn =
      part?.snapshot === record.checkpoint.snapshot && targetId(part.target) === targetId(target);
    if (isOwn && !named.has(key)) await store.delete(key);
  }
}

/**
 * Ends the sealing of a run that is finished or given up: deletes what it has left, then its seal record. The signature is left
 * only if there is no manifest. The record goes last, so that a kill in between loses no key. Returns false and deletes nothing
 * if the snapshot's manifest is damaged or lost: the parts and the signature are evidence, and fit the manifest once it is
 * restored.
 */
export async function endSeal(store: Store, target: TargetKey, run: RunName): Promise<boolean> {
  const record = await readSealRecord(store, target, run);
  if (record) {
    const { sealed, fault } = await readManifestOrFault(store, target, run.snapshot);
    if (fault || (!sealed && (await wasSealed(store, target, run.snapshot)))) return false;
    await deleteLeftParts(store, target, record, sealed);
    if (!sealed && record.mayHaveSignature) {
      await store.delete(signatureKey(target, run.snapshot));
    }
  }
  await store.delete(sealRecordKey(target, run.snapshot, run.run));
  return true;
}

/** Whether `_head` or the next manifest names the snapshot, although its own manifest does not exist. */
async function wasSealed(store: Store, target: TargetKey, snapshot: string): Promise<boolean> {
  const key = headKey(target);
  const head = await readEvidenceOrNull(store, key);
  const pointer = head && decodePointerOrNull(target, key, head);
  if (pointer?.snapshot === snapshot || isFutureName(snapshot, store.nowMs())) return true;
  for (const name of await listSnapshots(store, target)) {
    if (name <= snapshot) continue;
    const { sealed } = await readManifestOrFault(store, target, name);
    if (sealed) return sealed.manifest.previous?.snapshot === snapshot;
  }
  return false;
}
