// Owns the proof that a run without pages is told: once a stall, to the failure destination, and not what passes within half an hour.
// Method: the timer under a virtual clock, a tick a minute; what a tick tells is what an instance that remembers nothing throws.

import { expect, test } from 'vitest';
import { RateLimitedError, TransientError } from '../../lib/errors.ts';
import { openAlerts } from '../../lib/runtime/alert.ts';
import { createWorld } from '../support/world.ts';

const nodes = (count: number) => Array.from({ length: count }, (_, index) => `host-${index}`);

async function tickFor(world: ReturnType<typeof createWorld>, minutes: number) {
  const told: string[] = [];
  let throttled = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    const result = await world.tick();
    // In no minute in which a store that fails is told.
    const faults = openAlerts(world.clock).find(result, 30 * 60_000);
    told.push(...faults.map(({ code }) => `${minute} ${code}`));
    throttled += result.throttled;
    world.clock.advance(60_000);
  }
  return { told, throttled };
}

test.each([
  ['somebody else uses up the quota', () => new RateLimitedError('too many', 'wait', 60_000)],
  ['nothing answers', () => new TransientError('UNAVAILABLE', '503', 'wait')],
])('%s: told once after half an hour, and again only after another page', async (_what, fault) => {
  const world = createWorld({ ids: nodes(60_000), quota: { requests: 1, windowSeconds: 60 } });
  let works = true;
  world.endpoint.beforeAnswer = () => {
    if (!works) throw fault();
  };
  expect((await tickFor(world, 3)).told).toEqual([]);
  works = false;
  expect((await tickFor(world, 25)).told).toEqual([]);
  const stalled = await tickFor(world, 240);
  expect(stalled.told).toHaveLength(1);
  // At minute 31 without a page, though a target that fails is tried once an hour by then.
  expect(stalled.told[0]).toMatch(/^[3-7] RUN_STALLED$/);
  works = true;
  expect((await tickFor(world, 70)).told).toEqual([]);
  works = false;
  const again = await tickFor(world, 240);
  expect(again.told).toHaveLength(1);
  expect(again.told[0]).toContain('RUN_STALLED');
});

test('two targets of which none gets a page: each told after half an hour, by its name', async () => {
  const world = createWorld({ ids: nodes(60_000), quota: { requests: 2, windowSeconds: 60 } });
  const targets = ['one_nodes', 'two_nodes'].map((table) => world.createTarget({ table }));
  let works = true;
  world.endpoint.beforeAnswer = () => {
    if (!works) throw new TransientError('UNAVAILABLE', '503', 'wait');
  };
  const stalled: string[] = [];
  for (let minute = 0; minute < 180; minute += 1) {
    const { errors } = await world.tick({ targets });
    for (const { code, message } of errors) {
      if (code === 'RUN_STALLED') stalled.push(`${minute}: ${message}`);
    }
    // The first is begun, then the second too, as a target that fails is left for the other.
    if (minute === 1) works = false;
    world.clock.advance(60_000);
  }
  expect(stalled).toHaveLength(2);
  expect(stalled.join('\n')).toMatch(/one_nodes\/rgn=.*\(run [0-9a-f]{12}\)/);
  expect(stalled.join('\n')).toContain('two_nodes/');
  for (const told of stalled) expect(Number.parseInt(told, 10)).toBeLessThan(45);
});

test('a throttled request is counted as one', async () => {
  const world = createWorld({ ids: nodes(10) });
  world.endpoint.beforeAnswer = (index) => {
    if (index === 0) throw new RateLimitedError('too many', 'wait', 60_000);
  };
  expect(await world.tick()).toMatchObject({ requests: 1, throttled: 1, status: 'paused' });
});

test('a drifted snapshot is told by the tick that seals it, and by no other', async () => {
  const world = createWorld({ ids: nodes(600), scheduleMs: 86_400_000 });
  // Every answer comes from a list in another order: no pass can be shown to be complete.
  let seed = 1;
  world.endpoint.beforeAnswer = () => {
    world.endpoint.ids = [...world.endpoint.ids].sort(() => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 16) % 2 === 0 ? 1 : -1;
    });
  };
  const { told } = await tickFor(world, 60);
  expect(told).toHaveLength(1);
  expect(told[0]).toContain('DRIFTED');
});
