// Responsible for the project id of each target: configured, remembered in the schedule, or asked of IAM.

import { type TargetKey, targetId } from '../core/object-keys.ts';
import type { Agenda, Invocation, ResolvedTask, Target, Task } from './invocation.ts';
import { type Schedule, targetStateOf } from './schedule.ts';

/** Null: IAM must be asked. */
export function knownProjectId(
  target: Pick<Target, 'projectId' | 'projectQuestion'>,
  schedule: Schedule,
): string | null {
  return target.projectId ?? schedule.projects[target.projectQuestion] ?? null;
}

export function isResolved(task: Task): task is ResolvedTask {
  return task.projectId !== null;
}

function toTask(target: Target, projectId: string | null): Task {
  if (projectId !== null) return resolve(target, projectId);
  return { target, projectId, key: null, id: unresolvedId(target) };
}

/** Names a target in the schedule until its project is known. `account` null: not known. */
export function unresolvedId(target: {
  table: string;
  region: string;
  account: string | null;
}): string {
  const { table, region, account } = target;
  return `${table}/rgn=${region}/account=${account ?? ''}`;
}

function resolve(target: Target, projectId: string): ResolvedTask {
  const key: TargetKey = { table: target.table, region: target.region, projectId };
  return { target, projectId, key, id: targetId(key) };
}

export function listTasks({ targets, schedule }: Pick<Agenda, 'targets' | 'schedule'>): Task[] {
  return targets.map((target) => toTask(target, knownProjectId(target, schedule)));
}

/** Asks IAM unless the schedule has the answer, and remembers it there. Throws what `findProjectId` throws. */
export async function resolveProject(
  { budget, schedule, saveSchedule }: Invocation,
  { target, id }: Task,
): Promise<ResolvedTask> {
  const known = schedule.projects[target.projectQuestion];
  const projectId = known ?? (await target.findProjectId(budget));
  schedule.projects[target.projectQuestion] = projectId;
  const task = resolve(target, projectId);
  const { missed } = targetStateOf(schedule, id);
  // The state under the name without a project is no longer used. The slots that passed meanwhile still count.
  delete schedule.targets[id];
  const state = targetStateOf(schedule, task.id);
  if (missed && !state.missed) schedule.targets[task.id] = { ...state, missed };
  if (known === undefined) await saveSchedule();
  return task;
}
