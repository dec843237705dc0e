// Responsible for showing in `doctor` which keys and targets a timer does not try now: a corrected key stays held until its time ends.

import { CorruptError, StoreError } from '../core/errors.ts';
import { scheduleKey, targetId } from '../core/object-keys.ts';
import type { Store } from '../core/ports.ts';
import { readState } from '../core/state.ts';
import { describeHold, describeLift } from '../runs/holds.ts';
import { knownProjectId, unresolvedId } from '../runs/projects.ts';
import { decodeSchedule, type Schedule, targetStateOf } from '../runs/schedule.ts';
import { type Check, failed, ok, skipped, warning } from './check-result.ts';
import type { ServiceTarget } from './target.ts';

/** One warning per held key and per held target. It reads the schedule and changes nothing. */
export async function checkHolds(
  store: Store,
  targets: readonly ServiceTarget[],
): Promise<Check[]> {
  let schedule: Schedule;
  try {
    schedule = decodeSchedule(await readState(store, scheduleKey));
  } catch (error) {
    if (error instanceof CorruptError) return [failed({ check: 'hold' }, error)];
    if (!(error instanceof StoreError)) throw error;
    return [
      skipped({ check: 'hold' }, `${scheduleKey} cannot be read: see the checks of the store`),
    ];
  }
  const checks = new Map<string, Check>();
  for (const target of targets) {
    const { table, region, account, user } = target;
    const projectId = knownProjectId(target, schedule);
    const id = projectId === null ? unresolvedId(target) : targetId({ table, region, projectId });
    const state = targetStateOf(schedule, id);
    const { heldUntil, failure } = describeHold(schedule, user, state, store.nowMs());
    if (heldUntil === null) continue;
    const why = failure === null ? '' : `, because of ${failure.code} at ${failure.last}`;
    const what = failure?.ofKey ? 'the key' : 'the target';
    const subject = { check: 'hold', account, target: failure?.ofKey ? null : id } as const;
    const message = `timers do not try ${what} again until ${heldUntil}${why}`;
    const lift = describeLift(account, failure) ?? failure?.hint;
    const hint = `A correction does not end this. ${lift}`;
    checks.set(failure?.ofKey ? account : id, warning(subject, message, hint));
  }
  return checks.size === 0
    ? [ok({ check: 'hold' }, 'no key and no target is held')]
    : [...checks.values()];
}
