// Responsible for asking one target for the size of its list, with one request within the quota, and for the quota ledger
// of commands that only ask.

import { requestTimeoutMs } from '../api/send.ts';
import { askedWaitMsMax } from '../core/error-policy.ts';
import type { Log, RequestGate, Source } from '../core/ports.ts';
import { systemClock } from '../platform/clock.ts';
import { checkAskedWait, stoppedError, unlimitedBudget } from '../quota/budget.ts';
import { type Ledger, openLedger } from '../quota/ledger.ts';
import type { Target } from '../runs/invocation.ts';
import type { Progress } from '../runs/progress-event.ts';
import type { Connection } from './connect.ts';

/** The smallest page that the API allows. Source: HSS API, ListContainerNodes, read 2026-11-24. */
const pageLimit = 10;

export interface ProbeOptions {
  log: Log;
  signal: AbortSignal;
  progress: Progress;
}

/**
 * Returns how many nodes the list has now. Waits for the quota. Throws StoppedError if the signal aborts, and the
 * errors of a page request.
 */
export async function probeSize(
  connection: Connection,
  target: Target,
  options: ProbeOptions,
): Promise<number> {
  const { signal, progress } = options;
  const ledger = openProbeLedger(connection, options, {
    list: target.dataset.name,
    waitMsMax: Number.POSITIVE_INFINITY,
  });
  const projectId = target.projectId ?? (await target.findProjectId(unlimitedBudget(signal)));
  try {
    const size = await readSize(target.openSource(projectId), {
      admit: () => ledger.admit(target.user, 1),
      sent: (outcome) => ledger.sent(target.user, outcome),
      mayWait: () => true,
      retrying: ({ nextTry, triesMax, delayMs, cause }) =>
        progress({ kind: 'retry', nextTry, triesMax, delayMs, cause }),
      timeLeftMs: () => Number.POSITIVE_INFINITY,
      signal,
    });
    if (size === 'paused') throw stoppedError();
    return size;
  } finally {
    await ledger.release();
  }
}

/** The size of a list, from its smallest page. */
export async function readSize(source: Source, gate: RequestGate): Promise<number | 'paused'> {
  const page = await source.fetchPage({ offset: 0, limit: pageLimit }, gate);
  return page === 'paused' ? page : page.page.totalNum;
}

/** The quota ledger of a command that only asks one list. Refuses a single wait that is longer than `waitMsMax`; throws
 * RateLimitedError if the service asked for it. */
export function openProbeLedger(
  { store, quota, host }: Pick<Connection, 'store' | 'quota' | 'host'>,
  { log, signal, progress }: ProbeOptions,
  { list, waitMsMax }: { list: string; waitMsMax: number },
): Ledger {
  return openLedger({
    store,
    quota,
    log,
    list,
    clock: systemClock,
    host,
    random: Math.random,
    requestTimeoutMs,
    heldFrom: 'answer',
    async wait(delayMs, reason) {
      checkAskedWait(delayMs, reason, store.nowMs(), Math.min(waitMsMax, askedWaitMsMax));
      if (delayMs > waitMsMax) return false;
      progress({ kind: 'wait', delayMs, reason });
      await systemClock.sleep(delayMs, signal);
      return true;
    },
  });
}
