// Responsible for the life of single nodes: in which complete snapshots they are, and what changed, over all stored history of a
// target. Not responsible for how that looks.

import type { TargetKey } from '../core/object-keys.ts';
import type { Column, Dataset, Row } from '../core/ports.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { changeColumns } from '../snapshots/changes.ts';
import type { ChangesNone } from '../snapshots/manifest.ts';
import { isContinued, type TimelineSnapshot } from '../snapshots/timeline.ts';
import {
  collectRows,
  type Found,
  type LifePorts,
  type LifeSearch,
  type Segment,
} from './life-reader.ts';

/** Names of snapshots. */
export interface SeenPeriod {
  from: string;
  /** The last complete snapshot that has the node; null: the newest one still has it. */
  to: string | null;
}

/** A snapshot without readable changes since the complete one before it: there are no events of what changed between them. */
export interface LifeBreak {
  snapshot: string;
  /** As in its manifest; null: the manifest does not say it, or it was compared. */
  changesNone: ChangesNone | null;
  /** It was compared, but the part with the changes is missing, altered or may not be read. */
  isUnread: boolean;
  /** The names of the node in both snapshots; null: they are equal, or one of them is not known. */
  renamed: { before: string; after: string } | null;
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
  /** A row of the dataset's columns; null: the newest complete snapshot does not have the node, or it is not known. */
  now: Row | null;
  /** False: the rows of the newest complete snapshot cannot be read, and nothing else says that it does not have the node. */
  isNowKnown: boolean;
}

export interface TargetLives {
  /** Those with exactly this id or name, by host id. */
  nodes: NodeLife[];
  /** Others whose id begins with the text, at least 8 characters, by host id: the first ones that were found, at most `prefixedMax`. */
  prefixed: NodeLife[];
  /** Names of the oldest and the newest complete snapshot; null: there is none. */
  searched: { from: string; to: string } | null;
  /** Everything is known from this snapshot on: before it, rows were pruned or cannot be read. Null: of no snapshot. */
  knownFrom: string | null;
  /** Parts that are missing or altered. Pruned parts are none. */
  faults: Fault[];
  /** Parts that exist but may not be read. */
  unchecked: Fault[];
}

/**
 * Finds every node whose host id is `wanted` or that ever had this name, exactly, and beside them some whose id begins with it.
 * `snapshots`: oldest first; drifted ones are left out. Each part is read once, or twice if a name is found late. Memory: the manifests, and the rows of the nodes found.
 */
export async function readNodeLives(
  ports: LifePorts,
  target: TargetKey,
  snapshots: readonly TimelineSnapshot[],
  wanted: string,
): Promise<TargetLives> {
  const complete = snapshots.filter(({ manifest }) => manifest.verdict === 'complete');
  const hostIds = new Set([wanted]);
  const search: LifeSearch = {
    ...{ ports, target, complete, wanted, hostIds, prefixed: new Set() },
  };
  let collected = await collectRows(search);
  if (collected.isLate) collected = await collectRows(search);
  const { segments, byId, faults, unchecked } = collected;
  const nameOf = (index: number) => complete[index]?.manifest.snapshot ?? '';
  const unknown = segments.findIndex(({ anchor }) => anchor === null);
  const known = unknown === -1 ? segments.at(-1) : segments[unknown - 1];
  const { dataset } = ports;
  const lives = [...byId]
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
        isNowKnown: found.now !== null || presence.at(-1) === false,
      };
    });
  return {
    nodes: lives.filter(({ hostId }) => hostIds.has(hostId)),
    prefixed: lives.filter(({ hostId }) => !hostIds.has(hostId)),
    searched: complete.length === 0 ? null : { from: nameOf(0), to: nameOf(complete.length - 1) },
    knownFrom: known ? nameOf(known.start) : null,
    faults,
    unchecked,
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
  { events, names }: Found,
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

  function findRenaming(previous: Segment, segment: Segment): LifeBreak['renamed'] {
    const namesIn = ({ start, end }: Segment) =>
      names.filter(({ index }) => index >= start && index <= end).map(({ name }) => name);
    const [before, after] = [namesIn(previous).at(-1), namesIn(segment)[0]];
    if (before === undefined || after === undefined || before === after) return null;
    return { before, after };
  }

  return segments
    .slice(0, -1)
    .map((segment, index) => {
      const previous = segments[index + 1] as Segment;
      const current = complete[segment.start] as TimelineSnapshot;
      const { snapshot, changesNone } = current.manifest;
      return {
        snapshot,
        changesNone,
        isUnread: isContinued(complete[segment.start - 1] as TimelineSnapshot, current),
        renamed: findRenaming(previous, segment),
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
