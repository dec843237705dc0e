// Tests reading the schedule: none, one that an exporter has written, a damaged one.

import { expect, test } from 'vitest';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import { emptySchedule } from '../../lib/runs/schedule.ts';
import { readSchedule } from '../../lib/runs/stored-schedule.ts';
import { createTestExporter } from '../support/test-exporter.ts';

test('reads what an exporter has stored, and an empty schedule before that', async () => {
  const world = createTestExporter({ ids: ['a'] });
  expect(await readSchedule(world.store)).toEqual(emptySchedule());
  await world.exportNow();
  const { targets } = await readSchedule(world.store);
  expect(Object.keys(targets)).toEqual(['container_nodes/rgn=cn-south-4/prj=p1']);
});

test('throws CORRUPT with the key of a damaged schedule', async () => {
  const world = createTestExporter();
  await world.store.put(scheduleKey, Buffer.from('x'));
  await expect(readSchedule(world.store)).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringContaining(scheduleKey),
  });
});
