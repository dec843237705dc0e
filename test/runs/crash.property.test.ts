// Tests promises 3 and 4: a run that is killed before or after any call to the store or the source continues in another process.
// The sealed rows are the same, at most one page is fetched twice, the quota holds, and no reader sees half a snapshot.
// The test counts the calls of an undisturbed export. Then it repeats the export once per call and phase, kills it there, and
// checks the store as a reader does after every call.

import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Store } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { collect } from '../../lib/runs/collect.ts';
import { requestsFor } from '../../lib/runs/cost.ts';
import { decodeManifest } from '../../lib/snapshots/manifest.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { mostInWindow } from '../support/busiest-window.ts';
import { caseStep, countCases } from '../support/cases.ts';
import type { StoreCall } from '../support/memory-store.ts';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';

/** Like a killed process, it does nothing more: it does not even release its lease. */
class Crash extends Error {}

interface Plan {
  /** The store call and phase at which the process is killed, or null. */
  storeCall: { index: number; phase: 'before' | 'after' } | null;
  /** The request during which the process is killed, or null. */
  request: number | null;
}

/** Twelve pages: ten of them become one object, the others stay in the checkpoint. */
const size = 2_300;

function createCrashingWorld(plan: Plan) {
  let calls = 0;
  let crashed = false;
  let armed = true;
  const onCall = (call: StoreCall) => {
    if (crashed) throw new Crash();
    if (call.phase === 'before') calls += 1;
    const { storeCall } = plan;
    if (armed && storeCall && calls - 1 === storeCall.index && call.phase === storeCall.phase) {
      crashed = true;
      throw new Crash();
    }
    if (call.phase === 'after' && call.op === 'put') checkReader(world);
  };
  const ids = Array.from({ length: size }, (_, index) => `host-${index}`);
  const world: TestExporter = createTestExporter({ ids, store: { onCall } });
  world.endpoint.beforeAnswer = (index) => {
    if (armed && plan.request === index) {
      crashed = true;
      throw new Crash();
    }
  };
  return {
    world,
    calls: () => calls,
    revive() {
      crashed = false;
      armed = false;
    },
  };
}

/** Every part that a manifest names exists with its bytes, and _latest names an existing manifest. */
function checkReader({ store }: TestExporter): void {
  const objects = store.dump();
  for (const [key, { bytes }] of objects) {
    if (!key.startsWith('_manifests/')) continue;
    for (const part of decodeManifest(key, bytes).parts) {
      const object = objects.get(part.key);
      expect(object && sha256(object.bytes), `${key} names ${part.key}`).toBe(part.sha256);
    }
  }
  for (const [key, { bytes }] of objects) {
    if (!key.startsWith('_latest/')) continue;
    const { manifest, manifestSha256 } = JSON.parse(Buffer.from(bytes).toString()) as {
      manifest: string;
      manifestSha256: string;
    };
    expect(sha256(objects.get(manifest)?.bytes ?? '')).toBe(manifestSha256);
  }
}

/** Rows without fetched_at, which changes if the same page is fetched again. */
function sealedRows({ store }: TestExporter): string[] {
  const parts = [...store.dump()].filter(([key]) => key.startsWith('container_nodes_ndjson/'));
  expect(parts).toHaveLength(1);
  const text = gunzipSync(parts[0]?.[1].bytes ?? new Uint8Array()).toString('utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { host_id: string }).host_id);
}

async function crashAndResume(plan: Plan) {
  const { world, revive, calls } = createCrashingWorld(plan);
  await world.clock.run(collect('command', world.createPorts()).catch(() => null));
  revive();
  const result = await world.exportNow();
  return { world, result, calls: calls() };
}

describe('a run that is killed', () => {
  const undisturbed = crashAndResumeOnce();
  async function crashAndResumeOnce() {
    const { world, calls } = createCrashingWorld({ storeCall: null, request: null });
    await world.exportNow();
    return { rows: sealedRows(world), calls: calls(), requests: world.endpoint.arrivals.length };
  }

  test('continues when killed between any two store calls', async () => {
    const { rows, calls } = await undisturbed;
    expect(rows).toHaveLength(size);
    expect(calls).toBeGreaterThan(30);
    for (let index = (calls - 1) % caseStep; index < calls; index += caseStep) {
      // A kill after one call leaves the same store as a kill before the next one, so only the last call needs both.
      const phases = index === calls - 1 ? (['before', 'after'] as const) : (['before'] as const);
      for (const phase of phases) {
        const where = `store call ${index} ${phase}`;
        const { world, result } = await crashAndResume({
          storeCall: { index, phase },
          request: null,
        });
        expect(result.errors, where).toEqual([]);
        if (result.snapshots.length === 1 && world.store.dump().size > 0) {
          const manifests = [...world.store.dump().keys()].filter((key) =>
            key.startsWith('_manifests/'),
          );
          // If the snapshot was sealed and recorded before the kill, the second export is a new snapshot.
          if (manifests.length === 1) expect(sealedRows(world), where).toEqual(rows);
          else expect(manifests, where).toHaveLength(2);
          const expected =
            requestsFor(size, 200) * manifests.length + (manifests.length === 1 ? 1 : 0);
          expect(world.endpoint.arrivals.length, where).toBeLessThanOrEqual(expected);
        }
        expect(mostInWindow(world.endpoint.arrivals, 60_000), where).toBeLessThanOrEqual(5);
        expect((await verifyStore(world.store as Store, () => {})).faults, where).toEqual([]);
      }
    }
  }, 120_000);

  test('continues when killed at any request, before its response', async () => {
    const { rows, requests } = await undisturbed;
    for (let request = (requests - 1) % caseStep; request < requests; request += caseStep) {
      const { world, result } = await crashAndResume({ storeCall: null, request });
      expect(result.errors).toEqual([]);
      expect(sealedRows(world)).toEqual(rows);
      expect(world.endpoint.arrivals.length).toBeLessThanOrEqual(requests + 1);
      expect(mostInWindow(world.endpoint.arrivals, 60_000)).toBeLessThanOrEqual(5);
    }
  });
});

describe('two exporters without a working lease', () => {
  const seeds = countCases(10);
  test(`keep the quota, seal one snapshot and keep the chain, for ${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const ids = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
      const world = createTestExporter({ ids, seed, store: { settleMs: 20 } });
      world.endpoint.latencyMs = (index) => 40 + ((index * 37 + seed) % 90);
      // Every holder of the lease counts as gone, so each exporter gets the lease.
      const defeated = () =>
        world.createPorts({
          host: { identity: `p${Math.random()}`, name: 'p', boot: null, isGone: () => true },
        });
      const results = await world.clock.run(
        Promise.all([collect('command', defeated()), collect('command', defeated())]),
      );
      expect(mostInWindow(world.endpoint.arrivals, 60_000), `seed ${seed}`).toBeLessThanOrEqual(5);
      expect(world.endpoint.throttled, `seed ${seed}`).toBe(0);
      // The other exporter continues; what is sealed by then is complete.
      expect(results.length).toBe(2);
      const last = await world.exportNow();
      expect(last.errors, `seed ${seed}`).toEqual([]);
      expect((await verifyStore(world.store as Store, () => {})).faults, `seed ${seed}`).toEqual(
        [],
      );
      checkReader(world);
    }
  }, 60_000);
});
