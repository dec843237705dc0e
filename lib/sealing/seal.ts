// Responsible for sealing a run: rows, parts and manifest, written in the order that makes the manifest the commit.
// The design, with a diagram: docs/design/commit.md.

import { CorruptError, ExportError, OtherVersionError, StoreError } from '../core/errors.ts';
import {
  headKey,
  isFutureName,
  latestKey,
  manifestKey,
  sealRecordKey,
  signatureKey,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Dataset, Store } from '../core/ports.ts';
import { readState, requireMac } from '../core/state.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { type Fault, readEvidenceOrNull, readManifest, toFault } from '../snapshots/catalog.ts';
import {
  decodePointerOrNull,
  encodeManifest,
  encodePointer,
  type Manifest,
  manifestVersion,
  type Part,
  type Pointer,
  type Previous,
  pointerTo,
  type Sealed,
} from '../snapshots/manifest.ts';
import { publishKey } from '../snapshots/published-key.ts';
import type { SigningKey } from '../snapshots/signature.ts';
import { type BasePorts, chooseBase, findPruning, isOfBase } from './base.ts';
import { type ChainEnd, isSamePrevious, readChainEnd } from './chain-end.ts';
import { type ContentPorts, type Contents, writeContents } from './contents.ts';
import { findLostSignature } from './lost-signature.ts';
import { type EncodedPart, openParts, type PartPorts, type PartWriter, putParts } from './parts.ts';
import {
  decodeSealRecord,
  deleteLeftParts,
  encodeSealRecord,
  endSeal,
  readSealRecord,
  type SealRecord,
} from './seal-record.ts';
import { openTurn, type TurnPorts } from './seal-turn.ts';

/** `keepAlive` is awaited between steps: it renews the lease, and throws if the run must stop. */
export interface SealPorts extends BasePorts, PartPorts, ContentPorts, TurnPorts {
  /** Name and version of this program, for parts and manifest. */
  writer: string;
  /** Null: manifests are not signed. */
  signing: SigningKey | null;
  /** For the manifest: how often a snapshot is due. */
  scheduleMs: number;
  /** The newest snapshot that was sealed, as the schedule remembers it; null: it remembers none. */
  remembered: Previous | null;
}

/** What all attempts of one call share. */
interface Sealing extends SealPorts {
  /** The keys of the parts that this process may have written: a rival that replaces the seal record may not know them. */
  written: Set<string>;
}

/** A sealed run, and the faults of earlier evidence that were found meanwhile: the same for every attempt of the run. */
export interface SealOutcome {
  sealed: Sealed;
  faults: readonly Fault[];
}

/**
 * Seals the run, or returns the snapshot if it is sealed already. Everything written depends only on the seal record, the
 * pages and the key that the record names, so sealing again writes the same bytes. Null: another run must seal an older
 * snapshot first, and this invocation may not wait. Throws ProtocolError `TOO_MANY_REJECTS`; ExportError `OVERTAKEN` if the
 * target has or had a snapshot of this or a newer name; CorruptError if another object has the key of the manifest.
 */
export async function sealRun(
  ports: SealPorts,
  target: TargetKey,
  checkpoint: Checkpoint,
): Promise<SealOutcome | null> {
  const { store, log, keepAlive } = ports;
  const { snapshot } = checkpoint;
  const written = new Set<string>();
  let record: SealRecord | null = null;
  while (record === null) {
    const end = await readChainEnd(store, target, ports.remembered);
    if (end.taken.includes(snapshot)) break;
    const step = await publish({ ...ports, written }, target, checkpoint, end);
    if (step === 'paused') return null;
    if (step !== 'again') record = step;
  }
  await keepAlive();
  const sealed = await readManifest(store, target, snapshot);
  if (!sealed) {
    throw new ExportError(
      'MANIFEST_LOST',
      `The manifest of ${snapshot} was written but does not exist.`,
      'Check whether another program deletes objects of this store, and whether its reads see earlier writes.',
    );
  }
  record ??= await readSealRecord(store, target, checkpoint);
  if (record) {
    // Before `_head` moves: until then, verify does not report these parts as faults.
    const left = { ...record, parts: [...record.parts, ...written] };
    await deleteLeftParts(store, target, left, sealed).catch((error: unknown) => {
      log('warn', 'parts that are not in any manifest could not be deleted', { error });
    });
  }
  const unwritten = await movePointers(store, target, sealed);
  const isUnwritten = new Set(unwritten.map(({ key }) => key));
  const found = record?.faults.filter(({ key }) => !isUnwritten.has(key)) ?? [];
  return { sealed, faults: [...found, ...unwritten] };
}

/** One attempt to publish the snapshot. Returns its seal record. `again`: another exporter changed what it was based on. */
async function publish(
  ports: Sealing,
  target: TargetKey,
  checkpoint: Checkpoint,
  end: ChainEnd,
): Promise<'again' | 'paused' | SealRecord> {
  const { store, clock } = ports;
  const { snapshot, run } = checkpoint;
  // A name is used once, also if its manifest was deleted.
  if (end.newestName !== null && end.newestName >= snapshot) {
    await endSeal(store, target, checkpoint);
    throw overtaken(snapshot, end.newestName);
  }
  const key = sealRecordKey(target, snapshot, run);
  const { record, settlesMonotonicMs } = await fixRecord(ports, target, checkpoint, end);
  const writer = openParts(ports, target, record);
  try {
    const { contents, parts } = await encode(ports, target, record, writer);
    const delayMs = (settlesMonotonicMs ?? 0) - clock.monotonicMs();
    if (delayMs > 0) await clock.sleep(delayMs);
    // A rival's record may have become visible meanwhile.
    if (!(await isStored(ports, key, record))) return 'again';
    return await commit(ports, target, end, { key, record, contents, parts });
  } catch (error) {
    const { base } = record;
    if (typeof base === 'string' || !isOfBase(error, base)) throw error;
    await giveUpBase(ports, target, record, { ...base, error });
    return 'again';
  } finally {
    await writer.remove();
  }
}

async function encode(
  ports: SealPorts,
  target: TargetKey,
  record: SealRecord,
  writer: PartWriter,
): Promise<{ contents: Contents; parts: EncodedPart[] }> {
  try {
    const contents = await writeContents(ports, target, record, writer);
    return { contents, parts: await writer.finish() };
  } catch (error) {
    // The next attempt reads the list again and must not find this record.
    const isRefused = error instanceof ExportError && error.code === 'TOO_MANY_REJECTS';
    if (isRefused) await endSeal(ports.store, target, record.checkpoint);
    throw error;
  }
}

/**
 * Fixes that the snapshot is compared with none, because the rows of its base cannot be read. A rival may have fixed it already:
 * then that record counts.
 */
async function giveUpBase(
  ports: SealPorts,
  target: TargetKey,
  record: SealRecord,
  base: Previous & { error: CorruptError },
): Promise<void> {
  const { store, signing } = ports;
  const { snapshot, run } = record.checkpoint;
  const key = sealRecordKey(target, snapshot, run);
  if (!(await isStored(ports, key, record))) return;
  const { message, ...fault } = toFault(base.error);
  const found = [{ ...fault, message: `${message}. So ${snapshot} is sealed without its changes` }];
  const { isPruned, fault: tombstoneFault } = await findPruning(store, target, base, signing);
  if (tombstoneFault && tombstoneFault.key !== fault.key) found.push(tombstoneFault);
  // Each object at most once.
  const others = record.faults.filter((one) => !found.some(({ key: known }) => known === one.key));
  const changed: SealRecord = isPruned
    ? { ...record, base: 'pruned' }
    : { ...record, base: 'unreadable', faults: [...others, ...found] };
  await putRecord(ports, key, changed);
}

/** Stores the parts, the signature and then the manifest, which makes the snapshot visible. */
async function commit(
  ports: Sealing,
  target: TargetKey,
  end: ChainEnd,
  sealing: { key: string; record: SealRecord; contents: Contents; parts: readonly EncodedPart[] },
): Promise<'again' | 'paused' | SealRecord> {
  const { store, clock, dataset, keepAlive } = ports;
  const { key, record, contents } = sealing;
  const { checkpoint } = record;
  const parts = sealing.parts.map(({ part }) => part);
  const listed = await listInRecord(ports, key, record, parts);
  // The parts right before the manifest: a program that reads all files of a folder sees them before the snapshot exists.
  const waitForTurn = openTurn(ports, target, checkpoint, end);
  let turn = await waitForTurn();
  if (turn === 'mine') {
    await putParts(ports, sealing.parts);
    // Again, because a rival waits for a manifest that is put right after the turn, but not for parts.
    turn = await waitForTurn();
  }
  if (turn !== 'mine') return turn === 'changed' ? 'again' : turn;
  await keepAlive();
  const manifest = encodeManifest(makeManifest(dataset, record, contents, parts));
  // An exporter with another key, or that could not read the base, may have replaced the record: its manifest has other bytes.
  if (!(await isStored(ports, key, listed))) return 'again';
  if (record.mayHaveSignature) {
    await putSignature(ports, signatureKey(target, checkpoint.snapshot), manifest);
  }
  await store.put(manifestKey(target, checkpoint.snapshot), manifest);
  // Another writer of the same manifest may finish later. The pointers must name the bytes that are stored in the end.
  if (store.settleMs > 0) await clock.sleep(store.settleMs);
  return listed;
}

/** `bytes`: of the manifest. Without a key, the signature that an earlier record has left is deleted: it does not fit this manifest. */
async function putSignature(
  { store, signing }: SealPorts,
  key: string,
  bytes: Uint8Array,
): Promise<void> {
  if (signing) await store.put(key, signing.sign(bytes));
  else await store.delete(key);
}

/**
 * Stores a record, unless one with the same predecessor and key exists: then that one is used, so that every sealer writes the
 * same bytes. `settlesMonotonicMs`: when a rival's write must be visible; null if the record existed before. Before the record,
 * the public key is stored: the record lists the faults.
 */
async function fixRecord(
  ports: SealPorts,
  target: TargetKey,
  checkpoint: Checkpoint,
  end: ChainEnd,
): Promise<{ record: SealRecord; settlesMonotonicMs: number | null }> {
  const { store, clock, signing, writer, scheduleMs } = ports;
  const { previous, faults } = end;
  const key = sealRecordKey(target, checkpoint.snapshot, checkpoint.run);
  const { stored, isUsable, fault } = await readRecordOrFault(store, key, signing);
  const keyId = signing?.keyId ?? null;
  // A record with another predecessor is outdated: using it would fork the chain.
  const isCurrent = isSamePrevious(stored?.previous ?? null, previous) && stored?.keyId === keyId;
  if (stored && isUsable && isCurrent) {
    return { record: stored, settlesMonotonicMs: null };
  }
  const keyFault = signing && (await publishKey(store, signing));
  const signatureFault =
    signing && end.newest && (await findLostSignature(store, target, end.newest, signing));
  const isKnown = faults.some((one) => one.key === signatureFault?.key);
  const record: SealRecord = {
    sealedAtMs: Math.round(clock.nowMs()),
    previous,
    base: await chooseBase(ports, target, checkpoint, end),
    writer,
    scheduleSeconds: Math.round(scheduleMs / 1_000),
    keyId,
    mayHaveSignature: keyId !== null || !isUsable || (stored?.mayHaveSignature ?? false),
    checkpoint,
    parts: stored?.parts ?? [],
    faults: [...faults, fault, keyFault, isKnown ? null : signatureFault].filter(
      (one) => one !== null,
    ),
  };
  await putRecord(ports, key, record);
  return { record, settlesMonotonicMs: clock.monotonicMs() + store.settleMs };
}

/**
 * `isUsable` false: the record is made again from the checkpoint; the pages are intact. If it cannot be read (`stored` null), and
 * listed parts that are not written again, `verify` names them. Not a fault: the record of another version or with another key.
 */
async function readRecordOrFault(
  store: Store,
  key: string,
  signing: SigningKey | null,
): Promise<{ stored: SealRecord | null; isUsable: boolean; fault: Fault | null }> {
  let stored: SealRecord | null = null;
  try {
    const bytes = await readState(store, key);
    stored = bytes && decodeSealRecord(key, bytes);
    // Otherwise it is replaced in any case.
    if (bytes && signing && stored?.keyId === signing.keyId) requireMac(key, bytes, signing);
    return { stored, isUsable: true, fault: null };
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    // The parts that it lists are deleted only if they are parts of this snapshot that no manifest names.
    const unusable = { stored, isUsable: false };
    if (error instanceof OtherVersionError) return { ...unusable, fault: null };
    const { message } = toFault(error);
    const hint =
      'It is working state: the snapshot was sealed with a new one. Find out what changed it: a full or failing disk, or another program. If `verify` reports unnamed objects of this snapshot, they are parts that only this record listed.';
    return { ...unusable, fault: { key, message: `${message}. It was written again`, hint } };
  }
}

type RecordPorts = Pick<SealPorts, 'store' | 'signing' | 'keepAlive'>;

async function putRecord(
  { store, signing, keepAlive }: RecordPorts,
  key: string,
  record: SealRecord,
): Promise<void> {
  await keepAlive();
  const bytes = encodeSealRecord(record, { key, by: signing });
  await store.put(key, bytes, { durability: 'acknowledged' });
}

async function isStored(
  { store, signing }: RecordPorts,
  key: string,
  record: SealRecord,
): Promise<boolean> {
  return isSame(await store.get(key), encodeSealRecord(record, { key, by: signing }));
}

/** Before the first part is written: the exporter never deletes a part that is in no record. Returns the record as stored. */
async function listInRecord(
  ports: Sealing,
  key: string,
  record: SealRecord,
  parts: readonly Part[],
): Promise<SealRecord> {
  const { written } = ports;
  for (const part of parts) written.add(part.key);
  const keys = new Set([...record.parts, ...written]);
  if (keys.size === record.parts.length) return record;
  const listed = { ...record, parts: [...keys] };
  await putRecord(ports, key, listed);
  return listed;
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}

/**
 * `_latest` before `_head`: until `_head` names the snapshot, verify knows that it is still being sealed. The pointers move
 * along the chain, so they leave a name in the future. They never move back to an older snapshot. Returns a fault for each
 * pointer that cannot be written until a person acts: the snapshot is sealed all the same.
 */
async function movePointers(
  store: Store,
  target: TargetKey,
  sealed: Sealed,
): Promise<readonly Fault[]> {
  const { manifest } = sealed;
  const key = headKey(target);
  const head = await readEvidenceOrNull(store, key);
  // readChainEnd() has reported a pointer that cannot be read.
  const pointer = head && decodePointerOrNull(target, key, head);
  if (!mayMove(pointer, manifest, store.nowMs())) return [];
  const bytes = encodePointer(pointerTo(sealed));
  const faults: Fault[] = [];
  const pointers = manifest.verdict === 'complete' ? [latestKey(target), key] : [key];
  for (const pointerKey of pointers) {
    if (isSame(await readEvidenceOrNull(store, pointerKey), bytes)) continue;
    try {
      await store.put(pointerKey, bytes, { durability: 'checksummed' });
    } catch (error) {
      const isLasting =
        error instanceof StoreError && ['STORE_UNUSABLE', 'STORE_DENIED'].includes(error.code);
      if (!isLasting) throw error;
      const message = `could not be written, although ${manifest.snapshot} is sealed: ${error.message}`;
      faults.push({ key: pointerKey, message, hint: error.hint });
    }
  }
  return faults;
}

function mayMove(head: Pointer | null, { snapshot, previous }: Manifest, nowMs: number): boolean {
  if (head === null || head.snapshot === snapshot || head.snapshot === previous?.snapshot) {
    return true;
  }
  if (isFutureName(snapshot, nowMs)) return false;
  return head.snapshot < snapshot || isFutureName(head.snapshot, nowMs);
}

function overtaken(snapshot: string, newestName: string): ExportError {
  return new ExportError(
    'OVERTAKEN',
    `The target already has or had snapshot ${newestName}, so ${snapshot} is not sealed: names of one target only increase.`,
    'The run is abandoned. The next run takes the next name.',
  );
}

function makeManifest(
  dataset: Dataset,
  record: SealRecord,
  { rows, rejects, repeats, statistics, changes }: Contents,
  parts: Part[],
): Manifest {
  const { checkpoint, sealedAtMs, previous, base, writer, scheduleSeconds, keyId } = record;
  const { table, schemaVersion, snapshot, run, scope, startedAtMs, verdict } = checkpoint;
  const { pages, requests, retries, throttled, realigned, ...evidence } = checkpoint.evidence;
  return {
    manifestVersion,
    dataset: dataset.name,
    table,
    schemaVersion,
    snapshot,
    run,
    scheduleSeconds,
    scope,
    startedAt: new Date(startedAtMs).toISOString(),
    sealedAt: new Date(sealedAtMs).toISOString(),
    verdict: verdict ?? 'drifted',
    rows,
    rejects,
    evidence: { pages, requests, retries, throttled, realigned, repeats, ...evidence },
    ...statistics,
    parts,
    changes: typeof base === 'string' ? null : { since: base.snapshot, ...changes },
    changesNone: typeof base === 'string' ? base : null,
    previous,
    signing: keyId === null ? null : { keyId },
    writer,
  };
}
