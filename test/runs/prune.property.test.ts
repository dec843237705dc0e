// Tests pruning with a kill before and after every call to the store: what is kept stays, verify finds no fault, and the next
// prune ends the work.

import { expect, test } from 'vitest';
import { parsePartKey } from '../../lib/core/object-keys.ts';
import { verifyStore } from '../../lib/snapshots/verification.ts';
import type { MemoryStoreOptions } from '../support/memory-store.ts';
import {
  createPruningWorld,
  createSigningKey,
  dayMs,
  onlyNewest,
} from '../support/pruning-world.ts';

const signingKey = createSigningKey();

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
    histories: [{ verdictOf: (age) => (age === 0 ? 'drifted' : 'complete') }],
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
    for (let step = 0; step < whole.steps; step += 1) {
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
      const checked = await verifyStore(store, () => {});
      expect(checked, where).toMatchObject({ faults: [], unnamed: [], foreign: [], unchecked: [] });
      const before = lasting();
      // Longer than a lease, so that the one of the killed process has ended.
      clock.advance(grace + 60_000);
      const marked = await world.prune({ retention, signingKey });
      expect(marked.errors, where).toEqual([]);
      clock.advance(grace);
      await world.prune({ retention, signingKey });
      expect(lasting(), where).toEqual(expect.arrayContaining(before));
      expect([...new Set(world.prunable().map(snapshotOf))].sort(), where).toEqual(kept);
      const verified = await verifyStore(store, () => {});
      expect(verified, where).toMatchObject({ faults: [], unnamed: [], manifests: 6, pruned: 4 });
      expect(await world.prune({ retention, signingKey }), where).toMatchObject({
        ...{ marked: 0, parts: 0, errors: [] },
      });
    }
    expect(halves > 20).toBe(grace === 0);
  },
);
