// Responsible for whether the time of an invocation suffices to seal a run: estimated before, and measured while it is sealed.

import { ExportError } from '../core/errors.ts';
import type { Checkpoint, SealPace } from '../reading/checkpoint.ts';
import type { SealProgress } from '../sealing/contents.ts';
import type { RunPorts } from './run-state.ts';

type PacePorts = Pick<RunPorts, 'store' | 'clock' | 'budget' | 'dataset' | 'memoryMb'>;

/**
 * Milliseconds for each record where nothing was measured, to read it and to write its row. 0.075 on the machine of docs/benchmarks.md.
 * Assumed: a small function is up to 6 times slower.
 */
const defaultMs = 0.5;
/** Besides reading and writing: seal record, turn, manifest and pointers, milliseconds. */
const fixedMs = 2_000;
/** A measurement counts from so many records or rows on: the first ones are slow. */
const measuredMin = 20_000;
/**
 * Until rows are measured: the time of a row, as a multiple of the time of a record (1.8 on 2026-11-26, 100,000 nodes, Node.js
 * 20.20).
 */
const rowFactor = 2;
/** An attempt stops if it needs more than this many times the time left. */
const clearMargin = 1.25;

/** An upper bound for judging or sealing, milliseconds. */
export function estimateSealMs(
  ports: Pick<PacePorts, 'store' | 'dataset' | 'memoryMb'>,
  checkpoint: Checkpoint,
): number {
  const { sealPace } = checkpoint;
  const perRecord = isComparable(ports, sealPace) ? perRecordMs(sealPace) : defaultMs;
  return fixedMs + 2 * ports.store.settleMs + countRecords(ports, checkpoint) * perRecord;
}

/** The error if the last attempt has shown that the time left is too short; null if it has not. */
export function checkPace(ports: PacePorts, checkpoint: Checkpoint): ExportError | null {
  const { sealPace } = checkpoint;
  if (!isComparable(ports, sealPace)) return null;
  const neededMs = estimateSealMs(ports, checkpoint);
  const leftMs = ports.budget.timeLeftMs();
  return neededMs > leftMs ? describeTooSlow(checkpoint, sealPace, { neededMs, leftMs }) : null;
}

/** Measures an attempt to seal. `note` throws an ExportError `SEAL_TOO_SLOW` once it is clear that the time left is too short. */
export function measurePace(ports: PacePorts, checkpoint: Checkpoint) {
  const { clock, budget } = ports;
  const startMs = clock.monotonicMs();
  const recordsMax = countRecords(ports, checkpoint);
  const pace: SealPace = {
    msPerRecord: defaultMs,
    msPerRow: null,
    memoryMb: ports.memoryMb ?? null,
  };
  let readMs = 0;
  let tooSlow: ExportError | null = null;

  function note({ read, written }: SealProgress): void {
    const elapsedMs = clock.monotonicMs() - startMs;
    if (written === 0) readMs = elapsedMs;
    if (read < measuredMin) return;
    pace.msPerRecord = readMs / read;
    if (written >= measuredMin) pace.msPerRow = (elapsedMs - readMs) / written;
    const readLeftMs = written > 0 ? 0 : Math.max(0, recordsMax - read) * pace.msPerRecord;
    const rowsLeft = Math.max(0, (written > 0 ? read : recordsMax) - written);
    // As little as a row can take: an attempt that could succeed does not stop.
    const leastMs = readLeftMs + rowsLeft * (pace.msPerRow ?? pace.msPerRecord);
    const leftMs = budget.timeLeftMs();
    if (leastMs <= leftMs * clearMargin) return;
    tooSlow = describeTooSlow(checkpoint, pace, {
      neededMs: elapsedMs + leastMs,
      leftMs: elapsedMs + leftMs,
    });
    throw tooSlow;
  }

  return { note, pace: (): SealPace => pace, tooSlow: () => tooSlow };
}

/** A measurement with another memory size tells nothing: memory and CPU of a function grow together. */
function isComparable(
  { memoryMb }: Pick<PacePorts, 'memoryMb'>,
  pace: SealPace | null,
): pace is SealPace {
  return pace !== null && pace.memoryMb === (memoryMb ?? null);
}

/** At most: the last page of a pass may have fewer. */
function countRecords({ dataset }: Pick<PacePorts, 'dataset'>, { evidence }: Checkpoint): number {
  return evidence.pages * dataset.limit;
}

function perRecordMs({ msPerRecord, msPerRow }: SealPace): number {
  return msPerRecord + (msPerRow ?? msPerRecord * rowFactor);
}

function describeTooSlow(
  { snapshot }: Checkpoint,
  { msPerRecord, msPerRow, memoryMb }: SealPace,
  { neededMs, leftMs }: { neededMs: number; leftMs: number },
): ExportError {
  const perSecond = (ms: number) => Math.round(1_000 / ms).toLocaleString('en');
  const rows = msPerRow === null ? '' : ` and ${perSecond(msPerRow)} rows written`;
  const size = memoryMb === null ? '' : ` with ${memoryMb} MB`;
  return new ExportError(
    'SEAL_TOO_SLOW',
    `Sealing ${snapshot} needs about ${Math.ceil(neededMs / 1_000)} s, but the invocation has ${Math.floor(leftMs / 1_000)} s. Measured${size}: ${perSecond(msPerRecord)} records read${rows} per second.`,
    'Raise the time-out of the function (for the command `tick`: --time-limit), or its memory, which also gives it more CPU. Or run `cgs-export export` on another machine: it seals the stored pages.',
  );
}
