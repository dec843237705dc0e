import { expect, test } from 'vitest';
import { call, createFolder, flagsFor, keyOf, simulate } from './world.ts';

test('sealed, then idle: exit 0 both times', async () => {
  const simulator = await simulate({ nodes: 30 });
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  const args = ['tick', '--json', ...flagsFor(simulator)];
  const first = await call(args, options);
  expect(first.code).toBe(0);
  expect(first.world.json()).toMatchObject({ status: 'sealed', snapshots: [{ rows: 30 }] });
  const second = await call(args, options);
  expect(second.code).toBe(0);
  expect(second.world.json()).toEqual({ status: 'idle', snapshots: [], requests: 0, errors: [] });
  expect(simulator.stats().nodeRequests).toBe(1);
});

test('the quota used up: paused, exit 0, without waiting for the next window', async () => {
  const simulator = await simulate({ nodes: 700 });
  const args = ['tick', '--json', ...flagsFor(simulator).slice(0, 8), '--quota-requests', '2'];
  const startMs = performance.now();
  const { code, world } = await call(args, { env: keyOf(simulator) });
  expect(code).toBe(0);
  expect(world.json()).toMatchObject({ status: 'paused', snapshots: [], requests: 2 });
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test('a refused key: exit 3', async () => {
  const simulator = await simulate();
  const env = { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: 'wrong-secret-key-0123456789' };
  const { code, world } = await call(['tick', ...flagsFor(simulator)], { env });
  expect(code).toBe(3);
  expect(world.out()).toContain('failed, 1 request');
});

test('a time limit that is none: exit 2', async () => {
  const { code, world } = await call(['tick', '--json', '--time-limit', 'soon']);
  expect(code).toBe(2);
  expect(world.json().errors).toMatchObject([{ message: expect.stringContaining('--time-limit') }]);
});
