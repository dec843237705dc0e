// Responsible for a seeded store with a history for reports: nodes join, leave, come back, are renamed and change their states;
// snapshots drift, slots are missed, scopes change and rows are pruned. Sealed by the code under test, in memory.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { snapshotName } from '../../lib/core/object-keys.ts';
import { writeTombstone } from '../../lib/retention/tombstone.ts';
import { createRandom } from '../../lib/simulator/random.ts';
import type { Sealed } from '../../lib/snapshots/manifest.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { createSealPorts, sealStored, storeRun } from '../support/stored-run.ts';
import { createClock } from '../support/virtual-clock.ts';

export const slotMs = 6 * 3_600_000;
export const startMs = Date.UTC(2026, 9, 1);

export interface WorldTarget {
  account: string;
  table: string;
  region: string;
  projectId: string;
}

export const worldTargets: readonly WorldTarget[] = [
  { account: 'prod', table: 'container_nodes', region: 'cn-south-4', projectId: 'p1' },
  { account: 'test', table: 'container_nodes', region: 'cn-north-1', projectId: 'p2' },
];

export interface ReportWorld {
  store: MemoryStore;
  sealed: Sealed[];
  /** Deletes the rows of a snapshot, with its tombstone. */
  prune(sealed: Sealed): Promise<void>;
  /** Writes all objects to a folder. */
  dump(folder: string): void;
  advance(deltaMs: number): void;
}

interface Node {
  host_id: string;
  [field: string]: unknown;
}

const pick = <T>(random: () => number, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)] as T;
const protections = ['opened', 'opened', 'closed', null, 'odd_value', undefined];
const kinds = [true, true, false, null, undefined];
const agents = ['online', 'offline', 'offline', 'not_register', null, undefined];
const names = ['web', 'a,"b"', '=1+1', '节点', null, 'x'.repeat(128)];

function makeNode(random: () => number, host_id: string): Node {
  const protect_status = pick(random, protections);
  return {
    host_id,
    host_name: pick(random, names),
    agent_status: pick(random, agents),
    ...(protect_status === undefined ? {} : { protect_status }),
    is_container_node: pick(random, kinds),
    vulnerability: Math.floor(random() * 3),
    ...(random() < 0.1 ? { new_field: 1 } : {}),
  };
}

/** The next state of the list: some nodes leave, some come back or are new, some change. */
function change(random: () => number, nodes: readonly Node[], known: readonly string[]): Node[] {
  const kept = nodes.filter(() => random() > 0.1);
  const changed = kept.map((node) =>
    random() < 0.3 ? { ...makeNode(random, node.host_id), ...keepSome(random, node) } : node,
  );
  const listed = new Set(changed.map(({ host_id }) => host_id));
  const joining = known.filter((id) => !listed.has(id) && random() < 0.1);
  return [...changed, ...joining.map((id) => makeNode(random, id))];
}

function keepSome(random: () => number, node: Node): Partial<Node> {
  return random() < 0.5 ? { protect_status: node.protect_status } : { host_name: node.host_name };
}

export interface WorldOptions {
  seed: number;
  slots?: number;
  /** Of nodes that exist at some time. */
  nodes?: number;
  targets?: readonly WorldTarget[];
  /** Of slots that are missed, drift, or begin another scope. */
  oddShare?: number;
}

export async function createReportWorld(options: WorldOptions): Promise<ReportWorld> {
  const { seed, slots = 14, nodes = 12, targets = worldTargets, oddShare = 0.12 } = options;
  const random = createRandom(seed);
  const clock = createClock(startMs, 30);
  const store = createMemoryStore({ nowMs: clock.nowMs });
  const sealed: Sealed[] = [];
  const known = Array.from(
    { length: nodes },
    (_, index) => pick(random, ['a', 'Z', 'é', '\u{1f680}']) + index,
  );
  const states = targets.map(() => ({ list: change(random, [], [...known, ...known]), eps: 0 }));
  for (let slot = 0; slot < slots; slot += 1) {
    for (const [index, target] of targets.entries()) {
      const state = states[index] as (typeof states)[number];
      state.list = change(random, state.list, known);
      // An empty list once in a while.
      if (random() < 0.03) state.list = [];
      if (random() < oddShare) continue;
      if (random() < oddShare) state.eps += 1;
      const enterpriseProjectId = `eps-${state.eps}`;
      const verdict = random() < oddShare ? 'drifted' : 'complete';
      const records = state.list.map((node) => JSON.stringify(node));
      const [first] = state.list;
      // The list has the node twice: one of them is a reject.
      const twice = first && random() < 0.2 ? [JSON.stringify({ ...first, vulnerability: 9 })] : [];
      const { account, ...key } = target;
      const run = await storeRun(store, {
        ...{ target: key, snapshot: snapshotName(clock.nowMs()), verdict },
        pages: [{ records: [...twice, ...records], fetchedAtMs: clock.nowMs() + 1_000 }],
        scope: { account, enterpriseProjectId },
        startedAtMs: clock.nowMs(),
      });
      const ports = createSealPorts(store, clock, { scheduleMs: slotMs });
      sealed.push(await clock.run(sealStored(ports, run)));
    }
    const next = startMs + (slot + 1) * slotMs;
    clock.advance(next - clock.nowMs());
  }
  return {
    store,
    sealed,
    async prune({ manifest, manifestSha256 }) {
      const { table, scope, snapshot, parts } = manifest;
      const target = { table, region: scope.region, projectId: scope.projectId };
      const keys = parts.filter(({ role }) => role !== 'changes').map(({ key }) => key);
      const prunedAt = new Date(clock.nowMs()).toISOString();
      const content = { snapshot, manifestSha256, parts: keys, prunedAt, rule: 'all: 1d' };
      await writeTombstone(store, target, content, null);
      for (const key of keys) await store.delete(key);
    },
    dump(folder) {
      for (const [key, { bytes }] of store.dump()) {
        const path = join(folder, key);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
    },
    advance: clock.advance,
  };
}
