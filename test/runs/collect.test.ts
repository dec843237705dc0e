// Tests one invocation from start to end: promises 1, 3, 4 and 5, and the rules of runs. collect() runs under a virtual clock
// against an endpoint that counts arrivals. Each simulated process has its own identity.

import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { AuthError, ProtocolError, TransientError } from '../../lib/core/errors.ts';
import { scheduleKey } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { unlimitedBudget } from '../../lib/quota/budget.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
} from '../../lib/reading/checkpoint.ts';
import { collect } from '../../lib/runs/collect.ts';
import { requestsFor } from '../../lib/runs/cost.ts';
import type { CollectResult } from '../../lib/runs/invocation.ts';
import { decodeSealRecord, encodeSealRecord } from '../../lib/sealing/seal-record.ts';
import type { Manifest } from '../../lib/snapshots/manifest.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { mostInWindow } from '../support/busiest-window.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createSigningKey } from '../support/signing-keys.ts';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';

const hourMs = 3_600_000;

function idsOf(store: MemoryStore, manifest: Manifest): string[] {
  const part = manifest.parts.find(({ format }) => format === 'ndjson');
  const object = store.dump().get(part?.key ?? '');
  if (!object) throw new Error('no part');
  const lines = gunzipSync(object.bytes).toString('utf8').split('\n').filter(Boolean);
  return lines.map((line) => (JSON.parse(line) as { host_id: string }).host_id);
}

/** The target of the world after its `datasets` changed. */
function otherDatasetOf({ createTarget, dataset }: TestExporter) {
  return createTarget({ dataset: { ...dataset, name: 'container_clusters' } });
}

function nodes(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `host-${index}`);
}

describe('export', () => {
  test('seals 1,000 nodes sorted and exact, with the fewest requests, within the quota', async () => {
    const world = createTestExporter({ ids: nodes(1_000) });
    const result = await world.exportNow();
    expect(result).toMatchObject({
      status: 'sealed',
      requests: requestsFor(1_000, 200),
      errors: [],
    });
    const [sealed] = result.snapshots;
    expect(sealed?.manifest).toMatchObject({ rows: 1_000, verdict: 'complete', previous: null });
    expect(sealed?.manifest.evidence).toMatchObject({
      pages: 6,
      requests: 6,
      throttled: 0,
      passes: 1,
    });
    expect(idsOf(world.store, sealed?.manifest as Manifest)).toEqual(nodes(1_000).sort());
    expect(mostInWindow(world.endpoint.arrivals, 60_000)).toBeLessThanOrEqual(5);
    expect(world.endpoint.throttled).toBe(0);
    expect(await verifyStore(world.store as Store, () => {})).toMatchObject({
      faults: [],
      unnamed: [],
    });
  });

  test('seals an empty list as a valid, empty snapshot', async () => {
    const world = createTestExporter({ ids: [] });
    const result = await world.exportNow();
    expect(result.status).toBe('sealed');
    expect(result.snapshots[0]?.manifest).toMatchObject({ rows: 0, verdict: 'complete' });
  });

  test('names the second of two exports within one second after the next second, and the chain holds', async () => {
    const world = createTestExporter({ ids: nodes(3) });
    const first = await world.exportNow();
    const second = await world.exportNow();
    const names = [first, second].map(({ snapshots }) => snapshots[0]?.manifest.snapshot);
    expect(names).toEqual(['20261124T060000Z', '20261124T060001Z']);
    expect(second.snapshots[0]?.manifest.previous?.snapshot).toBe('20261124T060000Z');
    expect((await verifyStore(world.store as Store, () => {})).faults).toEqual([]);
  });

  test('snapshot names increase even if the clock steps back', async () => {
    const world = createTestExporter({ ids: nodes(3) });
    await world.exportNow();
    world.clock.step(-hourMs);
    const second = await world.exportNow();
    expect(second.snapshots[0]?.manifest.snapshot).toBe('20261124T060001Z');
  });

  test('continues in another process after a signal, within the quota', async () => {
    const world = createTestExporter({ ids: nodes(3_000) });
    const controller = new AbortController();
    world.endpoint.beforeAnswer = (index) => {
      if (index === 7) controller.abort(new Error('SIGINT'));
    };
    const stopped = await world.exportNow({ budget: unlimitedBudget(controller.signal) });
    expect(stopped).toMatchObject({ status: 'paused', snapshots: [] });
    expect(stopped.errors[0]?.code).toBe('STOPPED');
    world.endpoint.beforeAnswer = () => {};
    const result = await world.exportNow();
    expect(result.status).toBe('sealed');
    expect(idsOf(world.store, result.snapshots[0]?.manifest as Manifest)).toHaveLength(3_000);
    expect(world.endpoint.arrivals.length).toBeLessThanOrEqual(requestsFor(3_000, 200) + 1);
    expect(mostInWindow(world.endpoint.arrivals, 60_000)).toBeLessThanOrEqual(5);
  });

  test('keeps every surviving node exactly once while the list drifts, and counts realignments', async () => {
    const world = createTestExporter({ ids: nodes(2_000), seed: 3 });
    const random = createRandom(5);
    world.endpoint.beforeAnswer = (index) => {
      const { ids } = world.endpoint;
      ids.splice(Math.floor(random() * ids.length), 0, `new-${index}`);
      if (index % 2 === 0) ids.splice(Math.floor(random() * ids.length), 1);
    };
    const result = await world.exportNow();
    const manifest = result.snapshots[0]?.manifest as Manifest;
    expect(manifest.verdict).toBe('complete');
    expect(manifest.evidence.realigned).toBeGreaterThan(0);
    const read = new Set(idsOf(world.store, manifest));
    expect(read.size).toBe(manifest.rows);
    const survivors = world.endpoint.ids.filter((id) => id.startsWith('host-'));
    expect(survivors.filter((id) => !read.has(id))).toEqual([]);
  });

  test('seals a list that changes its order as drifted, and does not move _latest', async () => {
    const world = createTestExporter({ ids: nodes(450) });
    const complete = await world.exportNow();
    const random = createRandom(9);
    world.endpoint.beforeAnswer = () => {
      world.endpoint.ids = world.endpoint.ids
        .map((id) => ({ id, at: random() }))
        .sort((a, b) => a.at - b.at)
        .map(({ id }) => id);
    };
    const result = await world.exportNow();
    expect(result.snapshots[0]?.manifest.verdict).toBe('drifted');
    const objects = world.store.dump();
    const pointer = (key: string) =>
      JSON.parse(Buffer.from(objects.get(key)?.bytes ?? []).toString()) as { snapshot: string };
    const place = 'container_nodes/rgn=cn-south-4/prj=p1.json';
    expect(pointer(`_latest/${place}`).snapshot).toBe(complete.snapshots[0]?.manifest.snapshot);
    expect(pointer(`_head/${place}`).snapshot).toBe(result.snapshots[0]?.manifest.snapshot);
    expect((await verifyStore(world.store as Store, () => {})).faults).toEqual([]);
  });

  test('a failing target does not stop the others', async () => {
    const world = createTestExporter({ ids: nodes(10) });
    const bad = world.createTarget({
      table: 'bad_nodes',
      openSource: () => ({
        fetchPage: async () => {
          throw new ProtocolError('NOT_A_PAGE', 'no page', 'look');
        },
      }),
    });
    const result = await world.exportNow({ targets: [bad, world.createTarget()] });
    expect(result.status).toBe('failed');
    expect(result.errors.map(({ code }) => code)).toEqual(['NOT_A_PAGE']);
    expect(result.snapshots).toHaveLength(1);
  });

  test('publishes nothing above 1 % rejects, and reads the list again in the next run', async () => {
    const world = createTestExporter({ ids: [...nodes(50), ''] });
    const failed = await world.exportNow();
    expect(failed.status).toBe('failed');
    expect(failed.errors[0]?.code).toBe('TOO_MANY_REJECTS');
    expect([...world.store.dump().keys()].filter((key) => !key.startsWith('_'))).toEqual([]);
    world.endpoint.ids = nodes(50);
    world.clock.advance(2_000);
    expect((await world.exportNow()).snapshots[0]?.manifest).toMatchObject({
      rows: 50,
      rejects: 0,
    });
  });

  test('keeps a reject verbatim in a part of its own', async () => {
    const world = createTestExporter({ ids: [...nodes(150), ''] });
    const result = await world.exportNow();
    const manifest = result.snapshots[0]?.manifest as Manifest;
    expect(manifest).toMatchObject({ rows: 150, rejects: 1, verdict: 'complete' });
    const part = manifest.parts.find(({ role }) => role === 'rejects');
    const bytes = world.store.dump().get(part?.key ?? '')?.bytes ?? new Uint8Array();
    expect(JSON.parse(gunzipSync(bytes).toString())).toMatchObject({
      reason: 'host_id is empty',
      record: { host_id: '', agent_status: 'online' },
    });
  });

  test.each([
    ['files', { exclusive: true }],
    ['objects', { settleMs: 200 }],
  ])('waits for another exporter and logs it: lease on %s', async (_name, store) => {
    const world = createTestExporter({ ids: nodes(2_000), store });
    const both = await world.clock.run(
      Promise.all([
        collect('command', world.createPorts()),
        collect('command', world.createPorts()),
      ]),
    );
    expect(both.map(({ status }) => status)).toEqual(['sealed', 'sealed']);
    expect(mostInWindow(world.endpoint.arrivals, 60_000)).toBeLessThanOrEqual(5);
    expect(
      world.logs.some(({ message }) => message.includes('waiting until it has finished')),
    ).toBe(true);
    expect((await verifyStore(world.store as Store, () => {})).faults).toEqual([]);
  });
});

describe('timer', () => {
  async function tickUntilSealed(world: TestExporter, ticksMax: number) {
    for (let ticks = 1; ticks <= ticksMax; ticks += 1) {
      const startMs = world.clock.monotonicMs();
      const result = await world.tick();
      if (result.status !== 'paused') return { ticks, result };
      world.clock.advance(60_000 - (world.clock.monotonicMs() - startMs));
    }
    throw new Error('not sealed');
  }

  test('starts at once, names the snapshot after its slot, and then is idle with one read', async () => {
    let reads = 0;
    const world = createTestExporter({
      ids: nodes(1_500),
      store: {
        onCall: ({ phase }) => {
          if (phase === 'before') reads += 1;
        },
      },
    });
    world.clock.advance(1_234_000);
    const { ticks, result } = await tickUntilSealed(world, 5);
    expect(ticks).toBe(2);
    expect(result.snapshots[0]?.manifest.snapshot).toBe('20261124T000000Z');
    reads = 0;
    expect((await world.tick()).status).toBe('idle');
    expect(reads).toBe(1);
  });

  test('is due again at the next slot, not before', async () => {
    const world = createTestExporter({ ids: nodes(10), scheduleMs: 6 * hourMs });
    await world.tick();
    world.clock.advance(6 * hourMs - 1_000);
    expect((await world.tick()).status).toBe('idle');
    world.clock.advance(1_000);
    expect((await world.tick()).snapshots[0]?.manifest.snapshot).toBe('20261124T120000Z');
  });

  test('is not due after a manual export within the slot', async () => {
    const world = createTestExporter({ ids: nodes(10), scheduleMs: 6 * hourMs });
    world.clock.advance(hourMs);
    await world.exportNow();
    expect((await world.tick()).status).toBe('idle');
    world.clock.advance(5 * hourMs);
    expect((await world.tick()).status).toBe('sealed');
  });

  test('finishes a run that outlasts its slots, then exports the newest slot only', async () => {
    const world = createTestExporter({ ids: nodes(3_000), scheduleMs: 60_000 });
    const names: string[] = [];
    for (let tick = 0; tick < 12; tick += 1) {
      const startMs = world.clock.monotonicMs();
      const result = await world.tick();
      for (const { manifest } of result.snapshots) names.push(manifest.snapshot);
      world.clock.advance(60_000 - (world.clock.monotonicMs() - startMs));
    }
    expect(names.slice(0, 2)).toEqual(['20261124T060000Z', '20261124T060300Z']);
  });

  test('uses at least 98 % of the quota over 100 ticks, one per minute, and waits at most 3 s in each', async () => {
    const world = createTestExporter({ ids: nodes(200 + 199 * 600) });
    const random = createRandom(11);
    world.endpoint.latencyMs = () => 50 + random() * 150;
    let waitedMsMax = 0;
    let busyMs = 0;
    let waitedMs = 0;
    for (let tick = 0; tick < 100; tick += 1) {
      const startMs = world.clock.monotonicMs();
      let waited = 0;
      const result = await world.tick({
        progress: (event) => {
          if (event.kind === 'wait') waited += event.delayMs;
        },
      });
      expect(result.status).toBe('paused');
      waitedMsMax = Math.max(waitedMsMax, waited);
      waitedMs += waited;
      busyMs += world.clock.monotonicMs() - startMs;
      world.clock.advance(60_000 - (world.clock.monotonicMs() - startMs));
    }
    expect(waitedMsMax).toBeLessThanOrEqual(3_000);
    expect(world.endpoint.arrivals.length / 500).toBeGreaterThanOrEqual(0.98);
    expect(mostInWindow(world.endpoint.arrivals, 60_000)).toBeLessThanOrEqual(5);
    expect(world.endpoint.throttled).toBe(0);
    expect(waitedMs / (100 * 60_000)).toBeLessThan(0.05);
    expect(busyMs).toBeGreaterThan(0);
  });

  test('holds a refused key without requests or errors, and holds it longer after the next refusal', async () => {
    const world = createTestExporter({ ids: nodes(10) });
    let refused = 0;
    const target = world.createTarget({
      openSource: () => ({
        fetchPage: async () => {
          refused += 1;
          throw new AuthError('UNAUTHORIZED', 'refused', 'check the key');
        },
      }),
    });
    const codes: string[][] = [];
    for (let minute = 0; minute < 60; minute += 1) {
      const result = await world.tick({ targets: [target] });
      if (result.errors.length > 0) codes.push(result.errors.map(({ code }) => code));
      world.clock.advance(60_000);
    }
    expect(refused).toBe(3);
    expect(codes).toEqual([['UNAUTHORIZED'], ['UNAUTHORIZED'], ['UNAUTHORIZED']]);
    // A manual export lifts the hold.
    expect((await world.exportNow({ targets: [world.createTarget()] })).status).toBe('sealed');
    expect((await world.tick()).status).toBe('idle');
  });

  test('holds only the target that lacks a permission, not its key', async () => {
    const world = createTestExporter({ ids: nodes(10) });
    const denied = world.createTarget({
      table: 'denied_nodes',
      openSource: () => ({
        fetchPage: async () => {
          throw new AuthError('NOT_PERMITTED', 'no permission', 'grant it');
        },
      }),
    });
    const targets = [denied, world.createTarget()];
    const result = await world.tick({ targets });
    expect(result.errors.map(({ code }) => code)).toEqual(['NOT_PERMITTED']);
    expect(result.snapshots).toHaveLength(1);
    world.clock.advance(60_000);
    expect((await world.tick({ targets })).errors).toEqual([]);
  });

  test('does not hold a changed key', async () => {
    const world = createTestExporter({ ids: nodes(10) });
    const target = world.createTarget({
      openSource: () => ({
        fetchPage: async () => {
          throw new AuthError('UNAUTHORIZED', 'refused', 'check the key');
        },
      }),
    });
    await world.tick({ targets: [target] });
    const changed = world.createTarget({ user: 'ffffffffffff' });
    expect((await world.tick({ targets: [changed] })).status).toBe('sealed');
  });

  test('holds off a failing run while the others continue, and reports its abandonment once', async () => {
    const world = createTestExporter({ ids: nodes(10), scheduleMs: 6 * hourMs });
    let asked = 0;
    const bad = world.createTarget({
      table: 'bad_nodes',
      openSource: () => ({
        fetchPage: async () => {
          asked += 1;
          throw new ProtocolError('NOT_A_PAGE', 'no page', 'look');
        },
      }),
    });
    const targets = [bad, world.createTarget()];
    const codes: string[] = [];
    let sealed = 0;
    for (let minute = 0; minute < 26 * 60; minute += 5) {
      const result = await world.tick({ targets });
      sealed += result.snapshots.length;
      codes.push(...result.errors.map(({ code }) => code));
      world.clock.advance(5 * 60_000);
    }
    expect(sealed).toBe(5);
    expect(asked).toBeLessThan(35);
    expect(codes.filter((code) => code === 'RUN_ABANDONED')).toHaveLength(1);
  });

  test('pauses on temporary faults, and holds off after the fifth in a row', async () => {
    const world = createTestExporter({ ids: nodes(1_000) });
    world.endpoint.beforeAnswer = (index) => {
      if (index < 3) throw new TransientError('UNAVAILABLE', '503', 'wait');
    };
    const statuses: string[] = [];
    for (let tick = 0; tick < 6; tick += 1) {
      statuses.push((await world.tick()).status);
      world.clock.advance(60_000);
    }
    expect(statuses).toEqual(['paused', 'paused', 'paused', 'paused', 'sealed', 'idle']);
  });

  test('abandons a run that an older version started with other columns, and logs it', async () => {
    const world = createTestExporter({ ids: nodes(2_000) });
    expect((await world.tick()).status).toBe('paused');
    const schemaVersion = world.dataset.schemaVersion + 1;
    const upgraded = world.createTarget({ dataset: { ...world.dataset, schemaVersion } });
    for (const _tick of [1, 2]) {
      world.clock.advance(61_000);
      expect((await world.tick({ targets: [upgraded] })).snapshots).toEqual([]);
    }
    expect(world.logs.some(({ fields }) => fields.code === 'SCHEMA_CHANGED')).toBe(true);
    world.clock.advance(61_000);
    const { snapshots } = await world.tick({ targets: [upgraded] });
    expect(snapshots[0]?.manifest).toMatchObject({ rows: 2_000, schemaVersion });
  });

  test('abandons the open run when the target has another dataset, and logs it', async () => {
    const world = createTestExporter({ ids: nodes(2_000) });
    expect((await world.tick()).status).toBe('paused');
    world.clock.advance(61_000);
    const { errors } = await world.tick({ targets: [otherDatasetOf(world)] });
    expect(errors).toEqual([]);
    expect(world.logs.map(({ fields }) => fields.code)).toContain('SCOPE_CHANGED');
  });

  test('never seals a dataset into a table that has another one', async () => {
    const world = createTestExporter({ ids: nodes(3) });
    expect((await world.tick()).status).toBe('sealed');
    const keys = [...world.store.dump().keys()].filter((key) => !key.startsWith('_runs/'));
    world.clock.advance(24 * 3_600_000);
    const { errors, snapshots, requests } = await world.tick({ targets: [otherDatasetOf(world)] });
    expect(errors).toMatchObject([
      {
        code: 'CONFIG',
        message: expect.stringMatching(/asks for container_clusters, .* have container_nodes/),
        hint: expect.stringContaining('another `table`'),
      },
    ]);
    expect([snapshots, requests]).toEqual([[], 0]);
    expect([...world.store.dump().keys()].filter((key) => !key.startsWith('_runs/'))).toEqual(keys);
    // The target works again when its dataset is set back, once its back-off has passed.
    world.clock.advance(24 * 3_600_000);
    expect((await world.tick()).status).toBe('sealed');
  });

  test('abandons the open run when the scope changed, and logs it', async () => {
    const world = createTestExporter({ ids: nodes(2_000) });
    expect((await world.tick()).status).toBe('paused');
    const target = world.createTarget();
    const changed = {
      ...target,
      scopeOf: (projectId: string) => ({
        ...target.scopeOf(projectId),
        enterpriseProjectId: 'all',
      }),
    };
    world.clock.advance(61_000);
    const result = await world.tick({ targets: [changed] });
    expect(result.errors).toEqual([]);
    expect(world.logs.some(({ fields }) => fields.code === 'SCOPE_CHANGED')).toBe(true);
    world.clock.advance(61_000);
    await world.tick({ targets: [changed] });
    world.clock.advance(61_000);
    const last = await world.tick({ targets: [changed] });
    expect(last.snapshots[0]?.manifest).toMatchObject({
      rows: 2_000,
      scope: { enterpriseProjectId: 'all' },
    });
  });

  test('waits once, without an error, if another client uses the quota; the configured quota still holds', async () => {
    const world = createTestExporter({ ids: nodes(1_000) });
    // Three requests of another client, right before our first.
    const nowMs = world.clock.monotonicMs();
    world.endpoint.arrivals.push(nowMs, nowMs, nowMs);
    const first = await world.tick();
    expect(first).toMatchObject({ status: 'paused', errors: [], requests: 3 });
    const { ticks, result } = await tickUntilSealed(world, 10);
    expect(result.snapshots[0]?.manifest.evidence.throttled).toBe(1);
    expect(ticks).toBeLessThanOrEqual(4);
  });

  test('waits for the lease again and continues after it was suspended for longer than the lease lasts', async () => {
    const world = createTestExporter({ ids: nodes(3_000), store: { exclusive: true } });
    let overtaken: Promise<unknown> | null = null;
    const first = collect('command', world.createPorts());
    world.endpoint.beforeAnswer = (index) => {
      if (index !== 4) return;
      world.clock.advance(100_000);
      overtaken = collect('command', world.createPorts());
    };
    // The other process resumes and seals the same run. The first finds it sealed and exports again.
    expect(await world.clock.run(first)).toMatchObject({ status: 'sealed', errors: [] });
    expect(await world.clock.run(overtaken ?? Promise.reject())).toMatchObject({
      status: 'sealed',
    });
    expect((await verifyStore(world.store as Store, () => {})).faults).toEqual([]);
    expect(mostInWindow(world.endpoint.arrivals, 60_000)).toBeLessThanOrEqual(5);
  });

  test('leaves at once if another exporter works on the store', async () => {
    const world = createTestExporter({ ids: nodes(2_000) });
    const slow = collect('command', world.createPorts());
    const both = world.clock.run(
      Promise.all([
        slow,
        world.clock.sleep(10_000).then(() => collect('timer', world.createPorts())),
      ]),
    );
    const [exported, ticked] = await both;
    expect(exported.status).toBe('sealed');
    expect(ticked).toMatchObject({ status: 'idle', requests: 0 });
  });

  test('starts nothing without time left', async () => {
    const world = createTestExporter({ ids: nodes(10) });
    expect(await world.tick({}, 1_500)).toMatchObject({ status: 'paused', requests: 0 });
  });

  test('asks for a project id once and remembers it', async () => {
    const world = createTestExporter({ ids: nodes(10), scheduleMs: hourMs });
    let asked = 0;
    const target = world.createTarget({
      projectId: null,
      findProjectId: async () => {
        asked += 1;
        return 'p9';
      },
    });
    await world.tick({ targets: [target] });
    world.clock.advance(hourMs);
    const result = await world.tick({ targets: [target] });
    expect(result.snapshots[0]?.manifestKey).toContain('prj=p9');
    expect(asked).toBe(1);
  });
});

describe('working state with a signing key', () => {
  const [signing, otherKey] = [createSigningKey(), createSigningKey()];
  const isCheckpoint = (key: string) => key.endsWith('/checkpoint.json');
  const isRecord = (key: string) => key.includes('/sealing/');

  /** As a person does who may write to the store, but has no key. */
  function forgeCheckpoint(key: string, checkpoint: Checkpoint, hex: string): Checkpoint {
    const recent = checkpoint.recent.map((text) => {
      const page = gunzipSync(Buffer.from(text, 'base64')).toString();
      return gzipSync(page.replaceAll('"online"', '"forged"')).toString('base64');
    });
    const by = { keyId: signing.keyId, mac: () => hex };
    return decodeCheckpoint(key, encodeCheckpoint({ ...checkpoint, recent }, { key, by }));
  }
  const hexIn = (bytes: Uint8Array) =>
    /"hex":"([0-9a-f]{64})"/.exec(Buffer.from(bytes).toString())?.[1] ?? '';
  const objectOf = ({ store }: TestExporter, matches: (key: string) => boolean) => {
    const [key = '', object] = [...store.dump()].find(([one]) => matches(one)) ?? [];
    return { key, bytes: object?.bytes ?? new Uint8Array() };
  };
  const statusesOf = ({ snapshots }: CollectResult) =>
    snapshots.map(({ manifest }) => manifest.values.agent_status);

  test.each([true, false])(
    'a forged checkpoint is set aside: its rows are never sealed (MAC: %s)',
    async (hasMac) => {
      const world = createTestExporter({ ids: nodes(2_000) });
      await world.tick({ signing });
      const { key, bytes } = objectOf(world, isCheckpoint);
      const hex = hexIn(bytes);
      expect(hex).not.toBe('');
      const forged = forgeCheckpoint(key, decodeCheckpoint(key, bytes, signing), hex);
      const at = { key, by: hasMac ? { keyId: signing.keyId, mac: () => hex } : null };
      await world.store.put(key, encodeCheckpoint(forged, at));
      world.clock.advance(61_000);
      const result = await world.exportNow({ signing });
      expect(result).toMatchObject({ status: 'sealed', errors: [{ code: 'CORRUPT', key }] });
      expect(statusesOf(result)).toEqual([{ online: 2_000 }]);
      world.clock.advance(61_000);
      expect((await world.exportNow({ signing })).errors).toEqual([]);
    },
  );

  test('a forged seal record is written again from the checkpoint, and reported once', async () => {
    const world = createTestExporter({ ids: ['a', 'b'] });
    const dying: Store = {
      ...world.store,
      async put(key, bytes, options) {
        if (key.startsWith('_manifests/')) throw new Error('killed');
        await world.store.put(key, bytes, options);
      },
    };
    await expect(world.exportNow({ signing, store: dying })).rejects.toThrow('killed');
    const { key, bytes } = objectOf(world, isRecord);
    const record = decodeSealRecord(key, bytes);
    const hex = hexIn(bytes);
    const checkpoint = forgeCheckpoint(key, record.checkpoint, hex);
    const by = { keyId: signing.keyId, mac: () => hex };
    await world.store.put(key, encodeSealRecord({ ...record, checkpoint }, { key, by }));
    world.clock.advance(61_000);
    const result = await world.exportNow({ signing });
    expect(result).toMatchObject({ status: 'sealed', errors: [{ code: 'CORRUPT', key }] });
    expect(statusesOf(result)).toEqual([{ online: 2 }]);
    expect(await verifyStore(world.store, () => {})).toMatchObject({ faults: [], unnamed: [] });
  });

  test.each<[string, SigningKey | null]>([
    ['changed', otherKey],
    ['removed', null],
  ])('after the key was %s, an open run is sealed, and nothing is reported', async (_how, next) => {
    const world = createTestExporter({ ids: nodes(2_000) });
    await world.tick({ signing });
    world.clock.advance(61_000);
    const result = await world.exportNow({ signing: next });
    expect(result).toMatchObject({ status: 'sealed', errors: [] });
    expect(await verifyStore(world.store, () => {})).toMatchObject({ faults: [], unnamed: [] });
  });
});

describe('truncated or altered state', () => {
  async function paused(): Promise<TestExporter> {
    const world = createTestExporter({ ids: nodes(2_000) });
    expect((await world.tick()).status).toBe('paused');
    world.clock.advance(61_000);
    return world;
  }
  const damages: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['cut short', (bytes) => bytes.subarray(0, bytes.length - 3)],
    ['emptied', () => new Uint8Array()],
  ];
  function damage(
    { store }: TestExporter,
    matches: (key: string) => boolean,
    change: (bytes: Uint8Array) => Uint8Array,
  ) {
    const objects = store.dump();
    const key = [...objects.keys()].filter(matches).pop() as string;
    const object = objects.get(key) as { bytes: Uint8Array; modifiedMs: number };
    const damaged = { ...object, bytes: change(object.bytes) };
    store.restore(new Map([...objects, [key, damaged]]));
    return { key, bytes: damaged.bytes };
  }

  for (const [name, change] of damages) {
    test(`the ledger ${name}: names it, overwrites nothing, sends nothing`, async () => {
      const world = await paused();
      const { key, bytes } = damage(world, (one) => one.startsWith('_quota/'), change);
      const sent = world.endpoint.arrivals.length;
      const result = await world.exportNow();
      expect(result.status).toBe('failed');
      expect(result.errors[0]).toMatchObject({ code: 'CORRUPT', key });
      expect(result.errors[0]?.message).toContain(key);
      expect(world.store.dump().get(key)?.bytes).toEqual(bytes);
      expect(world.endpoint.arrivals.length).toBe(sent);
    });

    const isSchedule = (key: string) => key === scheduleKey;
    const isCheckpoint = (key: string) => key.endsWith('/checkpoint.json');
    test.each([
      ['the schedule', isSchedule],
      ['a checkpoint', isCheckpoint],
    ])(`%s ${name}: is kept aside and reported once; an export seals`, async (_, matches) => {
      const world = await paused();
      const { key, bytes } = damage(world, matches, change);
      const result = await world.exportNow();
      expect(result).toMatchObject({ status: 'sealed', errors: [{ code: 'CORRUPT', key }] });
      const kept = [...world.store.dump()].filter(([one]) => one.includes('damaged'));
      expect(kept.map(([, object]) => object.bytes)).toEqual([bytes]);
      expect((await verifyStore(world.store, () => {})).foreign).toEqual([]);
      world.clock.advance(61_000);
      expect(await world.exportNow()).toMatchObject({ status: 'sealed', errors: [] });
    });

    test.each([
      ['the schedule', isSchedule],
      ['a checkpoint', isCheckpoint],
    ])(`%s ${name}: a timer reports it once and seals later`, async (_, matches) => {
      const world = await paused();
      const { key } = damage(world, matches, change);
      const results = [];
      for (let minute = 0; minute < 5; minute += 1) {
        results.push(await world.tick());
        world.clock.advance(61_000);
      }
      expect(results.flatMap(({ errors }) => errors)).toMatchObject([{ code: 'CORRUPT', key }]);
      expect(results.flatMap(({ snapshots }) => snapshots)).toHaveLength(1);
    });
  }

  test('a schedule that is damaged again and again lets a refused key be sent once more, then at most every 15 minutes', async () => {
    const world = createTestExporter({ ids: ['a'] });
    world.endpoint.beforeAnswer = () => {
      throw new AuthError('KEY_REFUSED', 'refused', 'change it');
    };
    for (let minute = 0; minute < 60; minute += 1) {
      await world.tick();
      // The invocation that starts the schedule again ends with its report: the next one sends.
      if (minute % 2 === 1) await world.store.put(scheduleKey, Buffer.from('{'));
      world.clock.advance(60_000);
    }
    const gaps = world.endpoint.arrivals
      .slice(1)
      .map((ms, i) => ms - (world.endpoint.arrivals[i] ?? 0));
    expect(Math.min(...gaps.slice(1))).toBeGreaterThanOrEqual(15 * 60_000);
    expect(world.endpoint.arrivals.length).toBeGreaterThan(2);
  });
  test('names an altered page when it is read back, and publishes nothing', async () => {
    const world = createTestExporter({
      ids: nodes(3_000),
      quota: { requests: 12, windowSeconds: 60 },
    });
    expect((await world.tick()).status).toBe('paused');
    world.clock.advance(61_000);
    const objects = world.store.dump();
    const key = [...objects.keys()].find((name) => name.includes('/pages/')) as string;
    const bytes = Uint8Array.from(objects.get(key)?.bytes ?? []);
    bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
    world.store.restore(new Map([...objects, [key, { bytes, modifiedMs: 0 }]]));
    const result = await world.exportNow();
    expect(result.errors[0]).toMatchObject({ code: 'CORRUPT', key });
    expect([...world.store.dump().keys()].filter((name) => !name.startsWith('_'))).toEqual([]);
  });
  test('detects one changed character of a checkpoint by its hash', async () => {
    const world = await paused();
    const objects = world.store.dump();
    const key = [...objects.keys()].find((name) => name.endsWith('checkpoint.json')) as string;
    const text = Buffer.from(objects.get(key)?.bytes ?? []).toString();
    const changed = Buffer.from(text.replace('"totalNumFirst":2000', '"totalNumFirst":2001'));
    expect(changed.toString()).not.toBe(text);
    world.store.restore(new Map([...objects, [key, { bytes: changed, modifiedMs: 0 }]]));
    expect((await world.exportNow()).errors[0]).toMatchObject({ code: 'CORRUPT', key });
  });
});

test('uses at most 4.2 requests to the store per page in ticks of a long list, which has few pages per object', async () => {
  let calls = 0;
  const world = createTestExporter({
    ids: nodes(6_000),
    limit: 10,
    store: {
      onCall: ({ phase }) => {
        if (phase === 'before') calls += 1;
      },
    },
  });
  const tick = async () => {
    const before = { calls, pages: world.endpoint.arrivals.length };
    await world.tick();
    world.clock.advance(61_000);
    expect(world.endpoint.arrivals.length - before.pages).toBe(5);
    return calls - before.calls;
  };
  await tick();
  // As after many pages: what may be written again is used up.
  const key = [...world.store.dump().keys()].find((name) => name.endsWith('checkpoint.json')) ?? '';
  const stored = decodeCheckpoint(key, world.store.dump().get(key)?.bytes ?? new Uint8Array());
  const carriedBytes = Math.round(0.82 * stored.pageBytes + 2 * 2 ** 20);
  await world.store.put(key, encodeCheckpoint({ ...stored, carriedBytes }));
  // The first ones make up for the pages that are in this checkpoint.
  for (let count = 0; count < 5; count += 1) await tick();
  const counts: number[] = [];
  for (let count = 0; count < 60; count += 1) counts.push(await tick());
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  expect(mean).toBeGreaterThan(19);
  expect(mean).toBeLessThanOrEqual(4.2 * 5);
});

describe('one run while the clock of the store was ahead, and right again', () => {
  const dayMs = 24 * 3_600_000;
  const aheads = [dayMs / 4, 400 * dayMs];
  type World = ReturnType<typeof createTestExporter>;

  /** A run whose name is more than a day ahead is given up, and the timer reports that once. */
  async function tickUntilCurrent(world: World, aheadMs: number) {
    if (aheadMs > dayMs) {
      expect((await world.tick()).errors).toMatchObject([{ code: 'RUN_ABANDONED' }]);
    }
    return world.tick();
  }

  test.each(aheads)(
    'by %d ms: a paused run continues at once, for a command and for a timer',
    async (aheadMs) => {
      for (const continueRun of ['tick', 'exportNow'] as const) {
        const world = createTestExporter({ scheduleMs: 3_600_000 });
        world.clock.step(aheadMs);
        // Three of six pages: then the time is over.
        world.endpoint.latencyMs = () => 400;
        await world.tick({}, 3_000);
        expect(world.endpoint.arrivals.length).toBeGreaterThan(0);
        world.clock.step(-aheadMs);
        // Entries of that time are void. Requests of the real window before would still count at the service.
        world.clock.advance(61_000);
        const startMs = world.clock.monotonicMs();
        const result = await (continueRun === 'tick'
          ? tickUntilCurrent(world, aheadMs)
          : world.exportNow());
        expect(result.errors).toEqual([]);
        // A new run needs six pages, and one window has five requests.
        const isPaused = continueRun === 'tick' && aheadMs > dayMs;
        expect(result.status).toBe(isPaused ? 'paused' : 'sealed');
        expect(result.requests).toBe(isPaused ? 5 : aheadMs > dayMs ? 6 : 3);
        expect(world.clock.monotonicMs() - startMs).toBeLessThan(90_000);
      }
    },
  );

  test.each(aheads)(
    'by %d ms: a hold from that time is ignored, and the timer tries again',
    async (aheadMs) => {
      const world = createTestExporter();
      world.clock.step(aheadMs);
      world.endpoint.beforeAnswer = () => {
        throw new AuthError('REFUSED', 'wrong key', 'set the key');
      };
      await world.tick();
      world.clock.step(-aheadMs);
      world.endpoint.beforeAnswer = () => {};
      const sent = world.endpoint.arrivals.length;
      world.clock.advance(120_000);
      await tickUntilCurrent(world, aheadMs);
      expect(world.endpoint.arrivals.length).toBeGreaterThan(sent);
    },
  );

  test.each(aheads)(
    'by %d ms: an open run without a page is still reported as stalled',
    async (aheadMs) => {
      const world = createTestExporter();
      world.clock.step(aheadMs);
      world.endpoint.latencyMs = () => 400;
      await world.tick({}, 3_000);
      world.clock.step(-aheadMs);
      world.endpoint.beforeAnswer = () => {
        throw new TransientError('TIMEOUT', 'no answer', 'wait');
      };
      const codes: string[] = [];
      for (let minute = 0; minute < 90; minute += 1) {
        world.clock.advance(60_000);
        codes.push(...(await world.tick()).errors.map(({ code }) => code));
      }
      expect(codes).toContain('RUN_STALLED');
    },
  );
});
