import { expect, test } from 'vitest';
import { openSession } from '../../lib/cli/session.ts';
import { findStoredTargets, openStoreByFlags } from '../../lib/cli/stored-targets.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import { createScrubber } from '../../lib/platform/scrubber.ts';
import { encodeSchedule } from '../../lib/runs/schedule.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createTestWorld } from './world.ts';

test('targets with snapshots and targets with open runs, each once', async () => {
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

test('a folder needs no key; nothing is redacted', () => {
  const world = createTestWorld();
  const scrubber = createScrubber();
  const session = openSession(world, scrubber, { json: false });
  const store = openStoreByFlags({ store: 'file:./lake' }, session);
  expect(store.url).toBe(`file:${world.cwd}/lake`);
  expect(scrubber.scrub('a - b -- c')).toBe('a - b -- c');
});

test('a bucket does', () => {
  const session = openSession(createTestWorld(), createScrubber(), { json: false });
  expect(() => openStoreByFlags({ store: 'obs://lake/cgs' }, session)).toThrow(
    /HUAWEICLOUD_SDK_AK/,
  );
});
