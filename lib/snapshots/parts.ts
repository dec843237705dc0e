// Responsible for writing the parts of a snapshot: rows in each format, and rejects.

import { gzipSync } from 'node:zlib';
import { type PartKind, partKey, type TargetKey } from '../core/object-keys.ts';
import type { Dataset, Encoder, Store } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
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

/** Writes each part as soon as it is encoded, so that only one encoded part is in memory. */
export async function writeParts(
  { store, dataset, encoders, keepAlive }: PartPorts,
  target: TargetKey,
  { snapshot, writer }: { snapshot: string; writer: string },
  { rows, rejects }: Contents,
): Promise<Part[]> {
  const parts: Part[] = [];
  async function write(kind: PartKind, rowCount: number, bytes: Uint8Array): Promise<void> {
    await keepAlive();
    const hash = sha256(bytes);
    const key = partKey(target, kind, snapshot, hash);
    await store.put(key, bytes);
    parts.push({ ...kind, key, rows: rowCount, bytes: bytes.length, sha256: hash });
  }
  for (const { format, encode } of encoders) {
    const options = { createdBy: writer, keepAlive };
    // The bytes have no name here, so that they are free while the next format is encoded.
    await write(
      { role: 'rows', format },
      rows.length,
      await encode(rows, dataset.columns, options),
    );
  }
  if (rejects.length > 0) {
    await write({ role: 'rejects', format: 'ndjson' }, rejects.length, encodeRejects(rejects));
  }
  return parts;
}

/** Gzipped lines of JSON. `record` is the record as the API sent it. */
function encodeRejects(rejects: readonly Reject[]): Uint8Array {
  const lines = rejects.map(({ reason, fetchedAtMs, record }) => {
    const fetchedAt = new Date(fetchedAtMs).toISOString();
    return `{"reason":${JSON.stringify(reason)},"fetched_at":"${fetchedAt}","record":${record}}\n`;
  });
  return gzipSync(lines.join(''));
}
