// Responsible for reading the rows and the changes of a snapshot for a report, and for noting which of them cannot be read.

import { CorruptError, StoreError } from '../core/errors.ts';
import { type TargetKey, tombstoneKey } from '../core/object-keys.ts';
import type { Cell, Column, Dataset, Decoder, Row, Scratch, Store } from '../core/ports.ts';
import { type Fault, readEvidenceOrNull, toFault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { kindColumn } from '../snapshots/host-kinds.ts';
import { type Part, restoreHint } from '../snapshots/manifest.ts';
import { partMissing } from '../snapshots/part-difference.ts';
import { openPartRows, type PartRows } from '../snapshots/part-rows.ts';
import type { TimelineSnapshot } from '../snapshots/timeline.ts';
import type { NodeState } from './node-states.ts';

export interface WalkPorts {
  store: Store;
  scratch: Scratch;
  /** Its statuses are those of container nodes. */
  dataset: Dataset;
  /** Of the Parquet parts. */
  decoder: Decoder;
  /** Called before each part and for each batch of rows. May throw to stop the walk. */
  onProgress: (isPart: boolean) => void;
}

/** A row of a snapshot. */
export interface EndRow extends NodeState {
  hostId: string;
  /** Milliseconds; null: not known. */
  protectSinceMs: number | null;
  agentSinceMs: number | null;
  isContainerNode: Cell;
}

/** What a change says about the node in the snapshot before. */
export interface ChangeReader {
  /** `state` null: it was not listed. */
  stateBefore(change: Row): { hostId: string; state: NodeState | null };
  /** Undefined: the change does not say it, as it did not change it. It parses JSON, unlike stateBefore() of most changes. */
  isContainerNodeBefore(change: Row): Cell | undefined;
}

export interface WalkParts {
  /** Gives all rows, some at a time. False: they were pruned or cannot be read. */
  readRows(
    snapshot: TimelineSnapshot,
    work: (rows: EndRow[]) => Promise<void> | void,
  ): Promise<boolean>;
  /** Gives all changes, as rows of changeColumns(), some at a time. False: they cannot be read. */
  readChanges(
    snapshot: TimelineSnapshot,
    work: (rows: readonly Row[], reader: ChangeReader) => Promise<void>,
  ): Promise<boolean>;
  findings(): { bytes: number; faults: Fault[]; unchecked: Fault[] };
}

type Source = Omit<WalkPorts, 'onProgress'>;

/** Both functions throw the errors of the store as a whole, and ScratchError. */
// Long because: the findings, and the functions that share them.
export function openWalkParts({ onProgress, ...source }: WalkPorts, target: TargetKey): WalkParts {
  const { store, dataset } = source;
  const changed = changeColumns(dataset);
  const faults: Fault[] = [];
  const unchecked: Fault[] = [];
  let bytes = 0;

  /** False: the part cannot be read, and the reason is noted. */
  async function read(
    part: Part,
    columns: readonly Column[],
    work: (rows: PartRows) => Promise<void>,
  ): Promise<boolean> {
    onProgress(true);
    try {
      const rows = await openTwice(source, part, columns);
      bytes += part.bytes;
      await work(rows).finally(() => rows.close());
      return true;
    } catch (error) {
      if (error instanceof CorruptError) faults.push(toFault(error));
      else if (error instanceof StoreError && error.code === 'STORE_DENIED') {
        const { message, hint } = error;
        unchecked.push({ key: part.key, message, hint });
      } else throw error;
      return false;
    }
  }

  function noteMissing(key: string, message: string): false {
    faults.push({ key, message, hint: restoreHint });
    return false;
  }

  return {
    async readRows({ manifest, manifestKey }, work) {
      const part = manifest.parts.find((one) => one.role === 'rows' && one.format === 'parquet');
      if (!part) return noteMissing(manifestKey, 'names no rows in Parquet');
      const before = faults.length;
      const isRead = await read(part, columnsOfRows(dataset), async (rows) => {
        const toEndRow = openEndRow(dataset, rows.columns);
        for await (const batch of rows.readBatches()) {
          onProgress(false);
          await work(batch.map(toEndRow));
        }
      });
      if (isRead) return true;
      // A tombstone explains rows that are missing. Rows that exist count, whatever tombstone there is.
      const isMissing = faults[before]?.message === partMissing;
      const tombstone = tombstoneKey(target, manifest.snapshot);
      if (isMissing && (await readEvidenceOrNull(store, tombstone))) faults.length = before;
      return false;
    },

    async readChanges({ manifest, manifestKey }, work) {
      const { changes, parts } = manifest;
      if (!changes || changes.added + changes.removed + changes.changed === 0) return true;
      const part = parts.find(({ role }) => role === 'changes');
      if (!part) return noteMissing(manifestKey, 'names no part with its changes');
      const reader = openChangeReader(dataset, changed);
      return read(part, changed, async (rows) => {
        const toChange = openOrder(changed, rows.columns);
        for await (const batch of rows.readBatches()) {
          onProgress(false);
          await work(toChange ? batch.map(toChange) : batch, reader);
        }
      });
    },

    findings: () => ({ bytes, faults, unchecked }),
  };
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
  const wanted = [keyColumn, nameColumn, kindColumn, ...statuses, ...since];
  return columns.filter(({ name }) => wanted.includes(name));
}

/** `columns`: those that the part has. An absent one is null. */
function openEndRow(
  { keyColumn, nameColumn, sinceColumns }: Dataset,
  columns: readonly Column[],
): (row: Row) => EndRow {
  const indexOf = (name = '') => columns.findIndex((column) => column.name === name);
  const [key, name] = [indexOf(keyColumn), indexOf(nameColumn)];
  const [protect, agent] = [indexOf(statusNames.protect), indexOf(statusNames.agent)];
  const protectSince = indexOf(sinceColumns[statusNames.protect]);
  const agentSince = indexOf(sinceColumns[statusNames.agent]);
  const kind = indexOf(kindColumn);
  return (row) => ({
    hostId: row[key] as string,
    hostName: row[name] ?? null,
    protectStatus: row[protect] ?? null,
    agentStatus: row[agent] ?? null,
    protectSinceMs: (row[protectSince] ?? null) as number | null,
    agentSinceMs: (row[agentSince] ?? null) as number | null,
    isContainerNode: row[kind] ?? null,
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

function openChangeReader(
  { keyColumn, nameColumn }: Dataset,
  columns: readonly Column[],
): ChangeReader {
  const indexOf = (name: string) => columns.findIndex((column) => column.name === name);
  const [key, name, change] = [indexOf(keyColumn), indexOf(nameColumn), indexOf('change')];
  const [names, before] = [indexOf('changed_columns'), indexOf('before')];
  const protect = indexOf(`${statusNames.protect}_before`);
  const agent = indexOf(`${statusNames.agent}_before`);

  const [quotedName, quotedKind] = [JSON.stringify(nameColumn), JSON.stringify(kindColumn)];

  function isChanged(row: Row, quoted: string): boolean {
    return row[change] === 'changed' && (row[names] as string).includes(quoted);
  }

  function cellBefore(row: Row, column: string): Cell {
    return (JSON.parse(row[before] as string) as Record<string, Cell>)[column] ?? null;
  }

  return {
    stateBefore: (row) => ({
      hostId: row[key] as string,
      state:
        row[change] === 'added'
          ? null
          : {
              // Only a change of the name itself needs the JSON.
              hostName: isChanged(row, quotedName)
                ? cellBefore(row, nameColumn)
                : (row[name] ?? null),
              protectStatus: row[protect] ?? null,
              agentStatus: row[agent] ?? null,
            },
    }),
    isContainerNodeBefore: (row) =>
      row[change] === 'removed' || isChanged(row, quotedKind)
        ? cellBefore(row, kindColumn)
        : undefined,
  };
}
