// Responsible for one invocation from start to end: the lease, the quota ledger, and the result. Not responsible for the work
// itself (work.ts).

import { backoffMs, recoversByItself } from '../core/error-policy.ts';
import {
  CorruptError,
  EvidenceError,
  ExportError,
  MissedSlotError,
  StoppedError,
} from '../core/errors.ts';
import { damagedScheduleKey, scheduleKey } from '../core/object-keys.ts';
import { checkAskedWait } from '../quota/budget.ts';
import type { Lease } from '../quota/lease.ts';
import { openLedger } from '../quota/ledger.ts';
import { openLedgers } from '../quota/ledgers.ts';
import { listFailures } from './holds.ts';
import type {
  CollectPorts,
  CollectResult,
  Invocation,
  InvocationLedger,
  RefusedWait,
  ScheduleView,
  Target,
} from './invocation.ts';
import { sleepUnlessStopped, waitForLease } from './lease-wait.ts';
import { reportMissedSlots } from './missed-slots.ts';
import { hasWork } from './next-task.ts';
import { type CollectMode, type Policy, policies } from './policy.ts';
import { isResolved, listTasks } from './projects.ts';
import { emptySchedule, encodeSchedule, type Schedule } from './schedule.ts';
import { describeSetAside, setAside } from './set-aside.ts';
import { readSchedule } from './stored-schedule.ts';
import { workThrough } from './work.ts';

/** Long waits are cut into slices, so that the lease is renewed and a signal is noticed, milliseconds. */
const waitSliceMs = 5_000;

/** What is shared by all attempts of one invocation to hold the lease. */
interface Collecting {
  policy: Policy;
  ports: CollectPorts;
  result: CollectResult;
  done: Set<Target>;
}

/** Faults are in the result, each once. Only bugs are thrown. */
export async function collect(mode: CollectMode, ports: CollectPorts): Promise<CollectResult> {
  const { log } = ports;
  const policy = policies[mode];
  const result: CollectResult = {
    status: 'idle',
    snapshots: [],
    requests: 0,
    throttled: 0,
    errors: [],
    held: [],
    failing: [],
    paused: [],
    idle: null,
  };
  const collecting: Collecting = { policy, ports, result, done: new Set() };
  try {
    const view = policy.selects === 'due' ? await viewScheduleOrNull(ports) : null;
    if (view) {
      const agenda = { ...ports, policy, schedule: view.schedule };
      ports.checkDistinct(view.tasks.filter(isResolved));
      if (!hasWork(agenda, view.tasks)) {
        log('debug', 'no target is due');
        Object.assign(result, listFailures(agenda, view.tasks));
        result.idle = 'not due';
        return result;
      }
    }
    await workUnderLease(collecting, view);
    return result;
  } catch (error) {
    if (!(error instanceof ExportError)) throw error;
    result.errors.push(error);
    result.status = statusOf(result, true);
    return result;
  }
}

/** Null: it is damaged. It is started again once the lease is held. */
async function viewScheduleOrNull({ viewSchedule }: CollectPorts): Promise<ScheduleView | null> {
  try {
    return await viewSchedule();
  } catch (error) {
    if (error instanceof CorruptError) return null;
    throw error;
  }
}

/**
 * A damaged schedule is set aside, reported once and started again: what it knew follows from the manifests, except holds and
 * what was reported. A timer does so at most every 15 minutes, the shortest hold of a refused key: a schedule that is damaged
 * again and again must not let a refused key be sent more often, because five refusals lock it. Until then it throws.
 */
async function openSchedule({ policy, ports, result }: Collecting): Promise<Schedule> {
  const { store, log } = ports;
  try {
    return await readSchedule(store);
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    const [before] = await store.list(damagedScheduleKey);
    const isRecent = before && Math.abs(store.nowMs() - before.modifiedMs) < backoffMs(1);
    if (policy.selects === 'due' && isRecent) throw error;
    await setAside(store, scheduleKey, damagedScheduleKey);
    const schedule = emptySchedule();
    // Stored before it is reported, so that it is reported once.
    await store.put(scheduleKey, encodeSchedule(schedule), { durability: 'acknowledged' });
    result.errors.push(describeSetAside(error, damagedScheduleKey, log));
    return schedule;
  }
}

/** `view`: as it was before the lease was held; null: not known. Under the lease the schedule is read again. */
async function workUnderLease(collecting: Collecting, view: ScheduleView | null): Promise<void> {
  const { policy, ports, result } = collecting;
  const { log } = ports;
  for (;;) {
    const lease = await waitForLease(policy.waitsForOthers, ports);
    if (!lease) {
      result.idle = 'leased';
      if (view) {
        const agenda = { ...ports, policy, schedule: view.schedule };
        Object.assign(result, listFailures(agenda, view.tasks));
      }
      return;
    }
    try {
      const outcome = await workWithLease(collecting, lease);
      result.status = statusOf(result, outcome === 'paused');
      if (result.status === 'idle') result.idle = 'not due';
      return;
    } catch (error) {
      // A command that was suspended for longer than a lease lasts waits for the lease again and continues.
      const isLost = error instanceof StoppedError && error.code === 'LEASE_LOST';
      if (!isLost || !policy.waitsForOthers) throw error;
      log('warn', error.message, { code: error.code, hint: error.hint });
    }
  }
}

/** Releases reserved quota and the lease, whatever happens. */
async function workWithLease(collecting: Collecting, lease: Lease): Promise<'finished' | 'paused'> {
  const { policy, ports, result, done } = collecting;
  const { store, log } = ports;
  const ledgers = openLedgers((list) => openInvocationLedger(policy, ports, { lease, list }));
  try {
    const schedule = await openSchedule(collecting);
    const invocation: Invocation = {
      ...ports,
      policy,
      schedule,
      lease,
      ledgerOf: ({ dataset }) => ledgers.of(dataset.name),
      result,
      async saveSchedule() {
        await lease.renew();
        await store.put(scheduleKey, encodeSchedule(schedule), { durability: 'acknowledged' });
      },
    };
    const outcome = await workThrough(invocation, done);
    if (policy.selects === 'due') {
      const tasks = listTasks(invocation);
      await reportMissedSlots(invocation, tasks);
      Object.assign(result, listFailures(invocation, tasks));
    }
    return outcome;
  } finally {
    await ledgers.release().catch((error: unknown) => {
      log('warn', 'the reserved quota was not released; it expires by itself', { error });
    });
    await lease.release();
  }
}

function statusOf(result: CollectResult, isPaused: boolean): CollectResult['status'] {
  const failures = result.errors.filter(
    (error) => !(error instanceof EvidenceError || error instanceof MissedSlotError),
  );
  if (failures.some((error) => !recoversByItself(error))) return 'failed';
  if (isPaused || failures.length > 0) return 'paused';
  return result.snapshots.length > 0 ? 'sealed' : 'idle';
}

/** The quota ledger, with waits that are charged to the budget, shown as progress, and keep the lease alive. */
function openInvocationLedger(
  policy: Policy,
  ports: CollectPorts,
  { lease, list }: { lease: Lease; list: string },
): InvocationLedger {
  const { clock, budget, log, progress } = ports;
  let refused: RefusedWait | null = null;
  const ledger = openLedger({
    ...ports,
    list,
    heldFrom: policy.quotaHeldFrom,
    async wait(delayMs, reason) {
      checkAskedWait(delayMs, reason, ports.store.nowMs());
      if (!budget.takeWait(delayMs)) {
        const untilMs = ports.store.nowMs() + delayMs;
        refused = { reason, until: new Date(untilMs).toISOString() };
        return false;
      }
      progress({ kind: 'wait', delayMs, reason });
      if (delayMs >= 1_000) log('debug', 'waiting for the quota', { delayMs, reason });
      const endMs = clock.monotonicMs() + delayMs;
      for (let restMs = delayMs; restMs > 0; restMs = endMs - clock.monotonicMs()) {
        await sleepUnlessStopped(clock, Math.min(restMs, waitSliceMs), budget.signal);
        await lease.renew();
      }
      return true;
    },
  });
  return {
    ...ledger,
    refusedWait: () => refused,
    admit(user, want) {
      refused = null;
      return ledger.admit(user, want);
    },
  };
}
