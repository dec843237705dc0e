// Tests an export whose host has a wrong clock. Method: the built file with another Date, which is what the process takes for
// the clock of its host; the endpoint follows it, so that signatures are valid. Files are stamped by the real clock.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  createFolder,
  type Endpoint,
  expectCode,
  flagsFor,
  keyOf,
  type Quota,
  readJson,
  runCli,
  startCli,
  startEndpoint,
  until,
} from '../e2e/processes.ts';
import { countMost } from '../support/busiest-window.ts';
import { someCases } from '../support/cases.ts';

/** A window that is longer than a process takes to start, so that pauses show only the quota. */
const quota: Quota = { requests: 5, windowSeconds: 12 };
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Environment of a process whose clock is `offsetMs` ahead until the file `right` exists. */
function withClock(endpoint: Endpoint, offsetMs: number, right = '/nowhere') {
  const module = `
    import { existsSync } from 'node:fs';
    const RealDate = Date;
    const nowMs = () => RealDate.now() + (existsSync(${JSON.stringify(right)}) ? 0 : ${offsetMs});
    globalThis.Date = class extends RealDate {
      constructor(...given) {
        if (given.length === 0) super(nowMs());
        else super(...given);
      }
      static now() { return nowMs(); }
    };`;
  const url = `data:text/javascript;base64,${Buffer.from(module).toString('base64')}`;
  return { ...keyOf(endpoint), NODE_OPTIONS: `--import=${url}` };
}

async function startWorld(nodes: number) {
  const endpoint = await startEndpoint({ nodes, latencyMs: { min: 20, max: 60 } });
  const cwd = createFolder();
  const args = ['export', '--json', ...flagsFor(endpoint, quota)];
  const count = async () => (await endpoint.report()).servings.length;
  return { endpoint, cwd, args, count };
}

/** Within the quota, and without a longer pause than one window and 2 s. */
async function expectSteady(endpoint: Endpoint): Promise<void> {
  const { servings } = await endpoint.report();
  const windowMs = quota.windowSeconds * 1_000;
  expect(countMost(servings, windowMs)).toBeLessThanOrEqual(quota.requests);
  for (const [index, { atMs }] of servings.slice(1).entries()) {
    expect(atMs - (servings[index]?.atMs ?? 0)).toBeLessThan(windowMs + 2_000);
  }
}

describe.concurrent('a clock that is wrong', () => {
  test.each(someCases([400 * dayMs, 90_000, -3 * hourMs]))(
    'by %d ms after a kill: the quota holds, and no request waits longer than for its window',
    async (offsetMs) => {
      const { endpoint, cwd, args, count } = await startWorld(1_500);
      const first = startCli(args, { cwd, env: keyOf(endpoint) });
      await until(async () => (await count()) >= 4, 'four pages');
      first.child.kill('SIGKILL');
      await first.ended;
      await endpoint.change({ clockOffsetMs: offsetMs });
      const ended = await runCli(args, { cwd, env: withClock(endpoint, offsetMs) });
      expectCode(ended, 0);
      await expectSteady(endpoint);
      expect(readJson(ended).snapshots).toMatchObject([{ rows: 1_500, verdict: 'complete' }]);
    },
  );

  test('for one whole export: the next one does not wait for it, and no age is negative', async () => {
    const { endpoint, cwd, args } = await startWorld(700);
    await endpoint.change({ clockOffsetMs: 6 * hourMs });
    expectCode(await runCli(args, { cwd, env: withClock(endpoint, 6 * hourMs) }), 0);
    await endpoint.change({ clockOffsetMs: 0 });
    const status = await runCli(['status', '--json', '--store', 'file:./lake'], { cwd });
    expect(readJson<{ targets: object[] }>(status).targets).toMatchObject([
      { last: { ageSeconds: 0 } },
    ]);
    expectCode(await runCli(args, { cwd, env: keyOf(endpoint) }), 0);
    await expectSteady(endpoint);
  });

  test.each(someCases([-3 * hourMs, 3 * hourMs]))(
    'by %d ms and is set right in mid-run: the same process continues',
    async (offsetMs) => {
      const { endpoint, cwd, args, count } = await startWorld(1_500);
      await endpoint.change({ clockOffsetMs: offsetMs });
      const right = join(cwd, 'right');
      const { ended } = startCli(args, { cwd, env: withClock(endpoint, offsetMs, right) });
      // The process waits for the quota then, so that no request is signed meanwhile.
      await until(async () => (await count()) >= 5, 'five pages');
      await delay(1_000);
      writeFileSync(right, '');
      await endpoint.change({ clockOffsetMs: 0 });
      expectCode(await ended, 0);
      await expectSteady(endpoint);
    },
  );
});
