// Responsible for the checkpoint: what a run remembers between invocations.

import { stringifyCanonical } from '../core/exact-json.ts';
import type { TargetKey } from '../core/object-keys.ts';
import { decodeState, encodeState, sha256 } from '../core/state.ts';
import type { Evidence, Scope } from './evidence.ts';
import { type Cursor, type PassEvidence, startPass } from './paging.ts';
import type { Join } from './sequence.ts';

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
  evidence: Evidence;
  verdict: 'complete' | 'drifted' | null;
  /** Attempts to seal that have started and not ended: the process was killed. */
  sealAttempts: number;
}

const checkpointVersion = 2;

/** Twelve hex digits that depend on nothing but the target, the snapshot and the scope: every process computes the same. */
export function runId(target: TargetKey, snapshot: string, scope: Scope): string {
  return sha256(stringifyCanonical([target, snapshot, scope])).slice(0, 12);
}

export function startCheckpoint(start: {
  target: TargetKey;
  schemaVersion: number;
  snapshot: string;
  scope: Scope;
  startedAtMs: number;
}): Checkpoint {
  const { target, schemaVersion, snapshot, scope, startedAtMs } = start;
  return {
    run: runId(target, snapshot, scope),
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
      repeats: 0,
      passes: 1,
      totalNumFirst: 0,
      totalNumLast: 0,
    },
    verdict: null,
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
