// Goal: promise 3 and 4. Killed before or after any call to the store or the source, a run goes on in another process: the sealed
// rows are the same, at most one page is fetched twice, the quota holds, and no reader ever sees half a snapshot.
// Method: count the calls of an undisturbed export, then repeat it once for every call and phase, crashing there, with a reader
// that looks at the store after every call.

import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Store } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { collect } from '../../lib/runs/collect.ts';
import { requestsFor } from '../../lib/runs/cost.ts';
import { decodeManifest } from '../../lib/snapshots/manifest.ts';
import { verifyStore } from '../../lib/snapshots/verification.ts';
import type { StoreCall } from '../support/memory-store.ts';
import { createWorld, mostInWindow, type World } from '../support/world.ts';

/** As a killed process: it does nothing any more, not even give its lease back. */
class Crash extends Error {}

interface Plan {
  /** The store call and phase that kills, or null. */
  storeCall: { index: number; phase: 'before' | 'after' } | null;
  /** The request that kills before it is answered, or null. */
  request: number | null;
}

/** Twelve pages: ten of them leave the checkpoint as one object. */
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
  const world: World = createWorld({ ids, store: { onCall } });
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

/** Whatever a manifest names is there and whole, and latest names a manifest that is there. */
function checkReader({ store }: World): void {
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

/** Rows without the time they were fetched at, which another fetch of the same page changes. */
function sealedRows({ store }: World): string[] {
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

  test('at every store call, before and after its effect', async () => {
    const { rows, calls } = await undisturbed;
    expect(rows).toHaveLength(size);
    expect(calls).toBeGreaterThan(30);
    for (let index = 0; index < calls; index += 1) {
      for (const phase of ['before', 'after'] as const) {
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
          // Killed after the snapshot was sealed and closed, the second export is a new snapshot of its own.
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

  test('at every request, before its answer', async () => {
    const { rows, requests } = await undisturbed;
    for (let request = 0; request < requests; request += 1) {
      const { world, result } = await crashAndResume({ storeCall: null, request });
      expect(result.errors).toEqual([]);
      expect(sealedRows(world)).toEqual(rows);
      expect(world.endpoint.arrivals.length).toBeLessThanOrEqual(requests + 1);
      expect(mostInWindow(world.endpoint.arrivals, 60_000)).toBeLessThanOrEqual(5);
    }
  });
});

describe('two exporters with the lease defeated', () => {
  test('20 seeds: the quota holds, one snapshot, the chain holds', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const ids = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
      const world = createWorld({ ids, seed, store: { settleMs: 20 } });
      world.endpoint.latencyMs = (index) => 40 + ((index * 37 + seed) % 90);
      // Whoever holds the lease is always taken for gone: every exporter gets it and, renewing late, loses nothing by it.
      const defeated = () =>
        world.createPorts({ host: { identity: `p${Math.random()}`, isGone: () => true } });
      const results = await world.clock.run(
        Promise.all([collect('command', defeated()), collect('command', defeated())]),
      );
      expect(mostInWindow(world.endpoint.arrivals, 60_000), `seed ${seed}`).toBeLessThanOrEqual(5);
      expect(world.endpoint.throttled, `seed ${seed}`).toBe(0);
      // Whoever was left behind goes on; what is sealed by then is whole.
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
