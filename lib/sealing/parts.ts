// Responsible for the parts of a snapshot, rows in each format and rejects: complete in memory or in temporary files, with the
// keys that follow from their bytes, before the first of them is stored.

import { createGzip } from 'node:zlib';
import { type PartKind, partKey, type TargetKey } from '../core/object-keys.ts';
import type { Dataset, Encoder, EncodingOptions, Scratch, Store } from '../core/ports.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { changeColumns } from '../snapshots/changes.ts';
import type { Part } from '../snapshots/manifest.ts';
import type { ContentSink } from './contents.ts';
import type { Reject } from './duplicates.ts';
import { openSpool, type Spool, type Spooled } from './spool.ts';

export interface PartPorts {
  store: Store;
  scratch: Scratch;
  dataset: Dataset;
  encoders: readonly Encoder[];
  /** Of the changes: always Parquet. */
  changesEncoder: Encoder;
  /** Awaited before each write to the store. */
  keepAlive: () => Promise<void>;
}

/** A part that is not stored yet. */
export interface EncodedPart {
  part: Part;
  spooled: Spooled;
}

export interface PartWriter extends ContentSink {
  /**
   * The parts with rows in the order of the encoders, then the changes and the rejects, if there are any. No NDJSON part if
   * there are no rows.
   */
  finish(): Promise<EncodedPart[]>;
  /** Frees memory and temporary files. Never throws, and may be called again. */
  remove(): Promise<void>;
}

/** Encodes rows into all formats at the same time. Parts of up to 2 MiB need no temporary file. */
export function openParts(
  { scratch, dataset, encoders, changesEncoder }: PartPorts,
  target: TargetKey,
  { writer: createdBy, checkpoint }: { writer: string; checkpoint: Checkpoint },
): PartWriter {
  const { snapshot } = checkpoint;
  const metadata = describeRows(dataset, checkpoint);
  const { columns, keyColumn: sortedBy } = dataset;
  const shared = { sortedBy, createdBy, metadata };
  const written = encoders.map((encoder) => openOutput(scratch, encoder, { ...shared, columns }));
  const ofChanges = { ...shared, columns: changeColumns(dataset) };
  const changes = openOutput(scratch, changesEncoder, ofChanges);
  let changeCount = 0;
  const rejects = openRejects(scratch);
  let rows = 0;

  async function encode(kind: PartKind, rowCount: number, spool: Spool): Promise<EncodedPart> {
    const spooled = await spool.finish();
    const { bytes, sha256 } = spooled;
    const key = partKey(target, kind, snapshot, sha256);
    return { part: { ...kind, key, rows: rowCount, bytes, sha256 }, spooled };
  }

  return {
    async writeRows(batch) {
      rows += batch.length;
      for (const { writer } of written) await writer.write(batch);
    },
    async writeChanges(batch) {
      changeCount += batch.length;
      await changes.writer.write(batch);
    },
    writeReject: rejects.add,
    async finish() {
      const parts: EncodedPart[] = [];
      for (const { format, spool, writer } of written) {
        // Readers cannot infer columns from a file without lines. Such a file would break a query of the whole folder.
        if (rows === 0 && format === 'ndjson') continue;
        await writer.end();
        parts.push(await encode({ role: 'rows', format }, rows, spool));
      }
      if (changeCount > 0) {
        const { format, spool, writer } = changes;
        await writer.end();
        parts.push(await encode({ role: 'changes', format }, changeCount, spool));
      }
      const count = await rejects.end();
      if (count > 0) {
        parts.push(await encode({ role: 'rejects', format: 'ndjson' }, count, rejects.spool));
      }
      return parts;
    },
    async remove() {
      await rejects.remove();
      for (const { spool } of [...written, changes]) await spool.remove();
    },
  };
}

function openOutput(scratch: Scratch, encoder: Encoder, options: Omit<EncodingOptions, 'sink'>) {
  const spool = openSpool(scratch);
  const writer = encoder.open({ ...options, sink: spool.append });
  return { format: encoder.format, spool, writer };
}

function describeRows(dataset: Dataset, checkpoint: Checkpoint): Record<string, string> {
  const { table, schemaVersion, snapshot, run, verdict } = checkpoint;
  return {
    dataset: dataset.name,
    table,
    schemaVersion: String(schemaVersion),
    snapshot,
    run,
    verdict: verdict ?? 'drifted',
  };
}

/** Stores the parts, each from its memory or its temporary file. */
export async function putParts(
  { store, keepAlive }: PartPorts,
  parts: readonly EncodedPart[],
): Promise<void> {
  for (const { part, spooled } of parts) {
    await keepAlive();
    await spooled.put(store, part.key);
  }
}

/** Gzipped lines of JSON. `record` is the record as the API sent it. */
function openRejects(scratch: Scratch) {
  const spool = openSpool(scratch);
  let gzip: ReturnType<typeof openGzip> | null = null;
  let count = 0;
  return {
    spool,
    async add({ reason, fetchedAtMs, record }: Reject): Promise<void> {
      count += 1;
      gzip ??= openGzip(spool);
      const fetchedAt = new Date(fetchedAtMs).toISOString();
      await gzip.write(
        `{"reason":${JSON.stringify(reason)},"fetched_at":"${fetchedAt}","record":${record}}\n`,
      );
    },
    /** Returns how many there are. */
    async end(): Promise<number> {
      await gzip?.end();
      return count;
    },
    async remove(): Promise<void> {
      gzip?.destroy();
      await spool.remove();
    },
  };
}

/** Each line is one write: zlib does not promise that its output is independent of how its input is divided. */
function openGzip(spool: Spool) {
  const gzip = createGzip();
  const finished = (async () => {
    for await (const chunk of gzip) await spool.append(chunk as Uint8Array);
  })();
  // An error of the spool is thrown by the next call below. Until then it is not unhandled.
  finished.catch(() => {});
  return {
    async write(line: string): Promise<void> {
      if (gzip.destroyed) await finished;
      if (gzip.write(line)) return;
      await Promise.race([new Promise((resolve) => gzip.once('drain', resolve)), finished]);
    },
    async end(): Promise<void> {
      gzip.end();
      await finished;
    },
    destroy(): void {
      gzip.destroy();
    },
  };
}
