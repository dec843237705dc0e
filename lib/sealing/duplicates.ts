// Responsible for keys that a list has at several positions: which records are listed twice, and which of them become rejects.

import { parseExact, stringifyExact } from '../core/exact-json.ts';
import type { Dataset } from '../core/ports.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { ReadPages } from '../reading/page-store.ts';
import { followMarks } from './run-pages.ts';

/** A record that is not a row: it has no usable key, or another record of its key is the row. */
export interface Reject {
  reason: string;
  fetchedAtMs: number;
  /** JSON text, exactly as the API sent it. */
  record: string;
}

type Text = Pick<Reject, 'fetchedAtMs' | 'record'>;

/** The readings of one key in the last pass. */
interface Listed {
  /** The newest one. */
  row: Text;
  /** Of the positions before, in list order. */
  earlier: Text[];
  /** The page that `earlier` was read from; the first of them if the list did not move. */
  page: number;
}

/**
 * The records of `keys` that are not rows. `rejects`: in list order, equal ones once, none equal to its row. `repeats`: how many
 * records are equal to a row or to one of the rejects. Reads the pages again, and holds all records of `keys` in memory.
 */
export async function readDuplicates(
  dataset: Dataset,
  checkpoint: Checkpoint,
  readPages: ReadPages,
  keys: ReadonlySet<string>,
): Promise<{ rejects: Reject[]; repeats: number }> {
  const byKey = new Map<string, Listed>();
  const openPage = followMarks(checkpoint);
  for await (const page of readPages(checkpoint, { fromPass: checkpoint.cursor.pass })) {
    const isElsewhere = openPage(page);
    if (!isElsewhere) continue;
    const { header, body } = page;
    for (const [place, record] of body.records.entries()) {
      const key = dataset.keyOf(record);
      if (key === null || !keys.has(key)) continue;
      const row = { fetchedAtMs: header.fetchedAtMs, record: stringifyExact(record) };
      const listed = byKey.get(key);
      if (!isElsewhere(place, key)) {
        // Read again: the newest reading counts.
        if (listed) listed.row = row;
        else byKey.set(key, { row, earlier: [], page: header.index });
        continue;
      }
      if (!listed) throw new Error(`${key} was not met before`);
      // If the list moved, the newest page that has the key twice counts.
      if (!checkpoint.atRest && listed.page !== header.index) listed.earlier = [];
      listed.earlier.push(listed.row);
      byKey.set(key, { row, earlier: listed.earlier, page: header.index });
    }
  }
  const reason = `duplicate ${dataset.keyColumn}`;
  const rejects: Reject[] = [];
  let repeats = 0;
  for (const { row, earlier } of byKey.values()) {
    const kept = new Set([sortMembers(row.record)]);
    for (const reading of earlier) {
      const values = sortMembers(reading.record);
      if (kept.has(values)) repeats += 1;
      else rejects.push({ reason, ...reading });
      kept.add(values);
    }
  }
  return { rejects, repeats };
}

/** The same JSON text for records with equal values, whatever the order of their members. */
function sortMembers(record: string): string {
  return stringifyExact(parseExact(record), true);
}
