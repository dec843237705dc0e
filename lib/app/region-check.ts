// Responsible for the warning of `doctor` that a project already has snapshots under another region.

import { targetId } from '../core/object-keys.ts';
import { findOtherRegion } from '../runs/other-region.ts';
import { knownProjectId } from '../runs/projects.ts';
import type { Schedule } from '../runs/schedule.ts';
import { type Check, warning } from './check-result.ts';
import type { ServiceTarget } from './target.ts';

/** One warning per target that this concerns. */
export function checkRegions(schedule: Schedule, targets: readonly ServiceTarget[]): Check[] {
  return targets.flatMap((target) => {
    const { table, region, account } = target;
    const projectId = knownProjectId(target, schedule);
    const key = projectId === null ? null : { table, region, projectId };
    const found = key && findOtherRegion(schedule, key);
    if (!key || !found) return [];
    const subject = { check: 'region', account, target: targetId(key) } as const;
    return warning(subject, found.message, found.hint);
  });
}
