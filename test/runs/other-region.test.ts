// Tests that a project with snapshots under another region is noticed before its first snapshot, and without a request.

import { expect, test } from 'vitest';
import { createTestExporter } from '../support/test-exporter.ts';

const hourMs = 3_600_000;
const isAbout = ({ message }: { message: string }) => message.includes('belongs to one region');

test('a first run warns once that its project has snapshots under another region', async () => {
  const world = createTestExporter({ ids: ['a'] });
  await world.exportNow();
  expect(world.logs.filter(isAbout)).toEqual([]);
  world.clock.advance(hourMs);
  const moved = { targets: [world.createTarget({ region: 'cn-north-4' })] };
  await world.exportNow(moved);
  expect(world.logs.filter(isAbout)).toMatchObject([
    {
      level: 'warn',
      message: expect.stringMatching(
        /^the project p1 has snapshots of the region cn-south-4 .*none of cn-north-4/,
      ),
      fields: { hint: expect.stringContaining('Check region and endpoint') },
    },
  ]);
  // Both have snapshots now.
  world.clock.advance(hourMs);
  await world.exportNow(moved);
  await world.exportNow();
  expect(world.logs.filter(isAbout)).toHaveLength(1);
});

test.each([
  ['another table', { region: 'cn-north-4', table: 'other_nodes' }],
  ['another project', { region: 'cn-north-4', projectId: 'p2', findProjectId: async () => 'p2' }],
])('%s is not noticed', async (_name, other) => {
  const world = createTestExporter({ ids: ['a'] });
  await world.exportNow();
  world.clock.advance(hourMs);
  await world.exportNow({ targets: [world.createTarget(other)] });
  expect(world.logs.filter(isAbout)).toEqual([]);
});

test('a timer warns too', async () => {
  const world = createTestExporter({ ids: ['a'] });
  await world.tick();
  world.clock.advance(hourMs);
  await world.tick({ targets: [world.createTarget({ region: 'cn-north-4' })] });
  expect(world.logs.filter(isAbout)).toHaveLength(1);
});
