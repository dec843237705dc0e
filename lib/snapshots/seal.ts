// Responsible for sealing a run: rows, parts and manifest, written in the order that makes the manifest the commit.
// The design, with a diagram: docs/design/commit.md.

import { CorruptError, ExportError, ProtocolError } from '../core/errors.ts';
import {
  headKey,
  latestKey,
  manifestKey,
  sealRecordKey,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Dataset, Store } from '../core/ports.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { listSnapshots, readManifest, type Sealed } from './catalog.ts';
import { type Contents, readContents } from './contents.ts';
import type { ReadStoredPage } from './duplicates.ts';
import {
  decodePointer,
  encodeManifest,
  encodePointer,
  type Manifest,
  type Part,
  type Previous,
  restoreHint,
} from './manifest.ts';
import { type PartPorts, writeParts } from './parts.ts';
import { decodeSealRecord, encodeSealRecord, type SealRecord } from './seal-record.ts';
import { type TurnPorts, waitForTurn } from './seal-turn.ts';
import { countRows } from './statistics.ts';

/** A run fails if more than this share of its records has no usable key. */
const rejectShareMax = 0.01;

/** `keepAlive` is awaited between steps: it renews the lease, and throws if the run must stop. */
export interface SealPorts extends PartPorts, TurnPorts {
  /** Name and version of this program, for parts and manifest. */
  writer: string;
  readStoredPage: ReadStoredPage;
}

/**
 * Seals the run, or returns the snapshot if it is sealed already. Everything written depends only on the seal record and
 * the pages, so sealing again writes the same bytes. Null: another run must seal an older snapshot first, and this
 * invocation may not wait. Throws ProtocolError `TOO_MANY_REJECTS`; ExportError `OVERTAKEN` if a newer snapshot of the
 * target is sealed; CorruptError if the newest manifest was altered.
 */
export async function sealRun(
  ports: SealPorts,
  target: TargetKey,
  checkpoint: Checkpoint,
): Promise<Sealed | null> {
  const { store, keepAlive } = ports;
  const { snapshot } = checkpoint;
  for (let step: 'again' | 'paused' | 'published' = 'again'; step === 'again'; ) {
    const sealedBefore = await listSnapshots(store, target);
    if (sealedBefore.includes(snapshot)) break;
    step = await publish(ports, target, checkpoint, sealedBefore);
    if (step === 'paused') return null;
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
  await movePointer(store, headKey(target), sealed);
  if (sealed.manifest.verdict === 'complete') await movePointer(store, latestKey(target), sealed);
  return sealed;
}

/**
 * One attempt to publish the snapshot. `again`: another exporter changed the state that this attempt was based on.
 * `sealedBefore`: the target's sealed snapshots, oldest first.
 */
async function publish(
  ports: SealPorts,
  target: TargetKey,
  checkpoint: Checkpoint,
  sealedBefore: readonly string[],
): Promise<'again' | 'paused' | 'published'> {
  const { store, clock, dataset, readStoredPage, keepAlive } = ports;
  const { snapshot, run } = checkpoint;
  const previous = await findPrevious(store, target, snapshot, sealedBefore);
  const recordKey = sealRecordKey(target, snapshot, run);
  const { record, settlesMonotonicMs } = await fixRecord(ports, recordKey, {
    sealedAtMs: Math.round(clock.nowMs()),
    previous,
    writer: ports.writer,
    checkpoint,
  });
  const contents = await readContents(dataset, target, record.checkpoint, readStoredPage);
  const { rows, rejects, duplicates } = contents;
  const keyless = rejects.length - duplicates;
  if (keyless > rejectShareMax * (rejects.length + rows.length)) {
    // The next attempt reads the list again and must not find this record.
    await store.delete(recordKey);
    throw tooManyRejects(dataset, contents);
  }
  // Parts before the manifest: the manifest makes the snapshot visible. A rival's record becomes visible meanwhile.
  const parts = await writeParts(ports, target, { snapshot, writer: record.writer }, contents);
  if (settlesMonotonicMs !== null) {
    const delayMs = settlesMonotonicMs - clock.monotonicMs();
    if (delayMs > 0) await clock.sleep(delayMs);
    if (!(await isStored(store, recordKey, record))) return 'again';
  }
  const turn = await waitForTurn(ports, target, checkpoint, sealedBefore);
  if (turn === 'paused') return 'paused';
  if (turn === 'changed') return 'again';
  await keepAlive();
  const manifest = makeManifest(dataset, record, contents, parts);
  await store.put(manifestKey(target, snapshot), encodeManifest(manifest));
  // Another writer of the same manifest may finish later. The pointers must name the bytes that are stored in the end.
  if (store.settleMs > 0) await clock.sleep(store.settleMs);
  return 'published';
}

/** The newest sealed snapshot, which becomes `previous`. Null if there is none. Throws `OVERTAKEN`, CorruptError. */
async function findPrevious(
  store: Store,
  target: TargetKey,
  snapshot: string,
  sealedBefore: readonly string[],
): Promise<Previous | null> {
  const newest = sealedBefore[sealedBefore.length - 1];
  if (newest === undefined) return null;
  if (newest > snapshot) {
    throw new ExportError(
      'OVERTAKEN',
      `Snapshot ${newest} was sealed before ${snapshot}: names of one target only increase.`,
      'The older run is abandoned; the newer snapshot is valid.',
    );
  }
  const sealed = await readManifest(store, target, newest);
  if (!sealed) throw new Error(`manifest of ${newest} vanished`);
  const key = headKey(target);
  const head = await store.get(key);
  const pointer = head && decodePointer(key, head);
  if (pointer?.snapshot === newest && pointer.manifestSha256 !== sealed.manifestSha256) {
    // The chain must not continue from an altered manifest.
    const message = `does not match the hash in ${key}: it was altered`;
    throw new CorruptError(sealed.manifestKey, message, restoreHint);
  }
  return { snapshot: newest, manifestSha256: sealed.manifestSha256 };
}

/**
 * Stores `wanted`, unless a record with the same predecessor exists: then that one is used, so that every sealer writes
 * the same bytes. `settlesMonotonicMs`: when a rival's write must be visible; null if the record existed before.
 */
async function fixRecord(
  { store, clock, keepAlive }: SealPorts,
  key: string,
  wanted: SealRecord,
): Promise<{ record: SealRecord; settlesMonotonicMs: number | null }> {
  const existing = await store.get(key);
  if (existing) {
    const record = decodeSealRecord(key, existing);
    // A record with another predecessor is outdated: using it would fork the chain.
    if (record.previous?.manifestSha256 === wanted.previous?.manifestSha256) {
      return { record, settlesMonotonicMs: null };
    }
  }
  await keepAlive();
  await store.put(key, encodeSealRecord(wanted), { durability: 'acknowledged' });
  return { record: wanted, settlesMonotonicMs: clock.monotonicMs() + store.settleMs };
}

async function isStored(store: Store, key: string, record: SealRecord): Promise<boolean> {
  const bytes = await store.get(key);
  return bytes !== null && Buffer.compare(bytes, encodeSealRecord(record)) === 0;
}

/** A pointer never moves back to an older snapshot. */
async function movePointer(store: Store, key: string, sealed: Sealed): Promise<void> {
  const existing = await store.get(key);
  if (existing && decodePointer(key, existing).snapshot > sealed.manifest.snapshot) return;
  const { manifestKey: manifest, manifestSha256 } = sealed;
  const bytes = encodePointer({ snapshot: sealed.manifest.snapshot, manifest, manifestSha256 });
  if (existing && Buffer.compare(existing, bytes) === 0) return;
  await store.put(key, bytes, { durability: 'checksummed' });
}

function tooManyRejects(dataset: Dataset, { rows, rejects, duplicates }: Contents): ProtocolError {
  const total = rejects.length + rows.length;
  return new ProtocolError(
    'TOO_MANY_REJECTS',
    `${rejects.length - duplicates} of ${total} records have no usable ${dataset.keyColumn}; at most ${rejectShareMax * 100} % are accepted. First reason: ${rejects[0]?.reason}.`,
    'The API returned records that this version does not understand. Nothing was published. The pages are kept under _runs/.',
  );
}

function makeManifest(
  dataset: Dataset,
  record: SealRecord,
  { rows, rejects, repeats }: Contents,
  parts: Part[],
): Manifest {
  const { checkpoint, sealedAtMs, previous, writer } = record;
  const { table, schemaVersion, snapshot, run, scope, startedAtMs, verdict } = checkpoint;
  const { pages, requests, retries, throttled, realigned, ...evidence } = checkpoint.evidence;
  return {
    manifestVersion: 1,
    dataset: dataset.name,
    table,
    schemaVersion,
    snapshot,
    run,
    scope,
    startedAt: new Date(startedAtMs).toISOString(),
    sealedAt: new Date(sealedAtMs).toISOString(),
    verdict: verdict ?? 'drifted',
    rows: rows.length,
    rejects: rejects.length,
    evidence: { pages, requests, retries, throttled, realigned, repeats, ...evidence },
    ...countRows(dataset, rows),
    parts,
    previous,
    writer,
  };
}
