// Responsible for checking the bytes of the parts that manifests name, and then their rows (stated-rows.ts). A part is read once, as
// a stream, and a few at a time, so the memory does not depend on their size.

import { createHash } from 'node:crypto';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { isPrunable, type Tombstone } from '../retention/tombstone.ts';
import type { Fault } from '../snapshots/catalog.ts';
import { type Part, restoreHint, type SealedSummary } from '../snapshots/manifest.ts';
import { openPartCopy, type PartCopy } from '../snapshots/part-copy.ts';
import { describeDifference, partMissing } from '../snapshots/part-difference.ts';
import {
  addNotes,
  type Notes,
  type ReadResult,
  readOrNote,
  readsMax,
} from '../snapshots/read-note.ts';
import { compareRows, findReader, hasRows, type RowCheck } from './stated-rows.ts';
import type { OnProgress } from './stored-evidence.ts';

/** A part, and the manifest that names it. */
export interface NamedPart {
  part: Part;
  sealed: SealedSummary;
  /** Whether a list of the store showed it with the size that the manifest says. */
  isListed: boolean;
  /** True: a tombstone names it, and the list did not show it. There is nothing to check. */
  isGone: boolean;
}

export interface PartFindings extends Notes {
  /** How many parts could be read, and their bytes. */
  read: number;
  bytes: number;
  /** Those for which the time did not suffice, the newest first. */
  notReached: NamedPart[];
  /** How many were missing, but named by a tombstone. */
  gone: number;
  /** Keys of the manifests of these. */
  prunedMeanwhile: Set<string>;
  /** Parts with rows whose bytes match their manifests: how many were compared row by row, and how many could not be. */
  rows: { compared: number; notCompared: number };
}

export interface PartCheckOptions {
  onProgress: OnProgress;
  /** Looks for the tombstone of a snapshot now. `value` null: there is none that counts. */
  findTombstone: (sealed: SealedSummary) => Promise<ReadResult<Tombstone>>;
  /** Default: there is no limit. */
  isTimeUp?: (() => boolean) | undefined;
}

/** Larger parts are read one after the other: one chunk of them needs as much memory as many small parts. */
const smallBytesMax = 2 ** 20;

/** Where parts are read from. `rowCheck` null: no rows are read. */
export interface PartSource {
  store: Store;
  rowCheck: RowCheck | null;
}

/**
 * Compares every part with what its manifest says of it, those of the newest snapshots first. Once `isTimeUp` is true, it starts no
 * further part, and an error of a part that is being read, also one that `onProgress` throws, means that the part was not reached.
 */
export async function checkParts(
  source: PartSource,
  named: readonly NamedPart[],
  { onProgress, findTombstone, isTimeUp = () => false }: PartCheckOptions,
): Promise<PartFindings> {
  const bytesTotal = named.reduce((sum, { part }) => sum + part.bytes, 0);
  let done = 0;
  let bytes = 0;
  const report = () => onProgress({ unit: 'parts', done, total: named.length, bytes, bytesTotal });
  let gone = 0;
  const prunedMeanwhile = new Set<string>();
  const check = async (one: NamedPart): Promise<PartResult> => {
    const { part, sealed } = one;
    report();
    const result = await checkPart(source, one, (count) => {
      bytes += count;
      report();
    });
    done += 1;
    if (result.isMissing && isPrunable(part)) {
      // Another process may have pruned it since the tombstones were read.
      const { value, unchecked } = await findTombstone(sealed);
      if (value) {
        gone += 1;
        prunedMeanwhile.add(sealed.manifestKey);
        return { ...result, fault: null };
      }
      if (unchecked) return { ...result, fault: null, unchecked: unexplained(part, unchecked) };
    }
    // Read again before it is reported: a part may be replaced from a backup while this runs.
    if (!result.fault) return result;
    return { ...(await checkPart(source, one, report)), bytes: result.bytes };
  };
  const notReached: NamedPart[] = [];
  const checkInTime = stopInTime(check, isTimeUp, notReached);
  const results: PartResult[] = [];
  for (const { parts, parallelMax } of groupNewestFirst(named)) {
    results.push(...(await mapParallel(parts, parallelMax, checkInTime)));
  }
  const rows = { compared: 0, notCompared: 0 };
  const findings: PartFindings = {
    ...{ faults: [], unchecked: [], read: 0, bytes: 0, rows, gone, prunedMeanwhile, notReached },
  };
  for (const result of results) {
    addNotes(findings, result);
    if (result.areRowsCompared !== null)
      rows[result.areRowsCompared ? 'compared' : 'notCompared'] += 1;
    if (result.bytes === null) continue;
    findings.read += 1;
    findings.bytes += result.bytes;
  }
  notReached.sort(compareAge);
  return findings;
}

/** A part is missing, and the object that may explain it could not be read. */
function unexplained(part: Part, { key, hint }: Fault): Fault {
  const message = `is missing, and ${key}, which may explain it, cannot be read`;
  return { key: part.key, message, hint };
}

/** As `check`, but notes the part in `notReached` if the time is up before or while it is read. */
function stopInTime(
  check: (one: NamedPart) => Promise<PartResult>,
  isTimeUp: () => boolean,
  notReached: NamedPart[],
) {
  return async (one: NamedPart): Promise<PartResult> => {
    try {
      if (!isTimeUp()) return await check(one);
    } catch (error) {
      if (!isTimeUp()) throw error;
    }
    notReached.push(one);
    return { bytes: null, isMissing: false, fault: null, unchecked: null, areRowsCompared: null };
  };
}

/** Neighbours of one kind, in the order to read them. */
function groupNewestFirst(named: readonly NamedPart[]) {
  const groups: { parts: NamedPart[]; parallelMax: number }[] = [];
  for (const one of [...named].sort(compareAge)) {
    const parallelMax = isLarge(one) ? 1 : readsMax;
    const last = groups.at(-1);
    if (last?.parallelMax === parallelMax) last.parts.push(one);
    else groups.push({ parts: [one], parallelMax });
  }
  return groups;
}

/** First those that the list did not show with their size, because most of them have a fault. Then the newest. */
function compareAge(a: NamedPart, b: NamedPart): number {
  return (
    Number(a.isListed) - Number(b.isListed) ||
    compareUtf8(b.sealed.manifest.snapshot, a.sealed.manifest.snapshot) ||
    Number(isLarge(a)) - Number(isLarge(b))
  );
}

function isLarge({ part }: NamedPart): boolean {
  return part.bytes > smallBytesMax;
}

interface PartResult {
  /** How many were read; null: the part could not be read. */
  bytes: number | null;
  /** True: there is no such object. */
  isMissing: boolean;
  /** Null: the part has no rows of columns, or its bytes are wrong. */
  areRowsCompared: boolean | null;
  fault: Fault | null;
  unchecked: Fault | null;
}

/** `onBytes` is called with the length of each chunk that was read, and with 0 while rows are compared. */
async function checkPart(
  { store, rowCheck }: PartSource,
  { part, sealed }: NamedPart,
  onBytes: (count: number) => void,
): Promise<PartResult> {
  const { key } = part;
  const reader = rowCheck && findReader(part, sealed.manifest, rowCheck);
  const copyOptions = { bytes: part.bytes, memoryBytesMax: smallBytesMax };
  const copy =
    rowCheck && reader && (await openPartCopy({ scratch: rowCheck.scratch, ...copyOptions }));
  try {
    const { value, fault, unchecked } = await readOrNote(key, async () => {
      const chunks = await store.read(key);
      return chunks && (await hashChunks(chunks, copy, onBytes));
    });
    if (fault || unchecked) {
      return { bytes: null, isMissing: false, areRowsCompared: null, fault, unchecked };
    }
    const message = value ? describeDifference(part, value) : partMissing;
    const found = message === null ? null : { key, message, hint: restoreHint };
    const result = {
      ...{ bytes: value?.bytes ?? null, isMissing: !value },
      ...{ areRowsCompared: null, unchecked },
    };
    if (found || !hasRows(part)) return { ...result, fault: found };
    if (!copy || !reader) return { ...result, areRowsCompared: false, fault: null };
    const source = await copy.finish();
    const onBatch = () => onBytes(0);
    const wrong = await compareRows(part, sealed.manifest, { source, reader, onBatch });
    return { ...result, areRowsCompared: true, fault: wrong };
  } finally {
    await copy?.remove();
  }
}

async function hashChunks(
  chunks: AsyncIterable<Uint8Array>,
  copy: PartCopy | null,
  onBytes: (count: number) => void,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    await copy?.add(chunk);
    bytes += chunk.length;
    onBytes(chunk.length);
  }
  return { bytes, sha256: hash.digest('hex') };
}
