// Responsible for reading the rows and changes of single nodes from the parts of a target, newest first. What they say about the life
// of a node: node-life.ts.

import { CorruptError, StoreError } from '../core/errors.ts';
import { type TargetKey, tombstoneKey } from '../core/object-keys.ts';
import type { Column, Dataset, Decoder, Row, Scratch, Store } from '../core/ports.ts';
import { type Fault, readEvidenceOrNull, toFault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { type Part, restoreHint } from '../snapshots/manifest.ts';
import { openCellOrder, openPartRows } from '../snapshots/part-rows.ts';
import { isContinued, type TimelineSnapshot } from '../snapshots/timeline.ts';

export interface LifePorts {
  store: Store;
  scratch: Scratch;
  dataset: Dataset;
  /** Of the Parquet parts. */
  decoder: Decoder;
  /** Called with the number of complete snapshots that are done, before each batch of rows. May throw to stop. */
  onProgress: (done: number) => void;
}

/** Complete snapshots that follow from each other by their changes, counted in the list of all complete ones, oldest first. */
export interface Segment {
  start: number;
  end: number;
  /** The nodes in the rows of one snapshot, with the cells of their status columns; null: no rows of the segment can be read. */
  anchor: { index: number; statuses: ReadonlyMap<string, Row> } | null;
}

export interface Found {
  names: { index: number; name: string }[];
  events: { index: number; row: Row }[];
  now: Row | null;
}

export interface Collected {
  segments: Segment[];
  byId: Map<string, Found>;
  /** A name was found in a part after other parts had been read without looking for its node. */
  isLate: boolean;
  faults: Fault[];
  unchecked: Fault[];
}

export interface LifeSearch {
  ports: LifePorts;
  target: TargetKey;
  complete: readonly TimelineSnapshot[];
  wanted: string;
  /** Ids of the nodes to collect. Those that are found by their name are added. */
  hostIds: Set<string>;
  /** Ids that begin with `wanted`, which are collected too: the first ones that are found, at most `prefixedMax`. */
  prefixed: Set<string>;
}

/** A shorter text is not the start of an id. */
const prefixLength = 8;
/** One more than an error lists: it says whether there are more. */
export const prefixedMax = 6;

/** From the newest snapshot to the oldest. Segments are listed newest first. */
export async function collectRows(search: LifeSearch): Promise<Collected> {
  const { complete } = search;
  const result: Collected = {
    ...{ segments: [], byId: new Map(), isLate: false, faults: [], unchecked: [] },
  };
  const reading: Reading = { search, result, parts: 0 };
  let end = complete.length - 1;
  let anchor: Segment['anchor'] = null;
  for (let index = complete.length - 1; index >= 0; index -= 1) {
    const snapshot = complete[index] as TimelineSnapshot;
    anchor ??= await readRows(reading, snapshot, index);
    const isRead = await readChanges(reading, snapshot, index);
    const previous = complete[index - 1];
    if (previous && isRead && isContinued(previous, snapshot)) continue;
    result.segments.push({ start: index, end, anchor });
    anchor = null;
    end = index - 1;
  }
  return result;
}

interface Reading {
  search: LifeSearch;
  result: Collected;
  /** How many were read. */
  parts: number;
}

function findNode({ result }: Reading, hostId: string): Found {
  const found = result.byId.get(hostId) ?? { names: [], events: [], now: null };
  result.byId.set(hostId, found);
  return found;
}

/** True if the node with one of these names is one of those to collect. */
function isWanted(reading: Reading, hostId: string, names: readonly unknown[]): boolean {
  const { hostIds, wanted } = reading.search;
  if (hostIds.has(hostId)) return true;
  const isPrefixed = addPrefixed(reading.search, hostId);
  if (!names.includes(wanted)) return isPrefixed;
  hostIds.add(hostId);
  // Of a node that was collected for its id, all parts so far have been read.
  if (!isPrefixed && reading.parts > 1) reading.result.isLate = true;
  return true;
}

/** False: the id does not begin with the text, or enough ids do. An id is added where it is first found, so never late. */
function addPrefixed({ wanted, prefixed }: LifeSearch, hostId: string): boolean {
  if (prefixed.has(hostId)) return true;
  if (wanted.length < prefixLength || !hostId.startsWith(wanted)) return false;
  if (prefixed.size === prefixedMax) return false;
  prefixed.add(hostId);
  return true;
}

/** `asked`: the order of the cells that `take` gets. False: the part cannot be read, and the reason is noted. */
async function readPart(
  reading: Reading,
  { part, asked, index }: { part: Part; asked: readonly Column[]; index: number },
  take: (row: Row) => void,
): Promise<boolean> {
  const { search, result } = reading;
  const { store, scratch, decoder, dataset, onProgress } = search.ports;
  reading.parts += 1;
  try {
    const options = { store, scratch, decoder, columns: asked, keyColumn: dataset.keyColumn };
    const rows = await openPartRows(part, options);
    try {
      const toRow = openCellOrder(asked, rows.columns);
      for await (const batch of rows.readBatches()) {
        onProgress(search.complete.length - 1 - index);
        for (const row of batch) take(toRow(row));
      }
    } finally {
      await rows.close();
    }
    return true;
  } catch (error) {
    if (error instanceof CorruptError) result.faults.push(toFault(error));
    else if (error instanceof StoreError && error.code === 'STORE_DENIED') {
      result.unchecked.push({ key: part.key, message: error.message, hint: error.hint });
    } else throw error;
    return false;
  }
}

/** Null: they were pruned or cannot be read. */
async function readRows(
  reading: Reading,
  { manifest, manifestKey }: TimelineSnapshot,
  index: number,
): Promise<Segment['anchor']> {
  const { search, result } = reading;
  const { store, dataset } = search.ports;
  const { keyColumn, nameColumn, statusColumns, columns } = dataset;
  const part = manifest.parts.find((one) => one.role === 'rows' && one.format === 'parquet');
  if (!part) return noteMissing(result, manifestKey, 'names no rows in Parquet');
  const isNewest = index === search.complete.length - 1;
  const needed = [keyColumn, nameColumn, ...statusColumns];
  const asked = isNewest ? columns : columns.filter(({ name }) => needed.includes(name));
  const at = (name: string) => asked.findIndex((column) => column.name === name);
  const [key, name, places] = [at(keyColumn), at(nameColumn), statusColumns.map(at)];
  const statuses = new Map<string, Row>();
  const faults = result.faults.length;
  const isRead = await readPart(reading, { part, asked, index }, (row) => {
    const hostId = row[key] as string;
    if (!isWanted(reading, hostId, [row[name]])) return;
    statuses.set(
      hostId,
      places.map((place) => row[place] ?? null),
    );
    const found = findNode(reading, hostId);
    if (row[name] !== null) found.names.push({ index, name: row[name] as string });
    if (isNewest) found.now = row;
  });
  if (isRead) return { index, statuses };
  // A tombstone explains rows that are missing. It does not hide rows that exist: another program may have written it.
  const tombstone = await readEvidenceOrNull(store, tombstoneKey(search.target, manifest.snapshot));
  if (tombstone) result.faults.length = faults;
  return null;
}

function noteMissing({ faults }: Collected, key: string, message: string): null {
  faults.push({ key, message, hint: restoreHint });
  return null;
}

/** False: they cannot be read. */
async function readChanges(
  reading: Reading,
  { manifest, manifestKey }: TimelineSnapshot,
  index: number,
): Promise<boolean> {
  const counts = manifest.changes;
  if (!counts || counts.added + counts.removed + counts.changed === 0) return true;
  const part = manifest.parts.find(({ role }) => role === 'changes');
  if (!part) {
    noteMissing(reading.result, manifestKey, 'names no part with its changes');
    return false;
  }
  const { dataset } = reading.search.ports;
  const { keyColumn, nameColumn } = dataset;
  const asked = changeColumns(dataset);
  const at = new Map(asked.map(({ name }, place) => [name, place]));
  const cellOf = (row: Row, column: string) => (row[at.get(column) ?? -1] ?? null) as string | null;
  return readPart(reading, { part, asked, index }, (row) => {
    const hostId = cellOf(row, keyColumn) as string;
    const name = cellOf(row, nameColumn);
    const isRenamed = cellOf(row, 'changed_columns')?.includes(JSON.stringify(nameColumn));
    const before = isRenamed ? JSON.parse(cellOf(row, 'before') ?? '{}')[nameColumn] : null;
    if (!isWanted(reading, hostId, [name, before])) return;
    const found = findNode(reading, hostId);
    found.events.push({ index, row });
    const isRemoved = cellOf(row, 'change') === 'removed';
    if (before !== null) found.names.push({ index: index - 1, name: before });
    if (name !== null) found.names.push({ index: isRemoved ? index - 1 : index, name });
  });
}
