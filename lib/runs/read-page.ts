// Responsible for one step of reading: request a page within the quota, decide where it belongs, store it.

import { RateLimitedError } from '../core/errors.ts';
import type { FetchedPage } from '../core/ports.ts';
import { stoppedError } from '../quota/budget.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { encodePage, type Item, toItems } from '../reading/page.ts';
import { decidePage, type Step } from '../reading/paging.ts';
import type { RunState } from './run-state.ts';

/** No request starts with less time left than this, milliseconds. */
const requestTimeMinMs = 2_000;
/** Reserved for storing the page after its request, milliseconds. */
const storeMarginMs = 1_500;

/**
 * `paused`: the quota or the time left allows no request now. The page and the checkpoint are stored in one PUT, so a run
 * that is killed loses at most the page in flight. Throws what the source throws; the requests are counted even then.
 */
export async function readNextPage(state: RunState): Promise<'stored' | 'paused'> {
  const { dataset, budget } = state.ports;
  if (budget.timeLeftMs() < requestTimeMinMs) return 'paused';
  const { cursor } = state.checkpoint;
  const waitedBeforeMs = budget.waitedMs();
  // Counted on a copy. It is stored with the page, or when the run pauses or fails.
  const evidence = { ...state.checkpoint.evidence };
  const fetched = await fetchPage(state, evidence);
  if (fetched === 'paused') return 'paused';

  const { totalNum, records } = fetched.page;
  const items = toItems(dataset, records);
  const view = { totalNum, items };
  let step = decidePage(cursor, view, dataset, state.pass?.known ?? null);
  if (step === 'needsKnown') {
    step = decidePage(cursor, view, dataset, (await state.loadPass()).known);
  }
  if (step === 'needsKnown') throw new Error('paging asked for the known rows twice');

  if (cursor.pass === 1 && cursor.totalLast === null) evidence.totalNumFirst = totalNum;
  evidence.totalNumLast = totalNum;
  if (step.kind === 'accept') {
    await storePage(state, { fetched, items, step, evidence });
  } else {
    const phase = step.kind === 'giveUp' ? 'judging' : 'collecting';
    await state.save({ ...state.checkpoint, phase, evidence, cursor: step.cursor });
  }
  report(state, cursor, fetched, { step, waitedBeforeMs });
  return 'stored';
}

async function fetchPage(
  state: RunState,
  evidence: Checkpoint['evidence'],
): Promise<FetchedPage | 'paused'> {
  const { source, dataset, ledger, user, budget, requested, progress } = state.ports;
  const { checkpoint } = state;
  const { offset, totalLast } = checkpoint.cursor;
  const pagesAhead = Math.max(1, Math.ceil(((totalLast ?? 0) - offset) / dataset.limit));
  const saveEvidence = async () => {
    if (evidence.requests === checkpoint.evidence.requests) return;
    await state.save({ ...checkpoint, evidence });
  };
  try {
    const fetched = await source.fetchPage(
      { offset, limit: dataset.limit },
      {
        admit: async () => {
          await state.keepAlive();
          return ledger.admit(user, pagesAhead);
        },
        sent: async (outcome) => {
          requested(outcome.error);
          evidence.requests += 1;
          if (outcome.error) evidence.retries += 1;
          if (outcome.error instanceof RateLimitedError) evidence.throttled += 1;
          await ledger.sent(user, outcome);
        },
        mayWait: (delayMs) => budget.takeWait(delayMs),
        retrying: ({ nextTry, triesMax, delayMs, cause }) =>
          progress({ kind: 'retry', nextTry, triesMax, delayMs, cause }),
        timeLeftMs: () => budget.timeLeftMs() - storeMarginMs,
        signal: budget.signal,
      },
    );
    if (fetched === 'paused') await saveEvidence();
    return fetched;
  } catch (error) {
    if (budget.signal.aborted) throw stoppedError();
    await saveEvidence();
    throw error;
  }
}

async function storePage(
  state: RunState,
  page: {
    fetched: FetchedPage;
    items: readonly Item[];
    step: Step & { kind: 'accept' };
    evidence: Checkpoint['evidence'];
  },
): Promise<void> {
  const { fetched, items, step, evidence } = page;
  const { checkpoint } = state;
  const { pageCount, cursor } = checkpoint;
  const isRealigned = cursor.anchor !== null && step.from !== 'anchor';
  const header = {
    index: pageCount,
    pass: cursor.pass,
    offset: cursor.offset,
    fetchedAtMs: Math.round(fetched.fetchedAtMs),
  };
  const bytes = encodePage(header, step.from, fetched.body);
  const places = await state.pages.add(checkpoint, bytes, cursor.pass);
  await state.save({
    ...checkpoint,
    ...places,
    phase: step.ended ? 'judging' : 'collecting',
    lastPageAtMs: Math.round(state.ports.store.nowMs()),
    cursor: step.cursor,
    evidence: {
      ...evidence,
      pages: places.pageCount,
      realigned: evidence.realigned + (isRealigned ? 1 : 0),
    },
  });
  state.pass?.addPage(items, step.from, cursor.offset);
}

/** `cursor`: as it was before the request. */
function report(
  { ports, target, checkpoint }: RunState,
  cursor: Checkpoint['cursor'],
  { page }: FetchedPage,
  { step, waitedBeforeMs }: { step: Step; waitedBeforeMs: number },
): void {
  const { run, snapshot, pageCount, cursor: next } = checkpoint;
  const { totalNum, records } = page;
  const rows = next.reach;
  // The stated total may be too small.
  const total = Math.max(totalNum, rows);
  ports.progress({ kind: 'page', target, run, snapshot, rows, total, pass: cursor.pass });
  ports.log(ports.policy.pageLogLevel, 'page', {
    page: pageCount,
    quotaWaitMs: Math.round(ports.budget.waitedMs() - waitedBeforeMs),
    offset: cursor.offset,
    records: records.length,
    total: totalNum,
    step: step.kind === 'accept' ? step.from : step.kind,
  });
}
