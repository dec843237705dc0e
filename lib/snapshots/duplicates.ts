// Responsible for keys that a list has at several positions: which records are listed twice, and which of them become rejects.

import { parseExact, stringifyExact } from '../core/exact-json.ts';
import type { Dataset } from '../core/ports.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import type { StoredPage } from '../reading/page.ts';
import type { ReadPages } from '../reading/page-store.ts';

/** A record that is not a row: it has no usable key, or another record of its key is the row. */
export interface Reject {
  reason: string;
  fetchedAtMs: number;
  /** JSON text, exactly as the API sent it. */
  record: string;
}

/** The records met so far, by a mark: a key, or the text of a record without one. */
interface Met {
  has(mark: string): boolean;
  add(mark: string): void;
  /** Not defined if the list did not move: then it is never cleared. */
  clear?(): void;
}

/**
 * Finds records of the last pass that the list has at two positions. For each page of the run, in order, `openPage` returns null if
 * the page belongs to an earlier pass, else a function to call for each record in order: true if its mark was met at another
 * position. If the list did not move, every record but the anchor is at a new position. If it moved, only two records of one
 * page are certainly at two positions: `met` then holds one page.
 */
export function findPositions(
  { atRest, passStarts }: Pick<Checkpoint, 'atRest' | 'passStarts'>,
  met: Met,
) {
  const lastPass = passStarts.at(-1)?.pass;
  return {
    openPage({
      header,
      from,
    }: Pick<StoredPage, 'header' | 'from'>): ((place: number, mark: string) => boolean) | null {
      if (header.pass !== lastPass) return null;
      if (!atRest) met.clear?.();
      const hasAnchor = atRest && from === 'anchor';
      return (place, mark) => {
        const isMet = met.has(mark);
        met.add(mark);
        return isMet && !(hasAnchor && place === 0);
      };
    },
  };
}

type Reading = Pick<Reject, 'fetchedAtMs' | 'record'>;

/** The readings of one key in the last pass. */
interface Listed {
  /** The newest one. */
  row: Reading;
  /** Of the positions before, in list order. */
  earlier: Reading[];
  /** The page that `earlier` was read from; the first of them if the list did not move. */
  page: number;
}

/**
 * The records of `keys` that are not rows. `rejects`: in list order, equal ones once, none equal to its row. `repeats`: how many
 * records are equal to a row or to one of the rejects. Reads the pages of the last pass.
 */
export async function readDuplicates(
  dataset: Dataset,
  checkpoint: Checkpoint,
  readPages: ReadPages,
  keys: ReadonlySet<string>,
): Promise<{ rejects: Reject[]; repeats: number }> {
  const byKey = new Map<string, Listed>();
  const positions = findPositions(checkpoint, new Set());
  const lastPass = checkpoint.passStarts.at(-1)?.pass;
  for await (const page of readPages(checkpoint, { fromPass: lastPass ?? 0 })) {
    const isElsewhere = positions.openPage(page);
    if (!isElsewhere) continue;
    const { header, body } = page;
    const number = header.index;
    for (const [place, record] of body.records.entries()) {
      const key = dataset.keyOf(record);
      if (key === null || !keys.has(key)) continue;
      const row = { fetchedAtMs: header.fetchedAtMs, record: stringifyExact(record) };
      const listed = byKey.get(key);
      if (!isElsewhere(place, key)) {
        // Read again: the newest reading counts.
        if (listed) listed.row = row;
        else byKey.set(key, { row, earlier: [], page: number });
        continue;
      }
      if (!listed) throw new Error(`${key} was not met before`);
      // If the list moved, the newest page that has the key twice counts.
      if (!checkpoint.atRest && listed.page !== number) listed.earlier = [];
      listed.earlier.push(listed.row);
      byKey.set(key, { row, earlier: listed.earlier, page: number });
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
