// Tests that sizes that were asked for are remembered, and that losing them is not a fault.

import { expect, test } from 'vitest';
import { probedSizesKey } from '../../lib/core/object-keys.ts';
import { probedName, readProbedSizes, writeProbedSizes } from '../../lib/runs/probed-sizes.ts';
import { createMemoryStore } from '../support/memory-store.ts';

test('sizes are read back; damaged ones are dropped with a warning', async () => {
  const store = createMemoryStore({ nowMs: () => 0 });
  const levels: string[] = [];
  const log = (level: string) => void levels.push(level);
  expect(await readProbedSizes(store, log)).toEqual({});
  const place = { account: 'prod', table: 'container_nodes', region: 'cn-south-4' };
  const sizes = {
    [probedName({ ...place, projectId: 'p1' })]: { rows: 7, atMs: 5 },
    [probedName({ ...place, projectId: null })]: { rows: 0, atMs: 6 },
  };
  expect(Object.keys(sizes)).toHaveLength(2);
  await writeProbedSizes(store, sizes);
  expect(await readProbedSizes(store, log)).toEqual(sizes);
  expect(levels).toEqual([]);
  await store.put(probedSizesKey, Buffer.from('{'));
  expect(await readProbedSizes(store, log)).toEqual({});
  expect(levels).toEqual(['warn']);
});
