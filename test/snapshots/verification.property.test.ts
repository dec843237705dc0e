// Tests promise 6: verify finds and names any change to a single object. The store has three snapshots of each of two targets;
// every kind of damage is applied to every object that readers rely on.

import { describe, expect, test } from 'vitest';
import { parseManifestKey } from '../../lib/core/object-keys.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { encodeManifest, type Part } from '../../lib/snapshots/manifest.ts';
import { type Verification, verifyStore } from '../../lib/snapshots/verification.ts';
import {
  createMemoryStore,
  type MemoryObjects,
  type MemoryStore,
} from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import {
  createSealPorts,
  nodeText,
  sealStored,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createClock } from '../support/virtual-clock.ts';

const targets = [someTarget, { ...someTarget, table: 'web_nodes', projectId: 'p2' }];
const snapshots = ['20261124T060000Z', '20261124T120000Z', '20261124T180000Z'];

async function createStore(): Promise<MemoryStore> {
  const clock = createClock();
  const store = createMemoryStore({ nowMs: clock.nowMs });
  const encoders = [parquetEncoder, ndjsonEncoder];
  for (const [t, target] of targets.entries()) {
    for (const [s, snapshot] of snapshots.entries()) {
      const nodes = Array.from({ length: 120 + s }, (_, index) => nodeText(`n${t}-${index}`));
      const run = await storeRun(store, {
        target,
        snapshot,
        // One target's newest snapshot is drifted, so that its two pointers differ.
        verdict: t === 0 && s === 2 ? 'drifted' : 'complete',
        pages: [
          { records: [...nodes, '{"host_id":""}'], fetchedAtMs: clock.nowMs() + s * 1_000 + t },
        ],
      });
      await clock.run(sealStored(createSealPorts(store, clock, { encoders }), run));
    }
  }
  return store;
}

const created = createStore();

/** All objects but private working state, which verify does not check. */
function isVerified(key: string): boolean {
  return !key.startsWith('_runs/');
}

async function verifyDamaged(
  change: (objects: Map<string, { bytes: Uint8Array; modifiedMs: number }>) => void,
): Promise<Verification> {
  const objects = new Map((await created).dump());
  change(objects);
  const store = createMemoryStore({ nowMs: () => 0 });
  store.restore(objects);
  return verifyStore(store, () => {});
}

async function verifiedObjects(): Promise<[string, Uint8Array][]> {
  const dump: MemoryObjects = (await created).dump();
  return [...dump].filter(([key]) => isVerified(key)).map(([key, { bytes }]) => [key, bytes]);
}

function replaced(key: string, bytes: Uint8Array): Promise<Verification> {
  return verifyDamaged((objects) => objects.set(key, { bytes, modifiedMs: 0 }));
}

/** A fault names an object by its key, or a manifest by its snapshot. */
function expectNamed({ faults }: Verification, key: string, where: string): void {
  const snapshot = parseManifestKey(key)?.snapshot;
  const texts = faults.map((fault) => `${fault.key}: ${fault.message}`);
  const named = texts.some(
    (text) => text.includes(key) || (snapshot !== undefined && text.includes(snapshot)),
  );
  expect(named ? 'named' : texts, where).toBe('named');
}

describe('an untouched store', () => {
  test('has no faults, and everything is counted once', async () => {
    const objects = await verifiedObjects();
    const parts = objects.filter(([key]) => !key.startsWith('_'));
    const seen: string[] = [];
    const verification = await verifyStore(await created, ({ key, done, total }) => {
      expect([done, total]).toEqual([seen.length, parts.length]);
      seen.push(key);
    });
    expect(verification).toEqual({
      manifests: 6,
      // Parquet, NDJSON and rejects of each snapshot.
      parts: 18,
      bytes: parts.reduce((sum, [, bytes]) => sum + bytes.length, 0),
      faults: [],
      unnamed: [],
    });
    expect(seen.sort()).toEqual(parts.map(([key]) => key).sort());
  });

  test('has no faults if it is empty', async () => {
    const store = createMemoryStore({ nowMs: () => 0 });
    expect(await verifyStore(store, () => {})).toEqual({
      manifests: 0,
      parts: 0,
      bytes: 0,
      faults: [],
      unnamed: [],
    });
  });

  test('does not change while it is verified', async () => {
    const before = (await created).dump();
    await verifyStore(await created, () => {});
    expect((await created).dump()).toEqual(before);
  });
});

describe('finds one object that is', () => {
  test('deleted', async () => {
    const objects = await verifiedObjects();
    expect(objects).toHaveLength(18 + 6 + 4);
    for (const [key] of objects) {
      expectNamed(await verifyDamaged((left) => left.delete(key)), key, `${key} deleted`);
    }
  });

  test('truncated anywhere', async () => {
    const random = createRandom(1);
    for (const [key, bytes] of await verifiedObjects()) {
      const longest = bytes.length - 1;
      const lengths = [0, 1, longest, ...Array.from({ length: 12 }, () => random() * longest)];
      for (const length of lengths.map(Math.floor)) {
        const damaged = await replaced(key, bytes.subarray(0, length));
        expectNamed(damaged, key, `${key} cut to ${length}`);
      }
    }
  });

  test('longer than before', async () => {
    for (const [key, bytes] of await verifiedObjects()) {
      if (/^_(head|latest)\//.test(key)) continue;
      expectNamed(await replaced(key, Buffer.concat([bytes, Buffer.from(' ')])), key, key);
    }
  });

  test('changed by one bit: sixty random bits of each, and every fifth bit of one manifest and of each pointer', async () => {
    const random = createRandom(2);
    for (const [key, bytes] of await verifiedObjects()) {
      const isPointer = /^_(head|latest)\//.test(key);
      const isNewest = key === `_manifests/web_nodes/rgn=cn-south-4/prj=p2/${snapshots[2]}.json`;
      const bits =
        isPointer || isNewest
          ? Array.from({ length: bytes.length * 8 }, (_, bit) => bit).filter((bit) => bit % 5 === 0)
          : Array.from({ length: 60 }, () => Math.floor(random() * bytes.length * 8));
      for (const bit of bits) {
        const altered = Uint8Array.from(bytes);
        altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const { faults } = await replaced(key, altered);
        const where = `${key} bit ${bit & 7} of byte ${bit >> 3}`;
        expect(faults, where).not.toEqual([]);
        // A changed key in a manifest names a missing part; the manifest itself is reported too.
        expectNamed({ faults } as Verification, key, where);
      }
    }
  }, 60_000);

  test('replaced by another object of its kind', async () => {
    const objects = await verifiedObjects();
    const kindOf = (key: string) => (key.startsWith('_') ? key.split('/')[0] : key.split('.')[1]);
    let replacements = 0;
    for (const [key, bytes] of objects) {
      for (const [other, otherBytes] of objects) {
        if (kindOf(key) !== kindOf(other) || Buffer.compare(bytes, otherBytes) === 0) continue;
        replacements += 1;
        expectNamed(await replaced(key, otherBytes), key, `${key} replaced by ${other}`);
      }
    }
    expect(replacements).toBeGreaterThan(100);
  });

  test('moved to another key', async () => {
    for (const [key, bytes] of await verifiedObjects()) {
      for (const place of [
        key.replace('T', 'T1').replace('T11', 'T1'),
        key.replace(/20261124T\d\d/g, '20261124T23'),
        key.replace('prj=p', 'prj=q'),
        `${key}.bak`,
        key.replace(/[^/]+$/, 'other.json'),
        `_other/${key}`,
        `${key.split('/')[0]}/junk`,
      ]) {
        if (place === key) continue;
        const moved = await verifyDamaged((objects) => {
          objects.delete(key);
          objects.set(place, { bytes, modifiedMs: 0 });
        });
        expectNamed(moved, key, `${key} moved to ${place}`);
        const isData = !place.startsWith('_');
        expect(moved.unnamed.includes(place), `${place} is unnamed`).toBe(isData);
      }
    }
  });
});

describe('other cases', () => {
  test('lists an object that no manifest names, without a fault', async () => {
    const keys = [
      'container_nodes/dt=2026-11-24/rgn=cn-south-4/prj=p1/20261124T060000Z-0123456789ab.parquet',
      'other/file.txt',
      'readme',
    ];
    const verification = await verifyDamaged((objects) => {
      for (const key of keys) objects.set(key, { bytes: Buffer.from('x'), modifiedMs: 0 });
    });
    expect(verification.faults).toEqual([]);
    expect(verification.unnamed.sort()).toEqual([...keys].sort());
  });

  test('reports any other object among the manifests', async () => {
    const key = '_manifests/web_nodes/rgn=cn-south-4/prj=p2/notes.txt';
    const { faults } = await replaced(key, Buffer.from('x'));
    expect(faults).toEqual([{ key, message: 'is not a manifest: only manifests belong here' }]);
  });

  test('reports a manifest that was copied to another target or time as moved', async () => {
    const manifests = (await verifiedObjects()).filter(([key]) => key.startsWith('_manifests/'));
    for (const [key, bytes] of manifests) {
      for (const copy of [
        key.replace('prj=p', 'prj=q'),
        key.replace(/20261124T\d\d/, '20261124T23'),
      ]) {
        const { faults } = await replaced(copy, bytes);
        expect(faults).toContainEqual({
          key: copy,
          message: expect.stringMatching(/^is the manifest of .*: it was moved$/),
        });
      }
    }
  });

  test('reports a part whose hash matches but whose length differs from its manifest', async () => {
    const clock = createClock();
    const store = createMemoryStore({ nowMs: clock.nowMs });
    const pages = [{ records: [nodeText('a')] }];
    const run = await storeRun(store, { snapshot: snapshots[0] as string, pages });
    const { manifest, manifestKey } = await clock.run(
      sealStored(createSealPorts(store, clock), run),
    );
    const [part] = manifest.parts as [Part];
    const parts = [{ ...part, bytes: part.bytes + 1 }];
    const bytes = encodeManifest({ ...manifest, parts });
    await store.put(manifestKey, bytes);
    const { faults } = await verifyStore(store, () => {});
    const message = `has ${part.bytes} bytes, but its manifest says ${part.bytes + 1}`;
    expect(faults).toContainEqual({ key: part.key, message });
  });

  test('does not check working state', async () => {
    const verification = await verifyDamaged((objects) => {
      for (const key of ['_quota/junk', '_lease/junk', '_runs/junk']) {
        objects.set(key, { bytes: Buffer.from('x'), modifiedMs: 0 });
      }
    });
    expect(verification).toMatchObject({ faults: [], unnamed: [] });
  });

  test.each(['_head', '_latest'])('reports a %s of a target without a manifest', async (prefix) => {
    const key = `${prefix}/web_nodes/rgn=cn-south-4/prj=p9.json`;
    const { faults } = await verifyDamaged((objects) => {
      objects.set(key, { bytes: Buffer.from('{}'), modifiedMs: 0 });
    });
    expect(faults).toEqual([{ key, message: 'names a target that has no manifest' }]);
  });

  test('reports a _latest of a target that was never complete', async () => {
    const clock = createClock();
    const store = createMemoryStore({ nowMs: clock.nowMs });
    const run = await storeRun(store, {
      snapshot: snapshots[0] as string,
      verdict: 'drifted',
      pages: [{ records: [nodeText('a')] }],
    });
    await clock.run(sealStored(createSealPorts(store, clock), run));
    expect((await verifyStore(store, () => {})).faults).toEqual([]);
    const head = [...store.dump()].find(([key]) => key.startsWith('_head/')) as [
      string,
      { bytes: Uint8Array },
    ];
    const key = head[0].replace('_head', '_latest');
    await store.put(key, head[1].bytes);
    expect((await verifyStore(store, () => {})).faults).toEqual([
      { key, message: `names ${snapshots[0]}, but the newest complete snapshot is none` },
    ]);
  });

  test('reports each of several damages', async () => {
    const parts = (await verifiedObjects()).filter(([key]) => !key.startsWith('_'));
    const { faults } = await verifyDamaged((objects) => {
      for (const [key] of parts) objects.delete(key);
    });
    expect(faults.map(({ key }) => key).sort()).toEqual(parts.map(([key]) => key).sort());
  });

  test('throws the error of a store that cannot be read, instead of reporting faults', async () => {
    const store = await created;
    const get = async () => {
      throw new Error('offline');
    };
    await expect(verifyStore({ ...store, get }, () => {})).rejects.toThrow('offline');
  });
});
