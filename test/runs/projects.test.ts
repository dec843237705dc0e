// Tests that a project id which IAM does not return fails its own target only: the target is held off and reported, and the
// others continue. A timer ticks once per minute under a virtual clock.

import { expect, test } from 'vitest';
import { openAlerts } from '../../lib/alerts/function-alerts.ts';
import {
  ConfigError,
  type ExportError,
  messageWithSubject,
  ProtocolError,
  TransientError,
} from '../../lib/core/errors.ts';
import type { Target } from '../../lib/runs/invocation.ts';
import { createTestExporter } from '../support/test-exporter.ts';

type World = ReturnType<typeof createTestExporter>;

const unknown = (world: World, name: string, ask: () => Promise<string>) =>
  world.createTarget({
    account: name,
    region: name,
    user: name.padEnd(12, '0'),
    projectQuestion: name,
    projectId: null,
    findProjectId: ask,
  });

async function tickFor(world: World, minutes: number, targets: readonly Target[]) {
  const alerts = openAlerts(world.clock);
  const reported: { minute: number; fault: ExportError }[] = [];
  let sealed = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    const result = await world.tick({ targets });
    sealed += result.snapshots.length;
    // Not in a minute in which a failing store would be reported.
    for (const fault of alerts.listDue(result, 30 * 60_000)) reported.push({ minute, fault });
    world.clock.advance(60_000);
  }
  return { reported, sealed };
}

test('reports once, after half an hour, that IAM does not answer, and asks less and less often', async () => {
  const world = createTestExporter();
  let asked = 0;
  const target = unknown(world, 'far', async () => {
    asked += 1;
    throw new TransientError('TIMEOUT', 'no answer', 'wait');
  });
  const { reported } = await tickFor(world, 24 * 60, [target]);
  // The slot of midnight passes after 18 hours.
  expect(reported.map(({ minute, fault }) => [minute, fault.code])).toEqual([
    [31, 'RUN_STALLED'],
    [1_080, 'SLOT_MISSED'],
  ]);
  expect(reported[0]?.fault.message).toContain('container_nodes in far (account far) can start');
  expect(asked).toBeLessThan(40);
});

test.each([
  ['does not come from IAM', (_path: string) => new ProtocolError('NOT_A_PAGE', 'HTML', 'look')],
  ['names no project', (path: string) => new ConfigError([{ path, message: 'none', hint: 'x' }])],
])(
  'reports an answer that %s at each attempt, and holds off the next ones',
  async (_what, fault) => {
    const world = createTestExporter();
    const failing = (name: string) =>
      unknown(world, name, async () => {
        throw fault(name);
      });
    const targets = [failing('one'), failing('two')];
    const { reported } = await tickFor(world, 120, targets);
    const minutes = reported.map(({ minute }) => minute);
    expect([...new Set(minutes)]).toEqual([0, 5, 15, 35, 75]);
    const named = reported.map(({ fault }) => messageWithSubject(fault));
    for (const name of ['one', 'two']) {
      expect(named.filter((text) => text.split(/\W/).includes(name))).toHaveLength(5);
    }
  },
);

test('exports the other targets meanwhile, and first', async () => {
  const world = createTestExporter({ ids: ['host-1'] });
  let sealedBefore = false;
  const slow = unknown(world, 'far', async () => {
    sealedBefore = [...world.store.dump().keys()].some((key) => key.startsWith('_latest/'));
    throw new TransientError('TIMEOUT', 'no answer', 'wait');
  });
  const { sealed } = await tickFor(world, 1, [slow, world.createTarget()]);
  expect([sealed, sealedBefore]).toEqual([1, true]);
});

test('asks once per question, also for several targets', async () => {
  const world = createTestExporter({ ids: ['host-1'] });
  let asked = 0;
  const ask = async () => {
    asked += 1;
    if (asked < 3) throw new TransientError('TIMEOUT', 'no answer', 'wait');
    return 'p9';
  };
  const target = unknown(world, 'far', ask);
  const targets = [target, { ...target, table: 'other_nodes' }];
  const { sealed } = await tickFor(world, 5, targets);
  expect([sealed, asked]).toEqual([2, 3]);
});

test('reports an invalid project at once, although another target uses up the quota', async () => {
  const world = createTestExporter({
    ids: Array.from({ length: 20_000 }, (_, index) => `h${index}`),
  });
  const wrong = unknown(world, 'wrong', async () => {
    throw new ConfigError([{ path: 'accounts.1', message: 'none', hint: 'set it' }]);
  });
  const busy = world.createTarget({ user: wrong.user });
  const { reported } = await tickFor(world, 3, [busy, wrong]);
  expect(reported.map(({ minute, fault }) => [minute, fault.code])).toEqual([[0, 'CONFIG']]);
});

test('a command resolves all projects before it reads a list', async () => {
  const world = createTestExporter({ ids: ['host-1'] });
  let requests = -1;
  const target = unknown(world, 'far', async () => {
    requests = world.endpoint.arrivals.length;
    return 'p9';
  });
  const result = await world.exportNow({ targets: [world.createTarget(), target] });
  expect(result.snapshots).toHaveLength(2);
  expect(requests).toBe(0);
});
