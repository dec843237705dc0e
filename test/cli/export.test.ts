import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import {
  call,
  createFolder,
  createTestWorld,
  exportSome,
  flagsFor,
  keyOf,
  simulate,
} from './world.ts';

describe('sealed', () => {
  test('--json has the shape of the contract', async () => {
    const simulator = await simulate({ nodes: 250 });
    const { code, world } = await call(['export', '--json', ...flagsFor(simulator)], {
      env: keyOf(simulator),
    });
    expect(code).toBe(0);
    const { status, snapshots, requests, errors, ...rest } = world.json();
    expect({ status, requests, errors, rest }).toEqual({
      status: 'sealed',
      requests: 2,
      errors: [],
      rest: {},
    });
    const [snapshot] = snapshots as Record<string, unknown>[];
    expect(snapshot).toEqual({
      table: 'container_nodes',
      region: simulator.region,
      projectId: simulator.projectId,
      snapshot: expect.stringMatching(/^\d{8}T\d{6}Z$/),
      rows: 250,
      verdict: 'complete',
      manifest: expect.stringMatching(/^_manifests\/container_nodes\/.*\.json$/),
      manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(existsSync(join(world.cwd, 'lake', String(snapshot?.manifest)))).toBe(true);
  });

  test('for people: rows, verdict, where; logs stay off stdout', async () => {
    const simulator = await simulate({ nodes: 5 });
    const { code, world } = await call(['export', ...flagsFor(simulator)], {
      env: keyOf(simulator),
    });
    expect(code).toBe(0);
    expect(world.out()).toContain('5 rows');
    expect(world.out()).toContain('complete');
    expect(world.out()).toMatch(/manifest {2}_manifests\/container_nodes\/.*sha256 [0-9a-f]{64}/);
    expect(world.out()).toContain(`in file:${join(world.cwd, 'lake')}`);
    expect(world.logs().map((line) => line.message)).toContain('sealed');
  });

  test('--account and --table choose of the configuration', async () => {
    const simulator = await simulate({ nodes: 5 });
    const cwd = createFolder();
    const target = `region: ${simulator.region}, projectId: ${simulator.projectId}, endpoint: "${simulator.url}"`;
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      [
        'store: file:./lake',
        'quota: { requests: 50, windowSeconds: 1 }',
        'accounts:',
        '  - name: prod',
        '    targets:',
        `      - { ${target} }`,
        `      - { ${target}, table: off_nodes, filters: { agentStatus: offline } }`,
      ].join('\n'),
    );
    const { code, world } = await call(['export', '--json', '--table', 'off_nodes'], {
      cwd,
      env: keyOf(simulator),
    });
    expect(code).toBe(0);
    expect(world.json().snapshots).toMatchObject([{ table: 'off_nodes' }]);
    expect(existsSync(join(cwd, 'lake', 'container_nodes'))).toBe(false);
  });
});

test('drifted: sealed, exit 6, and _latest is not moved', async () => {
  const simulator = await simulate({
    nodes: 1_000,
    drift: { reordersPerRequest: 40 },
  });
  const { code, world } = await call(['export', '--json', ...flagsFor(simulator)], {
    env: keyOf(simulator),
  });
  expect(code).toBe(6);
  expect(world.json()).toMatchObject({ status: 'sealed', snapshots: [{ verdict: 'drifted' }] });
  expect(existsSync(join(world.cwd, 'lake', '_latest'))).toBe(false);
});

describe('failed', () => {
  test('a refused key: exit 3, one request, and no secret anywhere', async () => {
    const simulator = await simulate();
    const sk = 'wrong-secret-key-0123456789';
    for (const json of [['--json'], []]) {
      const { code, world } = await call(
        ['export', '--log-level', 'debug', ...json, ...flagsFor(simulator)],
        { env: { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: sk } },
      );
      expect(code).toBe(3);
      const said = world.out() + world.err();
      expect(said).not.toContain(sk);
      expect(said).not.toContain(simulator.ak);
      if (json.length > 0) {
        const { status, errors, snapshots } = world.json();
        expect({ status, snapshots }).toEqual({ status: 'failed', snapshots: [] });
        expect(errors).toMatchObject([{ message: expect.any(String), hint: expect.any(String) }]);
      }
    }
    expect(simulator.stats().nodeRequests).toBe(2);
  });

  test('a configuration that is missing: exit 2, the whole shape', async () => {
    const { code, world } = await call(['export', '--json']);
    expect(code).toBe(2);
    expect(world.json()).toMatchObject({
      status: 'failed',
      snapshots: [],
      requests: 0,
      errors: [{ code: 'CONFIG', hint: expect.stringContaining('cgs-export init') }],
    });
  });

  test('--config beside --store: exit 2', async () => {
    const args = ['export', '--json', '--config', 'x.yml', '--store', 'file:./lake'];
    const { code, world } = await call(args);
    expect(code).toBe(2);
    expect(JSON.stringify(world.json())).toContain('--config');
  });

  test('state that was altered: exit 5, nothing overwritten', async () => {
    const { cwd, env, flags } = await exportSome();
    const path = join(cwd, 'lake', '_runs', 'schedule.json');
    writeFileSync(path, '{"not": "ours"}');
    const { code, world } = await call(['export', '--json', ...flags], { cwd, env });
    expect(code).toBe(5);
    expect(world.json()).toMatchObject({ status: 'failed', errors: [{ code: 'CORRUPT' }] });
    expect(readFileSync(path, 'utf8')).toBe('{"not": "ours"}');
  });

  test('a store that is no folder: not 0, and told', async () => {
    const simulator = await simulate();
    const cwd = createFolder();
    mkdirSync(join(cwd, 'd'));
    writeFileSync(join(cwd, 'd', 'file'), '');
    const { code, world } = await call(
      ['export', '--json', ...flagsFor(simulator, 'file:./d/file')],
      { cwd, env: keyOf(simulator) },
    );
    expect(code).toBe(4);
    expect(world.json()).toMatchObject({ errors: [{ code: 'STORE_FAILED' }] });
  });
});

test('a signal pauses; the same command goes on and buys no page twice', async () => {
  const simulator = await simulate({ nodes: 700 });
  const cwd = createFolder();
  const env = keyOf(simulator);
  const flags = [
    ...flagsFor(simulator).slice(0, 8),
    ...['--quota-requests', '2', '--quota-window-seconds', '1.5'],
  ];
  const world = createTestWorld({ cwd, env });
  const running = runProgram(['export', '--json', ...flags], world);
  while (simulator.stats().pages < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  // Both pages are there: what follows is the wait for the window.
  await new Promise((resolve) => setTimeout(resolve, 150));
  world.raise('SIGINT');
  expect(await running).toBe(4);
  expect(world.json()).toMatchObject({ status: 'paused', snapshots: [], requests: 2 });
  expect(JSON.stringify(world.json().errors)).toContain('Run the same command again');

  const again = await call(['export', '--json', ...flags], { cwd, env });
  expect(again.code).toBe(0);
  expect(again.world.json()).toMatchObject({ requests: 2, snapshots: [{ rows: 700 }] });
  expect(simulator.stats()).toMatchObject({ nodeRequests: 4, throttled: 0 });
});
