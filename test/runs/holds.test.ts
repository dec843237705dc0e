// Tests that a timer's result names the targets that it leaves alone, and why.

import { expect, test } from 'vitest';
import { AuthError, ProtocolError } from '../../lib/core/errors.ts';
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
