// Tests that `doctor` reads the schedule once for all checks that need it, and says if it cannot be read.

import { expect, test } from 'vitest';
import { checkSchedule } from '../../lib/app/schedule-check.ts';
import type { ServiceTarget } from '../../lib/app/target.ts';
import { StoreError } from '../../lib/core/errors.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import { createMemoryStore, type StoreCall } from '../support/memory-store.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const nowMs = () => Date.parse('2026-11-24T06:00:00Z');

test('one read gives the checks of the holds and of the regions', async () => {
  const world = createTestExporter({ ids: ['a'] });
  await world.exportNow();
  const calls: string[] = [];
  const onCall = ({ op, key, phase }: StoreCall) => {
    if (phase === 'before') calls.push(`${op} ${key}`);
  };
  const store = createMemoryStore({ nowMs, onCall });
  store.restore(world.store.dump());
  const target = world.createTarget({ region: 'cn-north-4' }) as ServiceTarget;
  expect(await checkSchedule(store, [target])).toMatchObject([
    { check: 'hold', status: 'ok' },
    { check: 'region', status: 'warning' },
  ]);
  expect(calls).toEqual([`get ${scheduleKey}`]);
});

test('without a schedule nothing is held', async () => {
  expect(await checkSchedule(createMemoryStore({ nowMs }), [])).toMatchObject([
    { check: 'hold', status: 'ok' },
  ]);
});

test('a damaged schedule is a failure, one that cannot be read is explained by the store', async () => {
  const damaged = createMemoryStore({ nowMs });
  await damaged.put(scheduleKey, Buffer.from('{'));
  expect(await checkSchedule(damaged, [])).toMatchObject([
    { check: 'hold', status: 'failed', error: { code: 'CORRUPT' } },
  ]);
  const denied = createMemoryStore({
    nowMs,
    onCall: () => {
      throw new StoreError('STORE_DENIED', 'no', 'h');
    },
  });
  expect(await checkSchedule(denied, [])).toMatchObject([{ check: 'hold', status: 'skipped' }]);
});
