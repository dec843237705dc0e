// Responsible for checking the bytes of the parts that manifests name. They are read as streams, a few parts at a time, so the
// memory does not depend on their size.

import { createHash } from 'node:crypto';
import { mapParallel } from '../core/parallel.ts';
import type { Store } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import type { Fault } from './catalog.ts';
import { type Part, restoreHint, type SealedSummary } from './manifest.ts';
import type { ReadResult } from './read-note.ts';
import { addNotes, type Notes, readOrNote, readsMax } from './read-note.ts';
import type { OnProgress } from './stored-evidence.ts';
import { isPrunable, type Tombstone } from './tombstone.ts';

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

/**
 * Compares every part with what its manifest says of it, those of the newest snapshots first. Once `isTimeUp` is true, it starts no
 * further part, and an error of a part that is being read, also one that `onProgress` throws, means that the part was not reached.
 */
export async function checkParts(
  store: Store,
  named: readonly NamedPart[],
  { onProgress, findTombstone, isTimeUp = () => false }: PartCheckOptions,
): Promise<PartFindings> {
  const bytesTotal = named.reduce((sum, { part }) => sum + part.bytes, 0);
  let done = 0;
  let bytes = 0;
  const report = () => onProgress({ unit: 'parts', done, total: named.length, bytes, bytesTotal });
  let gone = 0;
  const prunedMeanwhile = new Set<string>();
  const check = async ({ part, sealed }: NamedPart): Promise<PartResult> => {
    const { manifestKey } = sealed;
    report();
    const result = await checkPart(store, part, (count) => {
      bytes += count;
      report();
    });
    done += 1;
    if (result.isMissing && isPrunable(part)) {
      // Another process may have pruned it since the tombstones were read.
      const { value, unchecked } = await findTombstone(sealed);
      if (value) {
        gone += 1;
        prunedMeanwhile.add(manifestKey);
        return { ...result, fault: null };
      }
      if (unchecked) {
        const { key, hint } = unchecked;
        const message = `is missing, and ${key}, which may explain it, cannot be read`;
        return { ...result, fault: null, unchecked: { key: part.key, message, hint } };
      }
    }
    // Read again before it is reported: a part may be replaced from a backup while this runs.
    if (!result.fault) return result;
    if (!(await isStillNamed(store, manifestKey, part.key))) return { ...result, fault: null };
    return { ...(await checkPart(store, part, report)), bytes: result.bytes };
  };
  const notReached: NamedPart[] = [];
  const checkInTime = stopInTime(check, isTimeUp, notReached);
  const results: PartResult[] = [];
  for (const { parts, parallelMax } of groupNewestFirst(named)) {
    results.push(...(await mapParallel(parts, parallelMax, checkInTime)));
  }
  const findings: PartFindings = {
    ...{ faults: [], unchecked: [], read: 0, bytes: 0, gone, prunedMeanwhile, notReached },
  };
  for (const result of results) {
    addNotes(findings, result);
    if (result.bytes === null) continue;
    findings.read += 1;
    findings.bytes += result.bytes;
  }
  notReached.sort(compareAge);
  return findings;
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
    return { bytes: null, isMissing: false, fault: null, unchecked: null };
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

async function isStillNamed(store: Store, manifestKey: string, key: string): Promise<boolean> {
  const bytes = await store.get(manifestKey);
  return bytes !== null && Buffer.from(bytes).includes(key);
}

interface PartResult {
  /** How many were read; null: the part could not be read. */
  bytes: number | null;
  /** True: there is no such object. */
  isMissing: boolean;
  fault: Fault | null;
  unchecked: Fault | null;
}

/** `onBytes` is called with the length of each chunk that was read. */
async function checkPart(
  store: Store,
  part: Part,
  onBytes: (count: number) => void,
): Promise<PartResult> {
  const { key } = part;
  const { value, fault, unchecked } = await readOrNote(key, async () => {
    const chunks = await store.read(key);
    return chunks && (await hashChunks(chunks, onBytes));
  });
  if (fault || unchecked) return { bytes: null, isMissing: false, fault, unchecked };
  const message = value ? describeDifference(part, value) : partMissing;
  const found = message === null ? null : { key, message, hint: restoreHint };
  return { bytes: value?.bytes ?? null, isMissing: !value, fault: found, unchecked };
}

export const partMissing = 'is missing: a manifest names it';

/** How a part that was read differs from what its manifest says; null: it does not. */
export function describeDifference(
  part: Pick<Part, 'bytes' | 'sha256'>,
  found: Pick<Part, 'bytes' | 'sha256'>,
): string | null {
  if (found.bytes !== part.bytes) {
    return `has ${found.bytes} bytes, but its manifest says ${part.bytes}`;
  }
  if (found.sha256 === part.sha256) return null;
  return 'was altered: its hash differs from the one in its manifest';
}

async function hashChunks(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.length;
    onBytes(chunk.length);
  }
  return { bytes, sha256: hash.digest('hex') };
}
