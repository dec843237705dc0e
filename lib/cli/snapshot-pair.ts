// Responsible for choosing the two snapshots that `diff` compares.

import { CorruptError, PrunedError } from '../core/errors.ts';
import { snapshotName, snapshotTimeMs, type TargetKey, tombstoneKey } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import {
  type Fault,
  findNewest,
  listSnapshots,
  readManifest,
  readManifestOrFault,
  type Sealed,
} from '../snapshots/catalog.ts';
import type { Part } from '../snapshots/manifest.ts';
import { isContinued, listPruned, readTimeline } from '../snapshots/timeline.ts';
import { describeTarget } from './format.ts';
import type { StoredTarget } from './stored-targets.ts';
import { readLastMoment } from './time-option.ts';

/** A sealed snapshot and its rows. */
export interface Compared {
  sealed: Sealed;
  part: Part;
}

export interface SnapshotPair {
  /** The earlier one. */
  previous: Compared;
  current: Compared;
  /** The arguments named the later one first. */
  isSwapped: boolean;
}

/** What an argument of the command names. */
export type Moment = { snapshot: string } | { notAfter: string };

/** `text`: the name of a snapshot, or a point in time. Throws ConfigError that names `path`. */
export function readMoment(path: string, text: string, nowMs: number): Moment {
  if (snapshotTimeMs(text) !== null) return { snapshot: text };
  return { notAfter: snapshotName(readLastMoment(path, text, nowMs)) };
}

/**
 * `moments`: of the earlier snapshot and of the later one; null: the last complete one, and for the earlier one the complete one
 * before the later one. A string says why the target has no such pair. Adds to `faults` the manifests that were passed
 * over because they are missing or cannot be read. Throws PrunedError if the rows of one of them were deleted.
 */
export async function choosePair(
  store: Store,
  target: StoredTarget,
  moments: readonly [Moment | null, Moment | null],
  faults: Fault[],
): Promise<SnapshotPair | string> {
  const current = await findOrNote(store, target, moments[1] ?? null, faults);
  if (typeof current === 'string') return current;
  const before = snapshotName((snapshotTimeMs(current.manifest.snapshot) ?? 0) - 1_000);
  const moment = moments[0] ?? { notAfter: before };
  const previous = await findOrNote(store, target, moment, faults);
  if (typeof previous === 'string') {
    if (moments[0] !== null) return previous;
    return `it has only one complete snapshot up to ${current.manifest.snapshot}`;
  }
  if (previous.manifestKey === current.manifestKey) {
    return `both arguments mean the snapshot ${current.manifest.snapshot}`;
  }
  const isSwapped = previous.manifest.snapshot > current.manifest.snapshot;
  const [earlier, later] = isSwapped ? [current, previous] : [previous, current];
  const pair = { previous: toCompared(earlier), current: toCompared(later) };
  if (!pair.previous || !pair.current) return 'a snapshot has no Parquet part';
  await checkPairKept(store, target, pair.previous, pair.current);
  return { previous: pair.previous, current: pair.current, isSwapped };
}

/** As findSnapshot(), but adds to `faults` the manifests that could have been chosen and cannot be read. */
async function findOrNote(
  store: Store,
  target: TargetKey,
  moment: Moment | null,
  faults: Fault[],
): Promise<Sealed | string> {
  const found = await findSnapshot(store, target, moment).catch((error: unknown) => {
    if (error instanceof CorruptError) return 'its manifest cannot be read';
    throw error;
  });
  const isNamed = moment !== null && 'snapshot' in moment;
  if (isNamed && typeof found !== 'string') return found;
  const timeOf = (name: string) => snapshotTimeMs(name) ?? 0;
  const untilMs =
    moment === null
      ? store.nowMs() + 86_400_000
      : timeOf(isNamed ? moment.snapshot : moment.notAfter);
  let sinceMs = 0;
  if (isNamed) sinceMs = untilMs;
  else if (typeof found !== 'string') sinceMs = timeOf(found.manifest.snapshot) + 1_000;
  if (sinceMs > untilMs) return found;
  faults.push(...(await readTimeline(store, target, { sinceMs, untilMs })).faults);
  return found;
}

/** Null: the newest complete one. A string says why there is none. */
export async function findSnapshot(
  store: Store,
  target: TargetKey,
  moment: Moment | null,
): Promise<Sealed | string> {
  if (moment !== null && 'snapshot' in moment) {
    const found = await readManifest(store, target, moment.snapshot);
    return found ?? `it has no snapshot ${moment.snapshot}`;
  }
  const notAfter = moment?.notAfter ?? null;
  const isComplete = ({ verdict }: Sealed['manifest']) => verdict === 'complete';
  const found = await findNewest(store, target, isComplete, notAfter);
  if (found) return found;
  return `it has no complete snapshot${notAfter === null ? '' : ` up to ${notAfter}`}`;
}

/** Null: it has no rows in Parquet. */
export function toCompared(sealed: Sealed): Compared | null {
  const part = findRows(sealed);
  return part ? { sealed, part } : null;
}

function findRows({ manifest }: Sealed): Part | undefined {
  return manifest.parts.find(({ role, format }) => role === 'rows' && format === 'parquet');
}

/** The parts that a command reads of a snapshot; null: it cannot use the snapshot. */
export type ListNeeded = (sealed: Sealed) => readonly Part[] | null;

/** Rows in Parquet, of a snapshot of any verdict. */
const listRows: ListNeeded = (sealed) => {
  const part = findRows(sealed);
  return part ? [part] : null;
};

/** As listRows(), but a time finds no snapshot that drifted. */
export const listCompleteRows: ListNeeded = (sealed) =>
  sealed.manifest.verdict === 'complete' ? listRows(sealed) : null;

/** Throws PrunedError if retention has deleted the part. `listNeeded`: of the snapshot that the error names instead. */
export async function checkKept(
  store: Store,
  target: StoredTarget,
  used: Compared,
  listNeeded: ListNeeded,
): Promise<void> {
  if (!(await isPruned(store, target, used))) return;
  const { snapshot } = used.sealed.manifest;
  const nearest = await findNearestKept(store, target, snapshot, { not: [], listNeeded });
  const hint = nearest === null ? nothingKept : describeNearest([nearest]);
  throw prunedError(target, [snapshot], hint, nearest === null ? [] : [nearest]);
}

/** Throws PrunedError if retention has deleted the rows of one of them, or of both. */
async function checkPairKept(
  store: Store,
  target: StoredTarget,
  earlier: Compared,
  later: Compared,
): Promise<void> {
  const nameOf = ({ sealed }: Compared) => sealed.manifest.snapshot;
  const pruned: string[] = [];
  const kept: string[] = [];
  for (const one of [earlier, later]) {
    const list = (await isPruned(store, target, one)) ? pruned : kept;
    list.push(nameOf(one));
  }
  if (pruned.length === 0) return;
  const found: string[] = [];
  for (const name of pruned) {
    const search = { not: [...kept, ...found], listNeeded: listRows };
    const nearest = await findNearestKept(store, target, name, search);
    if (nearest !== null) found.push(nearest);
  }
  const isPair = found.length === pruned.length;
  const [name = ''] = pruned;
  const other = name === nameOf(earlier) ? later : earlier;
  const hints = [
    ...(isContinued(earlier.sealed, later.sealed)
      ? [describeKeptChanges(later.sealed, nameOf(other))]
      : []),
    isPair ? describeNearest(found) : pruned.length > 1 ? noPairKept : nothingKept,
  ];
  throw prunedError(target, pruned, hints.join(' '), isPair ? [...found, ...kept] : []);
}

/** Retention has deleted the part. */
async function isPruned(
  store: Store,
  target: TargetKey,
  { sealed, part }: Compared,
): Promise<boolean> {
  const tombstone = await store.get(tombstoneKey(target, sealed.manifest.snapshot));
  return tombstone !== null && !(await exists(store, part.key));
}

function prunedError(
  target: StoredTarget,
  snapshots: readonly string[],
  hint: string,
  instead: readonly string[],
): PrunedError {
  const what = `the rows of ${snapshots.join(' and ')} were deleted by retention`;
  const error = new PrunedError('PRUNED', `${describeTarget(target)}: ${what}`, hint);
  error.instead = instead;
  return error;
}

const keptChanges =
  'The changes between snapshots are kept: `cgs-export node` shows those of one node, and `cgs-export report` those of a period.';
const nothingKept = `No snapshot near it has its rows. ${keptChanges}`;
const noPairKept = `No other pair of snapshots near them has its rows. ${keptChanges}`;

function describeNearest(names: readonly string[]): string {
  return names.length === 1
    ? `The nearest snapshot that has its rows is ${names[0]}.`
    : `The nearest snapshots that have their rows are ${[...names].sort().join(' and ')}.`;
}

/** The command that reads these snapshots of the target, in ascending order. */
export type Retry = (target: StoredTarget, snapshots: readonly string[]) => string;

/** Adds the command that reads the snapshots that are kept to the hint. */
export function nameRetry(error: PrunedError, target: StoredTarget, retry: Retry): void {
  if (error.instead.length === 0) return;
  error.hint += ` Run \`${retry(target, [...error.instead].sort())}\`.`;
}

/** Calls `choose` for each target. Throws one PrunedError for all targets for which it threw one, with `retry` in its hint. */
export async function chooseForEach(
  targets: readonly StoredTarget[],
  choose: (target: StoredTarget) => Promise<void>,
  retry: Retry,
): Promise<void> {
  const pruned: { target: StoredTarget; error: PrunedError }[] = [];
  for (const target of targets) {
    await choose(target).catch((error: unknown) => {
      if (!(error instanceof PrunedError)) throw error;
      nameRetry(error, target, retry);
      pruned.push({ target, error });
    });
  }
  const [first] = pruned;
  if (first && pruned.length === 1) throw first.error;
  if (!first) return;
  const message = pruned.map(({ error }) => error.message).join('; ');
  const hints = pruned.map(({ target, error }) => `${describeTarget(target)}: ${error.hint}`);
  throw new PrunedError('PRUNED', message, hints.join(' '));
}

/** `later`: it was compared with the earlier one when it was sealed. `other`: the one of both that is not, or not only, pruned. */
function describeKeptChanges({ manifest: { parts } }: Sealed, other: string): string {
  const part = parts.find(({ role }) => role === 'changes');
  if (!part) return `Nothing changed between it and ${other}: the manifest says so.`;
  return `What changed between it and ${other} is kept in the Parquet file ${part.key}.`;
}

const searchedMax = 100;

/** Null: none of the nearest 100 names, but for those in `not`, is a snapshot that has the parts that are needed. */
async function findNearestKept(
  store: Store,
  target: TargetKey,
  snapshot: string,
  { not, listNeeded }: { not: readonly string[]; listNeeded: ListNeeded },
): Promise<string | null> {
  const distance = (name: string) =>
    Math.abs((snapshotTimeMs(name) ?? 0) - (snapshotTimeMs(snapshot) ?? 0));
  const tombstones = await listPruned(store, target);
  // Retention can have deleted the rows of far more than 100 snapshots in a row, but never those of the newest complete one.
  const names = (await listSnapshots(store, target)).filter((name) => !tombstones.has(name));
  const nearest = names.sort((a, b) => distance(a) - distance(b)).slice(0, searchedMax);
  for (const name of nearest) {
    if (not.includes(name)) continue;
    const { sealed } = await readManifestOrFault(store, target, name);
    const parts = sealed && listNeeded(sealed);
    if (parts && (await areKept(store, parts))) return name;
  }
  return null;
}

async function areKept(store: Store, parts: readonly Part[]): Promise<boolean> {
  for (const { key } of parts) if (!(await exists(store, key))) return false;
  return true;
}

async function exists(store: Store, key: string): Promise<boolean> {
  return (await store.list(key)).some((object) => object.key === key);
}
