// Owns the proof that a project which cannot be asked for fails its target alone: held off, told, and in nobody's way.
// Method: the timer under a virtual clock, a tick a minute.

import { expect, test } from 'vitest';
import { openAlerts } from '../../lib/alerts/function-alerts.ts';
import {
  ConfigError,
  type ExportError,
  ProtocolError,
  TransientError,
  tellError,
} from '../../lib/core/errors.ts';
import type { Target } from '../../lib/runs/invocation.ts';
import { createWorld } from '../support/world.ts';

type World = ReturnType<typeof createWorld>;

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
  const told: { minute: number; fault: ExportError }[] = [];
  let sealed = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    const result = await world.tick({ targets });
    sealed += result.snapshots.length;
    // In no minute in which a store that fails is told.
    for (const fault of alerts.find(result, 30 * 60_000)) told.push({ minute, fault });
    world.clock.advance(60_000);
  }
  return { told, sealed };
}

test('IAM does not answer: told once, after half an hour, and asked ever more seldom', async () => {
  const world = createWorld();
  let asked = 0;
  const target = unknown(world, 'far', async () => {
    asked += 1;
    throw new TransientError('TIMEOUT', 'no answer', 'wait');
  });
  const { told } = await tickFor(world, 24 * 60, [target]);
  expect(told.map(({ minute, fault }) => [minute, fault.code])).toEqual([[31, 'RUN_STALLED']]);
  expect(told[0]?.fault.message).toContain('container_nodes in far (account far) can start');
  expect(asked).toBeLessThan(40);
});

test.each([
  ['is none of IAM', (_path: string) => new ProtocolError('NOT_A_PAGE', 'HTML', 'look')],
  ['names no project', (path: string) => new ConfigError([{ path, message: 'none', hint: 'x' }])],
])('an answer that %s: told each time it is tried, which is held off', async (_what, fault) => {
  const world = createWorld();
  const failing = (name: string) =>
    unknown(world, name, async () => {
      throw fault(name);
    });
  const targets = [failing('one'), failing('two')];
  const { told } = await tickFor(world, 120, targets);
  const minutes = told.map(({ minute }) => minute);
  expect([...new Set(minutes)]).toEqual([0, 5, 15, 35, 75]);
  const named = told.map(({ fault }) => tellError(fault));
  for (const name of ['one', 'two']) {
    expect(named.filter((text) => text.split(/\W/).includes(name))).toHaveLength(5);
  }
});

test('the others are exported meanwhile, and first', async () => {
  const world = createWorld({ ids: ['host-1'] });
  let sealedBefore = false;
  const slow = unknown(world, 'far', async () => {
    sealedBefore = [...world.store.dump().keys()].some((key) => key.startsWith('_latest/'));
    throw new TransientError('TIMEOUT', 'no answer', 'wait');
  });
  const { sealed } = await tickFor(world, 1, [slow, world.createTarget()]);
  expect([sealed, sealedBefore]).toEqual([1, true]);
});

test('once it is known it is asked no more, also for another target of the same question', async () => {
  const world = createWorld({ ids: ['host-1'] });
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

test('a project that is none is told at once, though another target uses the quota up', async () => {
  const world = createWorld({ ids: Array.from({ length: 20_000 }, (_, index) => `h${index}`) });
  const wrong = unknown(world, 'wrong', async () => {
    throw new ConfigError([{ path: 'accounts.1', message: 'none', hint: 'set it' }]);
  });
  const busy = world.createTarget({ user: wrong.user });
  const { told } = await tickFor(world, 3, [busy, wrong]);
  expect(told.map(({ minute, fault }) => [minute, fault.code])).toEqual([[0, 'CONFIG']]);
});

test('a command asks for all projects before it works', async () => {
  const world = createWorld({ ids: ['host-1'] });
  let requests = -1;
  const target = unknown(world, 'far', async () => {
    requests = world.endpoint.arrivals.length;
    return 'p9';
  });
  const result = await world.exportNow({ targets: [world.createTarget(), target] });
  expect(result.snapshots).toHaveLength(2);
  expect(requests).toBe(0);
});
