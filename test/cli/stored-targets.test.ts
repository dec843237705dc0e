// Tests which targets are found in a store.

import { expect, test } from 'vitest';
import { findStoredTargets } from '../../lib/cli/stored-targets.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import { encodeSchedule } from '../../lib/runs/schedule.ts';
import { createMemoryStore } from '../support/memory-store.ts';

test('finds targets with snapshots and targets in the schedule, each once', async () => {
  const store = createMemoryStore({ nowMs: () => 0 });
  const bytes = Buffer.from('{}');
  const manifest = (table: string, name: string) =>
    `_manifests/${table}/rgn=cn-south-4/prj=p1/${name}.json`;
  await store.put(manifest('b_nodes', '20261124T060000Z'), bytes);
  await store.put(manifest('b_nodes', '20261125T060000Z'), bytes);
  await store.put(manifest('b_nodes', 'no-snapshot'), bytes);
  const state = { open: null, sealed: null, failures: 0, retryAtMs: 0 };
  const targets = {
    'a_nodes/rgn=eu-west-101/prj=p2': state,
    'b_nodes/rgn=cn-south-4/prj=p1': state,
  };
  await store.put(scheduleKey, encodeSchedule({ targets, holds: {}, projects: {} }));
  expect(await findStoredTargets(store)).toEqual([
    { table: 'a_nodes', region: 'eu-west-101', projectId: 'p2' },
    { table: 'b_nodes', region: 'cn-south-4', projectId: 'p1' },
  ]);
});
