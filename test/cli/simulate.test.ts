import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { call, createTestWorld, flagsFor, keyOf } from './world.ts';

async function startSimulate(args: readonly string[], env: Record<string, string> = {}) {
  const world = createTestWorld({ env });
  const running = runProgram(['simulate', ...args], world);
  while (world.out() === '') await new Promise((resolve) => setTimeout(resolve, 5));
  const stop = () => {
    world.raise('SIGTERM');
    return running;
  };
  return { world, stop };
}

test('--json says where and as whom, then runs until it is stopped: exit 0', async () => {
  const { world, stop } = await startSimulate(['--json', '--nodes', '7', '--no-quota']);
  const identity = world.json() as { url: string; ak: string; sk: string; projectId: string };
  expect(Object.keys(identity)).toEqual(['url', 'ak', 'sk', 'projectId']);
  expect(identity.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const target = { ...identity, region: 'cn-south-4' };
  const flags = flagsFor(target as Parameters<typeof flagsFor>[0]);
  const exported = await call(['export', '--json', ...flags], { env: keyOf(identity) });
  expect(exported.code).toBe(0);
  expect(exported.world.json()).toMatchObject({ snapshots: [{ rows: 7 }] });
  expect(await stop()).toBe(0);
  expect(world.logs().at(-1)).toMatchObject({ message: 'served', nodeRequests: 1, pages: 1 });
});

test('the demo key is shown even where it is the environment’s own', async () => {
  const first = await startSimulate(['--json']);
  const { ak, sk } = first.world.json() as { ak: string; sk: string };
  await first.stop();
  const second = await startSimulate(['--json'], keyOf({ ak, sk }));
  expect(second.world.json()).toMatchObject({ ak, sk });
  await second.stop();
});

test('for people: lines to be copied into another shell', async () => {
  const args = ['--flavour', 'cgs', '--quota-requests', '9', '--quota-window-seconds', '2'];
  const { world, stop } = await startSimulate([...args, '--token', 'demo-token']);
  await stop();
  expect(world.out()).toMatch(/export HUAWEICLOUD_SDK_AK=\S+ HUAWEICLOUD_SDK_SK=\S+/);
  expect(world.out()).toContain('HUAWEICLOUD_SDK_SECURITY_TOKEN=demo-token');
  expect(world.out()).toContain('--api cgs --quota-requests 9 --quota-window-seconds 2');
});

test('its options reach it', async () => {
  const args = ['--seed', '3', '--drift', 'insert=1', '--fault', '500@1', '--fault', '503@2'];
  const { world, stop } = await startSimulate([
    '--json',
    '--nodes',
    '9',
    '--latency',
    '1-2',
    ...args,
  ]);
  const { url, projectId, ...key } = world.json() as Record<string, string>;
  const target = { url, projectId, region: 'cn-south-4' };
  const flags = flagsFor(target as Parameters<typeof flagsFor>[0]);
  const env = keyOf(key as { ak: string; sk: string });
  const { code } = await call(['export', ...flags], { env });
  expect(code).toBe(0);
  await stop();
  expect(world.logs().at(-1)).toMatchObject({ faults: 2, nodeRequests: 3, inserted: 3 });
});

describe('what makes no sense: exit 2', () => {
  test.each([
    [['--fault', 'boom']],
    [['--drift', 'sideways=1']],
    [['--port', '70000']],
    [['--nodes', 'many']],
    [['--latency', '80-20']],
    [['--quota-mode', 'rolling']],
    [['--flavour', 'vanilla']],
  ])('%j', async (args) => {
    const { code, world } = await call(['simulate', '--json', ...args]);
    expect(code).toBe(2);
    expect(world.json()).toMatchObject({ status: 'failed' });
    expect(JSON.stringify(world.json().errors)).toContain(args[0]);
  });
});
