// Tests pruning with a kill before and after every call to the store, and on seeded histories: what is kept stays, verify never
// finds a fault, and the next prune ends the work as if nothing had happened.

import { expect, test } from 'vitest';
import { parsePartKey, parseTombstoneKey } from '../../lib/core/object-keys.ts';
import { sha256 } from '../../lib/core/state.ts';
import type { Retention } from '../../lib/retention/pruning.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { caseStep, countCases } from '../support/cases.ts';
import type { MemoryStoreOptions } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createPruningWorld, dayMs, onlyNewest } from '../support/pruning-world.ts';
import { createKeyPair } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';

const { signer: signingKey, publicKey } = createKeyPair();
const given = { publicKeys: [publicKey] };
const signerOf = () => signingKey;
const noFinding = { faults: [], unnamed: [], foreign: [], unchecked: [] };

/** Prunes a store of six snapshots. Killed at step `killAt`: each call to the store has a step before it and one after it. */
async function pruneAndKill(grace: number, killAt: number | null, exclusive: boolean) {
  let isArmed = false;
  let isDead = false;
  let steps = 0;
  const onCall: NonNullable<MemoryStoreOptions['onCall']> = () => {
    if (!isArmed) return;
    if (steps === killAt) isDead = true;
    steps += 1;
    if (isDead) throw new Error('killed');
  };
  const world = await createPruningWorld({
    ...{ onCall, exclusive },
    // The second newest snapshot is the newest complete one.
    histories: [{ signerOf, verdictOf: (age) => (age === 0 ? 'drifted' : 'complete') }],
  });
  const retention = { ...onlyNewest, grace };
  isArmed = true;
  const work = world.prune({ retention, signingKey });
  await work.catch((error: Error) => expect(error.message).toBe('killed'));
  isArmed = false;
  return { ...world, retention, steps, isDead };
}

test.each([
  [0, true],
  [0, false],
  [7 * dayMs, false],
])(
  'survives a kill at every call: grace %i ms, exclusive creation %s',
  async (grace, exclusive) => {
    const whole = await pruneAndKill(grace, null, exclusive);
    expect(whole.isDead).toBe(false);
    const snapshotOf = (key: string) => parsePartKey(key)?.snapshot ?? '';
    const names = [...new Set(whole.lasting().map(snapshotOf))].filter(Boolean).sort();
    const kept = names.slice(-2);
    let halves = 0;
    for (let step = 0; step < whole.steps; step += caseStep) {
      const where = `step ${step}`;
      const world = await pruneAndKill(grace, step, exclusive);
      const { store, clock, retention, lasting, isDead } = world;
      expect(isDead, where).toBe(true);
      const left = world.prunable();
      // Rows that are kept are all there. Rows that are gone have a tombstone.
      for (const snapshot of names) {
        const parts = left.filter((key) => snapshotOf(key) === snapshot);
        const isMarked = store
          .dump()
          .has(`_pruned/container_nodes/rgn=cn-south-4/prj=p1/${snapshot}.json`);
        if (kept.includes(snapshot) || !isMarked || grace > 0) expect(parts, where).toHaveLength(3);
        if (parts.length < 3) halves += 1;
      }
      expect(await verifyStore(store, () => {}, given), where).toMatchObject(noFinding);
      const before = lasting();
      // Longer than a lease, so that the one of the killed process has ended.
      clock.advance(grace + 60_000);
      const marked = await world.prune({ retention, signingKey });
      expect(marked.errors, where).toEqual([]);
      clock.advance(grace);
      await world.prune({ retention, signingKey });
      expect(lasting(), where).toEqual(expect.arrayContaining(before));
      expect([...new Set(world.prunable().map(snapshotOf))].sort(), where).toEqual(kept);
      const verified = await verifyStore(store, () => {}, given);
      expect(verified, where).toMatchObject({ ...noFinding, manifests: 6, pruned: 4 });
      expect(await world.prune({ retention, signingKey }), where).toMatchObject({
        ...{ marked: 0, parts: 0, errors: [] },
      });
    }
    expect(halves > countCases(20)).toBe(grace === 0);
  },
);

type World = Awaited<ReturnType<typeof createPruningWorld>>;

/** What pruning leaves. The time in a tombstone and its signature depend on when it was written. */
function describeEnd({ store }: World): Map<string, string> {
  const objects = [...store.dump()].filter(([key]) => !key.startsWith('_lease/'));
  return new Map(
    objects.map(([key, { bytes }]) => {
      const tombstone = parseTombstoneKey(key);
      if (!tombstone) return [key, sha256(bytes)];
      if (tombstone.isSignature) return [key, 'signature'];
      return [
        key,
        Buffer.from(bytes)
          .toString()
          .replace(/"prunedAt":"[^"]*"/, ''),
      ];
    }),
  );
}

/** Two worlds of one seed are equal. `kill.at`: from this call to the store on, each one fails. */
function createSeeded(seed: number) {
  const random = createRandom(seed);
  const below = (count: number) => Math.floor(random() * count);
  const kill = { at: Number.POSITIVE_INFINITY, calls: 0 };
  const signer = below(3) > 0 ? signingKey : null;
  const targets = [someTarget, { ...someTarget, projectId: 'p2' }].slice(0, 1 + below(2));
  const hours = [1, 6, 24][below(3)] ?? 24;
  const retention: Retention = {
    all: [0, dayMs / 4, dayMs, null][below(4)] ?? null,
    daily: [null, 2 * dayMs][below(2)] ?? null,
    weekly: [null, 9 * dayMs][below(2)] ?? null,
    monthly: [null, 40 * dayMs][below(2)] ?? null,
    grace: [0, 0, dayMs][below(3)] ?? 0,
  };
  const histories = targets.map((target) => {
    const verdicts = Array.from({ length: 14 }, () => (below(3) === 0 ? 'drifted' : 'complete'));
    const verdictOf = (age: number) => (verdicts[age] === 'drifted' ? 'drifted' : 'complete');
    const signed = { signerOf: () => signer };
    return { target, count: 2 + below(12), scheduleMs: hours * 3_600_000, verdictOf, ...signed };
  });
  const create = async () => {
    const world = await createPruningWorld({
      histories: histories.map((one) => ({ ...one, verdictOf: one.verdictOf }) as const),
      onCall() {
        kill.calls += 1;
        if (kill.calls > kill.at) throw new Error('killed');
      },
    });
    const prune = () => world.prune({ retention, signingKey: signer, targets });
    return { ...world, prune };
  };
  return { below, kill, create, grace: retention.grace, options: signer ? given : {} };
}

const seeds = countCases(150);

test(`killed several times on a seeded history, it ends as if nothing had happened: ${seeds} seeds`, async () => {
  let kills = 0;
  let gone = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { below, kill, create, grace, options } = createSeeded(seed);
    const whole = await create();
    const world = await create();
    for (let run = 0; run < 4; run += 1) {
      const where = `seed ${seed}, run ${run}`;
      Object.assign(kill, { at: below(run === 0 ? 20 : 120), calls: 0 });
      const ended = await world.prune().then(
        () => 'ended',
        (error: Error) => error.message,
      );
      if (ended === 'killed') kills += 1;
      kill.at = Number.POSITIVE_INFINITY;
      expect(await verifyStore(world.store, () => {}, options), where).toMatchObject(noFinding);
      world.clock.advance(60_000);
    }
    whole.clock.advance(world.clock.nowMs() - whole.clock.nowMs());
    for (const [name, one] of Object.entries({ whole, world })) {
      for (let run = 0; run < 2; run += 1) {
        const where = `seed ${seed}, ${name}, last run ${run}`;
        expect((await one.prune()).errors, where).toEqual([]);
        expect(await verifyStore(one.store, () => {}, options), where).toMatchObject(noFinding);
        one.clock.advance(grace + 60_000);
      }
    }
    expect(describeEnd(world), `seed ${seed}`).toEqual(describeEnd(whole));
    gone += (await verifyStore(world.store, () => {}, options)).prunedParts;
  }
  expect(kills).toBeGreaterThan(countCases(200));
  expect(gone).toBeGreaterThan(countCases(500));
}, 60_000);

test(`a verify during which all is pruned finds no fault, at whatever call it happens: ${seeds} seeds`, async () => {
  let during = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { below, create, options } = createSeeded(seed);
    const world = await create();
    const { store } = world;
    const at = below(120);
    let calls = 0;
    let pruning: Promise<unknown> | null = null;
    const reach = async () => {
      calls += 1;
      if (calls > at) pruning ??= world.prune();
      await pruning;
    };
    const busy = {
      ...store,
      list: (key: string) => reach().then(() => store.list(key)),
      get: (key: string) => reach().then(() => store.get(key)),
      read: (key: string) => reach().then(() => store.read(key)),
    };
    const verified = await verifyStore(busy, () => {}, options);
    expect(verified, `seed ${seed}, call ${at}`).toMatchObject(noFinding);
    if (pruning && verified.prunedParts > 0) during += 1;
  }
  expect(during).toBeGreaterThan(countCases(30));
}, 60_000);
