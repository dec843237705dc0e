// Owns which outcomes of a timer's invocation a person must hear of. Refuses to say it: the platform's failure destination does.

import { DriftedError, type ExportError } from '../errors.ts';
import { passesByItself } from '../snapshot/failure.ts';
import type { CollectResult } from '../snapshot/invocation.ts';

/** The worst thing that happened, or null. Each is told by the invocation in which it happens, and by no later one. */
export function findActionable(result: CollectResult): ExportError | null {
  const fault = result.errors.find((error) => !passesByItself(error));
  if (fault) return fault;
  const drifted = result.snapshots.find(({ manifest }) => manifest.verdict === 'drifted');
  if (!drifted) return null;
  const { table, snapshot, rows } = drifted.manifest;
  return new DriftedError(
    'DRIFTED',
    `Snapshot ${snapshot} of ${table} is sealed with ${rows} rows, but the list moved out of order while it was read: completeness cannot be shown.`,
    'It is marked `drifted`, and _latest was not moved. The next slot tries again; `cgs-export export` does so now.',
  );
}
