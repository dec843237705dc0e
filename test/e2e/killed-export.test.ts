// Tests that an export continues after SIGKILL. test/scenarios/kill.test.ts kills it at more moments.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createFolder,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  runCli,
  startCli,
  startEndpoint,
  until,
} from './processes.ts';
import { expectServed, readSnapshot } from './served-rows.ts';

test('the same command continues after SIGKILL, and asks again at most for the page that was on its way', async () => {
  const endpoint = await startEndpoint({ nodes: 1_500, latencyMs: { min: 100, max: 100 } });
  const cwd = createFolder();
  const args = ['export', '--json', ...flagsFor(endpoint)];
  const { child, ended } = startCli(args, { cwd, env: keyOf(endpoint) });
  await until(async () => (await endpoint.report()).servings.length >= 3, 'three pages');
  child.kill('SIGKILL');
  expect((await ended).signal).toBe('SIGKILL');
  const sealed = await runCli(args, { cwd, env: keyOf(endpoint) });
  expectCode(sealed, 0);
  const [snapshot] = readJson(sealed).snapshots;
  expect(snapshot).toMatchObject({ rows: 1_500, verdict: 'complete' });
  const report = await endpoint.report();
  expectServed(await readSnapshot(join(cwd, 'lake'), snapshot?.manifest ?? ''), report);
  expect(report.servings.length).toBeLessThanOrEqual(Math.ceil(1_499 / 199) + 1);
  expectCode(await runCli(['verify', '--store', 'file:./lake'], { cwd }), 0);
});
