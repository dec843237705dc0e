// Responsible for comparing the wanted timers with the deployed ones, and for the request bodies that create them. Pure functions.

import type { DeployedTrigger } from './function-graph.ts';
import type { Timer } from './timer-events.ts';

export type TimerChange =
  | { kind: 'create'; timer: Timer }
  /** The API cannot update a schedule: the trigger is deleted and created again. */
  | { kind: 'replace'; timer: Timer; trigger: DeployedTrigger }
  | { kind: 'status'; timer: Timer; trigger: DeployedTrigger }
  | { kind: 'remove'; trigger: DeployedTrigger };

/** In the order to apply them: removals last, so that the function keeps a timer. Triggers of other types are left alone. */
export function compareTimers(
  triggers: readonly DeployedTrigger[],
  timers: readonly Timer[],
): TimerChange[] {
  const rest = new Map(
    triggers
      .filter(({ trigger_type_code: type }) => type === 'TIMER')
      .map((trigger) => [trigger.event_data.name ?? '', trigger]),
  );
  const changes: TimerChange[] = [];
  for (const timer of timers) {
    const trigger = rest.get(timer.name);
    rest.delete(timer.name);
    if (!trigger) {
      changes.push({ kind: 'create', timer });
      continue;
    }
    const current = toTimer(trigger);
    const isSameEvent =
      current.scheduleType === timer.scheduleType &&
      current.schedule === timer.schedule &&
      current.userEvent === timer.userEvent;
    if (!isSameEvent) {
      changes.push({ kind: 'replace', timer, trigger });
    } else if (current.status !== timer.status) {
      changes.push({ kind: 'status', timer, trigger });
    }
  }
  for (const trigger of rest.values()) changes.push({ kind: 'remove', trigger });
  return changes;
}

function toTimer({ trigger_status: status, event_data: event }: DeployedTrigger): Timer {
  return {
    name: event.name ?? '',
    status,
    scheduleType: event.schedule_type as Timer['scheduleType'],
    schedule: event.schedule ?? '',
    userEvent: event.user_event ?? '',
  };
}

export function triggerBody({ name, status, scheduleType, schedule, userEvent }: Timer): object {
  const event = { name, schedule_type: scheduleType, schedule, user_event: userEvent };
  return { trigger_type_code: 'TIMER', trigger_status: status, event_data: event };
}

/** The body that creates a deleted timer again. */
export function restoreTriggerBody(trigger: DeployedTrigger): object {
  return triggerBody(toTimer(trigger));
}
