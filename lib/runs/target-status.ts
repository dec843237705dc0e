// Owns what a store tells of its targets: open runs, last snapshots, holds. Reads only.

import {
  checkpointKey,
  headKey,
  latestKey,
  runPrefix,
  scheduleKey,
  snapshotName,
  snapshotTimeMs,
  type TargetKey,
  targetId,
} from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { decodeCheckpoint } from '../reading/checkpoint.ts';
import { readManifest } from '../snapshots/catalog.ts';
import { decodePointer, type Manifest } from '../snapshots/manifest.ts';
import { decodeSchedule, slotMs, targetStateOf } from './schedule.ts';

export interface TargetStatus {
  table: string;
  region: string;
  /** Null: IAM was not asked yet. */
  projectId: string | null;
  open: {
    snapshot: string;
    startedAt: string;
    lastPageAt: string;
    phase: string;
    pages: number;
    /** Rows read of those the list is said to have; null before the first page. */
    rows: number | null;
    total: number | null;
  } | null;
  /** The newest snapshot of any verdict. */
  last: { snapshot: string; verdict: string; rows: number; ageSeconds: number } | null;
  /** The newest complete snapshot's name. */
  latest: string | null;
  due: boolean;
  /** Until when a timer leaves the target or its key alone; null if it does not. */
  heldUntil: string | null;
}

export async function readStatus(
  store: Store,
  scheduleMs: number,
  targets: readonly {
    table: string;
    region: string;
    projectId: string | null;
    projectQuestion: string;
    user: string;
  }[],
): Promise<TargetStatus[]> {
  const schedule = decodeSchedule(await store.get(scheduleKey));
  const nowMs = store.nowMs();
  const statuses: TargetStatus[] = [];
  for (const target of targets) {
    const { table, region } = target;
    const projectId = target.projectId ?? schedule.projects[target.projectQuestion] ?? null;
    const keyHeldMs = schedule.holds[target.user]?.untilMs ?? 0;
    if (projectId === null) {
      const heldUntil = keyHeldMs > nowMs ? new Date(keyHeldMs).toISOString() : null;
      statuses.push({
        table,
        region,
        projectId,
        open: null,
        last: null,
        latest: null,
        due: true,
        heldUntil,
      });
      continue;
    }
    const key: TargetKey = { table, region, projectId };
    const state = targetStateOf(schedule, targetId(key));
    const last = await readPointed(store, key, headKey(key));
    const latest = await readPointed(store, key, latestKey(key));
    const heldMs = Math.max(keyHeldMs, state.retryAtMs);
    const slot = snapshotName(slotMs(nowMs, scheduleMs));
    statuses.push({
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
      due: last === null || slot > last.snapshot,
      heldUntil: heldMs > nowMs ? new Date(heldMs).toISOString() : null,
    });
  }
  return statuses;
}

async function readPointed(store: Store, target: TargetKey, key: string): Promise<Manifest | null> {
  const bytes = await store.get(key);
  if (!bytes) return null;
  return (await readManifest(store, target, decodePointer(key, bytes).snapshot))?.manifest ?? null;
}

async function readOpen(
  store: Store,
  target: TargetKey,
  open: { snapshot: string; run: string },
): Promise<TargetStatus['open']> {
  const key = checkpointKey(runPrefix(target, open.snapshot, open.run));
  const bytes = await store.get(key);
  if (!bytes) return null;
  const { snapshot, startedAtMs, lastPageAtMs, phase, pages, cursor } = decodeCheckpoint(
    key,
    bytes,
  );
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
