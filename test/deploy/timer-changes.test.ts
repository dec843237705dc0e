// Tests the comparison of wanted and deployed timers with random timers.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeployedTrigger } from '../../lib/deploy/function-graph.ts';
import { compareTimers } from '../../lib/deploy/timer-changes.ts';
import type { Timer } from '../../lib/deploy/timer-events.ts';

test('the changes turn any deployed timers into the wanted ones, and then there are no changes', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const timer: fc.Arbitrary<Timer> = fc.record({
    name,
    status: fc.constantFrom('ACTIVE', 'DISABLED'),
    scheduleType: fc.constant('Rate'),
    schedule: fc.constantFrom('1m', '2m'),
    userEvent: fc.constantFrom('', 'x'),
  });
  const timers = fc.uniqueArray(timer, { selector: (one) => one.name });
  const toTrigger = (one: Timer): DeployedTrigger => ({
    trigger_id: `id of ${one.name}`,
    trigger_type_code: 'TIMER',
    trigger_status: one.status,
    event_data: {
      name: one.name,
      schedule_type: one.scheduleType,
      schedule: one.schedule,
      user_event: one.userEvent,
    },
  });
  fc.assert(
    fc.property(timers, timers, (before, wanted) => {
      const current = new Map(before.map((one) => [one.name, toTrigger(one)]));
      for (const change of compareTimers([...current.values()], wanted)) {
        if (change.kind === 'remove') current.delete(change.trigger.event_data.name ?? '');
        else if (change.kind === 'status') {
          const trigger = current.get(change.timer.name);
          if (trigger) trigger.trigger_status = change.timer.status;
        } else current.set(change.timer.name, toTrigger(change.timer));
      }
      const sort = (all: Iterable<DeployedTrigger>) =>
        [...all].sort((a, b) => (a.trigger_id < b.trigger_id ? -1 : 1));
      expect(sort(current.values())).toEqual(sort(wanted.map(toTrigger)));
      expect(compareTimers([...current.values()], wanted)).toEqual([]);
    }),
  );
});
