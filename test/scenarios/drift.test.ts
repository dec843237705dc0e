// Tests that an export of 10,000 nodes, with drift and every fault, is complete, equals what the endpoint served and keeps
// the quota that the endpoint measured. Method: the built file in real time against the independent endpoint.

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createFolder,
  expectCode,
  flagsFor,
  keyOf,
  readJson,
  runCli,
  startEndpoint,
} from '../e2e/processes.ts';
import { expectServed, readSnapshot } from '../e2e/served-rows.ts';
import { countMost } from '../support/busiest-window.ts';
import type { Fault } from '../support/plain-endpoint.ts';

const quota = { requests: 30, windowSeconds: 1 };
const faults: Fault[] = [
  ...(['429', '500', '503', 'html502', 'reset'] as const),
  ...(['truncated', 'brokenJson', 'null', 'wrongShape', 'slow'] as const),
];

describe.concurrent('an export of 10,000 nodes', () => {
  test('with drift and every fault is complete and equals what was served', async () => {
    const endpoint = await startEndpoint({
      nodes: 10_000,
      seed: 7,
      keyless: 12,
      mutating: true,
      inserts: 6,
      deletes: 5,
      // Each fault twice, with different distances between the faults.
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
    const output = readJson(ended);
    const [sealed] = output.snapshots;
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
    expect(output.requests).toBe(report.servings.length);

    const lake = join(cwd, 'lake');
    const snapshot = await readSnapshot(lake, sealed?.manifest ?? '');
    expectServed(snapshot, report);
    expect(report.survivors.length).toBeGreaterThan(9_000);
    // A number that does not fit in a double keeps its digits.
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
  });

  test('without drift needs at most ceil((N-1)/199) + 1 requests, none of them throttled', async () => {
    // So small that even a busy machine uses it up.
    const few = { requests: 10, windowSeconds: 2 };
    const nodes = 10_000;
    const endpoint = await startEndpoint({ nodes, seed: 3, latencyMs: { min: 2, max: 15 } });
    const cwd = createFolder();
    const ended = await runCli(['export', '--json', ...flagsFor(endpoint, few)], {
      cwd,
      env: keyOf(endpoint),
    });
    expectCode(ended, 0);
    const output = readJson(ended);
    expect(output.snapshots).toMatchObject([{ rows: nodes, verdict: 'complete' }]);
    const report = await endpoint.report();
    expect(report.servings.length).toBeLessThanOrEqual(Math.ceil((nodes - 1) / 199) + 1);
    const most = countMost(report.servings, few.windowSeconds * 1_000);
    expect(most).toBeLessThanOrEqual(few.requests);
    // Otherwise the quota never held a request back, and the check above would prove nothing.
    expect(most).toBeGreaterThan(few.requests / 2);
    expect(report.servings.every(({ query }) => query.limit === '200')).toBe(true);
    const snapshot = await readSnapshot(join(cwd, 'lake'), output.snapshots[0]?.manifest ?? '');
    expectServed(snapshot, report);
    expect(snapshot.manifest.evidence).toMatchObject({ retries: 0, throttled: 0, realigned: 0 });
  });
});
