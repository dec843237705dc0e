// Tests the command `simulate`.

import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import { call, createTestRuntime, flagsFor, keyOf } from './test-runtime.ts';

async function startSimulate(args: readonly string[], env: Record<string, string> = {}) {
  const runtime = createTestRuntime({ env });
  const running = runProgram(['simulate', ...args], runtime);
  while (runtime.out() === '') await new Promise((resolve) => setTimeout(resolve, 5));
  const stop = () => {
    runtime.raise('SIGTERM');
    return running;
  };
  return { runtime, stop };
}

test('--json prints the address and the identity, then serves until a signal: exit code 0', async () => {
  const { runtime, stop } = await startSimulate(['--json', '--nodes', '7', '--no-quota']);
  const identity = runtime.json() as { url: string; ak: string; sk: string; projectId: string };
  expect(Object.keys(identity)).toEqual(['url', 'ak', 'sk', 'projectId']);
  expect(identity.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const target = { ...identity, region: 'cn-south-4' };
  const flags = flagsFor(target as Parameters<typeof flagsFor>[0]);
  const exported = await call(['export', '--json', ...flags], { env: keyOf(identity) });
  expect(exported.code).toBe(0);
  expect(exported.runtime.json()).toMatchObject({ snapshots: [{ rows: 7 }] });
  expect(await stop()).toBe(0);
  expect(runtime.logs().at(-1)).toMatchObject({
    message: 'simulator stopped',
    nodeRequests: 1,
    pages: 1,
  });
});

test('prints the demo key even if the environment holds the same key', async () => {
  const first = await startSimulate(['--json']);
  const { ak, sk } = first.runtime.json() as { ak: string; sk: string };
  await first.stop();
  const second = await startSimulate(['--json'], keyOf({ ak, sk }));
  expect(second.runtime.json()).toMatchObject({ ak, sk });
  await second.stop();
});

test('prints commands for another shell, for people', async () => {
  const args = ['--flavour', 'cgs', '--quota-requests', '9', '--quota-window-seconds', '2'];
  const { runtime, stop } = await startSimulate([...args, '--token', 'demo-token']);
  await stop();
  expect(runtime.out()).toMatch(/export HUAWEICLOUD_SDK_AK=\S+ HUAWEICLOUD_SDK_SK=\S+/);
  expect(runtime.out()).toContain('HUAWEICLOUD_SDK_SECURITY_TOKEN=demo-token');
  expect(runtime.out()).toContain('--api cgs --quota-requests 9 --quota-window-seconds 2');
});

test('passes its options to the simulator', async () => {
  const args = ['--seed', '3', '--drift', 'insert=1', '--fault', '500@1', '--fault', '503@2'];
  const { runtime, stop } = await startSimulate([
    '--json',
    '--nodes',
    '9',
    '--latency',
    '1-2',
    ...args,
  ]);
  const { url, projectId, ...key } = runtime.json() as Record<string, string>;
  const target = { url, projectId, region: 'cn-south-4' };
  const flags = flagsFor(target as Parameters<typeof flagsFor>[0]);
  const env = keyOf(key as { ak: string; sk: string });
  const { code } = await call(['export', ...flags], { env });
  expect(code).toBe(0);
  await stop();
  expect(runtime.logs().at(-1)).toMatchObject({ faults: 2, nodeRequests: 3, inserted: 3 });
});

describe('wrong values: exit code 2', () => {
  test.each([
    [['--fault', 'boom']],
    [['--drift', 'sideways=1']],
    [['--port', '70000']],
    [['--nodes', 'many']],
    [['--latency', '80-20']],
    [['--quota-mode', 'rolling']],
    [['--flavour', 'vanilla']],
  ])('rejects %j', async (args) => {
    const { code, runtime } = await call(['simulate', '--json', ...args]);
    expect(code).toBe(2);
    expect(runtime.json()).toMatchObject({ status: 'failed' });
    expect(JSON.stringify(runtime.json().errors)).toContain(args[0]);
  });
});
