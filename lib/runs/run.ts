// Owns the one loop that advances a run: page by page, then the verdict, then the seal. It owns the order of effects.

import { ExportError, RateLimitedError } from '../core/errors.ts';
import { checkpointKey, runPrefix, type TargetKey } from '../core/object-keys.ts';
import type { Clock, Dataset, Encoder, FetchedPage, Log, Source, Store } from '../core/ports.ts';
import { type Budget, stopped } from '../quota/budget.ts';
import type { Ledger } from '../quota/ledger.ts';
import { type Checkpoint, encodeCheckpoint } from '../reading/checkpoint.ts';
import { encodePage, type Item, parsePageBody, toItem } from '../reading/page.ts';
import { openRunPages } from '../reading/page-store.ts';
import {
  decidePage,
  followPass,
  judgePass,
  type Pass,
  type Step,
  startPass,
} from '../reading/paging.ts';
import type { Sealed } from '../snapshots/catalog.ts';
import { sealRun } from '../snapshots/seal.ts';

/** No request is begun with less time than this left, milliseconds. */
const requestLeastMs = 2_000;
/** What is kept for storing a page after its request, milliseconds. */
const storeMarginMs = 1_500;
/** Attempts to seal that were killed before the operator is asked. */
const sealAttemptsMax = 3;

export type Progress = (
  event: /** It is gone on with. */
    | { kind: 'run'; target: TargetKey; run: string; snapshot: string }
    | {
        kind: 'page';
        target: TargetKey;
        run: string;
        snapshot: string;
        rows: number;
        total: number;
        pass: number;
      }
    | { kind: 'wait'; delayMs: number; reason: string }
    | { kind: 'seal'; target: TargetKey; run: string; snapshot: string }
    | {
        kind: 'sealed';
        target: TargetKey;
        run: string;
        snapshot: string;
        rows: number;
        verdict: string;
      },
) => void;

export interface RunPorts {
  store: Store;
  clock: Clock;
  log: Log;
  dataset: Dataset;
  source: Source;
  encoders: readonly Encoder[];
  ledger: Ledger;
  /** Hash of the access key. */
  user: string;
  budget: Budget;
  writer: string;
  /** A sign of life for the lease; throws when it is lost. */
  renew: () => Promise<void>;
  progress: Progress;
  /** True when this is the first work of the invocation: it is tried whatever it may take. */
  first: boolean;
  /** Told for every request and how it ended, for the invocation's own count. */
  requested: (error: ExportError | null) => void;
}

export type RunOutcome =
  | { kind: 'sealed'; sealed: Sealed }
  /** The quota or the time left allows no more now; everything is stored. */
  | { kind: 'paused' };

/** How long judging or sealing may take at the most, as far as one can say beforehand, milliseconds. */
export function estimateSealMs(checkpoint: Checkpoint, settleMs: number): number {
  return 2_000 + 2 * settleMs + checkpoint.pages.length * 100;
}

/**
 * Goes on with a run until it is sealed or has to pause. Safe to be killed at any point, and to be called again in
 * another process with the checkpoint that is then stored.
 */
export async function advanceRun(
  ports: RunPorts,
  target: TargetKey,
  start: Checkpoint,
): Promise<RunOutcome> {
  const { store, log, dataset, source, ledger, user, budget, progress, renew } = ports;
  const prefix = runPrefix(target, start.snapshot, start.run);
  const runPages = openRunPages(store, prefix, keepAlive);
  /** A timer's invocation is billed while it waits, and has an end; a command has neither. */
  const isBilled = Number.isFinite(budget.timeLeftMs());
  let checkpoint = start;
  let pass: Pass | null = hasPages(start) ? null : followPass();

  /** Before every effect: whoever must stop stops here, with everything before it stored. */
  async function keepAlive(): Promise<void> {
    if (budget.signal.aborted) throw stopped();
    await renew();
  }

  async function save(next: Checkpoint): Promise<void> {
    await keepAlive();
    await store.put(checkpointKey(prefix), encodeCheckpoint(next));
    checkpoint = next;
  }

  /** The pass as its stored pages tell it; only read back when this process has not followed it from its start. */
  async function loadPass(): Promise<Pass> {
    if (pass) return pass;
    const loaded = followPass();
    for (const [index, page] of checkpoint.pages.entries()) {
      if (page.pass !== checkpoint.cursor.pass) continue;
      loaded.add(await readItems(index), page.from);
    }
    pass = loaded;
    return loaded;
  }

  /** What earlier passes met. */
  async function readKeysBefore(number: number): Promise<Set<string>> {
    const keys = new Set<string>();
    for (const [index, page] of checkpoint.pages.entries()) {
      if (page.pass >= number) continue;
      for (const { key } of await readItems(index)) if (key !== null) keys.add(key);
    }
    return keys;
  }

  async function readItems(index: number): Promise<Item[]> {
    const { body } = await runPages.read(checkpoint, index);
    return body.records.map((record) => toItem(dataset, record));
  }

  async function collectPage(): Promise<'stored' | 'paused'> {
    if (budget.timeLeftMs() < requestLeastMs) return 'paused';
    const waitedMs = budget.waitedMs();
    const { cursor } = checkpoint;
    // Counted on a copy: it becomes the checkpoint's with the page, or when the run pauses or fails.
    const evidence = { ...checkpoint.evidence };
    const ahead = Math.max(1, Math.ceil(((cursor.totalLast ?? 0) - cursor.offset) / dataset.limit));
    let fetched: FetchedPage | 'paused';
    try {
      fetched = await source.fetchPage(
        { offset: cursor.offset, limit: dataset.limit },
        {
          admit: async () => {
            await keepAlive();
            return ledger.admit(user, ahead);
          },
          sent: async (outcome) => {
            ports.requested(outcome.error);
            evidence.requests += 1;
            if (outcome.error) evidence.retries += 1;
            if (outcome.error instanceof RateLimitedError) evidence.throttled += 1;
            await ledger.sent(user, outcome);
          },
          mayWait: (delayMs) => budget.takeWait(delayMs),
          timeLeftMs: () => budget.timeLeftMs() - storeMarginMs,
          signal: budget.signal,
        },
      );
    } catch (error) {
      if (budget.signal.aborted) throw stopped();
      if (evidence.requests > checkpoint.evidence.requests) await save({ ...checkpoint, evidence });
      throw error;
    }
    if (fetched === 'paused') {
      if (evidence.requests > checkpoint.evidence.requests) await save({ ...checkpoint, evidence });
      return 'paused';
    }
    const body = parsePageBody(fetched.body);
    const items = body.records.map((record) => toItem(dataset, record));
    const view = { totalNum: body.totalNum, items };
    let step = decidePage(cursor, view, dataset, pass?.known ?? null);
    if (step === 'needsKnown') step = decidePage(cursor, view, dataset, (await loadPass()).known);
    if (step === 'needsKnown') throw new Error('paging asks twice');
    if (cursor.pass === 1 && cursor.totalFirst === null) evidence.totalNumFirst = body.totalNum;
    evidence.totalNumLast = body.totalNum;
    if (step.kind !== 'accept') {
      const phase = step.kind === 'giveUp' ? 'judging' : 'collecting';
      await save({ ...checkpoint, phase, evidence, cursor: step.cursor });
    } else await acceptPage(fetched, items, step, evidence);
    progress({
      kind: 'page',
      target,
      run: checkpoint.run,
      snapshot: checkpoint.snapshot,
      rows: Math.min(checkpoint.cursor.offset + 1, body.totalNum),
      total: body.totalNum,
      pass: cursor.pass,
    });
    // A timer has no progress line, and only a few pages.
    log(isBilled ? 'info' : 'debug', 'page', {
      page: checkpoint.pages.length,
      quotaWaitMs: Math.round(budget.waitedMs() - waitedMs),
      offset: cursor.offset,
      records: items.length,
      total: body.totalNum,
      step: step.kind === 'accept' ? step.from : step.kind,
    });
    return 'stored';
  }

  async function acceptPage(
    fetched: FetchedPage,
    items: readonly Item[],
    step: Step & { kind: 'accept' },
    evidence: Checkpoint['evidence'],
  ): Promise<void> {
    const { pages, cursor } = checkpoint;
    const realigned = cursor.anchor !== null && step.from !== 'anchor';
    const header = {
      index: pages.length,
      pass: cursor.pass,
      offset: cursor.offset,
      fetchedAtMs: Math.round(fetched.fetchedAtMs),
    };
    const bytes = encodePage(header, fetched.body);
    const places = await runPages.add(checkpoint, bytes, { pass: cursor.pass, from: step.from });
    await save({
      ...checkpoint,
      ...places,
      phase: step.ended ? 'judging' : 'collecting',
      lastPageAtMs: Math.round(store.nowMs()),
      cursor: step.cursor,
      evidence: {
        ...evidence,
        pages: pages.length + 1,
        realigned: evidence.realigned + (realigned ? 1 : 0),
      },
    });
    pass?.add(items, step.from);
  }

  async function judge(): Promise<void> {
    const { cursor, evidence, passBefore } = checkpoint;
    const shown = (await loadPass()).evidence(cursor, await readKeysBefore(cursor.pass));
    const verdict = judgePass(cursor.pass, shown, passBefore);
    const repeats = evidence.repeats + shown.repeats;
    if (verdict === 'again') {
      log('warn', 'the list moved out of order while it was read: reading it once more', {
        pass: cursor.pass,
        ...shown,
      });
      pass = followPass();
      await save({
        ...checkpoint,
        phase: 'collecting',
        cursor: startPass(cursor.pass + 1),
        passBefore: shown,
        evidence: { ...evidence, repeats, passes: cursor.pass + 1 },
      });
    } else {
      pass = null;
      await save({ ...checkpoint, phase: 'sealing', verdict, evidence: { ...evidence, repeats } });
    }
  }

  async function seal(): Promise<Sealed | null> {
    const { sealAttempts, snapshot } = checkpoint;
    if (isBilled && sealAttempts >= sealAttemptsMax) {
      // Told, and held off: after that it is tried anew, as what killed it may have passed.
      await save({ ...checkpoint, sealAttempts: 0 });
      throw new ExportError(
        'SEAL_KILLED',
        `Sealing ${snapshot} was begun ${sealAttempts} times and killed each time.`,
        'Raise the time-out or the memory of the function, or run `cgs-export export` once: it seals the stored pages.',
      );
    }
    progress({ kind: 'seal', target, run: checkpoint.run, snapshot });
    await save({ ...checkpoint, sealAttempts: sealAttempts + 1 });
    const sealPorts = { ...ports, keepAlive, mayWait: !isBilled, readPage: runPages.take };
    let sealed: Sealed | null = null;
    try {
      sealed = await sealRun(sealPorts, target, checkpoint);
    } finally {
      // Whoever comes here was not killed.
      if (!sealed) await save({ ...checkpoint, sealAttempts }).catch(() => {});
    }
    return sealed;
  }

  for (let first = ports.first; ; first = false) {
    await keepAlive();
    if (checkpoint.phase === 'collecting') {
      if ((await collectPage()) === 'paused') return { kind: 'paused' };
      continue;
    }
    // What is reserved and not needed any more is others'.
    await ledger.release();
    if (!first && budget.timeLeftMs() < estimateSealMs(checkpoint, store.settleMs))
      return { kind: 'paused' };
    if (checkpoint.phase === 'judging') {
      await judge();
      continue;
    }
    const sealed = await seal();
    if (!sealed) return { kind: 'paused' };
    const { rows, verdict, snapshot } = sealed.manifest;
    progress({ kind: 'sealed', target, run: checkpoint.run, snapshot, rows, verdict });
    log('info', 'sealed', { snapshot, rows, verdict, manifest: sealed.manifestKey });
    return { kind: 'sealed', sealed };
  }
}

function hasPages(checkpoint: Checkpoint): boolean {
  return checkpoint.pages.some((page) => page.pass === checkpoint.cursor.pass);
}
