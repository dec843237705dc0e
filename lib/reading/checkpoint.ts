// Responsible for the checkpoint: what a run remembers between invocations. Its scope and evidence also go into the manifest.

import * as v from 'valibot';
import { stringifyCanonical } from '../core/exact-json.ts';
import type { TargetKey } from '../core/object-keys.ts';
import { decodeState, encodeState, sha256 } from '../core/state.ts';
import { type Cursor, type PassEvidence, startPass } from './paging.ts';
import type { Join } from './sequence.ts';

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
  /** Pages that did not start with the anchor. */
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
  /** One entry per stored page: its hash (pageHash), its size in bytes as stored, its pass, and how it joined that pass. */
  pages: { hash: string; bytes: number; pass: number; from: Join }[];
  /** Objects of several pages each: the 0-based number of their first page, and the hash of the object (pageHash). */
  segments: { first: number; hash: string }[];
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
}

const checkpointVersion = 3;

type RunStart = { target: TargetKey } & Pick<
  Checkpoint,
  'schemaVersion' | 'snapshot' | 'scope' | 'startedAtMs'
>;

/** Twelve hex digits: the same for everyone who builds this snapshot of this target with this scope and these columns. */
export function runId(start: Omit<RunStart, 'startedAtMs'>): string {
  const { target, snapshot, scope, schemaVersion } = start;
  return sha256(stringifyCanonical([target, snapshot, scope, schemaVersion])).slice(0, 12);
}

export function startCheckpoint(start: RunStart): Checkpoint {
  const { target, schemaVersion, snapshot, scope, startedAtMs } = start;
  return {
    run: runId(start),
    table: target.table,
    schemaVersion,
    snapshot,
    scope,
    startedAtMs,
    lastPageAtMs: startedAtMs,
    phase: 'collecting',
    cursor: startPass(1),
    passBefore: null,
    pages: [],
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
  };
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  return encodeState('checkpoint', checkpointVersion, checkpoint);
}

/** Throws CorruptError. */
export function decodeCheckpoint(key: string, bytes: Uint8Array): Checkpoint {
  return decodeState<Checkpoint>('checkpoint', checkpointVersion, key, bytes);
}
