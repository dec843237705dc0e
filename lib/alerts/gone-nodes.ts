// Responsible for the nodes that are gone since the previous complete snapshot, from the changes of a snapshot.

import { ExportError } from '../core/errors.ts';
import type { Decoder, Log, Scratch, Store } from '../core/ports.ts';
import { type ComparedDataset, changeColumns } from '../snapshots/changes.ts';
import type { Manifest } from '../snapshots/manifest.ts';
import { openPartRows } from '../snapshots/part-rows.ts';
import type { GoneNodes } from './due-alerts.ts';

/** An alert names at most this many nodes. */
const namedMax = 100;
/** Of an id or a name: longer ones are cut, so that an alert stays small. */
const charsMax = 128;
/** The changes of about 100,000 nodes. A part with more bytes is not read: only the number of nodes is in the alert then. */
const readBytesMax = 32 * 2 ** 20;

export interface GoneNodesPorts {
  store: Store;
  scratch: Scratch;
  decoder: Decoder;
  dataset: ComparedDataset;
  log: Log;
}

/** Null: no node is gone, or the snapshot was not compared with another one. If names cannot be read, the count is still returned. */
export async function readGoneNodes(
  { changes, parts, snapshot }: Manifest,
  ports: GoneNodesPorts,
): Promise<GoneNodes | null> {
  const count = changes?.removed ?? 0;
  if (count === 0) return null;
  const part = parts.find(({ role }) => role === 'changes');
  if (!part || part.bytes > readBytesMax) return { count, nodes: null };
  const { keyColumn, nameColumn } = ports.dataset;
  const wanted = [keyColumn, nameColumn, 'change'];
  const columns = changeColumns(ports.dataset).filter(({ name }) => wanted.includes(name));
  try {
    const rows = await openPartRows(part, { ...ports, columns, keyColumn });
    try {
      const [id = 0, name = 0, change = 0] = wanted.map((one) =>
        rows.columns.findIndex((column) => column.name === one),
      );
      const nodes: { hostId: string; hostName: string | null }[] = [];
      for await (const batch of rows.readBatches()) {
        for (const row of batch) {
          if (row[change] !== 'removed') continue;
          const hostName = row[name] ?? null;
          nodes.push({
            hostId: cut(String(row[id])),
            hostName: hostName === null ? null : cut(String(hostName)),
          });
          if (nodes.length === namedMax) return { count, nodes };
        }
      }
      return { count, nodes };
    } finally {
      await rows.close();
    }
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    ports.log('warn', 'an alert does not name the nodes that are gone: they cannot be read', {
      ...{ snapshot, code: error.code, error: error.message, hint: error.hint },
    });
    return { count, nodes: null };
  }
}

function cut(text: string): string {
  return text.length > charsMax ? `${text.slice(0, charsMax - 1)}…` : text;
}
