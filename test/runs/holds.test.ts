// Tests that a timer's result names the targets that it leaves alone, and why.

import { describe, expect, test } from 'vitest';
import { AuthError, ProtocolError, RateLimitedError } from '../../lib/core/errors.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import type { Source } from '../../lib/core/ports.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const failingWith = (error: Error) => () => ({
  fetchPage: async () => {
    throw error;
  },
});

test('names each held target with account, end, reason and number of failures', async () => {
  const world = createTestExporter({ ids: ['a'] });
  const refused = failingWith(new AuthError('REFUSED', 'refused', 'check the key'));
  const broken = failingWith(new ProtocolError('NOT_A_PAGE', 'no page', 'look there'));
  const targets = [
    world.createTarget({ account: 'one', user: 'a', projectId: 'p1', openSource: refused }),
    world.createTarget({ account: 'one', user: 'a', projectId: 'p2', openSource: refused }),
    world.createTarget({ account: 'two', user: 'b', projectId: 'p3', openSource: broken }),
    world.createTarget({ account: 'two', user: 'b', projectId: 'p4' }),
  ];
  const first = await world.tick({ targets });
  expect(first).toMatchObject({ status: 'failed', idle: null });
  const place = { table: 'container_nodes', region: 'cn-south-4' };
  const since = '2026-11-24T06:00:00.000Z';
  const keyFailure = {
    ...{ ofKey: true, code: 'REFUSED', message: 'refused', hint: 'check the key' },
    ...{ since, last: since, failures: 1 },
  };
  const held = [
    {
      account: 'one',
      ...place,
      projectId: 'p1',
      heldUntil: '2026-11-24T06:15:00.000Z',
      failure: keyFailure,
    },
    {
      account: 'one',
      ...place,
      projectId: 'p2',
      heldUntil: '2026-11-24T06:15:00.000Z',
      failure: keyFailure,
    },
    {
      ...{ account: 'two', ...place, projectId: 'p3', heldUntil: '2026-11-24T06:05:00.000Z' },
      failure: expect.objectContaining({ ofKey: false, code: 'NOT_A_PAGE', failures: 1 }),
    },
  ];
  expect(first.held).toEqual(held);
  world.clock.advance(60_000);
  expect(await world.tick({ targets })).toMatchObject({ status: 'idle', idle: 'not due', held });
});

test('a command has no held targets: it tries all', async () => {
  const world = createTestExporter();
  const openSource = failingWith(new ProtocolError('NOT_A_PAGE', 'no page', 'look'));
  const result = await world.exportNow({ targets: [world.createTarget({ openSource })] });
  expect(result).toMatchObject({ status: 'failed', held: [], idle: null });
});

test('says that another exporter works on the store, and which targets are held', async () => {
  const world = createTestExporter({ store: { exclusive: true } });
  const slow = world.exportNow();
  const [, ticked] = await Promise.all([slow, world.clock.sleep(10_000).then(() => world.tick())]);
  expect(ticked).toMatchObject({ status: 'idle', idle: 'leased', held: [] });
});

describe('a key that the service asked to wait for a day', () => {
  const dayMs = 24 * 3_600_000;
  /** Two targets of one key, and a request that is answered with 429 until `endMs`. */
  function createThrottled() {
    const world = createTestExporter({ ids: ['a'] });
    const endMs = world.clock.nowMs() + dayMs;
    const wrap = (source: Source): Source => ({
      async fetchPage(range, gate) {
        if (world.clock.nowMs() >= endMs) return source.fetchPage(range, gate);
        if (!(await gate.admit())) return 'paused';
        const error = new RateLimitedError('answered 429', 'wait', dayMs);
        await gate.sent({ atMonotonicMs: world.clock.monotonicMs(), error });
        throw error;
      },
    });
    const create = (projectId: string) => {
      const target = world.createTarget({ account: 'one', user: 'aaaaaaaaaaaa', projectId });
      return { ...target, openSource: (id: string) => wrap(target.openSource(id)) };
    };
    return { world, targets: [create('p1'), create('p2')] };
  }
  const held = ['p1', 'p2'].map((projectId) => ({
    ...{ account: 'one', projectId, heldUntil: expect.stringMatching(/^2026-11-25T06:00:0/) },
    failure: { ofKey: true, code: 'RATE_LIMITED', message: expect.stringContaining('429') },
  }));
  const reported = [expect.objectContaining({ code: 'RATE_LIMITED' })];

  test('is reported once, then held with all its targets, and used again after that', async () => {
    const { world, targets } = createThrottled();
    const first = await world.tick({ targets });
    expect(first).toMatchObject({ status: 'paused', requests: 1, errors: reported, held });
    for (let hour = 1; hour < 24; hour += 1) {
      world.clock.advance(3_600_000);
      const later = await world.tick({ targets });
      // The slot of midnight passes without a snapshot of p2. The run of p1 is still open.
      const errors = hour === 18 ? [expect.objectContaining({ code: 'SLOT_MISSED' })] : [];
      expect(later).toMatchObject({ status: 'idle', requests: 0, errors, held });
    }
    world.clock.advance(3_600_000 + 60_000);
    const last = await world.tick({ targets });
    expect(last).toMatchObject({ status: 'sealed', errors: [], held: [] });
  });

  test('is held again if only the quota ledger knows it', async () => {
    const { world, targets } = createThrottled();
    await world.tick({ targets });
    await world.store.delete(scheduleKey);
    const result = await world.tick({ targets });
    expect(result).toMatchObject({ status: 'paused', requests: 0, errors: reported, held });
    expect(result.errors[0]?.message).toContain('asked this key to wait until 2026-11-25T06:00:0');
  });

  test('stays held after a command, which cannot use the key either', async () => {
    const { world, targets } = createThrottled();
    await world.tick({ targets });
    await world.exportNow({ targets });
    expect(await world.tick({ targets })).toMatchObject({ status: 'idle', requests: 0, held });
  });
});
