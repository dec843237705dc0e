// Responsible for turning a run's stored pages into the sorted rows and the rejects of its snapshot.

import { stringifyExact } from '../core/exact-json.ts';
import { snapshotTimeMs, type TargetKey } from '../core/object-keys.ts';
import type { Dataset, Row } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { StoredPage } from '../reading/page.ts';

/** A record without a usable key. */
export interface Reject {
  reason: string;
  fetchedAtMs: number;
  /** JSON text, exactly as the API sent it. */
  record: string;
}

export interface Contents {
  /** Ascending by key, in the order of its UTF-8 bytes. */
  rows: Row[];
  /** In the order in which they were read. Equal records are kept once. */
  rejects: Reject[];
}

/** Reads the stored page at `index`. Each page is read once, in order. */
export type ReadStoredPage = (checkpoint: Checkpoint, index: number) => Promise<StoredPage>;

/** Combines the pages of all passes. If a key was read several times, the newest record becomes the row. */
export async function readContents(
  dataset: Dataset,
  target: TargetKey,
  checkpoint: Checkpoint,
  readStoredPage: ReadStoredPage,
): Promise<Contents> {
  const { region, projectId } = target;
  const { account } = checkpoint.scope;
  const verdict = checkpoint.verdict ?? 'drifted';
  const snapshotAtMs = snapshotTimeMs(checkpoint.snapshot) as number;
  const byKey = new Map<string, Row>();
  const rejects = new Map<string, Reject>();
  for (const index of checkpoint.pages.keys()) {
    const { header, body } = await readStoredPage(checkpoint, index);
    const { fetchedAtMs } = header;
    const context = { snapshotAtMs, fetchedAtMs, verdict, account, region, projectId };
    for (const record of body.records) {
      const key = dataset.keyOf(record);
      if (key !== null) {
        byKey.set(key, dataset.normalize(record as Record<string, unknown>, context));
        continue;
      }
      const text = stringifyExact(record);
      if (rejects.has(text)) continue;
      rejects.set(text, { reason: dataset.rejectReason(record), fetchedAtMs, record: text });
    }
  }
  const keyIndex = dataset.columns.findIndex((column) => column.name === dataset.keyColumn);
  const rows = [...byKey.values()];
  byKey.clear();
  rows.sort((a, b) => compareUtf8(a[keyIndex] as string, b[keyIndex] as string));
  return { rows, rejects: [...rejects.values()] };
}
