// Responsible for the checkpoint: what a run remembers between invocations.

import { stringifyCanonical } from '../core/exact-json.ts';
import type { TargetKey } from '../core/object-keys.ts';
import { decodeState, encodeState, sha256 } from '../core/state.ts';
import type { Evidence, Scope } from './evidence.ts';
import { type Cursor, type PassEvidence, startPass } from './paging.ts';

/** Everything needed to go on in another process. Written with every page. */
export interface Checkpoint {
  run: string;
  table: string;
  schemaVersion: number;
  snapshot: string;
  scope: Scope;
  startedAtMs: number;
  /** When the newest page was stored; the start before the first. */
  lastPageAtMs: number;
  /** `judging`: a pass has reached the end of the list, and its pages say whether it is complete. */
  phase: 'collecting' | 'judging' | 'sealing';
  cursor: Cursor;
  /** What the pass before this one showed; null in the first. */
  passBefore: PassEvidence | null;
  /** Per stored page: hash (pageHash), size as stored, and how it joined its pass. */
  pages: { hash: string; bytes: number; pass: number; from: 'start' | 'anchor' | 'overlap' }[];
  /** Objects of several pages each: the first of them, counted from 0, and the object's hash (pageHash). */
  segments: { first: number; hash: string }[];
  /** The pages after those of the segments, each as encodePage gives it, base64. */
  recent: string[];
  evidence: Evidence;
  verdict: 'complete' | 'drifted' | null;
  /** Attempts to seal that began; the ones that ended are gone with the run. */
  sealAttempts: number;
}

const checkpointVersion = 2;

/** Twelve hex digits: the same for everyone who builds this snapshot of this target under this scope. */
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
