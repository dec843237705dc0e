// Owns an invocation: which targets have work, in which order, and what becomes of those that fail. One bad target stops no other.

import { recoversByItself } from '../core/error-policy.ts';
import { ExportError, RateLimitedError, StoppedError } from '../core/errors.ts';
import { scheduleKey, type TargetKey, targetId } from '../core/object-keys.ts';
import type { Clock } from '../core/ports.ts';
import { stopped } from '../quota/budget.ts';
import { type Lease, takeLease } from '../quota/lease.ts';
import { type Ledger, openLedger, type WaitReason } from '../quota/ledger.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { tidyTarget } from '../snapshots/tidy.ts';
import { clearHolds, isKeyHeld, noteFailure } from './failure.ts';
import type { CollectMode, CollectPorts, CollectResult, Target, Work } from './invocation.ts';
import { isDue, openRun } from './open-run.ts';
import { askProject, isKnown, listWorks, questionId } from './projects.ts';
import { advanceRun } from './run.ts';
import {
  decodeSchedule,
  encodeSchedule,
  type Schedule,
  type TargetState,
  targetStateOf,
} from './schedule.ts';
import { isSilent, noteSilent, noteStall } from './stall.ts';

/** Waits are slept in slices of this, so that the lease is renewed and a signal is heard, milliseconds. */
const sliceMs = 5_000;
/** How often a command looks whether the lease has come free, milliseconds. */
const leasePollMs = 1_000;
/** What is not begun with less time left, milliseconds. */
const workLeastMs = 3_000;

/** Faults are in the result, each once; only a programming error is thrown. */
export async function collect(mode: CollectMode, ports: CollectPorts): Promise<CollectResult> {
  const { store, log } = ports;
  const result: CollectResult = {
    status: 'idle',
    snapshots: [],
    requests: 0,
    throttled: 0,
    errors: [],
  };
  const done = new Set<Target>();
  try {
    let schedule: Schedule | null = null;
    if (mode === 'timer') {
      schedule = decodeSchedule(await store.get(scheduleKey));
      ports.checkDistinct(listWorks(ports, schedule).filter(isKnown));
      if (!hasWork(ports, schedule)) {
        log('debug', 'nothing is due');
        return result;
      }
    }
    for (;;) {
      const lease = await waitForLease(mode, ports);
      if (!lease) {
        log('info', 'another exporter is at work on this store');
        return result;
      }
      try {
        const paused = await workUnderLease(mode, ports, result, done, lease, schedule);
        result.status = statusOf(result, paused);
        return result;
      } catch (error) {
        // A command that was suspended for longer than a lease lasts waits for its turn and goes on.
        const lost = error instanceof StoppedError && error.code === 'LEASE_LOST';
        if (!lost || mode === 'timer') throw error;
        log('warn', error.message, { code: error.code, hint: error.hint });
      }
    }
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    result.errors.push(error);
    result.status = statusOf(result, true);
    return result;
  }
}

/**
 * Whatever happens, what was reserved and taken is given back. `schedule` null: it is read now, since a command may have waited
 * long for its turn; a timer's is a moment old.
 */
async function workUnderLease(
  mode: CollectMode,
  ports: CollectPorts,
  result: CollectResult,
  done: Set<Target>,
  lease: Lease,
  schedule: Schedule | null,
): Promise<boolean> {
  const ledger = openQuota(mode, ports, lease);
  try {
    const current = schedule ?? decodeSchedule(await ports.store.get(scheduleKey));
    return await workThrough(mode, ports, result, done, lease, ledger, current);
  } finally {
    await ledger.release().catch((error: unknown) => {
      ports.log('warn', 'the quota reserved was not given back; it ends by itself', { error });
    });
    await lease.release();
  }
}

function statusOf(result: CollectResult, paused: boolean): CollectResult['status'] {
  if (result.errors.some((error) => !recoversByItself(error))) return 'failed';
  if (paused || result.errors.length > 0) return 'paused';
  return result.snapshots.length > 0 ? 'sealed' : 'idle';
}

/** From the schedule alone: what an idle invocation costs is one read. */
function hasWork(ports: CollectPorts, schedule: Schedule): boolean {
  return ports.targets.some((target) => {
    const projectId = target.projectId ?? schedule.projects[target.projectQuestion];
    const id = projectId === undefined ? questionId(target) : targetId({ ...target, projectId });
    const state = targetStateOf(schedule, id);
    if (isHeld(ports, schedule, target, state)) return isSilent(ports, state);
    return projectId === undefined || state.open !== null || isDue(ports, state);
  });
}

async function waitForLease(mode: CollectMode, ports: CollectPorts): Promise<Lease | null> {
  const { clock, log, budget, progress } = ports;
  let said = false;
  for (;;) {
    const lease = await takeLease(ports);
    if (!('heldForMs' in lease)) return lease;
    if (mode === 'timer') return null;
    const { heldForMs } = lease;
    if (!said) {
      log('info', 'another exporter is at work on this store: waiting for it to end', {
        heldForMs,
      });
    }
    said = true;
    const delayMs = Math.min(heldForMs + 50, leasePollMs);
    progress({ kind: 'wait', delayMs, reason: 'lease' });
    await sleep(clock, delayMs, budget.signal);
  }
}

async function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(delayMs, signal);
  } catch (error) {
    if (signal.aborted) throw stopped();
    throw error;
  }
}

interface QuotaOfInvocation extends Ledger {
  /** Why the last request was not admitted; null: it was, or none was asked for. */
  refusedFor(): WaitReason | null;
}

function openQuota(mode: CollectMode, ports: CollectPorts, lease: Lease): QuotaOfInvocation {
  const { clock, budget, log, progress } = ports;
  let refusedFor: WaitReason | null = null;
  const ledger = openLedger({
    ...ports,
    heldFrom: mode === 'command' ? 'answer' : 'departure',
    mayWait(delayMs, reason) {
      const isGranted = budget.takeWait(delayMs);
      if (!isGranted) refusedFor = reason;
      return isGranted;
    },
    async wait(delayMs, reason) {
      progress({ kind: 'wait', delayMs, reason });
      if (delayMs >= 1_000) log('debug', 'waiting for the quota', { delayMs, reason });
      const endMs = clock.monotonicMs() + delayMs;
      for (let restMs = delayMs; restMs > 0; restMs = endMs - clock.monotonicMs()) {
        await sleep(clock, Math.min(restMs, sliceMs), budget.signal);
        await lease.renew();
      }
    },
  });
  return {
    ...ledger,
    refusedFor: () => refusedFor,
    admit(user, want) {
      refusedFor = null;
      return ledger.admit(user, want);
    },
  };
}

/** True if the invocation ended before its work did. */
async function workThrough(
  mode: CollectMode,
  ports: CollectPorts,
  result: CollectResult,
  done: Set<Target>,
  lease: Lease,
  ledger: QuotaOfInvocation,
  schedule: Schedule,
): Promise<boolean> {
  const { store, log } = ports;
  const saveSchedule = async () => {
    await lease.renew();
    await store.put(scheduleKey, encodeSchedule(schedule));
  };
  if (mode === 'command') clearHolds(schedule);
  const works = listWorks(ports, schedule);
  if (mode === 'timer') {
    // Whoever is not held off is tried first: a page may come.
    for (const work of works) {
      if (!isHeld(ports, schedule, work.target, targetStateOf(schedule, work.id))) continue;
      await noteSilent(ports, schedule, work, result, saveSchedule);
    }
  }
  /** Who is throttled by the service. */
  const throttled = new Set<string>();
  /** The exporter's own quota, or the time, is used up: nothing is left but to ask for projects. */
  let isUsedUp = false;
  let first = true;
  let paused = false;
  for (;;) {
    ports.checkDistinct(works.filter(isKnown));
    const isOver = ({ target, projectId }: Work) =>
      done.has(target) || (projectId !== null && (isUsedUp || throttled.has(target.user)));
    const work = nextWork(mode, ports, schedule, works, isOver);
    if (!work) return paused;
    // What is told once is told now: nothing that comes after it in this invocation can keep it from that.
    if (mode === 'timer' && isAlarming(result)) return true;
    const isShort = ports.budget.timeLeftMs() < workLeastMs;
    if (isShort && !first) return true;
    const { user } = work.target;
    let checkpoint: Checkpoint | null = null;
    let gotPage = false;
    const tellStall = async () => {
      if (mode === 'command') return;
      await noteStall(ports, schedule, work, checkpoint, result, saveSchedule);
    };
    try {
      if (work.projectId === null) {
        if (isShort) {
          await tellStall();
          return true;
        }
        works[works.indexOf(work)] = await askProject(ports, schedule, work, saveSchedule);
        continue;
      }
      checkpoint = await openRun(mode, ports, schedule, work, result, saveSchedule);
      if (!checkpoint) continue;
      const { run, snapshot: name } = checkpoint;
      ports.progress({ kind: 'run', target: work.key, run, snapshot: name });
      const outcome = await advanceRun(
        {
          ...ports,
          ledger,
          first,
          dataset: work.target.dataset,
          user: work.target.user,
          source: work.target.openSource(work.projectId),
          renew: () => lease.renew(),
          log: (level, message, fields) => log(level, message, { run, target: work.id, ...fields }),
          progress: (event) => {
            if (event.kind === 'page') gotPage = true;
            ports.progress(event);
          },
          requested: (error) => {
            result.requests += 1;
            if (error instanceof RateLimitedError) result.throttled += 1;
          },
        },
        { ...work.target, projectId: work.projectId },
        checkpoint,
      );
      const wasFirst = first;
      first = false;
      if (outcome.kind === 'paused') {
        paused = true;
        const isThrottled = ledger.refusedFor() === 'throttled';
        if (isThrottled) throttled.add(user);
        else isUsedUp = true;
        // Whoever comes after another may get no page, and is not stalled by that.
        if (!gotPage && (wasFirst || isThrottled)) await tellStall();
        const state = targetStateOf(schedule, work.id);
        if (gotPage && state.failures > 0) {
          state.failures = 0;
          await saveSchedule();
        }
        continue;
      }
      // What the schedule does not know would be told again.
      if (mode === 'command') result.snapshots.push(outcome.sealed);
      // A timer's target may be due again by now.
      if (mode === 'command') done.add(work.target);
      const { snapshot } = outcome.sealed.manifest;
      delete schedule.holds[work.target.user];
      schedule.targets[work.id] = { open: null, sealed: snapshot, failures: 0, retryAtMs: 0 };
      await saveSchedule();
      if (mode === 'timer') result.snapshots.push(outcome.sealed);
      await tidy(ports, work.key);
    } catch (error) {
      first = false;
      if (ports.budget.signal.aborted) throw stopped();
      if (!(error instanceof ExportError) || error instanceof StoppedError) throw error;
      done.add(work.target);
      const failure = { work, error, checkpoint, gotPage };
      if (!(await noteFailure(mode, ports, schedule, failure, result, saveSchedule))) return true;
      if (error instanceof RateLimitedError && checkpoint && mode === 'timer') throttled.add(user);
      const wasTried = checkpoint !== null || work.projectId === null;
      if (wasTried && !gotPage && recoversByItself(error)) await tellStall();
      paused = paused || recoversByItself(error);
    }
  }
}

/** What is told by the invocation that meets it, and by no other. */
function isAlarming({ errors, snapshots }: CollectResult): boolean {
  return (
    errors.some(({ code }) => code === 'RUN_STALLED' || code === 'RUN_ABANDONED') ||
    snapshots.some(({ manifest }) => manifest.verdict === 'drifted')
  );
}

function isHeld(ports: CollectPorts, schedule: Schedule, target: Target, state: TargetState) {
  return isKeyHeld(ports, schedule, target) || state.retryAtMs > ports.store.nowMs();
}

/**
 * Open runs first, the oldest before the others, each to its end: a short scan drifts least. Those that fail again and again
 * come after those that do not: one that holds its key, or uses the time up, must not keep the others from ever being tried.
 * Projects are asked by a command before it works for hours, by a timer when those that are known have had their turn.
 */
function nextWork(
  mode: CollectMode,
  ports: CollectPorts,
  schedule: Schedule,
  works: readonly Work[],
  isOver: (work: Work) => boolean,
): Work | null {
  const ready = works.filter((work) => {
    if (isOver(work)) return false;
    if (mode === 'command') return true;
    const state = targetStateOf(schedule, work.id);
    if (isHeld(ports, schedule, work.target, state)) return false;
    return work.projectId === null || state.open !== null || isDue(ports, state);
  });
  const rankOf = ({ projectId, id }: Work): string => {
    const { open, failures } = targetStateOf(schedule, id);
    // Once is a blip.
    const fails = mode === 'timer' && failures > 1;
    const isLast = (mode === 'command') === (projectId !== null);
    return `${Number(isLast)}${Number(fails)}${Number(open === null)}${open?.snapshot ?? ''}`;
  };
  const ranked = ready.map((work) => ({ work, rank: rankOf(work) }));
  // Stable: of equals, the one that the configuration names first.
  ranked.sort((a, b) => (a.rank === b.rank ? 0 : a.rank < b.rank ? -1 : 1));
  return ranked[0]?.work ?? null;
}

/** Never fails an export that is already sealed. */
async function tidy(ports: CollectPorts, key: TargetKey): Promise<void> {
  const { store, log, keepPagesMs } = ports;
  try {
    const removed = await tidyTarget(store, key, keepPagesMs);
    if (removed > 0)
      log('debug', 'tidied away what no snapshot needs', { removed, target: targetId(key) });
  } catch (error) {
    log('warn', 'tidying failed; the next run tries again', { error, target: targetId(key) });
  }
}
