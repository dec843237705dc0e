// Responsible for the status of targets as a store knows it: open runs, last snapshots, holds, faults. It only reads.

import { describeDifference } from '../core/duration.ts';
import { CorruptError, type ExportError, StoreError } from '../core/errors.ts';
import {
  headKey,
  isFutureName,
  latestKey,
  manifestKey,
  scheduleKey,
  snapshotTimeMs,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { findRivals } from '../sealing/seal-turn.ts';
import { readNames } from '../sealing/snapshot-names.ts';
import {
  findNewest,
  listSnapshots,
  readEvidence,
  readManifest,
  type Sealed,
  searchedMax,
} from '../snapshots/catalog.ts';
import { decodePointer } from '../snapshots/manifest.ts';
import { findProtection } from '../snapshots/protection.ts';
import { describeHold, describeLift } from './holds.ts';
import type { Hold, Target } from './invocation.ts';
import { readCheckpoint } from './open-run.ts';
import { knownProjectId, unresolvedId } from './projects.ts';
import {
  abandonAfterMs,
  behindSinceMs,
  emptySchedule,
  isDue,
  isOutpaced,
  missesSlot,
  passedSlots,
  type Schedule,
  targetStateOf,
} from './schedule.ts';
import { readSchedule } from './stored-schedule.ts';

/** All times are ISO 8601 UTC, by the store's clock. */
export interface TargetStatus extends Hold {
  /** Null: not known, because no attempt and no readable manifest names it. */
  account: string | null;
  table: string;
  region: string;
  /** Null: IAM has not been asked yet. */
  projectId: string | null;
  open: OpenRun | null;
  /** The newest snapshot of any verdict. `ageSeconds`: since the time in its name, the start of its slot or run. */
  last: {
    snapshot: string;
    verdict: string;
    rows: number;
    /** Nodes in it that are unprotected, and that are offline. Null: its rows are not container nodes. */
    unprotected: number | null;
    offline: number | null;
    sealedAt: string;
    ageSeconds: number;
    /** True: the manifest is not the one that `_head` names, so these figures prove nothing. */
    altered: boolean;
  } | null;
  /**
   * Name of the newest complete snapshot whose manifest can be read; null if there is none, or if `_latest` does not name it and
   * the newest 100 snapshots are not complete.
   */
  latest: string | null;
  /** How often a snapshot is due. */
  scheduleSeconds: number;
  due: boolean;
  /** The run that was given up last; null: none since the newest snapshot. */
  abandoned: { snapshot: string; at: string } | null;
  /** Slots that passed without a snapshot since a timer first looked at the target. */
  missedSlots: number;
  /** True: a slot has passed without a snapshot, and the target was not sealed since. */
  slotMissed: boolean;
  /** The start of the first of these slots. Null: no slot is missed, or its start was not stored. */
  behindSince: string | null;
  problems: Problem[];
}

interface OpenRun {
  snapshot: string;
  startedAt: string;
  lastPageAt: string;
  phase: string;
  pages: number;
  /** Rows read so far, of the total that the API stated; null before the first page. */
  rows: number | null;
  total: number | null;
  /** Attempts to seal that started and did not end. One of them may be going on. */
  sealAttempts: number;
  /** The run that must seal first, if this one has been read to its end, and for how long at most. Null: none. */
  waitsFor: { snapshot: string; run: string; leftSeconds: number } | null;
}

/** What `status --check` finds. */
export interface Problem {
  kind: 'never sealed' | 'old' | 'ahead' | 'drifted' | 'held' | 'abandoned' | 'unreadable';
  /** Of the error behind it; null: there is none. */
  code: string | null;
  message: string;
  hint: string;
}

/** What identifies a target in the store and in its schedule. `account` null: not known. */
export type StatusTarget = Pick<Target, 'table' | 'region' | 'projectId' | 'projectQuestion'> & {
  account: string | null;
  /** Hash of the access key; null: not known. */
  user: string | null;
};

/** Of the configuration. Here for a store whose configuration is not known. */
const defaultScheduleMs = 24 * 3_600_000;

/** A bucket takes some milliseconds for each of the few objects of a target, so several targets are read at the same time. */
const readAtOnce = 8;

/** Who works on the store now, for hints; `name` null: not known. */
export interface Worker {
  name: string | null;
}

interface Reading {
  store: Store;
  /** Null: no exporter works now. */
  worker: Worker | null;
  schedule: Schedule;
  scheduleMs: number | null;
  /** Of the schedule itself: it concerns every target. */
  scheduleFaults: readonly ExportError[];
}

/**
 * One status per target, in the same order. `scheduleMs` null: not known; then a target has the schedule of its newest manifest, or
 * 24 hours without one. `worker`: the exporter that works now, for hints; null: none. Objects that are damaged or denied are
 * problems of their target. Throws StoreError for other faults.
 */
export async function readStatus(
  store: Store,
  scheduleMs: number | null,
  targets: readonly StatusTarget[],
  worker: Worker | null = null,
): Promise<TargetStatus[]> {
  const scheduleFaults: ExportError[] = [];
  const read = await noteFault(scheduleFaults, () => readSchedule(store));
  const schedule = read ?? emptySchedule();
  const reading: Reading = { store, worker, schedule, scheduleMs, scheduleFaults };
  const statuses: TargetStatus[] = [];
  for (let first = 0; first < targets.length; first += readAtOnce) {
    const some = targets.slice(first, first + readAtOnce);
    statuses.push(...(await Promise.all(some.map((target) => readTargetStatus(reading, target)))));
  }
  return statuses;
}

/** Null, with the error added to `faults`, if one object is damaged or may not be read. Throws other errors. */
async function noteFault<T>(
  faults: ExportError[],
  read: () => Promise<T | null>,
): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    const isDenied = error instanceof StoreError && error.code === 'STORE_DENIED';
    if (!isDenied && !(error instanceof CorruptError)) throw error;
    // Both pointers may name the same object.
    if (!faults.some((fault) => isSameObject(fault, error))) faults.push(error);
    return null;
  }
}

function isSameObject(a: ExportError, b: ExportError): boolean {
  if (a instanceof CorruptError && b instanceof CorruptError) return a.key === b.key;
  return a.code === b.code && a.message === b.message;
}

async function readTargetStatus(reading: Reading, target: StatusTarget): Promise<TargetStatus> {
  const { store, schedule, scheduleFaults } = reading;
  const { table, region } = target;
  const faults: ExportError[] = [];
  const nowMs = store.nowMs();
  const projectId = knownProjectId(target, schedule);
  const key: TargetKey | null = projectId === null ? null : { table, region, projectId };
  const id = key ? targetId(key) : unresolvedId(target);
  const state = targetStateOf(schedule, id);
  const openRef = state.open;
  const opened = openRef?.snapshot ?? null;
  const last = key && (await readNewest(store, key, opened, faults));
  const latest = key && (await readLatest(store, key, opened, faults));
  if (key && state.lastSealed) await checkRemembered(store, key, state.lastSealed, faults);
  const open = key && openRef && (await noteFault(faults, () => readOpen(store, key, openRef)));
  const scheduleMs =
    reading.scheduleMs ?? (last ? last.manifest.scheduleSeconds * 1_000 : defaultScheduleMs);
  const passed = passedSlots(state, nowMs, scheduleMs);
  const sinceMs = behindSinceMs(state, nowMs, scheduleMs);
  const status: TargetStatus = {
    account: target.account ?? state.account ?? last?.manifest.scope.account ?? null,
    table,
    region,
    projectId,
    open,
    last: last && describeLast(last, nowMs, isAltered(last, faults)),
    latest: latest?.manifest.snapshot ?? null,
    scheduleSeconds: scheduleMs / 1_000,
    due: isDue(last?.manifest.snapshot ?? null, nowMs, scheduleMs),
    ...describeHold(schedule, target.user ?? state.user ?? null, state, nowMs),
    abandoned: state.abandoned
      ? { snapshot: state.abandoned.snapshot, at: isoTime(state.abandoned.atMs) }
      : null,
    missedSlots: (state.missed?.count ?? 0) + (passed?.count ?? 0),
    slotMissed: missesSlot(state, nowMs, scheduleMs),
    behindSince: sinceMs === null ? null : isoTime(sinceMs),
    problems: [],
  };
  const problems = findProblems(status, {
    unreadable: [...scheduleFaults, ...faults],
    isOutpaced: isOutpaced(schedule, id, nowMs, scheduleMs),
    worker: reading.worker,
    nowMs,
    scheduleMs,
  });
  return { ...status, problems };
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function isAltered({ manifestKey: key }: Sealed, faults: readonly ExportError[]): boolean {
  return faults.some((fault) => fault instanceof CorruptError && fault.key === key);
}

/** The manifest that was sealed last must still exist. */
async function checkRemembered(
  store: Store,
  key: TargetKey,
  { snapshot }: { snapshot: string },
  faults: ExportError[],
): Promise<void> {
  await noteFault(faults, async () => {
    if (await readManifest(store, key, snapshot)) return null;
    const message = `is missing: ${scheduleKey} says that it was sealed`;
    throw new CorruptError(manifestKey(key, snapshot), message, verifyHint);
  });
}

function describeLast({ manifest }: Sealed, nowMs: number, altered: boolean): TargetStatus['last'] {
  const { snapshot, verdict, rows, sealedAt } = manifest;
  const ageMs = nowMs - (snapshotTimeMs(snapshot) ?? nowMs);
  // A name can be a little ahead of the store's time.
  const ageSeconds = Math.max(0, Math.floor(ageMs / 1_000));
  const { unprotected = null, offline = null } = findProtection(manifest) ?? {};
  return { snapshot, verdict, rows, unprotected, offline, sealedAt, ageSeconds, altered };
}

/**
 * The newest snapshot, by `_head`. If `_head` cannot tell, by the names of the manifests; the fault is noted. `open`: name of
 * the open run, which writes its manifest before `_head`.
 */
async function readNewest(
  store: Store,
  key: TargetKey,
  open: string | null,
  faults: ExportError[],
): Promise<Sealed | null> {
  const pointed = await noteFault(faults, () => readPointed(store, key, headKey(key)));
  const isFuture = (name: string) => isFutureName(name, store.nowMs());
  if (pointed && !isFuture(pointed.manifest.snapshot)) return pointed;
  const names = (await listSnapshots(store, key)).filter((name) => name !== open);
  if (names.length > 0 && faults.length === 0 && !pointed) {
    const message = 'is missing, although the target has snapshots';
    faults.push(new CorruptError(headKey(key), message, verifyHint));
  }
  for (const name of names.reverse()) {
    if (isFuture(name)) {
      const message = "is named more than 24 hours after the store's time, so it is ignored";
      faults.push(new CorruptError(manifestKey(key, name), message, clockHint));
      continue;
    }
    const found = await noteFault([], () => readManifest(store, key, name));
    if (found) return found;
  }
  return null;
}

const clockHint =
  'A clock was or is wrong: check the clocks of all hosts that export to this store. `cgs-export export` makes a snapshot now.';
const verifyHint = 'Run `cgs-export verify`: it lists every object that is missing or was altered.';

/**
 * The newest complete snapshot, by `_latest`. If `_latest` cannot tell, by the manifests; the fault is noted. A snapshot that is
 * named more than a day after the store's time is none. `open`: name of the open run, which writes its manifest before `_latest`.
 */
async function readLatest(
  store: Store,
  key: TargetKey,
  open: string | null,
  faults: ExportError[],
): Promise<Sealed | null> {
  const known: ExportError[] = [];
  const pointed = await noteFault(known, () => readPointed(store, key, latestKey(key)));
  if (pointed && !isFutureName(pointed.manifest.snapshot, store.nowMs())) return pointed;
  const isComplete = ({ verdict, snapshot }: Sealed['manifest']) =>
    verdict === 'complete' && snapshot !== open;
  const found = await noteFault(known, () => findNewest(store, key, isComplete));
  if (found && !pointed && known.length === 0) {
    const message = 'is missing, although the target has a complete snapshot';
    known.push(new CorruptError(latestKey(key), message, verifyHint));
  }
  for (const error of known) await noteFault(faults, () => Promise.reject(error));
  return found;
}

/** Null if the pointer does not exist. Throws CorruptError, also if what it names is missing or was altered. */
async function readPointed(
  store: Store,
  key: TargetKey,
  pointerKey: string,
): Promise<Sealed | null> {
  const bytes = await readEvidence(store, pointerKey);
  if (!bytes) return null;
  const pointer = decodePointer(key, pointerKey, bytes);
  const sealed = await readManifest(store, key, pointer.snapshot);
  if (!sealed) {
    throw new CorruptError(pointer.manifest, `is missing, but ${pointerKey} names it`, verifyHint);
  }
  if (sealed.manifestSha256 !== pointer.manifestSha256) {
    const message = `was altered: ${pointerKey} recorded another hash of it`;
    throw new CorruptError(sealed.manifestKey, message, verifyHint);
  }
  return sealed;
}

async function readOpen(
  store: Store,
  target: TargetKey,
  open: { snapshot: string; run: string },
): Promise<OpenRun | null> {
  const checkpoint = await readCheckpoint(store, target, open);
  if (!checkpoint) return null;
  const { snapshot, startedAtMs, lastPageAtMs, phase, pageCount, cursor, sealAttempts } =
    checkpoint;
  return {
    snapshot,
    startedAt: isoTime(startedAtMs),
    lastPageAt: isoTime(lastPageAtMs),
    phase,
    pages: pageCount,
    rows: cursor.totalLast === null ? null : cursor.reach,
    total: cursor.totalLast === null ? null : Math.max(cursor.totalLast, cursor.reach),
    sealAttempts,
    waitsFor: phase === 'sealing' ? await readWait(store, target, open) : null,
  };
}

async function readWait(
  store: Store,
  target: TargetKey,
  open: { snapshot: string; run: string },
): Promise<OpenRun['waitsFor']> {
  const [rival] = await findRivals(store, target, open, await readNames(store, target, null));
  if (!rival) return null;
  const { snapshot, run, leftMs } = rival;
  return { snapshot, run, leftSeconds: Math.ceil(leftMs / 1_000) };
}

interface Facts {
  /** Objects that the status needs. */
  unreadable: readonly ExportError[];
  /** As isOutpaced(). */
  isOutpaced: boolean;
  worker: Worker | null;
  nowMs: number;
  scheduleMs: number;
}

/** What `status --check` finds in one target, the worst first. */
function findProblems(
  { account, last, latest, open, heldUntil, failure, abandoned }: TargetStatus,
  { unreadable, isOutpaced: hasNoTurn, worker, nowMs, scheduleMs }: Facts,
): Problem[] {
  const problems: Problem[] = unreadable.map(({ code, message, hint }) => {
    return { kind: 'unreadable', code, message, hint };
  });
  const add = (kind: Problem['kind'], message: string, hint: string, code: string | null = null) =>
    problems.push({ kind, code, message, hint });
  if (heldUntil) problems.push(describeHeld({ account, heldUntil, failure }));
  /** For problems that follow from attempts that fail. */
  const addResult = (kind: Problem['kind'], message: string, hint: string) => {
    if (!failure) add(kind, message, hint);
    else if (heldUntil) add(kind, message, 'Its attempts fail: see above.');
    else
      add(
        kind,
        `${message}; its newest attempt failed: ${failure.message}`,
        failure.hint,
        failure.code,
      );
  };
  // While an exporter works, it may still store what is missing.
  const whileWorking = (hint: string) => (worker === null ? hint : describeWork(worker, hint));
  const silentMs = open?.phase === 'collecting' ? nowMs - Date.parse(open.lastPageAt) : 0;
  if (abandoned) {
    const message = `the run ${abandoned.snapshot} was given up at ${abandoned.at}, because it received no page`;
    addResult('abandoned', message, abandonedHint);
  } else if (open && silentMs > abandonAfterMs(scheduleMs)) {
    const message = `the open run ${open.snapshot} has received no page since ${open.lastPageAt}: the next invocation gives it up`;
    addResult('abandoned', message, abandonedHint);
  }
  if (!last && unreadable.length === 0) {
    const hint = open ? openHint : neverHint;
    addResult('never sealed', 'it has no snapshot', whileWorking(hasNoTurn ? outpacedHint : hint));
  }
  if (last && last.ageSeconds * 1_000 > 2 * scheduleMs) {
    const message = `the newest snapshot ${last.snapshot} is older than 2 schedules`;
    addResult('old', message, whileWorking(hasNoTurn ? outpacedHint : oldHint));
  }
  const aheadMs = (snapshotTimeMs(last?.snapshot ?? '') ?? 0) - nowMs;
  if (last && aheadMs > aheadMsMax) {
    const message = `the newest snapshot ${last.snapshot} is named ${describeDifference(aheadMs)} after the store's time: a timer makes no other one before`;
    add('ahead', message, clockHint);
  }
  if (last?.verdict === 'drifted') {
    const complete = latest
      ? `the newest complete one: ${latest}`
      : `no complete one among the newest ${searchedMax}`;
    const message = `the newest snapshot ${last.snapshot} is drifted; ${complete}`;
    add('drifted', message, driftedHint);
  }
  return problems;
}

function describeWork({ name }: Worker, hint: string): string {
  return `An exporter is working on this store now (${name ?? 'its name cannot be read'}): wait until it has finished. Only if this problem then remains: ${hint}`;
}

function describeHeld({
  account,
  heldUntil,
  failure,
}: Pick<TargetStatus, 'account' | 'heldUntil' | 'failure'>): Problem {
  const what = failure?.ofKey ? 'its access key is held' : 'held';
  const why = failure
    ? `, because attempts fail since ${failure.since} (${failure.failures} in a row): ${failure.message}`
    : '';
  const hints = [failure?.hint, describeLift(account, failure)];
  return {
    kind: 'held',
    code: failure?.code ?? null,
    message: `${what} until ${heldUntil}${why}`,
    hint: hints.filter(Boolean).join('\n'),
  };
}

/** A name can be ahead by a few seconds: exports in quick succession take the next second. */
const aheadMsMax = 60_000;
const neverHint = 'Check that the timer runs, or run `cgs-export export`.';
const outpacedHint =
  'The timer exports other targets while this one misses its slots: the schedule has more targets than the quota allows, or the timer runs too rarely. `cgs-export plan` shows which schedule fits the quota.';
const openHint = 'Its first run is open. `cgs-export export` completes it now.';
const oldHint =
  'Check that the timer runs. `cgs-export plan` shows whether the quota is enough for the schedule.';
const abandonedHint = 'See the earlier log lines: they show why no page arrived.';
const driftedHint =
  'Usually do nothing: the next slot makes a new snapshot. If it happens again and again, export at a quieter time.';
