// Responsible for the life of single nodes: in which complete snapshots they are, and what changed, over all stored history of a
// target. Not responsible for how that looks.

import { CorruptError, StoreError } from '../core/errors.ts';
import { type TargetKey, tombstoneKey } from '../core/object-keys.ts';
import type { Column, Dataset, Decoder, Row, Scratch, Store } from '../core/ports.ts';
import { type Fault, readEvidenceOrNull, toFault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { type ChangesNone, type Part, restoreHint } from '../snapshots/manifest.ts';
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

/** Names of snapshots. */
export interface SeenPeriod {
  from: string;
  /** The last complete snapshot that has the node; null: the newest one still has it. */
  to: string | null;
}

/** A snapshot that was not compared with the complete one before it: there are no events of what changed between them. */
export interface LifeBreak {
  snapshot: string;
  /** As in its manifest; null: the changes are missing or altered, or the manifest does not say it. */
  changesNone: ChangesNone | null;
  /** The cells of the dataset's status columns in both snapshots; null: it does not have the node, or that is not known. */
  before: Row | null;
  after: Row | null;
}

export interface NodeLife {
  hostId: string;
  /** Every name that it had, oldest first, each once. */
  names: string[];
  /** Oldest first. Between two of them the node was not listed, or it is not known whether it was. */
  seen: SeenPeriod[];
  /** Rows of changeColumns(), oldest first. */
  events: Row[];
  /** Oldest first. */
  breaks: LifeBreak[];
  /** A row of the dataset's columns; null: the newest complete snapshot does not have it. */
  now: Row | null;
}

export interface TargetLives {
  /** By host id. */
  nodes: NodeLife[];
  /** Names of the oldest and the newest complete snapshot; null: there is none. */
  searched: { from: string; to: string } | null;
  /** Everything is known from this snapshot on: before it, rows were pruned or cannot be read. Null: of no snapshot. */
  knownFrom: string | null;
  /** Parts that are missing or altered. Pruned parts are none. */
  faults: Fault[];
  /** Parts that exist but may not be read. */
  unchecked: Fault[];
}

/** Complete snapshots that follow from each other by their changes, counted in the list of all complete ones, oldest first. */
interface Segment {
  start: number;
  end: number;
  /** The nodes in the rows of one snapshot, with the cells of their status columns; null: no rows of the segment can be read. */
  anchor: { index: number; statuses: ReadonlyMap<string, Row> } | null;
}

interface Found {
  names: { index: number; name: string }[];
  events: { index: number; row: Row }[];
  now: Row | null;
}

interface Collected {
  segments: Segment[];
  byId: Map<string, Found>;
  /** A name was found in a part after other parts had been read without looking for its node. */
  isLate: boolean;
  faults: Fault[];
  unchecked: Fault[];
}

/**
 * Finds every node whose host id is `wanted` or that ever had this name, exactly. `snapshots`: oldest first; drifted ones are left
 * out. Each part is read once, or twice if a name is found late. Memory: the manifests, and the rows of the nodes found.
 */
export async function readNodeLives(
  ports: LifePorts,
  target: TargetKey,
  snapshots: readonly TimelineSnapshot[],
  wanted: string,
): Promise<TargetLives> {
  const complete = snapshots.filter(({ manifest }) => manifest.verdict === 'complete');
  const hostIds = new Set([wanted]);
  const call: Call = { ports, target, complete, wanted, hostIds };
  let collected = await collect(call);
  if (collected.isLate) collected = await collect(call);
  const { segments, byId, faults, unchecked } = collected;
  const nameOf = (index: number) => complete[index]?.manifest.snapshot ?? '';
  const unknown = segments.findIndex(({ anchor }) => anchor === null);
  const known = unknown === -1 ? segments.at(-1) : segments[unknown - 1];
  const { dataset } = ports;
  return {
    nodes: [...byId]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([hostId, found]) => {
        const presence = findPresence(hostId, found, segments, { complete, dataset });
        return {
          hostId,
          names: listNames(found),
          seen: listSeen(presence, nameOf),
          events: found.events.sort((a, b) => a.index - b.index).map(({ row }) => row),
          breaks: listBreaks(hostId, found, segments, { complete, dataset }),
          now: found.now,
        };
      }),
    searched: complete.length === 0 ? null : { from: nameOf(0), to: nameOf(complete.length - 1) },
    knownFrom: known ? nameOf(known.start) : null,
    faults,
    unchecked,
  };
}

interface Call {
  ports: LifePorts;
  target: TargetKey;
  complete: readonly TimelineSnapshot[];
  wanted: string;
  /** Ids of the nodes to collect. Those that are found are added. */
  hostIds: Set<string>;
}

/** From the newest snapshot to the oldest. Segments are listed newest first. */
async function collect(call: Call): Promise<Collected> {
  const { complete } = call;
  const result: Collected = {
    ...{ segments: [], byId: new Map(), isLate: false, faults: [], unchecked: [] },
  };
  const reader = openReader(call, result);
  let end = complete.length - 1;
  let anchor: Segment['anchor'] = null;
  for (let index = complete.length - 1; index >= 0; index -= 1) {
    const snapshot = complete[index] as TimelineSnapshot;
    anchor ??= await reader.readRows(snapshot, index);
    const isRead = await reader.readChanges(snapshot, index);
    const previous = complete[index - 1];
    if (previous && isRead && isContinued(previous, snapshot)) continue;
    result.segments.push({ start: index, end, anchor });
    anchor = null;
    end = index - 1;
  }
  return result;
}

// Long because: one state, and the steps that share it.
function openReader({ ports, target, complete, wanted, hostIds }: Call, result: Collected) {
  const { store, dataset } = ports;
  const { keyColumn, nameColumn, columns } = dataset;
  const changes = changeColumns(dataset);
  let parts = 0;

  function find(hostId: string): Found {
    const found = result.byId.get(hostId) ?? { names: [], events: [], now: null };
    result.byId.set(hostId, found);
    return found;
  }

  /** True if the node with one of these names is one of those to collect. */
  function isWanted(hostId: string, names: readonly unknown[]): boolean {
    if (hostIds.has(hostId)) return true;
    if (!names.includes(wanted)) return false;
    hostIds.add(hostId);
    if (parts > 1) result.isLate = true;
    return true;
  }

  /** Calls `take` with each row, its cells in the order of `asked`. False: the part cannot be read, and the reason is noted. */
  async function read(
    part: Part,
    asked: readonly Column[],
    index: number,
    take: (row: Row) => void,
  ): Promise<boolean> {
    parts += 1;
    const options = { ...ports, columns: asked, keyColumn };
    try {
      const rows = await openPartRows(part, options);
      try {
        const toRow = openCellOrder(asked, rows.columns);
        for await (const batch of rows.readBatches()) {
          ports.onProgress(complete.length - 1 - index);
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

  return {
    /** Null: they were pruned or cannot be read. */
    async readRows(snapshot: TimelineSnapshot, index: number): Promise<Segment['anchor']> {
      const { manifest, manifestKey, pruned } = snapshot;
      if (pruned) return null;
      const part = manifest.parts.find((one) => one.role === 'rows' && one.format === 'parquet');
      if (!part) {
        const message = 'names no rows in Parquet';
        result.faults.push({ key: manifestKey, message, hint: restoreHint });
        return null;
      }
      const isNewest = index === complete.length - 1;
      const needed = [keyColumn, nameColumn, ...dataset.statusColumns];
      const asked = isNewest ? columns : columns.filter(({ name }) => needed.includes(name));
      const [key, name] = [keyColumn, nameColumn].map((one) => indexIn(asked, one)) as [
        number,
        number,
      ];
      const statuses = dataset.statusColumns.map((one) => indexIn(asked, one));
      const present = new Map<string, Row>();
      const faults = result.faults.length;
      const isRead = await read(part, asked, index, (row) => {
        const hostId = row[key] as string;
        if (!isWanted(hostId, [row[name]])) return;
        present.set(
          hostId,
          statuses.map((at) => row[at] ?? null),
        );
        const found = find(hostId);
        if (row[name] !== null) found.names.push({ index, name: row[name] as string });
        if (isNewest) found.now = row;
      });
      if (isRead) return { index, statuses: present };
      // Retention may have begun to delete them after the tombstones were listed.
      const tombstone = await readEvidenceOrNull(store, tombstoneKey(target, manifest.snapshot));
      if (tombstone) result.faults.length = faults;
      return null;
    },

    /** False: they cannot be read. */
    async readChanges(
      { manifest, manifestKey }: TimelineSnapshot,
      index: number,
    ): Promise<boolean> {
      const counts = manifest.changes;
      if (!counts || counts.added + counts.removed + counts.changed === 0) return true;
      const part = manifest.parts.find(({ role }) => role === 'changes');
      if (!part) {
        const message = 'names no part with its changes';
        result.faults.push({ key: manifestKey, message, hint: restoreHint });
        return false;
      }
      const at = Object.fromEntries(changes.map(({ name }, c) => [name, c]));
      const cellOf = (row: Row, column: string) => row[at[column] as number] as string | null;
      return read(part, changes, index, (row) => {
        const hostId = cellOf(row, keyColumn) as string;
        const name = cellOf(row, nameColumn);
        const isRenamed = cellOf(row, 'changed_columns')?.includes(JSON.stringify(nameColumn));
        const before = isRenamed ? JSON.parse(cellOf(row, 'before') ?? '{}')[nameColumn] : null;
        if (!isWanted(hostId, [name, before])) return;
        const found = find(hostId);
        found.events.push({ index, row });
        const isRemoved = cellOf(row, 'change') === 'removed';
        if (before !== null) found.names.push({ index: index - 1, name: before });
        if (name !== null) found.names.push({ index: isRemoved ? index - 1 : index, name });
      });
    },
  };
}

function indexIn(columns: readonly Column[], name: string): number {
  return columns.findIndex((column) => column.name === name);
}

function listNames({ names }: Found): string[] {
  return [...new Set(names.sort((a, b) => a.index - b.index).map(({ name }) => name))];
}

type Shape = { complete: readonly TimelineSnapshot[]; dataset: Dataset };

/** Of each complete snapshot: whether it has the node; null: not known. */
function findPresence(
  hostId: string,
  { events }: Found,
  segments: readonly Segment[],
  { complete, dataset }: Shape,
): (boolean | null)[] {
  const change = indexIn(changeColumns(dataset), 'change');
  const changes = new Map(events.map(({ index, row }) => [index, row[change]]));
  const presence: (boolean | null)[] = complete.map(() => null);
  for (const { start, end, anchor } of segments) {
    if (anchor) presence[anchor.index] = anchor.statuses.has(hostId);
    for (let index = start; index <= end; index += 1) {
      const event = changes.get(index);
      if (event !== undefined) presence[index] = event !== 'removed';
      else if (index > start) presence[index] ??= presence[index - 1] ?? null;
    }
    for (let index = end; index > start; index -= 1) {
      const event = changes.get(index);
      const before = event === undefined ? presence[index] : event !== 'added';
      presence[index - 1] ??= before ?? null;
    }
  }
  return presence;
}

function listBreaks(
  hostId: string,
  { events }: Found,
  segments: readonly Segment[],
  { complete, dataset }: Shape,
): LifeBreak[] {
  const columns = changeColumns(dataset);
  const [ofBefore, ofAfter] = ['_before', ''].map((end) =>
    dataset.statusColumns.map((name) => indexIn(columns, `${name}${end}`)),
  ) as [number[], number[]];
  const change = indexIn(columns, 'change');
  const pick = (row: Row, places: readonly number[], absent: string) =>
    row[change] === absent ? null : places.map((place) => row[place] ?? null);
  /** After the first snapshot of the segment. */
  const within = ({ start, end }: Segment) =>
    events.filter(({ index }) => index > start && index <= end).map(({ row }) => row);

  function atStart(segment: Segment): Row | null {
    const [first] = within(segment);
    if (first) return pick(first, ofBefore, 'added');
    return segment.anchor?.statuses.get(hostId) ?? null;
  }
  function atEnd(segment: Segment): Row | null {
    const last = within(segment).at(-1);
    if (last) return pick(last, ofAfter, 'removed');
    return segment.anchor?.statuses.get(hostId) ?? null;
  }

  return segments
    .slice(0, -1)
    .map((segment, index) => {
      const previous = segments[index + 1] as Segment;
      const manifest = complete[segment.start]?.manifest;
      return {
        snapshot: manifest?.snapshot ?? '',
        changesNone: manifest?.changesNone ?? null,
        before: atEnd(previous),
        after: atStart(segment),
      };
    })
    .reverse();
}

function listSeen(
  presence: readonly (boolean | null)[],
  nameOf: (index: number) => string,
): SeenPeriod[] {
  const seen: SeenPeriod[] = [];
  for (const [index, isSeen] of presence.entries()) {
    if (isSeen !== true) continue;
    const to = index === presence.length - 1 ? null : nameOf(index);
    const last = seen.at(-1);
    if (last && presence[index - 1] === true) last.to = to;
    else seen.push({ from: nameOf(index), to });
  }
  return seen;
}
