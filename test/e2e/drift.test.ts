// Goal: the last line: 10,000 nodes that come and go, every fault, against an endpoint of another make: complete,
// equal to what was served, within the quota as that endpoint measured it. Method: the built file, in real time, with a quota of seconds.

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Fault } from '../support/plain-endpoint.ts';
import { expectServed, readSnapshot } from './served-rows.ts';
import {
  countMost,
  createFolder,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  runCli,
  startEndpoint,
} from './world.ts';

const quota = { requests: 30, windowSeconds: 1 };
const faults: Fault[] = [
  ...(['429', '500', '503', 'html502', 'reset'] as const),
  ...(['truncated', 'brokenJson', 'null', 'wrongShape', 'slow'] as const),
];

describe.concurrent('10,000 nodes', () => {
  test('that come and go, with every fault: complete, and equal to what was served', async () => {
    const endpoint = await startEndpoint({
      nodes: 10_000,
      seed: 7,
      keyless: 12,
      mutating: true,
      inserts: 6,
      deletes: 5,
      // From the second request on, and once with another distance.
      faults: Object.fromEntries([
        ...faults.map((fault, index) => [2 + 4 * index, fault] as const),
        ...faults.map((fault, index) => [45 + 3 * index, fault] as const),
      ]),
      latencyMs: { min: 2, max: 15 },
      slowMs: 1_200,
    });
    const cwd = createFolder();
    const ended = await runCli(['export', '--json', ...flagsFor(endpoint, quota)], {
      cwd,
      env: keyOf(endpoint),
    });
    expectCode(ended, 0);
    const told = readJson(ended);
    const [sealed] = told.snapshots;
    expect(sealed?.verdict).toBe('complete');
    const report = await endpoint.report();
    for (const fault of faults) {
      expect(
        report.servings.filter((serving) => serving.fault === fault).length,
        fault,
      ).toBeGreaterThan(0);
    }
    expect(report.inserted).toBeGreaterThan(300);
    expect(report.deleted).toBeGreaterThan(250);
    expect(countMost(report.servings, quota.windowSeconds * 1_000)).toBeLessThanOrEqual(
      quota.requests,
    );
    expect(told.requests).toBe(report.servings.length);

    const lake = join(cwd, 'lake');
    const snapshot = await readSnapshot(lake, sealed?.manifest ?? '');
    expectServed(snapshot, report);
    expect(report.survivors.length).toBeGreaterThan(9_000);
    // What a double cannot hold keeps its digits.
    const exact = snapshot.parquet.filter((row) =>
      String(row.extra).includes('12345678901234567890'),
    );
    expect(exact.length).toBeGreaterThan(100);
    const { evidence, rejects } = snapshot.manifest;
    expect(evidence.realigned).toBeGreaterThan(0);
    expect(rejects).toBeGreaterThan(0);
    expect(evidence.requests).toBe(report.servings.length);
    expect(evidence.throttled).toBe(2);

    const verified = await runCli(['verify', '--json', '--store', 'file:./lake'], { cwd });
    expectCode(verified, 0);
    expect(readJson<{ faults: unknown[]; unnamed: unknown[] }>(verified)).toMatchObject({
      faults: [],
      unnamed: [],
    });
  }, 60_000);

  test('while nothing moves: ceil((N-1)/199) + 1 requests at the most, none throttled', async () => {
    // So small that a busy machine uses it up as well.
    const few = { requests: 10, windowSeconds: 1 };
    const nodes = 10_000;
    const endpoint = await startEndpoint({ nodes, seed: 3, latencyMs: { min: 2, max: 15 } });
    const cwd = createFolder();
    const ended = await runCli(['export', '--json', ...flagsFor(endpoint, few)], {
      cwd,
      env: keyOf(endpoint),
    });
    expectCode(ended, 0);
    const told = readJson(ended);
    expect(told.snapshots).toMatchObject([{ rows: nodes, verdict: 'complete' }]);
    const report = await endpoint.report();
    expect(report.servings.length).toBeLessThanOrEqual(Math.ceil((nodes - 1) / 199) + 1);
    const most = countMost(report.servings, few.windowSeconds * 1_000);
    expect(most).toBeLessThanOrEqual(few.requests);
    // Else nothing was held back, and the line above shows nothing.
    expect(most).toBeGreaterThan(few.requests / 2);
    expect(report.servings.every(({ query }) => query.limit === '200')).toBe(true);
    const snapshot = await readSnapshot(join(cwd, 'lake'), told.snapshots[0]?.manifest ?? '');
    expectServed(snapshot, report);
    expect(snapshot.manifest.evidence).toMatchObject({ retries: 0, throttled: 0, realigned: 0 });
  }, 60_000);
});
