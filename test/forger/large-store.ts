// Responsible for a store with sixty sealed snapshots of three targets, as years of exports leave it: two signing keys, drifted
// and unsigned snapshots, rejects and changes.

import { snapshotName, type TargetKey } from '../../lib/core/object-keys.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { unlimitedBudget } from '../../lib/quota/budget.ts';
import { prune } from '../../lib/runs/prune.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { listNewest, type Pin } from '../../lib/verification/pins.ts';
import { verifyWithChains } from '../../lib/verification/verification.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { createKeyPair, type KeyPair } from '../support/signing-keys.ts';
import {
  createSealPorts,
  nodeText,
  sealStored,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createClock, type VirtualClock } from '../support/virtual-clock.ts';

const hourMs = 3_600_000;
export const snapshotsOfTarget = 20;
const startMs = Date.UTC(2026, 9, 1, 6);
const scheduleMs = 24 * hourMs;

export const targets: readonly TargetKey[] = [
  someTarget,
  { table: 'container_nodes', region: 'cn-north-4', projectId: 'p2' },
  { table: 'web_nodes', region: 'cn-south-4', projectId: 'p1' },
];

export interface LargeStore {
  clock: VirtualClock;
  store: MemoryStore;
  oldKey: KeyPair;
  newKey: KeyPair;
  /** The objects after each round: one more snapshot of every target. The last entry is the store as it is, which was pruned. */
  rounds: ReadonlyMap<string, Uint8Array>[];
  /** Of the store as it is. */
  pins: readonly Pin[];
}

/** Private working state is left out: a forger may change it, and readers do not rely on it. */
export function readObjects(store: MemoryStore): Map<string, Uint8Array> {
  const objects = [...store.dump()].filter(([key]) => !/^_(runs|lease|quota)\//.test(key));
  return new Map(objects.map(([key, { bytes }]) => [key, bytes]));
}

export async function createLargeStore(): Promise<LargeStore> {
  const clock = createClock(startMs);
  const store = createMemoryStore({ nowMs: clock.nowMs });
  const [oldKey, newKey] = [createKeyPair(), createKeyPair()];
  const rounds: ReadonlyMap<string, Uint8Array>[] = [];
  for (let round = 0; round < snapshotsOfTarget; round += 1) {
    for (const [t, target] of targets.entries()) {
      const run = await storeRun(store, describeRun(target, t, round));
      // The third target was exported without a key at first.
      const isUnsigned = t === 2 && round < 5;
      const signing = isUnsigned ? null : (round < 9 ? oldKey : newKey).signer;
      const encoders = [parquetEncoder, ndjsonEncoder];
      const ports = createSealPorts(store, clock, { encoders, signing, scheduleMs });
      await clock.run(sealStored(ports, run));
    }
    rounds.push(readObjects(store));
    clock.advance(startMs + (round + 1) * scheduleMs - clock.nowMs());
  }
  await pruneOld(store, clock, newKey.signer);
  rounds.push(readObjects(store));
  return { clock, store, oldKey, newKey, rounds, pins: await readPins(store, clock.nowMs()) };
}

/** Nodes come, go and change their status. Some snapshots are drifted, among them the newest one of the first target. */
function describeRun(target: TargetKey, t: number, round: number) {
  const isDrifted = round % 7 === 5 + t || (t === 0 && round === snapshotsOfTarget - 1);
  const numbers = Array.from({ length: 12 }, (_, index) => index).filter(
    (index) => (index + round + t) % 9 !== 0,
  );
  const nodes = numbers.map((index) =>
    nodeText(`host-${t}-${index}`, {
      agent_status: (index + round) % 5 === 0 ? 'offline' : 'online',
      protect_status: (index * 3 + round) % 4 === 0 ? 'closed' : 'opened',
      vulnerability_num: round,
    }),
  );
  // The second record of a node: the first one is kept as a reject.
  const twice = round % 4 === 0 ? [nodeText(`host-${t}-${numbers[0]}`, { asset: 7 })] : [];
  return {
    target,
    snapshot: snapshotName(startMs + round * scheduleMs),
    verdict: isDrifted ? ('drifted' as const) : ('complete' as const),
    pages: [{ records: [...nodes, ...twice], fetchedAtMs: startMs + round * scheduleMs + 1_000 }],
  };
}

/** Keeps the rows of the newest eight days, and one snapshot of each week. */
async function pruneOld(
  store: MemoryStore,
  clock: VirtualClock,
  signingKey: SigningKey,
): Promise<void> {
  const dayMs = 24 * hourMs;
  const retention = { all: 8 * dayMs, daily: null, weekly: 300 * dayMs, monthly: null, grace: 0 };
  const ports = {
    ...{ store, clock, log: () => {}, random: Math.random, progress: () => {} },
    host: { identity: 'process', name: 'host', boot: null, isGone: () => false },
    budget: unlimitedBudget(new AbortController().signal),
    targets: targets.map((target) => ({ ...target, account: 'prod', projectQuestion: '' })),
    ...{ retention, signingKey },
  };
  const { errors } = await clock.run(prune(ports, { isDryRun: false, pick: (all) => all }));
  if (errors.length > 0) throw errors[0];
}

async function readPins(store: MemoryStore, nowMs: number): Promise<readonly Pin[]> {
  const { chains } = await verifyWithChains(store, () => {});
  return listNewest(chains, nowMs);
}
