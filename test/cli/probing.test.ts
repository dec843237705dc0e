// Tests that the sizes of many lists are asked for with progress, and that a probe that was stopped can be repeated.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trackProbes } from '../../lib/cli/probing.ts';
import { runProgram } from '../../lib/cli/program.ts';
import { call, createFolder, createTestRuntime, keyOf, simulate } from './test-runtime.ts';

test('keeps what it has learned if it is stopped, and asks for the rest when it is repeated', async () => {
  const simulator = await simulate({ nodes: 30 });
  const { region, projectId, url } = simulator;
  const target = (table: string) => ({ table, region, projectId, endpoint: url });
  const targets = ['a_nodes', 'b_nodes', 'c_nodes'].map(target);
  const cwd = createFolder();
  const store = { store: 'file:./lake', accounts: [{ name: 'one', targets }] };
  const write = (requests: number) =>
    writeFileSync(
      join(cwd, 'cgs-export.yml'),
      JSON.stringify({ ...store, quota: { requests, windowSeconds: 60 } }),
    );
  write(2);
  const runtime = createTestRuntime({
    cwd,
    env: keyOf(simulator),
    // Called as often as the progress is shown.
    every: (_intervalMs, show) => {
      const timer = setInterval(() => {
        show();
        const waits = runtime.err().includes('"waiting"');
        if (waits) runtime.raise('SIGINT');
      }, 20);
      return () => clearInterval(timer);
    },
  });
  expect(await runProgram(['plan', '--probe', '--json'], runtime)).toBe(4);
  const states = runtime.logs().filter(({ message }) => message === 'progress');
  expect(states.at(-1)).toMatchObject({ of: 'one c_nodes cn-south-4', targets: 2, total: 3 });
  expect(runtime.json()).toMatchObject({
    status: 'failed',
    targets: [{ rows: 30 }, { rows: 30 }, { rows: null }],
    errors: [{ code: 'STOPPED', message: expect.stringContaining('after 2 of 3 targets') }],
  });
  write(1_000);
  const again = await call(['plan', '--probe', '--json'], { cwd, env: keyOf(simulator) });
  expect(again.code).toBe(0);
  expect(again.runtime.json()).toMatchObject({ total: { unknown: 0, fits: true } });
  expect(simulator.stats().nodeRequests).toBe(3);
});

test('the time left follows the slower of the quota and the measured time of the requests', () => {
  const targets = Array.from({ length: 200 }, (_, index) => {
    return { account: `a${index}`, table: 'container_nodes', region: 'cn-south-4' };
  });
  const probe = (quota: { requests: number; windowMs: number }, eachMs: number) => {
    const tracker = trackProbes(targets, quota);
    for (const [index, target] of targets.slice(0, 5).entries()) {
      tracker.start(target, index * eachMs);
    }
    return tracker.stateAt(5 * eachMs)?.leftMs;
  };
  expect(probe({ requests: 1_000, windowMs: 1_000 }, 500)).toBe(196 * 500);
  expect(probe({ requests: 5, windowMs: 60_000 }, 500)).toBe(39 * 60_000);
});
