// Responsible for advancing one run: read pages, judge the pass, seal. It decides the order of the side effects.

import { ExportError, ScratchError } from '../core/errors.ts';
import type { TargetKey } from '../core/object-keys.ts';
import type { Checkpoint } from '../reading/checkpoint.ts';
import { startPass } from '../reading/paging.ts';
import { isAtRest, judgePass, trackPass } from '../reading/pass-evidence.ts';
import { type SealOutcome, sealRun } from '../sealing/seal.ts';
import { readNextPage } from './read-page.ts';
import { openRunState, type RunPorts, type RunState } from './run-state.ts';
import { checkPace, estimateSealMs, measurePace } from './seal-pace.ts';

export type RunOutcome =
  | ({ kind: 'sealed' } & SealOutcome)
  /** The quota or the time left allows no more now. Everything is stored. */
  | { kind: 'paused' };

/**
 * Advances a run until it is sealed or must pause. Safe to kill at any point, and to call again in another process with
 * the checkpoint that is stored then.
 */
export async function advanceRun(
  ports: RunPorts,
  target: TargetKey,
  start: Checkpoint,
): Promise<RunOutcome> {
  const { log, ledger, budget, progress } = ports;
  const state = openRunState(ports, target, start);
  for (let isFirst = ports.first; ; isFirst = false) {
    await state.keepAlive();
    const { phase, run, snapshot } = state.checkpoint;
    if (phase === 'collecting') {
      requireFit(state);
      if ((await readNextPage(state)) === 'paused') return { kind: 'paused' };
      continue;
    }
    // Slots that were reserved and are not needed any more are free for others.
    await ledger.release();
    const estimateMs = estimateSealMs(state.ports, state.checkpoint);
    const leftMs = budget.timeLeftMs();
    if (!isFirst && leftMs < estimateMs) {
      const seconds = `up to ${Math.ceil(estimateMs / 1_000)} s, but ${Math.floor(leftMs / 1_000)} s are left`;
      logLeft(state, `Sealing ${snapshot} needs ${seconds}.`);
      return { kind: 'paused' };
    }
    if (phase === 'judging') {
      await judge(state);
      continue;
    }
    const outcome = await seal(state, isFirst);
    if (!outcome) return { kind: 'paused' };
    const { sealed } = outcome;
    const { rows, verdict, changes, changesNone } = sealed.manifest;
    progress({ kind: 'sealed', target, run, snapshot, rows, verdict });
    const found = changes ?? { changesNone };
    log('info', 'sealed', { snapshot, rows, verdict, ...found, manifest: sealed.manifestKey });
    return { kind: 'sealed', ...outcome };
  }
}

/** Throws ScratchError if the list, as far as it is known, is too long to be sealed on this host. */
function requireFit({ ports: { listLimit }, checkpoint: { cursor } }: RunState): void {
  const entries = Math.max(cursor.totalLast ?? 0, cursor.reach);
  if (!listLimit || entries <= listLimit.entriesMax) return;
  const [found, limit] = [entries, listLimit.entriesMax].map((one) => one.toLocaleString('en'));
  const { code, message, hint } = listLimit.fault;
  const reason = `The list has ${found} entries; without temporary files, at most ${limit} can be exported.`;
  throw new ScratchError(code, `${message}. ${reason}`, hint, { cause: listLimit.fault });
}

function logLeft({ ports: { log } }: RunState, reason: string): void {
  log('info', `the seal is left to the next invocation, which has more time. ${reason}`);
}

/** After a pass: its evidence decides whether to seal (complete or drifted) or to read the list once more. */
async function judge(state: RunState): Promise<void> {
  const { log } = state.ports;
  const { checkpoint } = state;
  const { cursor, evidence, passBefore } = checkpoint;
  const pass = await state.loadPass();
  const shown = pass.evidence(cursor, await state.readKeysBefore(cursor.pass));
  const verdict = judgePass(cursor.pass, shown, passBefore);
  const { missing } = shown;
  state.pass = verdict === 'again' ? trackPass() : null;
  if (verdict !== 'again') {
    await state.save({
      ...checkpoint,
      phase: 'sealing',
      verdict,
      atRest: isAtRest(shown, passBefore),
      evidence: { ...evidence, missing },
    });
    return;
  }
  log('warn', 'this pass does not prove that every node was read; reading the list once more', {
    pass: cursor.pass,
    ...shown,
  });
  const seen = { ...cursor.seen, fallenPass: shown.fallen ? cursor.seen.fallenPass : 0 };
  await state.save({
    ...checkpoint,
    phase: 'collecting',
    cursor: startPass(cursor.pass + 1, seen),
    passBefore: shown,
    evidence: { ...evidence, missing, passes: cursor.pass + 1 },
  });
}

/**
 * Null: another run of the target must seal first, or the time left is too short and the next invocation has more. Throws ExportError
 * `SEAL_KILLED` and, if this is the first work of the invocation, `SEAL_TOO_SLOW`; and what sealRun throws.
 */
async function seal(state: RunState, isFirst: boolean): Promise<SealOutcome | null> {
  const { ports, target, pages, keepAlive, checkpoint } = state;
  const { policy, progress } = ports;
  const { sealAttempts, snapshot, run } = checkpoint;
  if (sealAttempts >= policy.sealAttemptsMax) {
    // The count restarts: the cause may have passed by the time the hold ends.
    await state.save({ ...checkpoint, sealAttempts: 0 });
    throw new ExportError(
      'SEAL_KILLED',
      `Sealing ${snapshot} was interrupted ${sealAttempts} times.`,
      'Raise the time-out or the memory of the function, or run `cgs-export export` once: it seals the stored pages.',
    );
  }
  const tooSlow = checkPace(ports, checkpoint);
  if (tooSlow) {
    // Judged once: the next attempt measures again.
    await state.save({ ...checkpoint, sealPace: null });
    throw tooSlow;
  }
  progress({ kind: 'seal', target, run, snapshot });
  await state.save({ ...checkpoint, sealAttempts: sealAttempts + 1 });
  const measured = measurePace(ports, checkpoint);
  let outcome: SealOutcome | null = null;
  try {
    const sealPorts = {
      ...ports,
      keepAlive,
      readPages: pages.read,
      onProgress: measured.note,
      mayWait: policy.waitsForOthers,
      onWait: (delayMs: number) => progress({ kind: 'wait', delayMs, reason: 'seal' }),
    };
    outcome = await sealRun(sealPorts, target, state.checkpoint);
  } catch (error) {
    if (error !== measured.tooSlow() || isFirst) throw error;
    logLeft(state, (error as ExportError).message);
  } finally {
    // Reached only if the process was not killed, so the attempt does not count.
    const sealPace = measured.tooSlow() ? measured.pace() : null;
    if (!outcome) await state.save({ ...checkpoint, sealAttempts, sealPace }).catch(() => {});
  }
  return outcome;
}
