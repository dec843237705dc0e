// Tests that an export killed at any moment continues, requests at most the page in flight again, seals the same rows and
// keeps the quota. Method: SIGKILL to the built file at seeded moments; a second store with an undisturbed export.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
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
import { expectServed, readSnapshot, type SnapshotRows } from '../e2e/served-rows.ts';
import { countMost } from '../support/busiest-window.ts';
import { countCases, someCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';

/** Exports without interruption to a new store. */
async function exportUndisturbed(endpoint: Endpoint): Promise<SnapshotRows> {
  const cwd = createFolder();
  const ended = await runCli(['export', '--json', ...flagsFor(endpoint)], {
    cwd,
    env: keyOf(endpoint),
  });
  expectCode(ended, 0);
  return readSnapshot(join(cwd, 'lake'), readJson(ended).snapshots[0]?.manifest ?? '');
}

async function countServings(endpoint: Endpoint): Promise<number> {
  return (await endpoint.report()).servings.length;
}

/** Runs the command to its end and verifies the store. Returns the sealed rows. */
async function finish(args: string[], cwd: string, endpoint: Endpoint): Promise<SnapshotRows> {
  const ended = await runCli(args, { cwd, env: keyOf(endpoint) });
  expectCode(ended, 0);
  const output = readJson(ended);
  expect(output).toMatchObject({ status: 'sealed', snapshots: [{ verdict: 'complete' }] });
  const verified = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
  expectCode(verified, 0);
  expect(readJson<{ faults: unknown[] }>(verified).faults).toEqual([]);
  return readSnapshot(join(cwd, 'lake'), output.snapshots[0]?.manifest ?? '');
}

function withoutTimes({ parquet }: SnapshotRows) {
  const dates = { first_seen_at: null, agent_status_since: null, protect_status_since: null };
  return parquet.map((row) => ({ ...row, snapshot_at: null, fetched_at: null, ...dates }));
}

/** The paths of all objects. Empty if the folder does not exist. */
function listNames(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
}

/** How many servings repeat an offset that was served before. */
function countRepeats(offsets: readonly number[]): number {
  return offsets.length - new Set(offsets).size;
}

describe.concurrent('killed exports', () => {
  test('at random moments of reading, storing and sealing, an export still seals the same rows', async () => {
    // So large that the reservations of killed exporters do not use it up: every kill hits work, not a wait.
    const quota: Quota = { requests: 200, windowSeconds: 1 };
    const endpoint = await startEndpoint({ nodes: 3_500, latencyMs: { min: 20, max: 60 } });
    const undisturbed = await exportUndisturbed(endpoint);
    const before = await countServings(endpoint);
    const pages = before;
    const cwd = createFolder();
    const lake = join(cwd, 'lake');
    const args = ['export', '--json', ...flagsFor(endpoint, quota)];
    const random = createRandom(20_261_124);
    // The last kills come while it seals, when an object of this kind has just appeared.
    const sealing = [
      /\/sealing\/[^/]+\.json$/,
      /\.parquet$/,
      /^_manifests\//,
      /^_manifests\/.*\.json$/,
    ];
    const readingKills = countCases(8);
    const killsMax = readingKills + sealing.length;
    let kills = 0;
    for (; kills < killsMax; kills += 1) {
      const servedAtStart = await countServings(endpoint);
      const { child, ended } = startCli(args, { cwd, env: keyOf(endpoint) });
      let isOver = false;
      void ended.then(() => {
        isOver = true;
      });
      const appears = sealing[kills - readingKills];
      if (appears === undefined) {
        // Before its next page, or after one or two pages.
        const more = Math.floor(random() * 3);
        const target = Math.min(servedAtStart + more, before + pages);
        await until(
          async () => isOver || (await countServings(endpoint)) >= target,
          `${target} pages`,
        );
        await delay(random() * (more === 0 ? 500 : 80));
      } else {
        await until(() => isOver || listNames(lake).some((name) => appears.test(name)), 'a seal');
      }
      child.kill('SIGKILL');
      const { code, signal } = await ended;
      if (signal === 'SIGKILL') continue;
      // The export ended before the kill.
      expect(code).toBe(0);
      break;
    }
    expect(kills).toBeGreaterThanOrEqual(readingKills);
    // If the last export recorded its snapshot before it was killed, the next one rightly makes another.
    const schedule = readFileSync(join(lake, '_runs', 'schedule.json'), 'utf8');
    const again = schedule.includes('"open":null') ? pages : 0;
    const snapshot = await finish(args, cwd, endpoint);
    const report = await endpoint.report();
    const servings = report.servings.slice(before);
    expectServed(snapshot, report);
    expect(withoutTimes(snapshot)).toEqual(withoutTimes(undisturbed));
    expect(countRepeats(servings.map(({ offset }) => offset))).toBeLessThanOrEqual(kills + again);
    expect(servings.length).toBeLessThanOrEqual(pages + kills + again);
    expect(countMost(servings, quota.windowSeconds * 1_000)).toBeLessThanOrEqual(quota.requests);
  });

  test('in the middle of sorting, a seal leaves no temporary file after the next run, which seals the same bytes', async () => {
    // More nodes than are sorted in memory.
    const endpoint = await startEndpoint({ nodes: 21_000 });
    const cwd = createFolder();
    const temporary = join(cwd, 'temporary');
    mkdirSync(temporary);
    const args = ['export', '--json', ...flagsFor(endpoint)];
    const env = { ...keyOf(endpoint), TMPDIR: temporary };
    const { child, ended } = startCli(args, { cwd, env });
    const hasSorted = () =>
      listNames(temporary).some((name) => statSync(join(temporary, name)).isFile());
    await until(hasSorted, 'a sort file');
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    expect(listNames(temporary)).not.toEqual([]);
    expect(listNames(join(cwd, 'lake')).some((name) => name.endsWith('.parquet'))).toBe(false);

    // The same pages, sealed by two processes that know nothing of each other.
    const copy = createFolder();
    cpSync(join(cwd, 'lake'), join(copy, 'lake'), { recursive: true });
    const parts = [];
    for (const folder of [cwd, copy]) {
      const served = await countServings(endpoint);
      const sealed = await runCli(args, { cwd: folder, env });
      expectCode(sealed, 0);
      expect(readJson(sealed).snapshots).toMatchObject([{ rows: 21_000, verdict: 'complete' }]);
      expect(await countServings(endpoint)).toBe(served);
      const names = listNames(join(folder, 'lake')).filter((name) => /\.(parquet|gz)$/.test(name));
      expect(names).toHaveLength(2);
      // The names contain the hashes of the bytes.
      parts.push(names.sort());
    }
    expect(parts[0]).toEqual(parts[1]);
    expect(listNames(temporary)).toEqual([]);
  });

  test('with a small quota, exporters that are killed again and again keep it', async () => {
    const quota: Quota = { requests: 4, windowSeconds: 1 };
    const endpoint = await startEndpoint({ nodes: 1_900, latencyMs: { min: 20, max: 60 } });
    const cwd = createFolder();
    const args = ['export', '--json', ...flagsFor(endpoint, quota)];
    const random = createRandom(7);
    let kills = 0;
    for (; kills < 9; kills += 1) {
      const { child, ended } = startCli(args, { cwd, env: keyOf(endpoint) });
      await delay(300 + random() * 700);
      child.kill('SIGKILL');
      if ((await ended).signal !== 'SIGKILL') break;
    }
    const snapshot = await finish(args, cwd, endpoint);
    const report = await endpoint.report();
    expectServed(snapshot, report);
    expect(countMost(report.servings, quota.windowSeconds * 1_000)).toBeLessThanOrEqual(
      quota.requests,
    );
    expect(countRepeats(report.servings.map(({ offset }) => offset))).toBeLessThanOrEqual(kills);
    expect(report.servings.length).toBeLessThanOrEqual(Math.ceil(1_899 / 199) + 1 + kills);
  });

  test.each(someCases([3, 1, 5]))(
    'killed with request %i of 5 on its way, the next one leaves within one window and 2 s of it',
    async (requests) => {
      // A window that is longer than a process takes to start.
      const quota: Quota = { requests: 5, windowSeconds: 12 };
      const endpoint = await startEndpoint({ nodes: 1_500, latencyMs: { min: 150, max: 150 } });
      const cwd = createFolder();
      const args = ['export', '--json', ...flagsFor(endpoint, quota)];
      const { child, ended } = startCli(args, { cwd, env: keyOf(endpoint) });
      await until(async () => (await countServings(endpoint)) >= requests, `${requests} requests`);
      child.kill('SIGKILL');
      await ended;
      await finish(args, cwd, endpoint);
      const { servings } = await endpoint.report();
      expect(countMost(servings, quota.windowSeconds * 1_000)).toBeLessThanOrEqual(5);
      for (const [index, { atMs }] of servings.slice(1).entries()) {
        expect(atMs - (servings[index]?.atMs ?? 0)).toBeLessThan(14_000);
      }
    },
  );

  test('of two exporters on one store, one waits; both keep the quota and seal correct rows', async () => {
    const quota: Quota = { requests: 5, windowSeconds: 1 };
    const endpoint = await startEndpoint({ nodes: 1_500, latencyMs: { min: 20, max: 60 } });
    const cwd = createFolder();
    const args = ['export', '--json', ...flagsFor(endpoint, quota)];
    const both = [0, 1].map(() => startCli(args, { cwd, env: keyOf(endpoint) }));
    const ended = await Promise.all(both.map((one) => one.ended));
    for (const one of ended) expectCode(one, 0);
    const outputs = ended.map((one) => readJson(one));
    expect(outputs.map(({ snapshots }) => snapshots[0]?.rows)).toEqual([1_500, 1_500]);
    // Each exporter made its own snapshot, one after the other.
    expect(new Set(outputs.map(({ snapshots }) => snapshots[0]?.snapshot)).size).toBe(2);
    expect(ended.filter(({ err }) => err.includes('waiting until it has finished'))).toHaveLength(
      1,
    );
    const report = await endpoint.report();
    expect(countMost(report.servings, quota.windowSeconds * 1_000)).toBeLessThanOrEqual(
      quota.requests,
    );
    expect(report.servings).toHaveLength(2 * Math.ceil(1_499 / 199));
    const verified = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
    expectCode(verified, 0);
    expect(readJson<object>(verified)).toMatchObject({ manifests: 2, faults: [], unnamed: [] });
    for (const { snapshots } of outputs) {
      const snapshot = await readSnapshot(join(cwd, 'lake'), snapshots[0]?.manifest ?? '');
      expectServed(snapshot, report);
    }
  });

  test('SIGINT pauses the export with exit 4, and the same command continues with the next page', async () => {
    const quota: Quota = { requests: 3, windowSeconds: 1 };
    const endpoint = await startEndpoint({ nodes: 1_500, latencyMs: { min: 20, max: 60 } });
    const cwd = createFolder();
    const args = ['export', '--json', ...flagsFor(endpoint, quota)];
    const { child, ended } = startCli(args, { cwd, env: keyOf(endpoint) });
    await until(async () => (await countServings(endpoint)) >= 4, 'four pages');
    child.kill('SIGINT');
    const stopped = await ended;
    expectCode(stopped, 4);
    expect(readJson(stopped)).toMatchObject({
      status: 'paused',
      snapshots: [],
      errors: [{ code: 'STOPPED', hint: expect.stringContaining('same command') }],
    });
    const snapshot = await finish(args, cwd, endpoint);
    const report = await endpoint.report();
    expectServed(snapshot, report);
    // The page in flight may be lost.
    expect(report.servings.length).toBeLessThanOrEqual(Math.ceil(1_499 / 199) + 1);
    expect(countMost(report.servings, quota.windowSeconds * 1_000)).toBeLessThanOrEqual(
      quota.requests,
    );
  });
});
