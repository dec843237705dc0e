// Responsible for showing in `doctor` which keys and targets a timer does not try now: a corrected key stays held until its time ends.

import { targetId } from '../core/object-keys.ts';
import { describeHold, describeLift } from '../runs/holds.ts';
import { knownProjectId, unresolvedId } from '../runs/projects.ts';
import { type Schedule, targetStateOf } from '../runs/schedule.ts';
import { type Check, ok, warning } from './check-result.ts';
import type { ServiceTarget } from './target.ts';

/** One warning per held key and per held target, or one check that none is held. */
export function checkHolds(
  schedule: Schedule,
  targets: readonly ServiceTarget[],
  nowMs: number,
): Check[] {
  const checks = new Map<string, Check>();
  for (const target of targets) {
    const { table, region, account, user } = target;
    const projectId = knownProjectId(target, schedule);
    const id = projectId === null ? unresolvedId(target) : targetId({ table, region, projectId });
    const state = targetStateOf(schedule, id);
    const { heldUntil, failure } = describeHold(schedule, user, state, nowMs);
    if (heldUntil === null) continue;
    const why = failure === null ? '' : `, because of ${failure.code} at ${failure.last}`;
    const what = failure?.ofKey ? 'the key' : 'the target';
    const subject = { check: 'hold', account, target: failure?.ofKey ? null : id } as const;
    const message = `timers do not try ${what} again until ${heldUntil}${why}`;
    const lift = describeLift(account, failure) ?? failure?.hint;
    const hint = `A correction does not end the hold. ${lift}`;
    checks.set(failure?.ofKey ? account : id, warning(subject, message, hint));
  }
  return checks.size === 0
    ? [ok({ check: 'hold' }, 'no key and no target is held')]
    : [...checks.values()];
}
