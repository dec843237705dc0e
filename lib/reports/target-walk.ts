// Responsible for reading the rows and changes of a target from its newest complete snapshot back to the oldest one of a period, each
// part once. What a row means for a node: node-states.ts.

import { CorruptError, StoreError } from '../core/errors.ts';
import { type TargetKey, tombstoneKey } from '../core/object-keys.ts';
import type { Column, Dataset, Decoder, Row, Scratch, Store } from '../core/ports.ts';
import { type Fault, readEvidenceOrNull, toFault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { type Part, restoreHint } from '../snapshots/manifest.ts';
import { openPartRows, type PartRows } from '../snapshots/part-rows.ts';
import { isContinued, type TimelineSnapshot } from '../snapshots/timeline.ts';
import { type Interval, type NodeState, openNodeStates } from './node-states.ts';

export interface WalkPorts {
  store: Store;
  scratch: Scratch;
  dataset: Dataset;
  /** Of the Parquet parts. */
  decoder: Decoder;
  /** Called before each part and for each batch of rows. May throw to stop the walk. */
  onProgress: (isPart: boolean) => void;
}

/** A row of the newest snapshot. */
export interface EndRow extends NodeState {
  hostId: string;
  /** Milliseconds; null: not known. */
  protectSinceMs: number | null;
  agentSinceMs: number | null;
}

/** What the walk finds, newest first. */
export interface WalkListener {
  /** Rows of the newest snapshot, some at a time. */
  onEndRows(rows: readonly EndRow[]): void;
  /** Rows of changeColumns(), some at a time. */
  onChanges(snapshot: TimelineSnapshot, rows: readonly Row[]): Promise<void>;
  /** All changes of the snapshot were given. */
  onChangesEnd(snapshot: TimelineSnapshot): Promise<void>;
  /** Intervals, in no order. */
  onIntervals(intervals: readonly Interval[]): Promise<void>;
}

export interface WalkResult {
  /** The snapshot from which on the states of nodes are known. Null: of none. */
  knownFrom: string | null;
  /** Bytes of the parts that were read. */
  bytes: number;
  parts: number;
  /** Parts that are needed and are missing or altered. Pruned parts are none. */
  faults: Fault[];
  /** Parts that exist but may not be read. */
  unchecked: Fault[];
}

type Source = Omit<WalkPorts, 'onProgress'>;

/**
 * `snapshots`: oldest first; those that are not complete are left out. Where the rows of a snapshot do not follow from those of the
 * next one by its changes, they are read. Memory: the nodes of one snapshot. Throws StoreError and ScratchError.
 */
// Long because: one state, and the steps that share it.
export async function walkTarget(
  ports: WalkPorts,
  target: TargetKey,
  snapshots: readonly TimelineSnapshot[],
  listener: WalkListener,
): Promise<WalkResult> {
  const { store, onProgress, ...rest } = ports;
  const source: Source = { store, ...rest };
  const { keyColumn } = ports.dataset;
  const complete = snapshots.filter(({ manifest }) => manifest.verdict === 'complete').reverse();
  const states = openNodeStates();
  const result: WalkResult = { knownFrom: null, bytes: 0, parts: 0, faults: [], unchecked: [] };

  /** False: the part cannot be read, and the reason is noted. */
  async function read(
    part: Part,
    columns: readonly Column[],
    work: (rows: PartRows) => Promise<void>,
  ): Promise<boolean> {
    onProgress(true);
    try {
      const rows = await openTwice(source, part, columns);
      result.bytes += part.bytes;
      result.parts += 1;
      await work(rows).finally(() => rows.close());
      return true;
    } catch (error) {
      if (error instanceof CorruptError) result.faults.push(toFault(error));
      else if (error instanceof StoreError && error.code === 'STORE_DENIED') {
        const { message, hint } = error;
        result.unchecked.push({ key: part.key, message, hint });
      } else throw error;
      return false;
    }
  }

  /** False: the rows were pruned or cannot be read. */
  async function readRows(
    { manifest, manifestKey, pruned }: TimelineSnapshot,
    work: (rows: EndRow[]) => Promise<void> | void,
  ): Promise<boolean> {
    if (pruned) return false;
    const part = manifest.parts.find(({ role, format }) => role === 'rows' && format === 'parquet');
    if (!part) return noteMissing(result, manifestKey, 'names no rows in Parquet');
    const faults = result.faults.length;
    const isRead = await read(part, columnsOfRows(ports.dataset), async (rows) => {
      const toEndRow = openEndRow(keyColumn, rows.columns);
      for await (const batch of rows.readBatches()) {
        onProgress(false);
        await work(batch.map(toEndRow));
      }
    });
    if (isRead) return true;
    // Retention may have begun to delete them after the tombstones were listed.
    const tombstone = await readEvidenceOrNull(store, tombstoneKey(target, manifest.snapshot));
    if (tombstone) result.faults.length = faults;
    return false;
  }

  /** False: they cannot be read. `isApplied`: the states before the snapshot follow from them. */
  async function readChanges(snapshot: TimelineSnapshot, isApplied: boolean): Promise<boolean> {
    const { manifest, manifestKey } = snapshot;
    const { changes } = manifest;
    if (!changes || changes.added + changes.removed + changes.changed === 0) return true;
    const part = manifest.parts.find(({ role }) => role === 'changes');
    if (!part) return noteMissing(result, manifestKey, 'names no part with its changes');
    const wanted = changeColumns(ports.dataset);
    return read(part, wanted, async (rows) => {
      const toChange = openOrder(wanted, rows.columns);
      const setBefore = openChangeReader(keyColumn, wanted, states);
      for await (const batch of rows.readBatches()) {
        onProgress(false);
        const ordered = toChange ? batch.map(toChange) : batch;
        if (isApplied) for (const row of ordered) setBefore(manifest.snapshot, row);
        await listener.onChanges(snapshot, ordered);
        await listener.onIntervals(states.take());
      }
      await listener.onChangesEnd(snapshot);
    });
  }

  const [newest] = complete;
  let isKnown = newest !== undefined;
  if (newest) {
    isKnown = await readRows(newest, (rows) => {
      for (const row of rows) states.begin(row.hostId, row);
      listener.onEndRows(rows);
    });
    if (!isKnown) states.clear();
  }
  for (const [index, snapshot] of complete.entries()) {
    const { snapshot: name } = snapshot.manifest;
    const previous = complete[index + 1];
    const isLinked = previous !== undefined && isContinued(previous, snapshot);
    let isStep = await readChanges(snapshot, isKnown && isLinked);
    if (!isKnown) continue;
    if (previous && !(isLinked && isStep)) {
      states.startRows();
      isStep = await readRows(previous, async (rows) => {
        for (const row of rows) states.setBefore(name, row.hostId, row);
        await listener.onIntervals(states.take());
      });
      if (isStep) states.endRows(name);
    }
    if (previous && isStep) {
      await listener.onIntervals(states.take());
      continue;
    }
    states.finish(name);
    await listener.onIntervals(states.take());
    result.knownFrom = name;
    isKnown = false;
  }
  return result;
}

function noteMissing({ faults }: WalkResult, key: string, message: string): false {
  faults.push({ key, message, hint: restoreHint });
  return false;
}

/** A large object can be damaged on the way, so an altered part is read again. */
function openTwice(source: Source, part: Part, columns: readonly Column[]): Promise<PartRows> {
  const { store, scratch, decoder, dataset } = source;
  const { keyColumn } = dataset;
  const open = () => openPartRows(part, { store, scratch, decoder, columns, keyColumn });
  return open().catch((error: unknown) => {
    if (error instanceof CorruptError) return open();
    throw error;
  });
}

const statusNames = { protect: 'protect_status', agent: 'agent_status' } as const;

function columnsOfRows({ columns, keyColumn, nameColumn, sinceColumns }: Dataset): Column[] {
  const statuses = Object.values(statusNames);
  const since = statuses.map((name) => sinceColumns[name]);
  const wanted = [keyColumn, nameColumn, ...statuses, ...since];
  return columns.filter(({ name }) => wanted.includes(name));
}

/** `columns`: those that the part has. An absent one is null. */
function openEndRow(keyColumn: string, columns: readonly Column[]): (row: Row) => EndRow {
  const indexOf = (name: string) => columns.findIndex((column) => column.name === name);
  const key = indexOf(keyColumn);
  const name = indexOf('host_name');
  const [protect, agent] = [indexOf(statusNames.protect), indexOf(statusNames.agent)];
  const [protectSince, agentSince] = [
    indexOf(`${statusNames.protect}_since`),
    indexOf(`${statusNames.agent}_since`),
  ];
  return (row) => ({
    hostId: row[key] as string,
    hostName: row[name] ?? null,
    protectStatus: row[protect] ?? null,
    agentStatus: row[agent] ?? null,
    protectSinceMs: (row[protectSince] ?? null) as number | null,
    agentSinceMs: (row[agentSince] ?? null) as number | null,
  });
}

/** Null: the part has exactly the wanted columns. */
function openOrder(
  wanted: readonly Column[],
  columns: readonly Column[],
): ((row: Row) => Row) | null {
  if (wanted.length === columns.length) return null;
  const places = wanted.map(({ name }) => columns.findIndex((column) => column.name === name));
  return (row) => places.map((place) => row[place] ?? null);
}

type States = ReturnType<typeof openNodeStates>;

/** Returns a function that gives the states what a change says about the node before it. */
function openChangeReader(
  keyColumn: string,
  columns: readonly Column[],
  states: States,
): (at: string, row: Row) => void {
  const indexOf = (name: string) => columns.findIndex((column) => column.name === name);
  const [key, name, change] = [indexOf(keyColumn), indexOf('host_name'), indexOf('change')];
  const [names, before] = [indexOf('changed_columns'), indexOf('before')];
  const protect = indexOf(`${statusNames.protect}_before`);
  const agent = indexOf(`${statusNames.agent}_before`);

  /** Only a change of the name itself needs the JSON. */
  function nameBefore(row: Row): string | null {
    const isRenamed =
      row[change] === 'changed' && (row[names] as string | null)?.includes('"host_name"');
    if (!isRenamed) return (row[name] ?? null) as string | null;
    return (JSON.parse(row[before] as string) as { host_name: string | null }).host_name;
  }

  return (at, row) => {
    const isListed = row[change] !== 'added';
    states.setBefore(
      at,
      row[key] as string,
      isListed
        ? {
            hostName: nameBefore(row),
            protectStatus: row[protect] ?? null,
            agentStatus: row[agent] ?? null,
          }
        : null,
    );
  };
}
