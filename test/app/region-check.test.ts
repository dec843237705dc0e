// Tests that `doctor` warns of a project that has snapshots under another region.

import { expect, test } from 'vitest';
import { checkRegions } from '../../lib/app/region-check.ts';
import type { ServiceTarget } from '../../lib/app/target.ts';
import { readSchedule } from '../../lib/runs/stored-schedule.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const asked = async (world: ReturnType<typeof createTestExporter>, region: string) =>
  checkRegions(await readSchedule(world.store), [world.createTarget({ region }) as ServiceTarget]);

test('a project with snapshots under another region is one warning; its own region is none', async () => {
  const world = createTestExporter({ ids: ['a'] });
  expect(await asked(world, 'cn-south-4')).toEqual([]);
  await world.exportNow();
  expect(await asked(world, 'cn-south-4')).toEqual([]);
  expect(await asked(world, 'cn-north-4')).toMatchObject([
    {
      ...{ check: 'region', status: 'warning', account: 'prod' },
      target: 'container_nodes/rgn=cn-north-4/prj=p1',
      message: expect.stringContaining('belongs to one region'),
    },
  ]);
});
