// Tests the command `tick`.

import { expect, test } from 'vitest';
import { call, createFolder, flagsFor, keyOf, simulate } from './test-runtime.ts';

const dayMs = 24 * 3_600_000;

test('exits with 0 both when it seals and when nothing is due', async () => {
  const simulator = await simulate({ nodes: 30 });
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  const args = ['tick', '--json', ...flagsFor(simulator)];
  const first = await call(args, options);
  expect(first.code).toBe(0);
  expect(first.runtime.json()).toMatchObject({ status: 'sealed', snapshots: [{ rows: 30 }] });
  const second = await call(args, options);
  expect(second.code).toBe(0);
  const nextSlot = new Date(Math.ceil(Date.now() / dayMs) * dayMs).toISOString();
  expect(second.runtime.json()).toEqual({
    ...{ status: 'idle', snapshots: [], requests: 0, errors: [] },
    idle: { reason: 'every target is up to date or held', nextSlot },
  });
  const people = await call(
    args.filter((arg) => arg !== '--json'),
    options,
  );
  expect(people.runtime.out()).toBe(
    `idle, 0 requests: every target is up to date or held; the next slot begins at ${nextSlot}\n`,
  );
  expect(simulator.stats().nodeRequests).toBe(1);
});

test('names the account of a snapshot', async () => {
  const simulator = await simulate({ nodes: 30 });
  const args = ['tick', ...flagsFor(simulator), '--account', 'prod'];
  const { runtime } = await call(args, { env: keyOf(simulator) });
  expect(runtime.out()).toMatch(/^prod container_nodes \d{8}T\d{6}Z /);
});

test('says which target is held, why and until when', async () => {
  const simulator = await simulate();
  const env = { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: 'wrong-secret-key-0123456789' };
  const options = { cwd: createFolder(), env };
  const args = ['tick', ...flagsFor(simulator), '--account', 'prod'];
  await call(args, options);
  const people = await call(args, options);
  expect(people.code).toBe(0);
  expect(people.runtime.out()).toMatch(
    /^held until 20\S+Z: prod container_nodes cn-south-4 \S+\n {2}requests with its access key fail since 20\S+Z \(1 in a row\): REFUSED: .+\n {2}.*secret key.*\n {2}.*`cgs-export export` tries at once.*--account prod.*\nidle, 0 requests: /,
  );
  const { runtime } = await call([...args, '--json'], options);
  expect(runtime.json()).toMatchObject({
    status: 'idle',
    held: [
      {
        ...{ account: 'prod', table: 'container_nodes', region: simulator.region },
        projectId: simulator.projectId,
        heldUntil: expect.stringMatching(/Z$/),
        failure: { ofKey: true, code: 'REFUSED', failures: 1, since: expect.any(String) },
      },
    ],
  });
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

test('names the target of the open run, and until when it waits', async () => {
  const simulator = await simulate({ nodes: 700 });
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  const quota = ['--quota-requests', '2', '--quota-window-seconds', '60', '--account', 'prod'];
  const args = ['tick', ...flagsFor(simulator).slice(0, 8), ...quota];
  for (const requests of [2, 0]) {
    const { runtime } = await call(args, options);
    const line =
      /^open: prod container_nodes cn-south-4 (\S+), run (\S+): waiting for the quota until (\S+)\npaused, (\d) requests\n$/;
    const [, project, run = '', until = '', sent] = line.exec(runtime.out()) ?? [];
    expect([project, sent]).toEqual([simulator.projectId, String(requests)]);
    expect(run).toMatch(/^\d{8}T000000Z$/);
    const leftMs = Date.parse(until) - Date.now();
    expect(leftMs).toBeGreaterThan(30_000);
    expect(leftMs).toBeLessThan(90_000);
  }
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

test('says why the newest attempt failed although the quota ended its tries, and status says it too', async () => {
  const simulator = await simulate();
  const options = { cwd: createFolder(), env: keyOf(simulator) };
  const closed = ['--endpoint', 'http://127.0.0.1:1'];
  const flags = flagsFor(simulator).slice(0, 8);
  const at = flags.indexOf('--endpoint');
  flags.splice(at, 2, ...closed);
  const args = ['tick', ...flags, '--quota-requests', '1', '--quota-window-seconds', '60'];
  const first = await call(args, options);
  expect(first.code).toBe(0);
  expect(first.runtime.out()).toMatch(
    /^newest attempt failed: default container_nodes \S+ \S+\n {2}it fails since \S+ \(1 in a row\): NETWORK: .*connection refused.*\n {2}Check the network.*\npaused, 1 request\n$/,
  );
  const status = await call(['status', '--store', 'file:./lake'], options);
  expect(status.runtime.out()).toMatch(/never sealed: NETWORK: .*connection refused/);
  expect(status.runtime.out()).not.toContain('completes it now');
});
