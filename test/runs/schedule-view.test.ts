// Tests that a look at the schedule costs one read, and that the same bytes are decoded once.

import { expect, test } from 'vitest';
import { CorruptError } from '../../lib/core/errors.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import { emptySchedule, encodeSchedule } from '../../lib/runs/schedule.ts';
import { openScheduleView } from '../../lib/runs/schedule-view.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createTestExporter } from '../support/test-exporter.ts';

test('sees every change, and decodes the same bytes once', async () => {
  const calls: string[] = [];
  const onCall = ({ op, phase }: { op: string; phase: string }) => {
    if (phase === 'before') calls.push(op);
  };
  const store = createMemoryStore({ nowMs: () => 0, onCall });
  const target = createTestExporter().createTarget({ projectId: null });
  const view = openScheduleView(store, [target]);
  expect(await view()).toMatchObject({ schedule: emptySchedule(), tasks: [{ projectId: null }] });
  const schedule = { ...emptySchedule(), projects: { [target.projectQuestion]: 'p9' } };
  await store.put(scheduleKey, encodeSchedule(schedule));
  const second = await view();
  expect(second).toMatchObject({ schedule, tasks: [{ projectId: 'p9' }] });
  expect(await view()).toBe(second);
  await store.put(scheduleKey, Buffer.from('{'));
  await expect(view()).rejects.toThrow(CorruptError);
  expect(calls).toEqual(['get', 'put', 'get', 'get', 'put', 'get']);
});
