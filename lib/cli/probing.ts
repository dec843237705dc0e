// Responsible for asking the service for the size of many lists, with progress, so that a call that was stopped can be repeated.

import type { Connection } from '../app/connect.ts';
import { probeSize } from '../app/probe.ts';
import { refusesKey } from '../core/error-policy.ts';
import { type AuthError, ExportError, StoppedError } from '../core/errors.ts';
import type { Quota } from '../quota/window.ts';
import { spanMs } from '../runs/cost.ts';
import { describeSubject, notTried } from '../runs/failure.ts';
import { type ProbedSizes, probedName, writeProbedSizes } from '../runs/probed-sizes.ts';
import type { ProgressEvent } from '../runs/progress-event.ts';
import { formatPlural } from './format.ts';
import { describeWait } from './progress.ts';
import type { Session, StateAt } from './session.ts';

type ProbedTarget = Connection['targets'][number];
type Named = Pick<ProbedTarget, 'account' | 'table' | 'region'>;

const hourMs = 3_600_000;

/**
 * Asks for the size of every target that was not asked for lately, and stores each answer in `sizes`. An error of one target
 * does not stop the others, but a key that was refused is not used again: five failures lock it. A stop ends it, as the last
 * error. `projectIds`: of targets whose project the store knows.
 */
export async function probeTargets(
  connection: Connection,
  session: Session,
  { sizes, projectIds }: { sizes: ProbedSizes; projectIds: ReadonlyMap<unknown, string> },
): Promise<ExportError[]> {
  const { store, targets, quota } = connection;
  const { log, signal } = session;
  const freshAfterMs = store.nowMs() - hourMs - spanMs(targets.length, quota);
  const asked = targets.filter((target) => {
    const atMs = sizes[probedName(target)]?.atMs ?? Number.NEGATIVE_INFINITY;
    return atMs < freshAfterMs || atMs > store.nowMs();
  });
  const known = targets.length - asked.length;
  if (known > 0) {
    log(
      'info',
      `${formatPlural(known, 'size')} known from a probe a short time ago; not asked again`,
    );
  }
  const errors: ExportError[] = [];
  const refusals = new Map<string, AuthError>();
  const progress = trackProbes(asked, quota);
  await session.showProgress(progress.stateAt, async () => {
    for (const target of asked) {
      progress.start(target, session.runtime.monotonicMs());
      const refusal = refusals.get(target.user);
      if (refusal) {
        errors.push(notTried(target, refusal));
        continue;
      }
      try {
        const projectId = projectIds.get(target) ?? target.projectId;
        const observe = (event: ProgressEvent) =>
          progress.observe(event, session.runtime.monotonicMs());
        const options = { log, signal, progress: observe };
        const rows = await probeSize(connection, { ...target, projectId }, options);
        sizes[probedName(target)] = { rows, atMs: Math.round(store.nowMs()) };
        // After each answer: a call that is stopped has spent its requests.
        await writeProbedSizes(store, sizes);
      } catch (error) {
        const isStopped = signal.aborted || error instanceof StoppedError;
        if (isStopped) return void errors.push(describeStop(asked.indexOf(target), asked.length));
        if (!(error instanceof ExportError)) throw error;
        if (refusesKey(error)) refusals.set(target.user, error);
        error.subject = describeSubject(target);
        errors.push(error);
      }
    }
  });
  return errors;
}

function describeStop(done: number, total: number): StoppedError {
  return new StoppedError(
    'STOPPED',
    `The probe was stopped after ${done} of ${formatPlural(total, 'target')}.`,
    'Run the same command again: it asks only for the sizes that are missing.',
  );
}

/** Follows the requests of a probe. `nowMs` is monotonic. */
export function trackProbes(asked: readonly Named[], quota: Quota) {
  let done = -1;
  let label = '';
  let startMs = 0;
  /** For each target that is done, milliseconds. */
  let paceMs = 0;
  let waiting: { untilMs: number; event: Parameters<typeof describeWait>[0] } | null = null;
  const stateAt: StateAt = (nowMs) => {
    if (done < 0) return null;
    const waitMs = waiting === null ? 0 : Math.max(0, waiting.untilMs - nowMs);
    const wait = waiting && waitMs > 0 ? describeWait(waiting.event, waitMs) : null;
    const left = asked.length - done;
    // The slower one counts: the quota, or what the requests took so far.
    const leftMs = Math.max(waitMs + spanMs(left, quota), left * paceMs);
    const counts = { unit: 'targets', done, total: asked.length } as const;
    return { label, ...counts, perSecond: null, leftMs, wait, note: '' };
  };
  return {
    stateAt,
    start({ account, table, region }: Named, nowMs: number): void {
      done += 1;
      if (done === 0) startMs = nowMs;
      else paceMs = (nowMs - startMs) / done;
      label = `${account} ${table} ${region}`;
      waiting = null;
    },
    observe(event: ProgressEvent, nowMs: number): void {
      if (event.kind !== 'wait' && event.kind !== 'retry') return;
      waiting = { untilMs: nowMs + event.delayMs, event };
    },
  };
}
