// Tests the command `simulate`.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

test('many projects: prints every identity as JSON, and a configuration for people', async () => {
  const args = ['--accounts', '2', '--region', 'cn-north-4', '--region', 'cn-east-3'];
  const first = await startSimulate(['--json', ...args, '--nodes', '5,9']);
  await first.stop();
  const { accounts } = first.runtime.json() as { accounts: { projects: object[] }[] };
  expect(accounts.flatMap(({ projects }) => projects)).toMatchObject([
    { region: 'cn-north-4', nodes: 5 },
    { region: 'cn-east-3', nodes: 9 },
    { region: 'cn-north-4', nodes: 5 },
    { region: 'cn-east-3', nodes: 9 },
  ]);
  const second = await startSimulate(args);
  await second.stop();
  expect(second.runtime.out()).toContain('2 accounts, 4 projects with 300 nodes each');
  expect(second.runtime.out()).toContain('quota: { requests: 5, windowSeconds: 60 }');
  expect(second.runtime.out().match(/projectId/g)).toHaveLength(4);
});

test('--write-config writes a configuration that exports every project', async () => {
  const { runtime, stop } = await startSimulate([
    ...['--accounts', '3', '--projects', '2', '--nodes', '20', '--no-quota'],
    ...['--write-config', 'sim.yml'],
  ]);
  expect(runtime.out()).toContain('wrote sim.yml: 6 targets');
  expect(runtime.out()).toContain('cgs-export export --config sim.yml');
  const exported = await call(['export', '--json', '--config', 'sim.yml'], { cwd: runtime.cwd });
  expect(exported.code).toBe(0);
  const { snapshots } = exported.runtime.json() as { snapshots: { rows: number }[] };
  expect(snapshots.map(({ rows }) => rows)).toEqual([20, 20, 20, 20, 20, 20]);
  await stop();
});

test('--clusters: the configuration and the command that are shown export the clusters too', async () => {
  const args = ['--nodes', '20', '--clusters', '3', '--no-quota'];
  const { runtime, stop } = await startSimulate([...args, '--write-config', 'sim.yml']);
  const exported = await call(['export', '--json', '--config', 'sim.yml'], { cwd: runtime.cwd });
  await stop();
  const { snapshots } = exported.runtime.json() as { snapshots: { table: string; rows: number }[] };
  expect(snapshots.map(({ table, rows }) => [table, rows])).toEqual([
    ['container_nodes', 20],
    ['container_clusters', 3],
  ]);
  const shown = await startSimulate(args);
  await shown.stop();
  expect(shown.runtime.out()).toContain(' --datasets container_nodes,container_clusters ');
  // Only hss lists them, and by default only the nodes are exported.
  for (const others of [['--flavour', 'cgs', '--clusters', '3'], ['--clusters', '0'], []]) {
    const plain = await startSimulate(['--projects', '2', ...others]);
    await plain.stop();
    expect(plain.runtime.out()).not.toContain('datasets');
  }
});

test('--drift changes statuses between snapshots', async () => {
  const args = ['--nodes', '50', '--no-quota', '--drift', 'offline=3,closed=2'];
  const { runtime, stop } = await startSimulate([...args, '--write-config', 'sim.yml']);
  const counts: unknown[] = [];
  for (let round = 0; round < 2; round += 1) {
    const exported = await call(['export', '--json', '--config', 'sim.yml'], { cwd: runtime.cwd });
    expect(exported.code).toBe(0);
    const { snapshots } = exported.runtime.json() as { snapshots: { manifest: string }[] };
    const manifest = readFileSync(
      join(runtime.cwd, 'export', snapshots[0]?.manifest ?? ''),
      'utf8',
    );
    const { values } = JSON.parse(manifest) as { values: Record<string, Record<string, number>> };
    counts.push([values.agent_status?.offline, values.protect_status?.closed]);
  }
  await stop();
  const [[offline, closed]] = counts as [[number, number]];
  expect(counts[1]).toEqual([offline + 3, closed + 2]);
});

describe('wrong values: exit code 2', () => {
  test.each([
    [['--fault', 'boom']],
    [['--drift', 'sideways=1']],
    [['--port', '70000']],
    [['--nodes', 'many']],
    [['--nodes', '5,']],
    [['--accounts', '0']],
    [['--projects', '1.5']],
    [['--write-config', 'missing/sim.yml']],
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
