// Tests that the built exporter seals exactly what the endpoint served, with a real store and a
// faulty connection to it. dist/cli.js runs as a separate process, the gateway is stopped and
// killed, a proxy loses answers, cuts connections and refuses requests, and a second client reads
// the result.

import { describe, expect, onTestFinished, test } from 'vitest';
import { countMost } from '../support/busiest-window.ts';
import {
  countKinds,
  type FaultyProxy,
  isPage,
  type ProxiedRequest,
  type ProxyFault,
  startFaultyProxy,
} from '../support/faulty-proxy.ts';
import { createRandom } from '../support/moving-list.ts';
import {
  createBucket,
  killGateway,
  pauseGateway,
  resumeGateway,
  rgw,
  startGateway,
} from '../support/rgw.ts';
import {
  deployFunction,
  readSnapshot,
  runCli,
  sealedRows,
  servedRows,
  simulate,
  watchBucket,
} from './exporting.ts';

async function startProxy(
  options: Partial<Parameters<typeof startFaultyProxy>[0]> = {},
): Promise<FaultyProxy> {
  const proxy = await startFaultyProxy({ target: rgw.url, ...options });
  onTestFinished(() => proxy.stop());
  return proxy;
}

async function expectServed(
  simulator: Awaited<ReturnType<typeof simulate>>,
  bucket: string,
  manifestKey: string,
): Promise<void> {
  const { parts } = await readSnapshot(bucket, manifestKey);
  const served = servedRows(simulator);
  const { parquet, ndjson } = await sealedRows(parts);
  expect(parquet).toEqual(served);
  expect(ndjson).toEqual(served);
}

test('seals 10,000 nodes over a faulty connection, while the gateway is stopped and killed', async () => {
  const bucket = await createBucket();
  const random = createRandom(20_261_124);
  const faults: ProxyFault[] = [
    { kind: 'cut' },
    { kind: 'lose' },
    { kind: 'slowDown' },
    { kind: 'fail' },
    { kind: 'failAfter' },
    { kind: 'delay', delayMs: 300 },
  ];
  const proxy = await startProxy({
    decide: () => (random() < 0.08 ? (faults[Math.floor(random() * 6)] ?? null) : null),
  });
  const acts: Promise<void>[] = [];
  const simulator = await simulate({
    nodes: 10_000,
    beforePage({ index }) {
      if (index === 12) {
        pauseGateway();
        acts.push(new Promise((resolve) => setTimeout(resolve, 3_000)).then(() => resumeGateway()));
      }
      if (index === 30) {
        acts.push(
          killGateway()
            .then(() => new Promise((resolve) => setTimeout(resolve, 1_000)))
            .then(() => startGateway()),
        );
      }
    },
  });
  onTestFinished(() => resumeGateway());
  const watch = watchBucket(bucket);
  const { code, result, logs } = await runCli('export', { simulator, bucket, storeUrl: proxy.url });
  await Promise.all(acts);
  const { checks, faults: found } = await watch.stop();
  expect({ code, errors: result.errors }).toEqual({ code: 0, errors: [] });
  expect(acts).toHaveLength(2);
  expect(result.snapshots).toMatchObject([{ rows: 10_000, verdict: 'complete' }]);
  await expectServed(simulator, bucket, result.snapshots[0]?.manifest ?? '');
  // No page was requested twice, although every kind of fault happened.
  expect(result.requests).toBe(51);
  const happened = new Set(proxy.requests.map(({ fault }) => fault));
  expect(happened).toEqual(new Set([null, ...faults.map(({ kind }) => kind)]));
  expect(found).toEqual([]);
  expect(checks).toBeGreaterThan(20);
  expect(logs).toContain('store: retry 2 of ');
  expect((await runCli('verify', { simulator, bucket })).code).toBe(0);
});

test('a store that cannot be reached ends the run with exit code 4 and a hint; the next run continues', async () => {
  const bucket = await createBucket();
  const simulator = await simulate({ nodes: 2_000 });
  let isAway = false;
  const proxy = await startProxy({ decide: () => (isAway ? { kind: 'cut' } : null) });
  const running = runCli('export', { simulator, bucket, storeUrl: proxy.url });
  while (simulator.stats().pages < 5) await new Promise((resolve) => setTimeout(resolve, 5));
  isAway = true;
  const { code, result } = await running;
  expect(code).toBe(4);
  expect(result).toMatchObject({ status: 'paused', errors: [{ code: 'STORE_FAILED' }] });
  const pagesBefore = simulator.stats().pages;
  isAway = false;
  const again = await runCli('export', { simulator, bucket, storeUrl: proxy.url });
  expect(again.code).toBe(0);
  // Only the page in flight may be requested twice.
  expect(simulator.stats().pages - pagesBefore).toBeLessThanOrEqual(11 - (pagesBefore - 1));
  await expectServed(simulator, bucket, again.result.snapshots[0]?.manifest ?? '');
});

test('of two exporters at the same time, one waits for the lease, and both seal', async () => {
  const bucket = await createBucket();
  const simulator = await simulate({ nodes: 1_500 });
  const quota = { requests: 5, windowSeconds: 1 };
  const early = runCli('export', { simulator, bucket, quota });
  // The first one then has the lease. If both started in the same moment, the loser could sleep
  // until the other ends.
  while (simulator.stats().pages < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  const ended = await Promise.all([early, runCli('export', { simulator, bucket, quota })]);
  expect(ended.map(({ code }) => code)).toEqual([0, 0]);
  expect(ended.map(({ logs }) => logs).join('')).toContain('waiting until it has finished');
  expect(countMost(simulator.requests(), 1_000)).toBeLessThanOrEqual(5);
  const [first, second] = ended
    .flatMap(({ result }) => result.snapshots)
    .sort((a, b) => (a.snapshot < b.snapshot ? -1 : 1));
  const later = await readSnapshot(bucket, second?.manifest ?? '');
  expect(later.manifest.previous?.snapshot).toBe(first?.snapshot);
  expect((await runCli('verify', { simulator, bucket })).code).toBe(0);
});

test('two exporters without a working lease keep the quota and seal correct snapshots', async () => {
  const bucket = await createBucket();
  const simulator = await simulate({ nodes: 3_000 });
  const quota = { requests: 8, windowSeconds: 1 };
  const proxies = [await startProxy({ ownLease: true }), await startProxy({ ownLease: true })];
  const watch = watchBucket(bucket);
  const ended = await Promise.all(
    proxies.map(({ url }, index) =>
      runCli(index === 0 ? 'export' : 'tick', { simulator, bucket, quota, storeUrl: url }),
    ),
  );
  const { faults: found } = await watch.stop();
  // One may have been overtaken by the other. No other error is allowed.
  const codes = ended.flatMap(({ result }) => result.errors.map(({ code }) => code));
  expect(codes.filter((code) => code !== 'OVERTAKEN')).toEqual([]);
  expect(countMost(simulator.requests(), 1_000)).toBeLessThanOrEqual(8);
  expect(found).toEqual([]);
  const snapshots = ended.flatMap(({ result }) => result.snapshots);
  expect(snapshots.length).toBeGreaterThan(0);
  for (const { manifest } of snapshots) await expectServed(simulator, bucket, manifest);
  const last = await runCli('export', { simulator, bucket, quota });
  expect(last.code).toBe(0);
  expect((await runCli('verify', { simulator, bucket })).code).toBe(0);
});

test('the function ends while a command works, and a command waits while the function works', async () => {
  const bucket = await createBucket();
  const simulator = await simulate({ nodes: 1_500 });
  const quota = { requests: 5, windowSeconds: 1 };
  const invoke = await deployFunction({ simulator, bucket, quota });
  const exporting = runCli('export', { simulator, bucket, quota });
  while (simulator.stats().pages < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const left = await invoke();
  expect(left.result).toMatchObject({ status: 'idle', requests: 0 });
  expect(left.logs).toContain('another exporter is working on this store');
  const first = await exporting;
  expect(first.code).toBe(0);
  // That target is no longer due, but a target that was never read is. The function works on it
  // when the command starts.
  const other = await simulate({ nodes: 20_000, projectId: 'f'.repeat(32) });
  const working = await deployFunction({
    simulator: other,
    bucket,
    quota: { requests: 200, windowSeconds: 1 },
  });
  const invoked = working();
  while (other.stats().pages < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await runCli('export', { simulator, bucket, quota });
  expect(second.code).toBe(0);
  expect(second.logs).toContain('waiting until it has finished');
  expect((await invoked).result).toMatchObject({ status: 'sealed', snapshots: [{ rows: 20_000 }] });
  expect(countMost(simulator.requests(), 1_000)).toBeLessThanOrEqual(5);
  expect((await runCli('verify', { simulator, bucket })).code).toBe(0);
});

test('a command and the function without a working lease keep the quota and seal correct snapshots', async () => {
  const bucket = await createBucket();
  const simulator = await simulate({ nodes: 3_000 });
  const quota = { requests: 8, windowSeconds: 1 };
  const proxies = [await startProxy({ ownLease: true }), await startProxy({ ownLease: true })];
  const invoke = await deployFunction({
    simulator,
    bucket,
    quota,
    storeUrl: proxies[0]?.url ?? '',
  });
  const watch = watchBucket(bucket);
  const exporting = runCli('export', { simulator, bucket, quota, storeUrl: proxies[1]?.url ?? '' });
  let isEnded = false;
  void exporting.then(() => {
    isEnded = true;
  });
  const invocations: Awaited<ReturnType<typeof invoke>>[] = [];
  while (!isEnded) invocations.push(await invoke());
  const exported = await exporting;
  const { faults: found, checks } = await watch.stop();
  expect(found).toEqual([]);
  expect(checks).toBeGreaterThan(5);
  expect(invocations.length).toBeGreaterThan(1);
  const ended = [exported, ...invocations];
  const codes = ended.flatMap(({ result }) => result.errors.map(({ code }) => code));
  expect(codes.filter((code) => code !== 'OVERTAKEN')).toEqual([]);
  // A timer's slot counts from the departure of its request, so the window may be shorter by the
  // guard time on arrival.
  expect(countMost(simulator.requests(), 850)).toBeLessThanOrEqual(8);
  const snapshots = ended.flatMap(({ result }) => result.snapshots);
  expect(snapshots.length).toBeGreaterThan(0);
  for (const { manifest } of snapshots) await expectServed(simulator, bucket, manifest);
  expect((await runCli('export', { simulator, bucket, quota })).code).toBe(0);
  expect((await runCli('verify', { simulator, bucket })).code).toBe(0);
});

test('exports 100,000 nodes with at most 256 MB of memory', async () => {
  const bucket = await createBucket();
  const simulator = await simulate({ nodes: 100_000 });
  const { code, result, peakBytes } = await runCli('export', {
    simulator,
    bucket,
    quota: { requests: 1_000, windowSeconds: 1 },
  });
  expect(code).toBe(0);
  expect(result.snapshots).toMatchObject([{ rows: 100_000, verdict: 'complete' }]);
  console.log(`peak memory with 100,000 nodes: ${(peakBytes / 1e6).toFixed(0)} MB`);
  expect(peakBytes).toBeLessThanOrEqual(256 * 2 ** 20);
});

// With the service's own quota, 5 requests in 60 s, the lease is renewed more often:
// test/bench/requests.bench.ts counts that.
describe('at most 4 requests to the store per page', () => {
  const quota = { requests: 5, windowSeconds: 3 };

  test('in an export, between the first page and the last', async () => {
    const bucket = await createBucket();
    const simulator = await simulate({ nodes: 4_000 });
    const proxy = await startProxy();
    const { code } = await runCli('export', { simulator, bucket, quota, storeUrl: proxy.url });
    expect(code).toBe(0);
    const first = proxy.requests.findIndex(isPage);
    const between = proxy.requests.slice(first, proxy.requests.findLastIndex(isPage));
    const pages = between.filter(isPage).length;
    console.log(`${between.length} requests for ${pages} pages`, countKinds(between));
    expect(pages).toBeGreaterThanOrEqual(20);
    expect(between.length / pages).toBeLessThanOrEqual(4);
  });

  test('in a tick that has its whole quota free', async () => {
    const bucket = await createBucket();
    const simulator = await simulate({ nodes: 20_000 });
    const proxy = await startProxy();
    const whole: ProxiedRequest[][] = [];
    // The first tick also opens the run.
    for (let count = 0; whole.length < 3; count += 1) {
      expect(count).toBeLessThan(10);
      const before = { requests: proxy.requests.length, pages: simulator.stats().pages };
      const { code } = await runCli('tick', { simulator, bucket, quota, storeUrl: proxy.url });
      expect(code).toBe(0);
      const isWhole = simulator.stats().pages - before.pages === quota.requests;
      if (count > 0 && isWhole) whole.push(proxy.requests.slice(before.requests));
      await new Promise((resolve) => setTimeout(resolve, 3_200));
    }
    const counts = whole.map((requests) => requests.length);
    console.log(`${counts.join(', ')} requests for 5 pages`, countKinds(whole[0] ?? []));
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    expect(mean).toBeLessThanOrEqual(4 * quota.requests);
  });
});
