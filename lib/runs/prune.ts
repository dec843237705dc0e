// Responsible for pruning a store under the lease: which stored targets are covered, one after the other, and the result. Not
// responsible for what is deleted (snapshots/pruning.ts).

import { CorruptError, ExportError, StoppedError } from '../core/errors.ts';
import { snapshotTimeMs, type TargetKey, targetId } from '../core/object-keys.ts';
import type { Log, Store } from '../core/ports.ts';
import type { Lease } from '../quota/lease.ts';
import {
  carryOut,
  listStored,
  type PlannedSnapshot,
  type PruneCounts,
  type PrunePlan,
  planPrune,
  type Retention,
  type StoredTarget,
} from '../retention/pruning.ts';
import type { SigningKey } from '../snapshots/signature.ts';
import type { Target } from './invocation.ts';
import { type LeaseWaitPorts, waitForLease } from './lease-wait.ts';
import { knownProjectId } from './projects.ts';
import { emptySchedule, type Schedule } from './schedule.ts';
import { readSchedule } from './stored-schedule.ts';

type Named = Pick<Target, 'account' | 'table' | 'region' | 'projectId' | 'projectQuestion'>;

export interface PrunePorts extends LeaseWaitPorts {
  targets: readonly Named[];
  retention: Retention;
  /** Null: tombstones are not signed. */
  signingKey: SigningKey | null;
}

export interface PruneOptions {
  /** True: nothing is written, and no lease is taken. */
  isDryRun: boolean;
  /** Of the stored targets that the configuration covers, those to prune. May throw ConfigError: nothing is written yet. */
  pick: (covered: readonly TargetKey[]) => readonly TargetKey[];
  onProgress?: (progress: PruneProgress) => void;
  /** False: if another exporter holds the lease, nothing is done. Default: wait until it has finished. */
  waitsForOthers?: boolean;
}

export interface PruneProgress {
  /** Targets. */
  done: number;
  total: number;
  deletedParts: number;
}

export interface TargetPruning extends TargetKey {
  /** Null: no manifest of it can be read. */
  account: string | null;
  snapshots: SnapshotPruning[];
  /** Snapshots that were pruned before and of which no part is left. They are not in `snapshots`. */
  gone: number;
}

/** `parts` and `bytes`: of the rows and rejects that were stored when the work began. */
export interface SnapshotPruning
  extends Pick<PlannedSnapshot, 'snapshot' | 'rule' | 'prunedAt' | 'isDue'> {
  /** Null: its manifest cannot be used. */
  verdict: 'complete' | 'drifted' | null;
  parts: number;
  bytes: number;
}

export interface PruneResult extends PruneCounts {
  targets: TargetPruning[];
  /** Stored targets that the configuration does not cover. */
  notCovered: TargetKey[];
  errors: ExportError[];
  /** True: nothing was done, because another exporter held the lease. */
  isLeased: boolean;
}

/** Faults are in the result, each once. Only bugs are thrown. */
export async function prune(ports: PrunePorts, options: PruneOptions): Promise<PruneResult> {
  const { budget } = ports;
  const result: PruneResult = {
    ...{ targets: [], notCovered: [], errors: [], isLeased: false },
    ...{ marked: 0, parts: 0, bytes: 0, locked: [] },
  };
  try {
    if (options.isDryRun) await pruneTargets(ports, options, { lease: null, result });
    else {
      const lease = await waitForLease(options.waitsForOthers ?? true, ports);
      if (!lease) return { ...result, isLeased: true };
      try {
        await pruneTargets(ports, options, { lease, result });
      } finally {
        await lease.release();
      }
    }
  } catch (error) {
    const { signal } = budget;
    const reason: unknown = signal.aborted && error instanceof StoppedError ? signal.reason : error;
    if (!(reason instanceof ExportError)) throw reason;
    result.errors.push(reason);
  }
  return result;
}

/** `lease` null: a dry run. */
async function pruneTargets(
  ports: PrunePorts,
  { pick, onProgress }: PruneOptions,
  { lease, result }: { lease: Lease | null; result: PruneResult },
): Promise<void> {
  const { store, retention, signingKey, budget, log } = ports;
  const keepAlive = async () => {
    budget.signal.throwIfAborted();
    await lease?.renew();
  };
  const covered = await listCovered(ports, result);
  const wanted = new Set(pick(covered.map(({ target }) => target)).map(targetId));
  const picked = covered.filter(({ target }) => wanted.has(targetId(target)));
  // Of a file store, nowMs() follows its clock only once that was read, which is a write.
  if (lease) await store.readClock?.();
  const nowMs = store.nowMs();
  if (!lease && store.readClock) warnOfClock(picked, nowMs, log);
  for (const [done, stored] of picked.entries()) {
    onProgress?.({ done, total: picked.length, deletedParts: result.parts });
    await keepAlive();
    try {
      const plan = await planPrune(store, stored, { retention, nowMs, signingKey });
      result.targets.push(summarize(plan));
      result.errors.push(...plan.errors);
      if (lease) await carryOut({ ...ports, nowMs, keepAlive }, plan, result);
    } catch (error) {
      // The other targets are pruned all the same.
      if (!(error instanceof ExportError) || error instanceof StoppedError) throw error;
      result.errors.push(error);
    }
  }
}

const clockDoubtMs = 5 * 60_000;

/** A dry run on a file store has only the clock of this host. It warns if that does not fit the newest names in the store. */
function warnOfClock(stored: readonly StoredTarget[], nowMs: number, log: Log): void {
  const toMs = (name: string | undefined) => snapshotTimeMs(name ?? '') ?? 0;
  const pairs = stored.map(({ snapshots }) => [toMs(snapshots.at(-1)), toMs(snapshots.at(-2))]);
  const [newestMs = 0, beforeMs = 0] = pairs.sort(([a = 0], [b = 0]) => b - a)[0] ?? [];
  const isBehind = newestMs > nowMs + clockDoubtMs;
  // More than one snapshot is missing. A single snapshot shows no interval.
  const isAhead = beforeMs > 0 && nowMs - newestMs > 2 * (newestMs - beforeMs) + clockDoubtMs;
  if (!isBehind && !isAhead) return;
  const newest = new Date(newestMs).toISOString();
  const message = isBehind
    ? 'the newest snapshot is later than the time of this host: the ages in this dry run are too small'
    : 'the newest snapshot is old by the clock of this host: if that clock is ahead, this dry run shows too much as pruned';
  log('warn', message, { newest, host: new Date(nowMs).toISOString(), hint: clockHint });
}

const clockHint =
  'A dry run writes nothing, so it cannot ask the file system for its time, as `prune` does. Compare the clock of this host with the right time. If it is right, the exporter has not run since: see `cgs-export status`.';

/** The stored targets that the configuration covers. The others are noted in `result`. */
async function listCovered(
  { store, targets }: PrunePorts,
  result: PruneResult,
): Promise<StoredTarget[]> {
  const schedule = await readScheduleOrEmpty(store);
  const ids = new Set(
    targets.flatMap((target) => {
      const projectId = knownProjectId(target, schedule);
      const { table, region } = target;
      return projectId === null ? [] : [targetId({ table, region, projectId })];
    }),
  );
  const stored = await listStored(store);
  const isCovered = ({ target }: StoredTarget) => ids.has(targetId(target));
  result.notCovered = stored.filter((one) => !isCovered(one)).map(({ target }) => target);
  return stored.filter(isCovered);
}

/** The schedule only names projects that are not configured. `status` reports one that is damaged. */
async function readScheduleOrEmpty(store: Store): Promise<Schedule> {
  try {
    return await readSchedule(store);
  } catch (error) {
    if (error instanceof CorruptError) return emptySchedule();
    throw error;
  }
}

/** Without the manifests, which would fill the memory. */
function summarize({ target, account, snapshots, gone }: PrunePlan): TargetPruning {
  return {
    account,
    ...target,
    gone,
    snapshots: snapshots.map(({ snapshot, sealed, rule, prunedAt, isDue, parts }) => {
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      const verdict = sealed?.manifest.verdict ?? null;
      return { snapshot, verdict, rule, prunedAt, isDue, parts: parts.length, bytes };
    }),
  };
}
