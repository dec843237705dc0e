// Responsible for asking one target for the size of its list, with one request within the quota.

import { requestTimeoutMs } from '../api/send.ts';
import type { Log } from '../core/ports.ts';
import { systemClock } from '../platform/clock.ts';
import { checkAskedWait, stoppedError, unlimitedBudget } from '../quota/budget.ts';
import { openLedger } from '../quota/ledger.ts';
import type { Target } from '../runs/invocation.ts';
import type { Progress } from '../runs/progress-event.ts';
import type { Connection } from './connect.ts';

/** The smallest page that the API allows. Source: HSS API, ListContainerNodes, read 2026-11-24. */
const pageLimit = 10;

/**
 * Returns how many nodes the list has now. Waits for the quota. Throws StoppedError if the signal aborts, and the
 * errors of a page request.
 */
export async function probeSize(
  { store, quota, host }: Connection,
  target: Target,
  { log, signal, progress }: { log: Log; signal: AbortSignal; progress: Progress },
): Promise<number> {
  const ledger = openLedger({
    store,
    quota,
    log,
    clock: systemClock,
    host,
    random: Math.random,
    requestTimeoutMs,
    heldFrom: 'answer',
    async wait(delayMs, reason) {
      checkAskedWait(delayMs, reason, store.nowMs());
      progress({ kind: 'wait', delayMs, reason });
      await systemClock.sleep(delayMs, signal);
      return true;
    },
  });
  const projectId = target.projectId ?? (await target.findProjectId(unlimitedBudget(signal)));
  try {
    const page = await target.openSource(projectId).fetchPage(
      { offset: 0, limit: pageLimit },
      {
        admit: () => ledger.admit(target.user, 1),
        sent: (outcome) => ledger.sent(target.user, outcome),
        mayWait: () => true,
        retrying: ({ nextTry, triesMax, delayMs, cause }) =>
          progress({ kind: 'retry', nextTry, triesMax, delayMs, cause }),
        timeLeftMs: () => Number.POSITIVE_INFINITY,
        signal,
      },
    );
    if (page === 'paused') throw stoppedError();
    return page.page.totalNum;
  } finally {
    await ledger.release();
  }
}
