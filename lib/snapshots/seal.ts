// Owns sealing: stored pages become rows, rejects, parts and the manifest, in the order that makes the manifest the commit.

import { gzipSync } from 'node:zlib';
import { CorruptError, ExportError, ProtocolError } from '../core/errors.ts';
import { parseExact, stringifyExact } from '../core/exact-json.ts';
import {
  headKey,
  latestKey,
  manifestKey,
  manifestPrefix,
  type PartFormat,
  parseManifestKey,
  parseRunKey,
  partKey,
  sealingPrefix,
  sealRecordKey,
  snapshotTimeMs,
  type TargetKey,
} from '../core/object-keys.ts';
import type { Clock, Dataset, Encoder, Log, Row, Store, StoredObject } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import {
  type Checkpoint,
  decodeSealRecord,
  encodeSealRecord,
  type SealRecord,
} from '../reading/checkpoint.ts';
import type { PageBody, PageHeader } from '../reading/page.ts';
import {
  decodeManifest,
  decodePointer,
  encodeManifest,
  encodePointer,
  type Manifest,
  type Part,
  type Previous,
  restoreHint,
} from './manifest.ts';

/** A record this old has lost its sealer, or was given up, milliseconds. */
const rivalMs = 10 * 60_000;
/** A manifest that was under way when this record was written has landed by then, or never will, milliseconds. */
const landMs = 20_000;
/** How often a command looks whether an older snapshot is sealed, milliseconds. */
const turnPollMs = 1_000;
/** More than this share of records without a key fails a run. */
const rejectShareMax = 0.01;

export interface SealPorts {
  store: Store;
  clock: Clock;
  log: Log;
  dataset: Dataset;
  encoders: readonly Encoder[];
  writer: string;
  /** Awaited between steps: gives a sign of life, throws when the run must stop. */
  keepAlive: () => Promise<void>;
  /** Whether an older snapshot's seal is waited for: not by an invocation that is billed for it. */
  mayWait: boolean;
  /** A stored page; each is read once, in order. */
  readPage: (
    checkpoint: Checkpoint,
    index: number,
  ) => Promise<{ header: PageHeader; body: PageBody }>;
}

interface Reject {
  reason: string;
  fetchedAtMs: number;
  record: string;
}

interface Contents {
  /** Ascending by key. */
  rows: Row[];
  /** In the order in which they were met. */
  rejects: Reject[];
}

export interface Sealed {
  manifestKey: string;
  manifest: Manifest;
  manifestSha256: string;
}

/** The snapshots of a target that are sealed, ascending. */
export async function listSnapshots(store: Store, target: TargetKey): Promise<string[]> {
  const objects = await store.list(manifestPrefix(target));
  return objects
    .map(({ key }) => parseManifestKey(key)?.snapshot)
    .filter((name): name is string => name !== undefined);
}

/** The manifest of a sealed snapshot; null if it is not sealed. Throws CorruptError. */
export async function readManifest(
  store: Store,
  target: TargetKey,
  snapshot: string,
): Promise<Sealed | null> {
  const key = manifestKey(target, snapshot);
  const bytes = await store.get(key);
  if (!bytes) return null;
  const manifest = decodeManifest(key, bytes);
  return { manifestKey: key, manifest, manifestSha256: sha256(bytes) };
}

/**
 * Everything written is a function of the seal record and the pages, so whoever seals, and however often, writes the same
 * bytes. Null: another run of the target is sealing an older snapshot, and there is no time to wait for it. Throws
 * ProtocolError `TOO_MANY_REJECTS`; ExportError `OVERTAKEN` if a newer snapshot of the target is sealed.
 */
export async function sealRun(
  ports: SealPorts,
  target: TargetKey,
  checkpoint: Checkpoint,
): Promise<Sealed | null> {
  const { store, clock, dataset, keepAlive } = ports;
  const { snapshot, run } = checkpoint;
  const recordKey = sealRecordKey(target, snapshot, run);
  for (;;) {
    const snapshots = await listSnapshots(store, target);
    if (snapshots.includes(snapshot)) break;
    const newest = snapshots[snapshots.length - 1];
    if (newest !== undefined && newest > snapshot) {
      throw new ExportError(
        'OVERTAKEN',
        `Snapshot ${newest} was sealed before ${snapshot}: names of one target only grow.`,
        'The older run is given up; the newer snapshot stands.',
      );
    }
    const { record, settlesMonotonicMs } = await fixRecord(ports, recordKey, {
      sealedAtMs: Math.round(clock.nowMs()),
      previous: newest === undefined ? null : await previousOf(store, target, newest),
      writer: ports.writer,
      checkpoint,
    });
    const contents = await readContents(ports, target, record.checkpoint);
    const { rows, rejects } = contents;
    if (rejects.length > rejectShareMax * (rejects.length + rows.length)) {
      // Reading the list anew must not meet this record.
      await store.delete(recordKey);
      throw tooManyRejects(dataset, contents);
    }
    // Parts first: the manifest's presence is the snapshot. Records of the same moment land meanwhile.
    const parts = await writeParts(ports, target, record, contents);
    if (settlesMonotonicMs !== null) {
      await sleepUntil(clock, settlesMonotonicMs);
      if (!(await stands(store, recordKey, record))) continue;
    }
    const turn = await waitForTurn(ports, target, checkpoint, snapshots);
    if (turn === 'paused') return null;
    if (turn === 'changed') continue;
    await keepAlive();
    const manifest = makeManifest(dataset, record, contents, parts);
    await store.put(manifestKey(target, snapshot), encodeManifest(manifest));
    // Another writer of the same manifest may still be landing: what stands afterwards is what the pointers name.
    if (store.settleMs > 0) await clock.sleep(store.settleMs);
    break;
  }
  await keepAlive();
  const sealed = await readManifest(store, target, snapshot);
  if (!sealed) {
    throw new ExportError(
      'MANIFEST_LOST',
      `The manifest of ${snapshot} was written and is not there.`,
      'Something else deletes objects of this store, or its reads do not see its writes.',
    );
  }
  await point(store, headKey(target), sealed);
  if (sealed.manifest.verdict === 'complete') await point(store, latestKey(target), sealed);
  return sealed;
}

/** Throws CorruptError if the manifest is not the one that `_head` names: the chain must not take over what was altered. */
async function previousOf(store: Store, target: TargetKey, snapshot: string): Promise<Previous> {
  const newest = await readManifest(store, target, snapshot);
  if (!newest) throw new Error(`manifest of ${snapshot} vanished`);
  const key = headKey(target);
  const head = await store.get(key);
  const pointer = head && decodePointer(key, head);
  if (pointer?.snapshot === snapshot && pointer.manifestSha256 !== newest.manifestSha256) {
    throw new CorruptError(
      newest.manifestKey,
      `does not match the hash in ${key}: it was altered`,
      restoreHint,
    );
  }
  return { snapshot, manifestSha256: newest.manifestSha256 };
}

/** The first record to be written stands; later sealers follow it. `settlesMonotonicMs` null: it stood already. */
async function fixRecord(
  { store, clock, keepAlive }: SealPorts,
  key: string,
  wanted: SealRecord,
): Promise<{ record: SealRecord; settlesMonotonicMs: number | null }> {
  const standing = await store.get(key);
  if (standing) {
    const record = decodeSealRecord(key, standing);
    // A snapshot that was sealed in between belongs into the chain: an older record would fork it.
    if (record.previous?.manifestSha256 === wanted.previous?.manifestSha256) {
      return { record, settlesMonotonicMs: null };
    }
  }
  await keepAlive();
  await store.put(key, encodeSealRecord(wanted));
  return { record: wanted, settlesMonotonicMs: clock.monotonicMs() + store.settleMs };
}

async function stands(store: Store, key: string, record: SealRecord): Promise<boolean> {
  const standing = await store.get(key);
  return standing !== null && Buffer.compare(standing, encodeSealRecord(record)) === 0;
}

async function sleepUntil(clock: Clock, monotonicMs: number): Promise<void> {
  const delayMs = monotonicMs - clock.monotonicMs();
  if (delayMs > 0) await clock.sleep(delayMs);
}

/**
 * Two runs of one target that seal at once, the lease being no guard, would both name the same manifest as the one before. Each
 * has written its record before it looks at the others', so one at least sees the other: the older snapshot goes first, but for
 * a younger one that may have looked before the older was there.
 * `changed`: a snapshot was sealed meanwhile, so that the record may name the wrong one before it.
 */
async function waitForTurn(
  { store, clock, log, keepAlive, mayWait }: SealPorts,
  target: TargetKey,
  own: { snapshot: string; run: string },
  snapshots: readonly string[],
): Promise<'mine' | 'changed' | 'paused'> {
  const newest = snapshots[snapshots.length - 1] ?? '';
  const ownKey = sealRecordKey(target, own.snapshot, own.run);
  let said = false;
  for (;;) {
    const records = await store.list(sealingPrefix(target));
    // After the records: who has gone from among them has sealed.
    if ((await listSnapshots(store, target)).length !== snapshots.length) return 'changed';
    const nowMs = store.nowMs();
    const ownMs = records.find(({ key }) => key === ownKey)?.modifiedMs ?? nowMs;
    const isRival = ({ key, modifiedMs }: StoredObject) => {
      const other = parseRunKey(target, key);
      if (!other || key === ownKey || other.snapshot <= newest) return false;
      if (modifiedMs < nowMs - rivalMs) return false;
      const isElder =
        other.snapshot < own.snapshot || (other.snapshot === own.snapshot && other.run < own.run);
      return isElder || (modifiedMs <= ownMs && nowMs < ownMs + landMs);
    };
    if (!records.some(isRival)) return 'mine';
    if (!mayWait) return 'paused';
    if (!said) log('info', 'another run of this target is sealing too: waiting for its turn');
    said = true;
    await keepAlive();
    await clock.sleep(turnPollMs);
  }
}

/** A pointer never goes back to an older snapshot. */
async function point(store: Store, key: string, sealed: Sealed): Promise<void> {
  const standing = await store.get(key);
  if (standing && decodePointer(key, standing).snapshot > sealed.manifest.snapshot) return;
  const { manifestKey: manifest, manifestSha256 } = sealed;
  const pointer = { snapshot: sealed.manifest.snapshot, manifest, manifestSha256 };
  const bytes = encodePointer(pointer);
  if (standing && Buffer.compare(standing, bytes) === 0) return;
  await store.put(key, bytes);
}

/** All passes together; of several records of one key the newest wins. */
async function readContents(
  { dataset, readPage }: SealPorts,
  target: TargetKey,
  checkpoint: Checkpoint,
): Promise<Contents> {
  const { scope, snapshot, pages } = checkpoint;
  const snapshotAtMs = snapshotTimeMs(snapshot) as number;
  const byKey = new Map<string, Row>();
  const rejects = new Map<string, Reject>();
  for (const index of pages.keys()) {
    const { header, body } = await readPage(checkpoint, index);
    const { fetchedAtMs } = header;
    const { account } = scope;
    const { region, projectId } = target;
    const context = { snapshotAtMs, fetchedAtMs, account, region, projectId };
    for (const record of body.records) {
      const rowKey = dataset.keyOf(record);
      if (rowKey !== null) {
        byKey.set(rowKey, dataset.normalize(record as Record<string, unknown>, context));
      } else {
        const verbatim = stringifyExact(record);
        if (rejects.has(verbatim)) continue;
        rejects.set(verbatim, {
          reason: dataset.rejectReason(record),
          fetchedAtMs,
          record: verbatim,
        });
      }
    }
  }
  const keyIndex = dataset.columns.findIndex((column) => column.name === dataset.keyColumn);
  const rows = [...byKey.values()];
  byKey.clear();
  rows.sort((a, b) => compareUtf8(a[keyIndex] as string, b[keyIndex] as string));
  return { rows, rejects: [...rejects.values()] };
}

function tooManyRejects(dataset: Dataset, { rows, rejects }: Contents): ProtocolError {
  const total = rejects.length + rows.length;
  return new ProtocolError(
    'TOO_MANY_REJECTS',
    `${rejects.length} of ${total} records have no usable ${dataset.keyColumn}, more than ${rejectShareMax * 100} %; the first: ${rejects[0]?.reason}.`,
    'The API answers what this version does not know. The pages are kept under _runs/; nothing was published.',
  );
}

/** Each part is written as soon as it is encoded, so that one at a time is in memory. */
async function writeParts(
  { store, dataset, encoders, keepAlive }: SealPorts,
  target: TargetKey,
  record: SealRecord,
  { rows, rejects }: Contents,
): Promise<Part[]> {
  const { snapshot } = record.checkpoint;
  const parts: Part[] = [];
  async function write(format: PartFormat, count: number, bytes: Uint8Array): Promise<void> {
    await keepAlive();
    const hash = sha256(bytes);
    const key = partKey(target, format, snapshot, hash);
    await store.put(key, bytes);
    parts.push({ format, key, rows: count, bytes: bytes.length, sha256: hash });
  }
  for (const encoder of encoders) {
    const options = { createdBy: record.writer, keepAlive };
    await write(encoder.format, rows.length, await encoder.encode(rows, dataset.columns, options));
  }
  if (rejects.length > 0) await write('rejects', rejects.length, encodeRejects(rejects));
  return parts;
}

/** Gzipped lines; `record` is the record as the API sent it. */
function encodeRejects(rejects: readonly Reject[]): Uint8Array {
  const lines = rejects.map(({ reason, fetchedAtMs, record }) => {
    const fetchedAt = new Date(fetchedAtMs).toISOString();
    return `{"reason":${JSON.stringify(reason)},"fetched_at":"${fetchedAt}","record":${record}}\n`;
  });
  return gzipSync(lines.join(''));
}

function makeManifest(
  dataset: Dataset,
  record: SealRecord,
  { rows, rejects }: Contents,
  parts: Part[],
): Manifest {
  const { checkpoint, sealedAtMs, previous, writer } = record;
  const { table, schemaVersion, snapshot, run, scope, startedAtMs, verdict, evidence } = checkpoint;
  return {
    manifestVersion: 1,
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
    evidence,
    ...countRows(dataset, rows),
    parts,
    previous,
    writer,
  };
}

/** What the manifest tells of the rows themselves; a function of the rows alone. */
function countRows(
  dataset: Dataset,
  rows: readonly Row[],
): Pick<Manifest, 'values' | 'unknownValues' | 'unknownFields' | 'mistyped'> {
  const place = new Map(dataset.columns.map((column, index) => [column.name, index]));
  const counters = new Map<string, Map<string, number>>();
  for (const name of new Set([...dataset.countedColumns, ...Object.keys(dataset.knownValues)])) {
    counters.set(name, new Map());
  }
  const unknownFields = new Set<string>();
  const mistyped = new Map<string, number>();
  const extraIndex = place.get('extra');
  for (const row of rows) {
    for (const [name, counter] of counters) {
      const value = row[place.get(name) ?? -1];
      if (typeof value === 'string') counter.set(value, (counter.get(value) ?? 0) + 1);
    }
    const extra = extraIndex === undefined ? null : row[extraIndex];
    if (typeof extra !== 'string') continue;
    // `extra` holds both: unknown fields, and known ones whose value had another type.
    for (const field of Object.keys(parseExact(extra) as object)) {
      if (dataset.fields.has(field)) mistyped.set(field, (mistyped.get(field) ?? 0) + 1);
      else unknownFields.add(field);
    }
  }
  const unknownValues: [string, Record<string, number>][] = [];
  for (const [name, known] of Object.entries(dataset.knownValues)) {
    const unknown = sortCounts(counters.get(name)).filter(([value]) => !known.includes(value));
    if (unknown.length > 0) unknownValues.push([name, Object.fromEntries(unknown)]);
  }
  return {
    values: Object.fromEntries(
      dataset.countedColumns.map((name) => [
        name,
        Object.fromEntries(sortCounts(counters.get(name))),
      ]),
    ),
    unknownValues: Object.fromEntries(unknownValues),
    unknownFields: [...unknownFields].sort(compareUtf8),
    mistyped: Object.fromEntries(sortCounts(mistyped)),
  };
}

function sortCounts(counts: ReadonlyMap<string, number> | undefined): [string, number][] {
  return [...(counts ?? [])].sort(([a], [b]) => compareUtf8(a, b));
}
