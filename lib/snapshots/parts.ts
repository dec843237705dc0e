// Responsible for the parts of a snapshot, rows in each format and rejects: their keys before the first is written, and writing
// them.

import { gzipSync } from 'node:zlib';
import { type PartKind, partKey, type TargetKey } from '../core/object-keys.ts';
import type { Dataset, Encoder, EncodingOptions, Row, Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { Contents } from './contents.ts';
import type { Reject } from './duplicates.ts';
import type { Part } from './manifest.ts';

export interface PartPorts {
  store: Store;
  dataset: Dataset;
  encoders: readonly Encoder[];
  /** Awaited before each write. */
  keepAlive: () => Promise<void>;
}

/** Encoded parts that are kept until they are written. Larger ones are encoded again, so that memory stays bounded. */
const keptBytesMax = 16 * 2 ** 20;

/** Rows between two calls of `keepAlive`: about 100 ms of work. */
const rowsPerWrite = 10_000;

export interface EncodedPart {
  part: Part;
  /** Null: too large to be kept. */
  bytes: Uint8Array | null;
  encode: () => Promise<Uint8Array>;
}

/**
 * Encodes every part, because its key contains the hash of its bytes. The newest part is always kept; the earlier ones only if
 * all of them together are small.
 */
export async function encodeParts(
  { dataset, encoders, keepAlive }: PartPorts,
  target: TargetKey,
  { writer, checkpoint }: { writer: string; checkpoint: Checkpoint },
  { rows, rejects }: Contents,
): Promise<EncodedPart[]> {
  const encoded: EncodedPart[] = [];
  const { table, schemaVersion, snapshot, run, verdict } = checkpoint;
  async function add(
    kind: PartKind,
    rowCount: number,
    encode: () => Promise<Uint8Array>,
  ): Promise<void> {
    const bytes = await encode();
    const hash = sha256(bytes);
    const key = partKey(target, kind, snapshot, hash);
    const part = { ...kind, key, rows: rowCount, bytes: bytes.length, sha256: hash };
    const keptBytes = encoded.reduce((sum, one) => sum + (one.bytes?.length ?? 0), bytes.length);
    if (keptBytes > keptBytesMax) for (const one of encoded) one.bytes = null;
    encoded.push({ part, bytes, encode });
  }
  const options = {
    columns: dataset.columns,
    sortedBy: dataset.keyColumn,
    createdBy: writer,
    metadata: {
      dataset: dataset.name,
      table,
      schemaVersion: String(schemaVersion),
      snapshot,
      run,
      verdict: verdict ?? 'drifted',
    },
  };
  for (const encoder of encoders) {
    const kind = { role: 'rows', format: encoder.format } as const;
    await add(kind, rows.length, () => encodeRows(encoder, rows, options, keepAlive));
  }
  if (rejects.length > 0) {
    const kind = { role: 'rejects', format: 'ndjson' } as const;
    await add(kind, rejects.length, async () => encodeRejects(rejects));
  }
  return encoded;
}

async function encodeRows(
  encoder: Encoder,
  rows: readonly Row[],
  options: Omit<EncodingOptions, 'sink'>,
  keepAlive: () => Promise<void>,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const writer = encoder.open({ ...options, sink: (bytes) => void chunks.push(bytes) });
  for (let start = 0; start < rows.length; start += rowsPerWrite) {
    if (start > 0) await keepAlive();
    await writer.write(rows.slice(start, start + rowsPerWrite));
  }
  await writer.end();
  return Buffer.concat(chunks);
}

/** Frees each part's bytes once it is written. */
export async function writeParts(
  { store, keepAlive }: PartPorts,
  encoded: readonly EncodedPart[],
): Promise<void> {
  // The last part is the one that is always kept: writing it first frees its memory for the others.
  for (const one of [...encoded].reverse()) {
    const { key, sha256: hash } = one.part;
    const bytes = one.bytes ?? (await one.encode());
    one.bytes = null;
    if (sha256(bytes) !== hash) throw new Error(`encoding ${key} again gave other bytes`);
    await keepAlive();
    await store.put(key, bytes);
  }
}

/** Gzipped lines of JSON. `record` is the record as the API sent it. */
function encodeRejects(rejects: readonly Reject[]): Uint8Array {
  const lines = rejects.map(({ reason, fetchedAtMs, record }) => {
    const fetchedAt = new Date(fetchedAtMs).toISOString();
    return `{"reason":${JSON.stringify(reason)},"fetched_at":"${fetchedAt}","record":${record}}\n`;
  });
  return gzipSync(lines.join(''));
}
