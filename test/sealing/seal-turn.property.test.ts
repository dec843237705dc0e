// Tests two runs of one target that seal at the same time. The lease is not used, as if it had failed.

import { describe, expect, test } from 'vitest';
import type { Store } from '../../lib/core/ports.ts';
import { listSnapshots } from '../../lib/snapshots/catalog.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import { createRecordedStore, first, many, second } from '../support/sealed-run.ts';
import { createSealPorts, sealStored, someTarget, storeRun } from '../support/stored-run.ts';

const seeds = countCases(60);
const fewSeeds = countCases(20);

describe('two runs of one target that seal at the same time', () => {
  /** Both runs are read to their end. Each store call is delayed at random. */
  async function sealBoth(seed: number, delays: { call: number; record: number }) {
    const random = createRandom(seed);
    const { clock, store, recorded } = createRecordedStore({
      settleMs: 200,
      onCall: ({ op, key, phase }) => {
        const isRecord = op === 'put' && key.includes('/sealing/') && phase === 'before';
        return clock.sleep(random() * (isRecord ? delays.record : delays.call));
      },
    });
    const runs = await clock.run(
      Promise.all(
        [first, second].map((snapshot) => storeRun(recorded, { snapshot, pages: [many] })),
      ),
    );
    const sealers = runs.map(async (run) => {
      await clock.sleep(random() * 100);
      return sealStored(createSealPorts(recorded, clock), run).catch((error: unknown) => error);
    });
    const ended = await clock.run(Promise.all(sealers));
    const { faults } = await clock.run(verifyStore(store, () => {}));
    return { ended, faults, snapshots: await clock.run(listSnapshots(store, someTarget)) };
  }

  test(`seal the older snapshot first, and the younger names it as previous: ${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { ended, faults, snapshots } = await sealBoth(seed, { call: 30, record: 150 });
      expect({ seed, faults, snapshots }).toEqual({ seed, faults: [], snapshots: [first, second] });
      expect(ended).toMatchObject([
        { manifest: { previous: null } },
        { manifest: { previous: { snapshot: first } } },
      ]);
    }
  });

  test(`never fork the chain if records become visible late; one may be overtaken: ${seeds} seeds`, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { ended, faults, snapshots } = await sealBoth(seed, { call: 5, record: 5_000 });
      expect({ seed, faults }).toEqual({ seed, faults: [] });
      expect(snapshots).toContain(second);
      for (const one of ended) {
        if (one instanceof Error) expect(one).toMatchObject({ code: 'OVERTAKEN' });
      }
    }
  });

  test(`never fork the chain if a manifest is being written while the older run starts to seal: ${fewSeeds} seeds`, async () => {
    for (let seed = 1; seed <= fewSeeds; seed += 1) {
      const random = createRandom(seed);
      const { clock, store, recorded } = createRecordedStore({
        settleMs: 200,
        onCall: ({ op, key, phase }) => {
          const isManifest = op === 'put' && key.endsWith(`${second}.json`) && phase === 'before';
          return clock.sleep(random() * (isManifest && key.startsWith('_manifests/') ? 6_000 : 20));
        },
      });
      const [older, younger] = await clock.run(
        Promise.all(
          [first, second].map((snapshot) => storeRun(recorded, { snapshot, pages: [many] })),
        ),
      );
      if (!older || !younger) throw new Error('no runs');
      const sealing = sealStored(createSealPorts(recorded, clock), younger);
      const late = (async () => {
        await clock.sleep(300 + random() * 2_000);
        return sealStored(createSealPorts(recorded, clock), older).catch((error: unknown) => error);
      })();
      await clock.run(Promise.all([sealing, late]));
      const { faults } = await clock.run(verifyStore(store, () => {}));
      expect({ seed, faults }).toEqual({ seed, faults: [] });
    }
  });

  test('pause instead of waiting if the invocation may not wait', async () => {
    const { clock, recorded } = createRecordedStore();
    const [older, younger] = [
      await storeRun(recorded, { snapshot: first, pages: [many] }),
      await storeRun(recorded, { snapshot: second, pages: [many] }),
    ];
    // Killed right after its seal record.
    let breaths = 0;
    const keepAlive = async () => {
      breaths += 1;
      if (breaths > 1) throw new Error('killed');
    };
    const ports = createSealPorts(recorded, clock);
    await clock.run(sealStored({ ...ports, keepAlive }, older).catch(() => {}));
    const sealing = clock.run(sealStored({ ...ports, mayWait: false }, younger));
    await expect(sealing).rejects.toThrow('not its turn');
    expect(await listSnapshots(recorded, someTarget)).toEqual([]);
    // An old record does not block others.
    clock.advance(11 * 60_000);
    const { manifest } = await clock.run(sealStored({ ...ports, mayWait: false }, younger));
    expect(manifest.snapshot).toBe(second);
  });

  test('keep the existing manifest if the record of another writer arrives after it', async () => {
    const { clock, store, recorded } = createRecordedStore({ settleMs: 200 });
    const run = await storeRun(recorded, { snapshot: first, pages: [many] });
    const own = createSealPorts(recorded, clock, { writer: 'own' });
    let sealed: Promise<unknown> | null = null;
    const slow: Store = {
      ...recorded,
      async put(key, bytes) {
        // The other run starts while this record is being written, and seals before it arrives.
        if (key.includes('/sealing/')) {
          sealed = sealed ?? sealStored(own, run);
          await sealed;
        }
        await recorded.put(key, bytes);
      },
    };
    const a = await clock.run(sealStored(createSealPorts(slow, clock, { writer: 'late' }), run));
    const b = await sealed;
    expect(a).toEqual(b);
    expect(a.manifest.writer).toBe('own');
    expect((await verifyStore(store, () => {})).faults).toEqual([]);
  });
});
