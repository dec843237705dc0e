// Responsible for turning a run's stored pages into the sorted rows and the rejects of its snapshot.

import { stringifyExact } from '../core/exact-json.ts';
import { snapshotTimeMs, type TargetKey } from '../core/object-keys.ts';
import type { Dataset, Row } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { ReadPages } from '../reading/page-store.ts';
import { findPositions, type Reject, readDuplicates } from './duplicates.ts';

export interface Contents {
  /** Ascending by key, in the order of its UTF-8 bytes. */
  rows: Row[];
  /** Records without a usable key, in the order in which they were read, equal ones once. Then the duplicates. */
  rejects: Reject[];
  /** How many of the rejects are duplicates: another record of their key is a row. */
  duplicates: number;
  /** Records that are equal to a row or to a reject at another position of the list. */
  repeats: number;
}

/**
 * Combines the pages of all passes. If a row was read several times, its newest reading becomes the row. If the list has a
 * key at two positions, the later one becomes the row.
 */
export async function readContents(
  dataset: Dataset,
  target: TargetKey,
  checkpoint: Checkpoint,
  readPages: ReadPages,
): Promise<Contents> {
  const { region, projectId } = target;
  const { account } = checkpoint.scope;
  const verdict = checkpoint.verdict ?? 'drifted';
  const snapshotAtMs = snapshotTimeMs(checkpoint.snapshot) as number;
  const byKey = new Map<string, Row>();
  const keyless = new Map<string, Reject>();
  const keys = findPositions(checkpoint, trackKeys(checkpoint, byKey));
  const texts = findPositions(checkpoint, new Set());
  const listedTwice = new Set<string>();
  let repeats = 0;
  for await (const page of readPages(checkpoint)) {
    const { header, body } = page;
    const { fetchedAtMs } = header;
    const context = { snapshotAtMs, fetchedAtMs, verdict, account, region, projectId };
    const isKeyElsewhere = keys.openPage(page);
    const isTextElsewhere = texts.openPage(page);
    for (const [place, record] of body.records.entries()) {
      const key = dataset.keyOf(record);
      if (key !== null) {
        if (isKeyElsewhere?.(place, key)) listedTwice.add(key);
        byKey.set(key, dataset.normalize(record as Record<string, unknown>, context));
        continue;
      }
      const text = stringifyExact(record);
      if (isTextElsewhere?.(place, text)) repeats += 1;
      if (keyless.has(text)) continue;
      keyless.set(text, { reason: dataset.rejectReason(record), fetchedAtMs, record: text });
    }
  }
  const twice =
    listedTwice.size === 0
      ? { rejects: [], repeats: 0 }
      : await readDuplicates(dataset, checkpoint, readPages, listedTwice);
  const keyIndex = dataset.columns.findIndex((column) => column.name === dataset.keyColumn);
  const rows = [...byKey.values()];
  byKey.clear();
  rows.sort((a, b) => compareUtf8(a[keyIndex] as string, b[keyIndex] as string));
  return {
    rows,
    rejects: [...keyless.values(), ...twice.rejects],
    duplicates: twice.rejects.length,
    repeats: repeats + twice.repeats,
  };
}

/** For findPositions. If the run is one pass over a list that did not move, the rows so far are the keys: no second set is needed. */
function trackKeys({ atRest, passStarts }: Checkpoint, rows: ReadonlyMap<string, Row>) {
  if (!atRest || passStarts.length > 1) return new Set<string>();
  return { has: (key: string) => rows.has(key), add() {} };
}
