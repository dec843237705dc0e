// Tests promise 6 for sealing with seeded damage to manifests and pointers: whatever is damaged, the next snapshots are sealed,
// each fault is reported once, and no fault of a manifest that verify has seen ever disappears.

import { expect, test } from 'vitest';
import { snapshotName } from '../../lib/core/object-keys.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { countCases } from '../support/cases.ts';
import type { MemoryObjects } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createRecordedStore, many } from '../support/sealed-run.ts';
import { createSealPorts, sealWithFaults, storeRun } from '../support/stored-run.ts';

const hourMs = 3_600_000;

async function createWorld() {
  const { clock, store } = createRecordedStore();
  async function seal() {
    const run = await storeRun(store, { snapshot: snapshotName(clock.nowMs()), pages: [many] });
    const outcome = await clock.run(sealWithFaults(createSealPorts(store, clock), run));
    clock.advance(6 * hourMs);
    return outcome;
  }
  const faultyManifests = async () => {
    const { faults } = await verifyStore(store, () => {});
    return [...new Set(faults.map(({ key }) => key))].filter((key) =>
      key.startsWith('_manifests/'),
    );
  };
  return { clock, store, seal, faultyManifests };
}

/** Damages one of the objects at random, and says how. */
function damage(
  objects: Map<string, { bytes: Uint8Array; modifiedMs: number }>,
  random: () => number,
) {
  const keys = [...objects.keys()].filter((key) => /^_(manifests|head|latest)\//.test(key));
  const pick = () => keys[Math.floor(random() * keys.length)] as string;
  const key = pick();
  const { bytes, modifiedMs } = objects.get(key) as { bytes: Uint8Array; modifiedMs: number };
  const kind = Math.floor(random() * 5);
  if (kind === 0) objects.delete(key);
  if (kind === 1)
    objects.set(key, { bytes: bytes.subarray(0, random() * bytes.length), modifiedMs });
  if (kind === 2) {
    const altered = Uint8Array.from(bytes);
    const place = Math.floor(random() * altered.length);
    altered[place] = (altered[place] ?? 0) ^ (1 << Math.floor(random() * 8));
    objects.set(key, { bytes: altered, modifiedMs });
  }
  if (kind === 3) objects.set(pick(), { bytes, modifiedMs });
  const far = key.replace(/\d{8}T\d{6}Z/, random() < 0.5 ? '20991231T000000Z' : '20261125T010000Z');
  if (kind === 4) objects.set(far, { bytes, modifiedMs });
  return `${['delete', 'truncate', 'alter', 'overwrite', 'copy'][kind]} ${key}`;
}

const seeds = countCases(150);

test(`damage never stops sealing, is reported once, and stays visible: ${seeds} seeds`, async () => {
  const world = await createWorld();
  for (let count = 0; count < 4; count += 1) await world.seal();
  const whole: MemoryObjects = world.store.dump();
  let damaged = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { clock, store, seal, faultyManifests } = await createWorld();
    clock.advance(24 * hourMs);
    const random = createRandom(seed);
    const objects = new Map(whole);
    const done = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
      damage(objects, random),
    );
    const where = `seed ${seed}: ${done.join(', ')}`;
    store.restore(objects);
    const before = await faultyManifests();
    damaged += before.length;
    const first = await seal().catch((error: unknown) => `${where}: ${error}`);
    if (typeof first === 'string') throw new Error(first);
    const reported = first.faults.map(({ key }) => key);
    expect(new Set(reported).size, where).toBe(reported.length);
    // What is named in the future or copied stays where it is; everything else is behind the end of the chain now.
    const second = await seal();
    const remaining = second.faults.map(({ key }) => key).filter((key) => !reported.includes(key));
    expect(remaining, where).toEqual([]);
    expect(await faultyManifests(), where).toEqual(expect.arrayContaining(before));
    const pointers = (await verifyStore(store, () => {})).faults.filter(({ key }) =>
      /^_(head|latest)/.test(key),
    );
    expect(pointers, where).toEqual([]);
  }
  expect(damaged).toBeGreaterThan(countCases(100));
}, 120_000);
