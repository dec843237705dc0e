// Tests sealing with a kill at every call to the store and to temporary files, and with two sealers at the same time: no reader sees half a snapshot, and
// every sealer writes the same bytes.

import { expect, test } from 'vitest';
import { manifestKey, publicKeyKey, signatureKey } from '../../lib/core/object-keys.ts';
import type { Appended, Scratch, Store } from '../../lib/core/ports.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { writeTombstone } from '../../lib/retention/tombstone.ts';
import { decodeSealRecord } from '../../lib/sealing/seal-record.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { caseStep, countCases } from '../support/cases.ts';
import type { MemoryStore, MemoryStoreOptions } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createRecordedStore, first, many, pages, second } from '../support/sealed-run.ts';
import { createSigningKey } from '../support/signing-keys.ts';
import {
  createSealPorts,
  sealStored,
  sealWithFaults,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const signing = createSigningKey();

/** How the manifest is signed: the key id that it names, or null. Fails if the stored signature is not of these bytes by `keys`. */
function checkSignature(store: MemoryStore, keys: readonly SigningKey[]): string | null {
  const objects = store.dump();
  const bytes = objects.get(manifestKey(someTarget, second))?.bytes ?? new Uint8Array();
  const { keyId = null } = JSON.parse(Buffer.from(bytes).toString()).signing ?? {};
  const key = keys.find((one) => one.keyId === keyId);
  const signature = objects.get(signatureKey(someTarget, second))?.bytes;
  expect(signature).toEqual(key && Uint8Array.from(key.sign(bytes)));
  const pem = objects.get(publicKeyKey(keyId ?? ''))?.bytes;
  expect(pem && Buffer.from(pem).toString()).toBe(key?.publicPem);
  return keyId;
}

/** Calls `onCall` before and after each call to a temporary file but `remove`. */
function countCalls(
  scratch: Scratch,
  onCall: (phase: 'before' | 'after') => Promise<void>,
): Scratch {
  async function count<T>(act: () => Promise<T>): Promise<T> {
    await onCall('before');
    const result = await act();
    await onCall('after');
    return result;
  }
  return {
    open: () =>
      count(async () => {
        const file = await scratch.open();
        const { append, read, finish } = file;
        return Object.assign(file, {
          append: (bytes: Uint8Array) => count(() => append(bytes)),
          read: (appended: Appended) => count(() => read(appended)),
          finish: () => count(finish),
        });
      }),
  };
}

test('shows no half snapshot when killed at any call to the store or to a temporary file, and then writes the same bytes', async () => {
  /** Seals `run` and is killed at the given call. `calls`: the number of calls of an undisturbed seal. */
  async function sealAndKill(kill: { index: number; phase: 'before' | 'after' } | null) {
    let dead = false;
    let armed = false;
    let calls = 0;
    const onCall: NonNullable<MemoryStoreOptions['onCall']> = ({ phase }) => {
      if (!armed) return;
      if (dead) throw new Error('killed');
      if (kill && calls === kill.index && phase === kill.phase) {
        dead = true;
        throw new Error('killed');
      }
      if (phase === 'after') calls += 1;
    };
    const { clock, store, recorded } = createRecordedStore({ onCall });
    const before = await storeRun(recorded, { snapshot: first, pages: [many] });
    await clock.run(sealStored(createSealPorts(recorded, clock), before));
    // Thirteen pages: ten of them are stored in one object.
    const several = [...Array(11).fill(many), ...pages];
    const run = await storeRun(recorded, { snapshot: second, pages: several });
    const encoders = [parquetEncoder, ndjsonEncoder];
    const temporary = createTestScratch();
    // Each call counts like one to the store.
    const scratch = countCalls(temporary, async (phase) => {
      await onCall({ index: 0, op: 'get', key: '', putOptions: null, phase });
    });
    const sortSize = { batch: 1_900, block: 700 };
    const ports = createSealPorts(recorded, clock, { encoders, scratch, sortSize, signing });
    armed = true;
    const killed = await clock.run(
      sealStored(ports, run).then(
        () => false,
        () => true,
      ),
    );
    armed = false;
    // A file that was opened by the call that was killed is removed by the next process.
    if (!killed) expect(temporary.left()).toBe(0);
    return { clock, store, run, ports, calls, killed };
  }
  const { calls } = await sealAndKill(null);
  expect(calls).toBeGreaterThan(30);
  let halves = 0;
  let seals = 0;
  for (let index = 0; index < calls; index += caseStep) {
    // After a call is before the next one.
    for (const phase of index === 0 ? (['before', 'after'] as const) : (['after'] as const)) {
      const where = `call ${index} ${phase}`;
      const { clock, store, run, ports, killed } = await sealAndKill({ index, phase });
      expect(killed, where).toBe(true);
      const left = store.dump();
      if (!left.has(manifestKey(someTarget, second))) halves += 1;
      // After the kill a reader finds the old snapshot or both, each complete. What the seal has left is not a fault.
      const { faults, underWay } = await verifyStore(store, () => {});
      expect(faults, where).toEqual([]);
      seals += underWay.length;
      clock.advance(3_600_000);
      await clock.run(sealStored({ ...ports, writer: 'cgs-export/later' }, run));
      const after = store.dump();
      for (const [key, { bytes }] of left) {
        // Only the list of parts in the seal record grows.
        const withoutParts = (given: Uint8Array | undefined) =>
          given && { ...decodeSealRecord(key, given), parts: null };
        const now = after.get(key)?.bytes;
        if (key.includes('/sealing/')) expect(withoutParts(now)).toEqual(withoutParts(bytes));
        else if (!/^_(head|latest)\//.test(key)) expect(now, `${where} ${key}`).toEqual(bytes);
      }
      // No part of the killed attempt is left except those that the manifest names.
      const verified = await verifyStore(store, () => {});
      expect(verified, where).toMatchObject({ faults: [], unnamed: [], foreign: [], manifests: 2 });
      expect(checkSignature(store, [signing]), where).toBe(signing.keyId);
    }
  }
  expect(halves).toBeGreaterThan(15 / caseStep);
  expect(seals).toBeGreaterThan(10 / caseStep);
}, 180_000);

test('after a kill at any call, a seal with another key or without one leaves a signature of its manifest or none', async () => {
  const other = createSigningKey();
  const outcomes = new Set<string | null>();
  for (const later of [other, null]) {
    for (let index = 0, isKilled = true; isKilled; index += caseStep) {
      let left = index;
      let armed = false;
      const { clock, store, recorded } = createRecordedStore({
        onCall: ({ phase }) => {
          if (armed && phase === 'before' && left-- <= 0) throw new Error('killed');
        },
      });
      const run = await storeRun(recorded, { snapshot: second, pages: [many, ...pages] });
      const ports = createSealPorts(recorded, clock, { signing });
      armed = true;
      isKilled = await clock.run(
        sealStored(ports, run).then(
          () => false,
          () => true,
        ),
      );
      armed = false;
      expect((await verifyStore(store, () => {})).faults, `call ${index}`).toEqual([]);
      await clock.run(sealStored({ ...ports, signing: later }, run));
      outcomes.add(checkSignature(store, [signing, other]));
      const verified = await verifyStore(store, () => {});
      expect(verified, `call ${index}`).toMatchObject({ faults: [], unnamed: [], foreign: [] });
      if (!isKilled) expect(index).toBeGreaterThan(15);
    }
  }
  expect(outcomes).toEqual(new Set([signing.keyId, other.keyId, null]));
});

const seeds = countCases(40);

test(`two sealers at the same time write the same bytes and leave no unnamed part: ${seeds} seeds`, async () => {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const { clock, store, recorded } = createRecordedStore({
      settleMs: 200,
      onCall: () => clock.sleep(random() * 40),
    });
    const run = await clock.run(storeRun(recorded, { snapshot: first, pages: [many, ...pages] }));
    const sealers = ['one', 'two'].map(async (writer) => {
      await clock.sleep(random() * (seed % 2 === 0 ? 60 : 1_000));
      const startMs = clock.monotonicMs();
      const own = { ...clock, nowMs: () => clock.nowMs() + startMs };
      return sealStored(createSealPorts(recorded, own, { writer, signing }), run);
    });
    const [one, two] = await clock.run(Promise.all(sealers));
    expect(one, `seed ${seed}`).toEqual(two);
    const verified = await clock.run(verifyStore(store, () => {}));
    expect(verified, `seed ${seed}`).toMatchObject({ faults: [], unnamed: [], manifests: 1 });
  }
});

/** A sealed base, and a run that is ready to be sealed after it. `rows`: the key of the base's Parquet part. */
async function createAfterBase(options: Partial<MemoryStoreOptions>) {
  const world = createRecordedStore(options);
  const { clock, recorded } = world;
  const ports = createSealPorts(recorded, clock);
  const before = await clock.run(storeRun(recorded, { snapshot: first, pages: [many] }));
  const base = await clock.run(sealStored(ports, before));
  const rows = base.manifest.parts.find(({ format }) => format === 'parquet')?.key ?? '';
  const run = await clock.run(storeRun(recorded, { snapshot: second, pages: [many, ...pages] }));
  const { snapshot, parts } = base.manifest;
  const tombstone = {
    ...{ snapshot, manifestSha256: base.manifestSha256, parts: parts.map(({ key }) => key) },
    ...{ prunedAt: '2026-11-24T08:00:00.000Z', rule: 'all: 0s' },
  };
  return { ...world, ports, run, rows, tombstone };
}

test('a base that is lost or pruned after a kill at any call is given up, and no part is left', async () => {
  const outcomes = new Map<unknown, number>();
  for (const isPruned of [false, true]) {
    for (let index = 0, isKilled = true; isKilled; index += caseStep) {
      let left = index;
      let armed = false;
      const { clock, store, ports, run, rows, tombstone } = await createAfterBase({
        onCall: ({ phase }) => {
          if (armed && phase === 'before' && left-- <= 0) throw new Error('killed');
        },
      });
      armed = true;
      isKilled = await clock.run(
        sealStored(ports, run).then(
          () => false,
          () => true,
        ),
      );
      armed = false;
      if (isPruned) await writeTombstone(store, someTarget, tombstone, null);
      await store.delete(rows);
      const { sealed, faults } = await clock.run(sealWithFaults(ports, run));
      const { changes, changesNone } = sealed.manifest;
      const outcome = changes ? 'compared' : changesNone;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const isReported = faults.some(({ key }) => key === rows);
      expect(isReported, `call ${index}`).toBe(outcome === 'unreadable');
      // Of the base, only the rows are lost.
      expect(await verifyStore(store, () => {}), `call ${index}`).toMatchObject({
        ...{ faults: isPruned ? [] : [{ key: rows }], unnamed: [], manifests: 2 },
      });
      if (!isKilled) expect(index).toBeGreaterThan(15);
    }
  }
  // Sealed before the kill, or with the parts of the first attempt in between.
  for (const outcome of ['compared', 'unreadable', 'pruned']) {
    expect(outcomes.get(outcome), outcome).toBeGreaterThan(2 / caseStep);
  }
});

test(`two sealers of which one cannot read the base write the same manifest and leave no unnamed part: ${seeds} seeds`, async () => {
  const outcomes = new Set<unknown>();
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    let delay = async () => {};
    const world = await createAfterBase({ settleMs: 200, onCall: () => delay() });
    const { clock, store, recorded, run, rows } = world;
    delay = () => clock.sleep(random() * 40);
    // An immutable object may be written with two contents here: the record says which one counts.
    const sealAs = async (writer: string, readsBase: boolean, begin: Promise<unknown>) => {
      const own: Store = {
        ...recorded,
        put: store.put,
        read: async (key) => (!readsBase && key === rows ? null : store.read(key)),
      };
      await begin;
      return sealStored(createSealPorts(own, clock, { writer, signing }), run);
    };
    const soon = () => clock.sleep(random() * (seed % 2 === 0 ? 60 : 1_000));
    const withBase = sealAs('two', true, soon());
    // In each fourth seed, the one that can read the base is done before the other one starts.
    const withoutBase = sealAs('one', false, seed % 4 === 0 ? withBase : soon());
    const [one, two] = await clock.run(Promise.all([withoutBase, withBase]));
    expect(one, `seed ${seed}`).toEqual(two);
    outcomes.add(one?.manifest.changes ? 'compared' : one?.manifest.changesNone);
    const verified = await clock.run(verifyStore(store, () => {}));
    expect(verified, `seed ${seed}`).toMatchObject({ faults: [], unnamed: [], manifests: 2 });
  }
  expect([...outcomes].sort()).toEqual(['compared', 'unreadable']);
});
