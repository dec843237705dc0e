// Responsible for the JSON form of what a prune did. The command prints it, and the function returns it.

import type { Log, Scrubber } from '../core/ports.ts';
import type { PruneResult, SnapshotPruning } from '../runs/prune.ts';
import { toErrorsJson } from './result-json.ts';

export type PruneJson = ReturnType<typeof toPruneJson>;

export function toPruneJson(
  result: PruneResult,
  { storeUrl, isDryRun }: { storeUrl: string; isDryRun: boolean },
  scrubber: Scrubber,
) {
  const { targets, notCovered, locked, marked, parts, bytes, errors, isLeased } = result;
  const done = isDryRun ? 'planned' : isLeased ? 'idle' : 'pruned';
  return {
    status: errors.length > 0 ? 'failed' : done,
    store: storeUrl,
    dryRun: isDryRun,
    ...{ targets, notCovered, locked, sum: addUp(result) },
    deleted: { tombstones: marked, parts, bytes },
    errors: errors.flatMap((error) => toErrorsJson(error, scrubber)),
  };
}

/** What a person should know, although nothing failed. */
export function logPruneWarnings({ targets, locked }: PruneResult, log: Log): void {
  if (locked.length > 0) {
    log('warn', 'the store refused to delete parts of pruned snapshots', {
      count: locked.length,
      hint: 'Object lock may keep them: a later prune tries again. Otherwise the key may not delete objects: grant it that permission.',
    });
  }
  const kept = targets.flatMap(({ snapshots }) => snapshots).filter(hasVoidTombstone);
  if (kept.length === 0) return;
  log('warn', 'snapshots with a tombstone are kept, because a rule of `retention` keeps them', {
    count: kept.length,
    first: kept[0]?.snapshot,
    hint: 'If you changed the rules to keep these snapshots, delete their tombstones in _pruned/. Otherwise another person may have written them: find out which program did, then delete them.',
  });
}

/** A rule keeps the snapshot, although it has a tombstone. */
export function hasVoidTombstone({
  rule,
  prunedAt,
}: Pick<SnapshotPruning, 'rule' | 'prunedAt'>): boolean {
  return prunedAt !== null && rule !== 'pruned';
}

export interface Count {
  snapshots: number;
  parts: number;
  bytes: number;
}

/** `pruned`: all with a tombstone or that get one. `due`: those whose parts are deleted now. `waiting`: their grace is not over. */
export function addUp({ targets }: PruneResult): Record<
  'kept' | 'pruned' | 'due' | 'waiting',
  Count
> & {
  gone: number;
} {
  const all = targets.flatMap(({ snapshots }) => snapshots);
  const count = (isWanted: (one: SnapshotPruning) => boolean): Count => {
    const wanted = all.filter(isWanted);
    return {
      snapshots: wanted.length,
      parts: wanted.reduce((sum, { parts }) => sum + parts, 0),
      bytes: wanted.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  };
  return {
    kept: count(({ rule }) => rule !== 'pruned'),
    pruned: count(({ rule }) => rule === 'pruned'),
    due: count(({ rule, isDue }) => rule === 'pruned' && isDue),
    waiting: count(({ rule, isDue }) => rule === 'pruned' && !isDue),
    gone: targets.reduce((sum, { gone }) => sum + gone, 0),
  };
}
