// Tests the command `export`: output, exit codes, and that it continues after a signal.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../lib/cli/program.ts';
import {
  call,
  createFolder,
  createTestRuntime,
  exportSome,
  flagsFor,
  keyOf,
  simulate,
} from './test-runtime.ts';

describe('a sealed snapshot', () => {
  test('is printed with the documented fields with --json', async () => {
    const simulator = await simulate({ nodes: 250 });
    const { code, runtime } = await call(['export', '--json', ...flagsFor(simulator)], {
      env: keyOf(simulator),
    });
    expect(code).toBe(0);
    const { status, snapshots, requests, errors, ...rest } = runtime.json();
    expect({ status, requests, errors, rest }).toEqual({
      status: 'sealed',
      requests: 2,
      errors: [],
      rest: {},
    });
    const [snapshot] = snapshots as Record<string, unknown>[];
    expect(snapshot).toEqual({
      account: 'default',
      table: 'container_nodes',
      region: simulator.region,
      projectId: simulator.projectId,
      snapshot: expect.stringMatching(/^\d{8}T\d{6}Z$/),
      rows: 250,
      verdict: 'complete',
      manifest: expect.stringMatching(/^_manifests\/container_nodes\/.*\.json$/),
      manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(existsSync(join(runtime.cwd, 'lake', String(snapshot?.manifest)))).toBe(true);
  });

  test('is printed with rows, verdict and place for people, without logs on stdout', async () => {
    const simulator = await simulate({ nodes: 5 });
    const { code, runtime } = await call(['export', ...flagsFor(simulator)], {
      env: keyOf(simulator),
    });
    expect(code).toBe(0);
    expect(runtime.out()).toContain('5 rows');
    expect(runtime.out()).toContain('complete');
    expect(runtime.out()).toMatch(/manifest {2}_manifests\/container_nodes\/.*sha256 [0-9a-f]{64}/);
    expect(runtime.out()).toContain(`in file:${join(runtime.cwd, 'lake')}`);
    expect(runtime.logs().map((line) => line.message)).toContain('sealed');
  });

  test('is made only of the targets that --table selects', async () => {
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
    const { code, runtime } = await call(['export', '--json', '--table', 'off_nodes'], {
      cwd,
      env: keyOf(simulator),
    });
    expect(code).toBe(0);
    expect(runtime.json().snapshots).toMatchObject([{ table: 'off_nodes' }]);
    expect(existsSync(join(cwd, 'lake', 'container_nodes'))).toBe(false);
  });
});

test('exits with 6 for a drifted snapshot and does not move _latest', async () => {
  const simulator = await simulate({
    nodes: 1_000,
    drift: { reordersPerRequest: 40 },
  });
  const { code, runtime } = await call(['export', '--json', ...flagsFor(simulator)], {
    env: keyOf(simulator),
  });
  expect(code).toBe(6);
  expect(runtime.json()).toMatchObject({ status: 'sealed', snapshots: [{ verdict: 'drifted' }] });
  expect(existsSync(join(runtime.cwd, 'lake', '_latest'))).toBe(false);
});

describe('a failure', () => {
  test('refused key: exit code 3, one request, and no secret in the output', async () => {
    const simulator = await simulate();
    const sk = 'wrong-secret-key-0123456789';
    for (const json of [['--json'], []]) {
      const { code, runtime } = await call(
        ['export', '--log-level', 'debug', ...json, ...flagsFor(simulator)],
        { env: { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: sk } },
      );
      expect(code).toBe(3);
      const output = runtime.out() + runtime.err();
      expect(output).not.toContain(sk);
      expect(output).not.toContain(simulator.ak);
      if (json.length > 0) {
        const { status, errors, snapshots } = runtime.json();
        expect({ status, snapshots }).toEqual({ status: 'failed', snapshots: [] });
        expect(errors).toMatchObject([{ message: expect.any(String), hint: expect.any(String) }]);
      }
    }
    expect(simulator.stats().nodeRequests).toBe(2);
  });

  test.each(['json', 'pretty'])('is printed once, with account and hint: %s', async (format) => {
    const simulator = await simulate();
    const args = ['export', '--log-format', format, '--account', 'prod', ...flagsFor(simulator)];
    const env = { ...keyOf(simulator), HUAWEICLOUD_SDK_SK: 'wrong-secret-key-0123456789' };
    const { runtime } = await call(args, { env });
    const lines = runtime
      .err()
      .split('\n')
      .filter((line) => line.includes('REFUSED'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('(account prod, run ');
    expect(runtime.err()).toContain('secret key');
  });

  test('that is not in any log line is printed at the end', async () => {
    const simulator = await simulate();
    simulator.stop();
    const args = ['tick', '--log-level', 'error', ...flagsFor(simulator), '--time-limit', '5'];
    const { runtime } = await call(args, { env: keyOf(simulator) });
    // The log shows temporary faults as warnings.
    expect(runtime.logs()).toMatchObject([{ level: 'error', code: 'NETWORK' }]);
  });

  test('missing configuration: exit code 2, with all fields of a result', async () => {
    const { code, runtime } = await call(['export', '--json']);
    expect(code).toBe(2);
    expect(runtime.json()).toMatchObject({
      status: 'failed',
      snapshots: [],
      requests: 0,
      errors: [{ code: 'CONFIG', hint: expect.stringContaining('cgs-export init') }],
    });
  });

  test('--config together with --store: exit code 2', async () => {
    const args = ['export', '--json', '--config', 'x.yml', '--store', 'file:./lake'];
    const { code, runtime } = await call(args);
    expect(code).toBe(2);
    expect(JSON.stringify(runtime.json())).toContain('--config');
  });

  test('altered state: exit code 5 with a new snapshot, and the altered bytes are kept', async () => {
    const { cwd, env, flags } = await exportSome();
    const path = join(cwd, 'lake', '_runs', 'schedule.json');
    writeFileSync(path, '{"not": "ours"}');
    const { code, runtime } = await call(['export', '--json', ...flags], { cwd, env });
    expect(code).toBe(5);
    expect(runtime.json()).toMatchObject({ status: 'sealed', errors: [{ code: 'CORRUPT' }] });
    const folder = join(cwd, 'lake', '_runs');
    const texts = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => readFileSync(join(folder, name), 'utf8'));
    expect(texts).toContain('{"not": "ours"}');
    const next = await call(['export', '--json', ...flags], { cwd, env });
    expect(next.code).toBe(0);
  });

  test('store that is not a folder: exit code 3, because it does not pass by itself', async () => {
    const simulator = await simulate();
    const cwd = createFolder();
    mkdirSync(join(cwd, 'd'));
    writeFileSync(join(cwd, 'd', 'file'), '');
    const { code, runtime } = await call(
      ['export', '--json', ...flagsFor(simulator, 'file:./d/file')],
      { cwd, env: keyOf(simulator) },
    );
    expect(code).toBe(3);
    expect(runtime.json()).toMatchObject({ errors: [{ code: 'STORE_UNUSABLE' }] });
  });
});

test('a signal pauses the export, and the same command continues without reading a page twice', async () => {
  const simulator = await simulate({ nodes: 700 });
  const cwd = createFolder();
  const env = keyOf(simulator);
  const flags = [
    ...flagsFor(simulator).slice(0, 8),
    ...['--quota-requests', '2', '--quota-window-seconds', '1.5'],
  ];
  const runtime = createTestRuntime({ cwd, env });
  const running = runProgram(['export', '--json', ...flags], runtime);
  while (simulator.stats().pages < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  // Both pages are read, so the export now waits for the quota window.
  await new Promise((resolve) => setTimeout(resolve, 150));
  runtime.raise('SIGINT');
  expect(await running).toBe(4);
  expect(runtime.json()).toMatchObject({ status: 'paused', snapshots: [], requests: 2 });
  expect(JSON.stringify(runtime.json().errors)).toContain('Run the same command again');

  const again = await call(['export', '--json', ...flags], { cwd, env });
  expect(again.code).toBe(0);
  expect(again.runtime.json()).toMatchObject({ requests: 2, snapshots: [{ rows: 700 }] });
  expect(simulator.stats()).toMatchObject({ nodeRequests: 4, throttled: 0 });
});
