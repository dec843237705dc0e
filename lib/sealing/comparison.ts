// Responsible for comparing the rows of a new snapshot with those of its base: it sets the dates of each row, and makes the changes.
// Not responsible for choosing the base (base.ts).

import { snapshotTimeMs, type TargetKey } from '../core/object-keys.ts';
import type { Cell, Column, Dataset, Row } from '../core/ports.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { type ComparedRows, openDescription, pairRows } from '../snapshots/changes.ts';
import { type Base, type BasePorts, openBase } from './base.ts';

/** The next rows of the snapshot, ascending by key, with what changed among them. */
export interface ComparedBatch {
  rows: readonly Row[];
  /** Rows of changeColumns(). A removed row is among the changes only. */
  changes: readonly Row[];
}

export interface Comparison {
  /**
   * Sets the dates in the given rows, which are whole, and returns them. Throws what openBase() throws, also while it reads, and
   * what `batches` throws.
   */
  compare(batches: AsyncIterable<readonly Cell[][]>): AsyncGenerator<ComparedBatch>;
  /** Deletes the temporary file. Never throws, and may be called again. */
  close(): Promise<void>;
}

/** Copies the part of the base into a temporary file. In memory at any time: one row group of it. */
export async function openComparison(
  ports: BasePorts,
  target: TargetKey,
  { snapshot, scope }: Checkpoint,
  base: Base,
): Promise<Comparison> {
  const { dataset } = ports;
  const snapshotAtMs = snapshotTimeMs(snapshot) as number;
  if (typeof base === 'string') {
    // Without a snapshot before it, every row is new. If the one before it is not known, so are the dates.
    const isKnown = base === 'first' || base === 'scope';
    const date = isKnown ? openDates(dataset, dataset.columns, snapshotAtMs) : () => {};
    return { compare: (batches) => dateOnly(batches, date), close: async () => {} };
  }
  const rows = await openBase(ports, target, base);
  const { region, projectId } = target;
  const previousSnapshotAtMs = snapshotTimeMs(base.snapshot) as number;
  const context = {
    ...{ snapshotAtMs, previousSnapshotAtMs },
    ...{ account: scope.account, region, projectId },
  };
  const date = openDates(dataset, rows.columns, snapshotAtMs);
  const describe = openDescription(dataset, rows.columns, dataset.columns, context);
  return {
    async *compare(batches) {
      const previous: ComparedRows = { columns: rows.columns, batches: rows.readBatches() };
      const current = { columns: dataset.columns, batches };
      for await (const pairs of pairRows(dataset.keyColumn, previous, current)) {
        const batch = { rows: [] as Row[], changes: [] as Row[] };
        for (const { before, after } of pairs) {
          if (after) {
            // pairRows() passes the arrays of `batches` through.
            date(after as Cell[], before);
            batch.rows.push(after);
          }
          const change = describe({ before, after });
          if (change) batch.changes.push(change);
        }
        yield batch;
      }
    },
    close: rows.close,
  };
}

async function* dateOnly(
  batches: AsyncIterable<readonly Cell[][]>,
  date: (after: Cell[], before: Row | null) => void,
): AsyncGenerator<ComparedBatch> {
  for await (const rows of batches) {
    for (const row of rows) date(row, null);
    yield { rows, changes: [] };
  }
}

/**
 * Returns the function that sets when a row was first seen, and since when its statuses are as they are. A row that is not in the
 * base is new. A date that the base lacks is not known, and stays null until the status changes. So does that of a status of which
 * the base has no column.
 */
function openDates(
  { columns, firstSeenColumn, sinceColumns }: Dataset,
  baseColumns: readonly Column[],
  snapshotAtMs: number,
): (after: Cell[], before: Row | null) => void {
  const indexIn = (list: readonly Column[], name: string) =>
    list.findIndex((column) => column.name === name);
  const firstSeen = [columns, baseColumns].map((list) => indexIn(list, firstSeenColumn));
  const statuses = Object.entries(sinceColumns).map(([status, since]) => ({
    status: indexIn(columns, status),
    since: indexIn(columns, since),
    baseStatus: indexIn(baseColumns, status),
    baseSince: indexIn(baseColumns, since),
  }));
  const [own = -1, inBase = -1] = firstSeen;
  return (after, before) => {
    after[own] = before ? (before[inBase] ?? null) : snapshotAtMs;
    for (const { status, since, baseStatus, baseSince } of statuses) {
      const isNew = !before || (baseStatus !== -1 && before[baseStatus] !== after[status]);
      after[since] = isNew ? snapshotAtMs : (before[baseSince] ?? null);
    }
  };
}
