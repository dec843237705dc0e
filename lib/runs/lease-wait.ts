// Responsible for getting the lease: waiting until another exporter has finished, or leaving. Not responsible for the lease itself
// (quota/lease.ts).

import type { Clock } from '../core/ports.ts';
import { type Budget, stoppedError } from '../quota/budget.ts';
import { type Lease, type LeasePorts, takeLease, watchLease } from '../quota/lease.ts';
import type { Progress } from './progress-event.ts';

/** How often a command checks whether the lease is free, milliseconds. */
const leasePollMs = 1_000;

export interface LeaseWaitPorts extends LeasePorts {
  budget: Pick<Budget, 'signal'>;
  progress: Progress;
}

/** Null: another exporter holds the lease, and `waitsForOthers` is false. */
export async function waitForLease(
  waitsForOthers: boolean,
  ports: LeaseWaitPorts,
): Promise<Lease | null> {
  const { clock, log, budget, progress } = ports;
  const watch = watchLease();
  for (let isLogged = false; ; isLogged = true) {
    const lease = await takeLease(ports, watch);
    if (!('heldForMs' in lease)) return lease;
    const { holder } = lease;
    const heldForMs = Math.ceil(lease.heldForMs);
    const heldForSeconds = Math.ceil(heldForMs / 1_000);
    const held = `held by ${holder ?? 'a process that cannot be read'}, for at most ${heldForSeconds} s if it no longer runs`;
    const message = `another exporter is working on this store (${held})`;
    if (!waitsForOthers) {
      log('info', message, { holder, heldForMs });
      return null;
    }
    if (!isLogged) {
      log('info', `${message}; waiting until it has finished`, { holder, heldForMs });
    }
    const delayMs = Math.min(heldForMs + 50, leasePollMs);
    progress({ kind: 'wait', delayMs, reason: 'lease' });
    await sleepUnlessStopped(clock, delayMs, budget.signal);
  }
}

/** Throws StoppedError once `signal` aborts. */
export async function sleepUnlessStopped(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await clock.sleep(delayMs, signal);
  } catch (error) {
    if (signal.aborted) throw stoppedError();
    throw error;
  }
}
