// Tests the command `tick`.

import { expect, test } from 'vitest';
import { call, createFolder, flagsFor, keyOf, simulate } from './test-runtime.ts';

test('exits with 0 both when it seals and when nothing is due', async () => {
  const simulator = await simulate({ nodes: 30 });
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  const args = ['tick', '--json', ...flagsFor(simulator)];
  const first = await call(args, options);
  expect(first.code).toBe(0);
  expect(first.runtime.json()).toMatchObject({ status: 'sealed', snapshots: [{ rows: 30 }] });
  const second = await call(args, options);
  expect(second.code).toBe(0);
  expect(second.runtime.json()).toEqual({ status: 'idle', snapshots: [], requests: 0, errors: [] });
  expect(simulator.stats().nodeRequests).toBe(1);
});

test('pauses with exit code 0 when the quota is used, without waiting for the next window', async () => {
  const simulator = await simulate({ nodes: 700 });
  const args = ['tick', '--json', ...flagsFor(simulator).slice(0, 8), '--quota-requests', '2'];
  const startMs = performance.now();
  const { code, runtime } = await call(args, { env: keyOf(simulator) });
  expect(code).toBe(0);
  expect(runtime.json()).toMatchObject({ status: 'paused', snapshots: [], requests: 2 });
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test('exits with 3 if the key is refused', async () => {
  const simulator = await simulate();
  const env = { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: 'wrong-secret-key-0123456789' };
  const { code, runtime } = await call(['tick', ...flagsFor(simulator)], { env });
  expect(code).toBe(3);
  expect(runtime.out()).toContain('failed, 1 request');
});

test('exits with 2 for a time limit that is not a number', async () => {
  const { code, runtime } = await call(['tick', '--json', '--time-limit', 'soon']);
  expect(code).toBe(2);
  expect(runtime.json().errors).toMatchObject([
    { message: expect.stringContaining('--time-limit') },
  ]);
});
