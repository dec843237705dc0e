// Owns which targets' projects are known, and asking for the others. Refuses to say what becomes of a target whose project cannot
// be found: it fails as any target does.

import { type TargetKey, targetId } from '../core/object-keys.ts';
import type { CollectPorts, KnownWork, Target, Work } from './invocation.ts';
import type { Schedule } from './schedule.ts';

/** What a target is called before its project is known. */
export function questionId({ account, table, region }: Target): string {
  return `${table}/rgn=${region}/account=${account}`;
}

export function isKnown(work: Work): work is KnownWork {
  return work.projectId !== null;
}

function toWork(target: Target, projectId: string): KnownWork {
  const key: TargetKey = { table: target.table, region: target.region, projectId };
  return { target, projectId, key, id: targetId(key) };
}

export function listWorks({ targets }: CollectPorts, schedule: Schedule): Work[] {
  return targets.map((target): Work => {
    const projectId = target.projectId ?? schedule.projects[target.projectQuestion];
    if (projectId !== undefined) return toWork(target, projectId);
    return { target, projectId: null, key: null, id: questionId(target) };
  });
}

/** Remembers the answer. Throws as `findProjectId` does. */
export async function askProject(
  { budget }: CollectPorts,
  schedule: Schedule,
  { target, id }: Work,
  saveSchedule: () => Promise<void>,
): Promise<KnownWork> {
  const known = schedule.projects[target.projectQuestion];
  const projectId = known ?? (await target.findProjectId(budget));
  schedule.projects[target.projectQuestion] = projectId;
  delete schedule.targets[id];
  if (known === undefined) await saveSchedule();
  return toWork(target, projectId);
}
