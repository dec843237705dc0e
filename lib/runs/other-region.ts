// Responsible for noticing a target whose project already has snapshots under another region. A project belongs to one region
// (CGS API reference 2021, "obtaining a project id": the name of a project is a region), so one of the two labels is wrong.

import type { TargetKey } from '../core/object-keys.ts';
import { listLastSealed, type Schedule } from './schedule.ts';

export interface OtherRegion {
  message: string;
  hint: string;
}

/** Null: nothing is noticed, or the target has snapshots itself. Only by the schedule, so that it costs no request. */
export function findOtherRegion(
  schedule: Schedule,
  { table, region, projectId }: TargetKey,
): OtherRegion | null {
  const regions = listLastSealed(schedule)
    .map(({ target }) => target)
    .filter((other) => other.table === table && other.projectId === projectId)
    .map((other) => other.region);
  if (regions.length === 0 || regions.includes(region)) return null;
  const others = [...new Set(regions)].sort().join(', ');
  return {
    message: `the project ${projectId} has snapshots of the region ${others} in this table, and none of ${region} yet: a project belongs to one region`,
    hint: `Check region and endpoint of this target. If ${others} is right, correct region: the snapshots would be stored under the wrong region. If ${region} is right, those of ${others} have the wrong one: leave them as they are, because manifests are never changed.`,
  };
}
