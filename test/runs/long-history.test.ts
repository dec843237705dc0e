// Tests that a target with ten thousand snapshots costs as many reads as one with a hundred and fifty, in `status` and in a tick.
// Only the pages of a list may grow.

import { describe, expect, test } from 'vitest';
import { findStoredTargets } from '../../lib/cli/status.ts';
import { readStatus } from '../../lib/runs/target-status.ts';
import { searchedMax } from '../../lib/snapshots/catalog.ts';
import { type HistoryOptions, listHistory } from '../support/sealed-history.ts';
import { createTestExporter } from '../support/test-exporter.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

interface Cost {
  gets: number;
  manifests: number;
  bytes: number;
  /** One per 1,000 keys, as on OBS. */
  listPages: number;
}

/** An exporter whose store has `snapshots` hourly snapshots of each target, and counts what is read. */
function createWorld(options: {
  snapshots: number;
  targets?: number;
  verdictOf?: HistoryOptions['verdictOf'];
  lost?: string;
}) {
  const { snapshots, targets = 1, verdictOf, lost } = options;
  const world = createTestExporter({ ids: ['a', 'b'], scheduleMs: dayMs });
  const projects = Array.from({ length: targets }, (_, index) => `p${index + 1}`);
  const modifiedMs = world.clock.nowMs() - 2 * dayMs;
  const objects = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();
  for (const projectId of projects) {
    const history: HistoryOptions = {
      target: { table: 'container_nodes', region: 'cn-south-4', projectId },
      count: snapshots,
      newestMs: modifiedMs,
      scheduleMs: hourMs,
      ...(verdictOf ? { verdictOf } : {}),
    };
    for (const { key, bytes } of listHistory(history)) {
      // Parts are not read here.
      const isWanted = key.startsWith('_') && (lost === undefined || !key.startsWith(lost));
      if (isWanted) objects.set(key, { bytes, modifiedMs });
    }
  }
  world.store.restore(objects);
  let cost: Cost = { gets: 0, manifests: 0, bytes: 0, listPages: 0 };
  const store = {
    ...world.store,
    async get(key: string) {
      const bytes = await world.store.get(key);
      cost.gets += 1;
      cost.bytes += bytes?.length ?? 0;
      if (key.startsWith('_manifests/')) cost.manifests += 1;
      return bytes;
    },
    async list(prefix: string) {
      const found = await world.store.list(prefix);
      cost.listPages += Math.max(1, Math.ceil(found.length / 1_000));
      return found;
    },
  };
  async function measure<T>(work: () => Promise<T>): Promise<{ result: T; cost: Cost }> {
    cost = { gets: 0, manifests: 0, bytes: 0, listPages: 0 };
    const result = await work();
    return { result, cost };
  }
  return {
    status: (scheduleMs: number | null = dayMs) =>
      measure(async () => {
        const stored = await findStoredTargets(store);
        const all = scheduleMs === null ? stored : targetsOf(world, projects);
        return readStatus(store, scheduleMs, all);
      }),
    tick: () => measure(() => world.tick({ store, targets: targetsOf(world, projects) })),
  };
}

function targetsOf(world: ReturnType<typeof createTestExporter>, projects: readonly string[]) {
  return projects.map((projectId) => world.createTarget({ projectId }));
}

const always = 'drifted' as const;
describe.each([
  ['intact', {}],
  ['never complete', { verdictOf: () => always }],
  [
    'drifted for a while',
    { verdictOf: (age: number) => (age < 40 ? ('drifted' as const) : ('complete' as const)) },
  ],
  ['without _head', { lost: '_head/' }],
  ['without _latest', { lost: '_latest/' }],
])('a target that is %s', (_state, options) => {
  test('costs the same reads with 150 snapshots and with 10,000', async () => {
    const costs = [];
    for (const snapshots of [150, 10_000]) {
      const world = createWorld({ snapshots, ...options });
      const status = await world.status();
      expect(status.result).toMatchObject([{ open: null, due: true }]);
      const seal = await world.tick();
      expect(seal.result.snapshots).toHaveLength(1);
      const idle = await world.tick();
      expect([idle.result.status, idle.cost.gets, idle.cost.listPages]).toEqual(['idle', 1, 0]);
      const { gets, manifests, bytes } = seal.cost;
      const { listPages: _, ...ofStatus } = status.cost;
      costs.push({ seal: { gets, manifests }, ofStatus });
      // What a seal reads includes its own state, whose size varies by a few bytes.
      expect(bytes).toBeLessThan(2_000 * (manifests + 10));
      expect(Math.max(manifests, ofStatus.manifests)).toBeLessThanOrEqual(searchedMax + 4);
      // A seal lists the manifests five times.
      expect(seal.cost.listPages).toBeLessThanOrEqual(5 * Math.ceil(snapshots / 1_000 + 1) + 6);
    }
    expect(costs[1]).toEqual(costs[0]);
  });
});

test('a status of 200 targets reads two manifests of each', async () => {
  const world = createWorld({ snapshots: 3, targets: 200 });
  for (const scheduleMs of [dayMs, null]) {
    const { result, cost } = await world.status(scheduleMs);
    expect(result).toHaveLength(200);
    expect(cost.manifests).toBe(400);
  }
});

test('says how far it has looked for a complete snapshot', async () => {
  const { result } = await createWorld({ snapshots: 150, verdictOf: () => always }).status();
  expect(result[0]).toMatchObject({ latest: null, problems: [{ kind: 'drifted' }] });
  expect(result[0]?.problems[0]?.message).toMatch(/; no complete one among the newest 100$/);
});
