// Responsible for comparing two snapshots of a target: which rows were added, removed and changed, and how. Pure: it is given
// the rows. Not responsible for choosing the snapshots, or for reading them (part-rows.ts).

import type { Cell, Column, Dataset, Row } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';

/** The rows of one snapshot, ascending by the dataset's key column, each key once. */
export interface ComparedRows {
  /** Columns of the dataset, in its order. An older snapshot can lack some. Must have the key column. */
  columns: readonly Column[];
  batches: AsyncIterable<readonly Row[]>;
}

/** What all changes between two snapshots have in common. */
export interface ChangeContext {
  snapshotAtMs: number;
  previousSnapshotAtMs: number;
  account: string;
  region: string;
  projectId: string;
}

export type ComparedDataset = Pick<
  Dataset,
  'columns' | 'keyColumn' | 'nameColumn' | 'statusColumns' | 'uncomparedColumns'
>;

/** The columns of a change. `before` and `after` are JSON objects, `changed_columns` is a JSON array of names. */
export function changeColumns({ keyColumn, nameColumn, statusColumns }: ComparedDataset): Column[] {
  const text = (name: string): Column => ({ name, type: 'string' });
  return [
    { name: 'snapshot_at', type: 'timestamp' },
    { name: 'previous_snapshot_at', type: 'timestamp' },
    ...['account', 'region', 'project_id'].map(text),
    { name: keyColumn, type: 'string', required: true },
    ...[nameColumn, 'change', 'changed_columns'].map(text),
    ...statusColumns.flatMap((name) => [text(`${name}_before`), text(name)]),
    ...['before', 'after'].map(text),
  ];
}

export interface ChangeCounts {
  added: number;
  removed: number;
  changed: number;
}

/** Counts changes, which are rows of changeColumns(). */
export function createChangeCounter(dataset: ComparedDataset) {
  const changeIndex = changeColumns(dataset).findIndex(({ name }) => name === 'change');
  const counts: ChangeCounts = { added: 0, removed: 0, changed: 0 };
  return {
    counts: counts as Readonly<ChangeCounts>,
    add(changes: readonly Row[]): void {
      for (const change of changes) counts[change[changeIndex] as keyof ChangeCounts] += 1;
    },
  };
}

/**
 * The changes as rows of changeColumns(), ascending by key. A batch has those among at most 1,000 keys: it can be empty.
 * `compared`: the number of these keys. Throws what the two sequences throw.
 */
export async function* listChanges(
  dataset: ComparedDataset,
  previous: ComparedRows,
  current: ComparedRows,
  context: ChangeContext,
): AsyncGenerator<{ compared: number; changes: readonly Row[] }> {
  const describe = openDescription(dataset, previous.columns, current.columns, context);
  for await (const pairs of pairRows(dataset.keyColumn, previous, current)) {
    yield {
      compared: pairs.length,
      changes: pairs.map(describe).filter((change) => change !== null),
    };
  }
}

/** The rows of one key in both snapshots; null: the snapshot has none. */
export interface RowPair {
  before: Row | null;
  after: Row | null;
}

const pairsPerBatch = 1_000;

/** The rows of both snapshots by key, ascending, in batches of at most 1,000 pairs. */
export async function* pairRows(
  keyColumn: string,
  previous: ComparedRows,
  current: ComparedRows,
): AsyncGenerator<RowPair[]> {
  const left = await openCursor(keyColumn, previous);
  const right = await openCursor(keyColumn, current);
  try {
    let pairs: RowPair[] = [];
    while (left.row !== null || right.row !== null) {
      const order = compareRows(left, right);
      pairs.push({
        before: order <= 0 ? left.row : null,
        after: order >= 0 ? right.row : null,
      });
      if (order <= 0 && !left.step()) await left.load();
      if (order >= 0 && !right.step()) await right.load();
      if (pairs.length < pairsPerBatch) continue;
      yield pairs;
      pairs = [];
    }
    if (pairs.length > 0) yield pairs;
  } finally {
    await left.close();
    await right.close();
  }
}

/** Negative: the left row comes first, and the right snapshot has no row of its key. Both rows must not be null. */
function compareRows(left: Cursor, right: Cursor): number {
  if (left.row === null) return 1;
  if (right.row === null) return -1;
  return compareUtf8(left.row[left.key] as string, right.row[right.key] as string);
}

interface Cursor {
  /** Null: there are no more rows. */
  readonly row: Row | null;
  /** The index of the key column. */
  readonly key: number;
  /** Takes the next row. False: the batch has no more rows, and load() must be called. */
  step(): boolean;
  /** Takes the first row of the next batch. */
  load(): Promise<void>;
  close(): Promise<void>;
}

/** At the first row. Only load() is asynchronous, because a promise for each row would cost more than comparing it. */
async function openCursor(keyColumn: string, { columns, batches }: ComparedRows): Promise<Cursor> {
  const iterator = batches[Symbol.asyncIterator]();
  let batch: readonly Row[] = [];
  let index = 0;
  let row: Row | null = null;
  const cursor: Cursor = {
    key: columns.findIndex(({ name }) => name === keyColumn),
    get row() {
      return row;
    },
    step() {
      index += 1;
      row = batch[index] ?? null;
      return row !== null;
    },
    async load() {
      index = 0;
      do {
        const next = await iterator.next();
        batch = next.done ? [] : next.value;
        row = batch[0] ?? null;
        if (next.done) return;
      } while (row === null);
    },
    async close() {
      await iterator.return?.();
    },
  };
  await cursor.load();
  return cursor;
}

/** One column in both snapshots, as indexes of its cells. */
interface SharedColumn {
  column: Column;
  before: number;
  after: number;
}

/** Returns the function that makes the change of a pair of rows; null: nothing that is compared differs. */
export function openDescription(
  dataset: ComparedDataset,
  previousColumns: readonly Column[],
  currentColumns: readonly Column[],
  context: ChangeContext,
): (pair: RowPair) => Row | null {
  const { keyColumn, nameColumn, statusColumns, uncomparedColumns } = dataset;
  const indexIn = (columns: readonly Column[]) =>
    new Map(columns.map((column, index) => [column.name, index]));
  const inPrevious = indexIn(previousColumns);
  const inCurrent = indexIn(currentColumns);
  const shared = dataset.columns.flatMap((column): SharedColumn[] => {
    const before = inPrevious.get(column.name);
    const after = inCurrent.get(column.name);
    if (before === undefined || after === undefined) return [];
    return uncomparedColumns.includes(column.name) ? [] : [{ column, before, after }];
  });
  const { snapshotAtMs, previousSnapshotAtMs, account, region, projectId } = context;
  const place = [snapshotAtMs, previousSnapshotAtMs, account, region, projectId];
  const newestOf = (name: string) => {
    const before = inPrevious.get(name) ?? -1;
    const after = inCurrent.get(name) ?? -1;
    return (pair: RowPair) => cellOf(pair.after ? pair.after[after] : pair.before?.[before]);
  };
  const [keyOf, nameOf] = [newestOf(keyColumn), newestOf(nameColumn)];
  const statuses = statusColumns.map((name) => {
    return { before: inPrevious.get(name) ?? -1, after: inCurrent.get(name) ?? -1 };
  });
  const listNames = openNameList();

  return (pair) => {
    const { before, after } = pair;
    if (before && after && !differs(shared, before, after)) return null;
    const differing =
      before && after ? shared.filter((one) => before[one.before] !== after[one.after]) : null;
    const change: Cell[] = [
      ...place,
      keyOf(pair),
      nameOf(pair),
      differing ? 'changed' : before ? 'removed' : 'added',
      differing && listNames(differing),
    ];
    for (const status of statuses) {
      change.push(cellOf(before?.[status.before]), cellOf(after?.[status.after]));
    }
    change.push(
      before &&
        (differing ? pickCells(differing, 'before', before) : toJson(previousColumns, before)),
      after && (differing ? pickCells(differing, 'after', after) : toJson(currentColumns, after)),
    );
    return change;
  };
}

/** A column that the snapshot lacks is null. */
function cellOf(cell: Cell | undefined): Cell {
  return cell ?? null;
}

/** The names as a JSON array. If a column changes for all rows, they share one text. */
function openNameList(): (columns: readonly SharedColumn[]) => string {
  let last: readonly SharedColumn[] = [];
  let text = '[]';
  return (columns) => {
    const isSame = columns.length === last.length && columns.every((one, c) => one === last[c]);
    if (!isSame) text = JSON.stringify(columns.map(({ column }) => column.name));
    last = columns;
    return text;
  };
}

/** A loop, because almost all rows are equal: filter() would make an array for each. */
function differs(shared: readonly SharedColumn[], before: Row, after: Row): boolean {
  for (const one of shared) if (before[one.before] !== after[one.after]) return true;
  return false;
}

/** As toJson(), of some columns. */
function pickCells(columns: readonly SharedColumn[], side: 'before' | 'after', row: Row): string {
  return toJson(
    columns.map(({ column }) => column),
    columns.map((one) => cellOf(row[one[side]])),
  );
}

/** As in NDJSON: a timestamp is ISO 8601 in UTC with milliseconds, and an int64 has all its digits. */
function toJson(columns: readonly Column[], row: Row): string {
  let text = '';
  for (let c = 0; c < columns.length; c++) {
    const { name, type } = columns[c] as Column;
    const cell = cellOf(row[c]);
    const value = type === 'timestamp' && cell !== null ? new Date(cell as number) : cell;
    const written = type === 'int64' ? String(cell) : JSON.stringify(value);
    text += `${c === 0 ? '{' : ','}${JSON.stringify(name)}:${written}`;
  }
  return `${text}}`;
}
