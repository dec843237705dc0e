// Responsible for the checkpoint: what a run remembers between invocations. Its scope and evidence also go into the manifest.

import * as v from 'valibot';
import { stringifyCanonical } from '../core/exact-json.ts';
import type { TargetKey } from '../core/object-keys.ts';
import {
  corruptState,
  decodeState,
  encodeState,
  requireMac,
  type StateKey,
  sha256,
} from '../core/state.ts';
import { pageHash } from './page.ts';
import { type Cursor, startPass } from './paging.ts';
import type { PassEvidence } from './pass-evidence.ts';

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** What a run reads. Fixed when the run starts. */
export const scopeShape = v.object({
  account: v.string(),
  region: v.string(),
  projectId: v.string(),
  api: v.picklist(['cgs', 'hss']),
  endpoint: v.string(),
  enterpriseProjectId: v.nullable(v.string()),
  filters: v.record(v.string(), v.union([v.string(), v.boolean()])),
});
export type Scope = v.InferOutput<typeof scopeShape>;

/** How the list was read, over all passes. */
export const evidenceShape = v.object({
  /** Pages stored. */
  pages: count,
  /** Requests sent, failed ones included. */
  requests: count,
  /** Requests that failed. */
  retries: count,
  /** Requests answered with 429. */
  throttled: count,
  /** Pages that did not start with the last rows of the page before. */
  realigned: count,
  /** Records that are listed twice with equal values. */
  repeats: count,
  passes: count,
  /** The totals that the first and the last page stated. */
  totalNumFirst: count,
  totalNumLast: count,
  /** How many records the stated total had more than the list, at the end of the last pass; 0 in a complete snapshot. */
  missing: count,
});

/** Everything that another process needs to continue the run. Saved with every page. */
export interface Checkpoint {
  run: string;
  table: string;
  /** Its name. */
  dataset: string;
  schemaVersion: number;
  snapshot: string;
  scope: Scope;
  startedAtMs: number;
  /** When the newest page was stored; before the first page, when the run started. */
  lastPageAtMs: number;
  /** `judging`: a pass has ended, and judgePass decides next whether the snapshot is complete. */
  phase: 'collecting' | 'judging' | 'sealing';
  cursor: Cursor;
  /** What the pass before this one has shown; null in the first pass. */
  passBefore: PassEvidence | null;
  /** How many pages are stored, of all passes. The next one gets this number. */
  pageCount: number;
  /** Each pass that has pages, in order, and the 0-based number of its first page. */
  passStarts: { pass: number; first: number }[];
  /** The bytes of all pages, each as encodePage returns it. */
  pageBytes: number;
  /** The bytes of all pages in all checkpoints of this run: a page in `recent` is written again with the next one. */
  carriedBytes: number;
  /** Groups of groupSegments segments, in order: the name of the last segment of each, which lists the others (page-store.ts). */
  groups: string[];
  /** The names of the segments after the last group, in order. A segment is an object of several pages. */
  segments: string[];
  /** The pages after the last segment, each as encodePage returns it, in base64. */
  recent: string[];
  /** `repeats` follows from the pages when the run is sealed. */
  evidence: Omit<v.InferOutput<typeof evidenceShape>, 'repeats'>;
  verdict: 'complete' | 'drifted' | null;
  /**
   * True if the list did not move in the last pass (isAtRest): a key at two positions is then listed twice. If false, only two
   * positions in one page show that.
   */
  atRest: boolean;
  /** Attempts to seal that started but did not end, because the process was killed. */
  sealAttempts: number;
  /** What an attempt to seal measured that stopped because its time was too short. Null: none, or it was judged since. */
  sealPace: SealPace | null;
}

/** How fast an attempt to seal was. */
export interface SealPace {
  msPerRecord: number;
  /** Null: it had not written enough rows to tell. */
  msPerRow: number | null;
  /** Of the function; null: not known. */
  memoryMb: number | null;
}

const checkpointVersion = 7;

type RunStart = { target: TargetKey } & Pick<
  Checkpoint,
  'dataset' | 'schemaVersion' | 'snapshot' | 'scope' | 'startedAtMs'
>;

/** Twelve hex digits: the same for everyone who builds this snapshot of this target with this scope and these columns. */
export function runId(start: Omit<RunStart, 'startedAtMs'>): string {
  const { target, snapshot, scope, dataset, schemaVersion } = start;
  return sha256(stringifyCanonical([target, snapshot, scope, dataset, schemaVersion])).slice(0, 12);
}

export function startCheckpoint(start: RunStart): Checkpoint {
  const { target, dataset, schemaVersion, snapshot, scope, startedAtMs } = start;
  return {
    run: runId(start),
    table: target.table,
    dataset,
    schemaVersion,
    snapshot,
    scope,
    startedAtMs,
    lastPageAtMs: startedAtMs,
    phase: 'collecting',
    cursor: startPass(1),
    passBefore: null,
    pageCount: 0,
    passStarts: [],
    pageBytes: 0,
    carriedBytes: 0,
    groups: [],
    segments: [],
    recent: [],
    evidence: {
      pages: 0,
      requests: 0,
      retries: 0,
      throttled: 0,
      realigned: 0,
      passes: 1,
      totalNumFirst: 0,
      totalNumLast: 0,
      missing: 0,
    },
    verdict: null,
    atRest: false,
    sealAttempts: 0,
    sealPace: null,
  };
}

/** A page of `recent` in the first line of a stored checkpoint. Its bytes follow after that line, not in base64: a third less. */
interface CarriedPage {
  bytes: number;
  hash: string;
}

/** One line of JSON, then the bytes of the pages in `recent`. `key`: of the object. `by`: as for encodeState(). */
export function encodeCheckpoint(
  checkpoint: Checkpoint,
  at?: { key: string; by: StateKey | null },
): Uint8Array {
  const pages = checkpoint.recent.map((text) => Buffer.from(text, 'base64'));
  const recent = pages.map((page): CarriedPage => ({ bytes: page.length, hash: pageHash(page) }));
  const line = encodeState('checkpoint', checkpointVersion, { ...checkpoint, recent }, at);
  return Buffer.concat([line, ...pages]);
}

/** `by`: the key that must have stored it; null: its MAC is not checked. Throws CorruptError, OtherKeyError for another key. */
export function decodeCheckpoint(
  key: string,
  bytes: Uint8Array,
  by: StateKey | null = null,
): Checkpoint {
  const lineEnd = bytes.indexOf(10) + 1;
  const line = bytes.subarray(0, lineEnd === 0 ? bytes.length : lineEnd);
  type StoredCheckpoint = Omit<Checkpoint, 'recent'> & { recent: CarriedPage[] };
  const stored = decodeState<StoredCheckpoint>('checkpoint', checkpointVersion, key, line);
  // Of the pages too: the line has their hashes.
  if (by) requireMac(key, line, by);
  let end = lineEnd;
  const recent = stored.recent.map((page) => {
    const found = bytes.subarray(end, end + page.bytes);
    end += page.bytes;
    if (pageHash(found) !== page.hash) throw corruptState(key, changedMessage);
    return Buffer.from(found).toString('base64');
  });
  if (end !== bytes.length) throw corruptState(key, changedMessage);
  return { ...stored, recent };
}

const changedMessage = 'has a page that does not match its hash: it was truncated or changed';
