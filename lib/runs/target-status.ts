// Responsible for the status of targets as a store knows it: open runs, last snapshots, holds. It only reads.

import {
  headKey,
  latestKey,
  scheduleKey,
  snapshotTimeMs,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readPointed } from '../snapshots/catalog.ts';
import type { Target } from './invocation.ts';
import { readCheckpoint } from './open-run.ts';
import { knownProjectId } from './projects.ts';
import { decodeSchedule, isDue, type Schedule, targetStateOf } from './schedule.ts';

export interface TargetStatus {
  table: string;
  region: string;
  /** Null: IAM has not been asked yet. */
  projectId: string | null;
  open: {
    snapshot: string;
    startedAt: string;
    lastPageAt: string;
    phase: string;
    pages: number;
    /** Rows read so far, of the total that the API stated; null before the first page. */
    rows: number | null;
    total: number | null;
  } | null;
  /** The newest snapshot of any verdict. */
  last: { snapshot: string; verdict: string; rows: number; ageSeconds: number } | null;
  /** Name of the newest complete snapshot; null if there is none. */
  latest: string | null;
  due: boolean;
  /** Until when a timer does not use the target or its key; null: not held. */
  heldUntil: string | null;
}

/** What identifies a target in the store and in its schedule. */
type StatusTarget = Pick<Target, 'table' | 'region' | 'projectId' | 'projectQuestion' | 'user'>;

/** One status per target, in the same order. Throws CorruptError. */
export async function readStatus(
  store: Store,
  scheduleMs: number,
  targets: readonly StatusTarget[],
): Promise<TargetStatus[]> {
  const schedule = decodeSchedule(await store.get(scheduleKey));
  const statuses: TargetStatus[] = [];
  for (const target of targets) {
    statuses.push(await readTargetStatus(store, schedule, scheduleMs, target));
  }
  return statuses;
}

async function readTargetStatus(
  store: Store,
  schedule: Schedule,
  scheduleMs: number,
  target: StatusTarget,
): Promise<TargetStatus> {
  const { table, region } = target;
  const projectId = knownProjectId(target, schedule);
  const nowMs = store.nowMs();
  const keyHeldMs = schedule.holds[target.user]?.untilMs ?? 0;
  const formatHold = (untilMs: number) =>
    untilMs > nowMs ? new Date(untilMs).toISOString() : null;
  if (projectId === null) {
    const heldUntil = formatHold(keyHeldMs);
    return { table, region, projectId, open: null, last: null, latest: null, due: true, heldUntil };
  }
  const key: TargetKey = { table, region, projectId };
  const state = targetStateOf(schedule, targetId(key));
  const last = await readPointed(store, key, headKey(key));
  const latest = await readPointed(store, key, latestKey(key));
  return {
    table,
    region,
    projectId,
    open: state.open && (await readOpen(store, key, state.open)),
    last: last && {
      snapshot: last.snapshot,
      verdict: last.verdict,
      rows: last.rows,
      ageSeconds: Math.round((nowMs - (snapshotTimeMs(last.snapshot) ?? nowMs)) / 1_000),
    },
    latest: latest?.snapshot ?? null,
    due: isDue(last?.snapshot ?? null, nowMs, scheduleMs),
    heldUntil: formatHold(Math.max(keyHeldMs, state.retryAtMs)),
  };
}

async function readOpen(
  store: Store,
  target: TargetKey,
  open: { snapshot: string; run: string },
): Promise<TargetStatus['open']> {
  const checkpoint = await readCheckpoint(store, target, open);
  if (!checkpoint) return null;
  const { snapshot, startedAtMs, lastPageAtMs, phase, pages, cursor } = checkpoint;
  return {
    snapshot,
    startedAt: new Date(startedAtMs).toISOString(),
    lastPageAt: new Date(lastPageAtMs).toISOString(),
    phase,
    pages: pages.length,
    rows: cursor.totalLast === null ? null : Math.min(cursor.offset + 1, cursor.totalLast),
    total: cursor.totalLast,
  };
}
