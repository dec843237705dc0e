// Responsible for what changed in the lists, so that a test can compare its result with it. Keeps the newest changes.

import type { Change, ChangeKind } from './drift.ts';

export interface LoggedChange extends Change {
  projectId: string;
  /** The number of the request after which the list changed. Requests for nodes are numbered from 1, of all projects. */
  request: number;
  /** Wall clock, milliseconds since the epoch. */
  atMs: number;
}

/** Far more than any test needs, and about 30 MB. */
const changesMax = 100_000;

export function createChangeLog(max = changesMax) {
  let kept: LoggedChange[] = [];
  let dropped = 0;
  const counts: Record<ChangeKind, number> = {
    ...{ inserted: 0, deleted: 0, reordered: 0 },
    ...{ offline: 0, online: 0, closed: 0, opened: 0 },
  };
  return {
    /** Of all changes, also of those that are no longer kept. */
    counts,
    add(changes: readonly Change[], where: Omit<LoggedChange, keyof Change>) {
      for (const change of changes) {
        counts[change.kind] += 1;
        kept.push({ ...where, ...change });
      }
      if (kept.length <= max) return;
      const excess = Math.max(kept.length - max, Math.ceil(max / 10));
      dropped += excess;
      kept = kept.slice(excess);
    },
    /** In order. */
    kept: (): readonly LoggedChange[] => kept,
    /** How many changes before these are no longer kept. */
    dropped: () => dropped,
  };
}
