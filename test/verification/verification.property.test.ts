// Tests promise 6: verify finds and names any change to a single object. The store has three snapshots of each of two targets;
// every kind of damage is applied to every object that readers rely on.

import { describe, expect, test } from 'vitest';
import { StoreError } from '../../lib/core/errors.ts';
import {
  headKey,
  latestKey,
  manifestKey,
  parseManifestKey,
  partKey,
  sealRecordKey,
  snapshotName,
} from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { ndjsonEncoder } from '../../lib/formats/ndjson.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { encodeSealRecord, readSealRecord } from '../../lib/sealing/seal-record.ts';
import {
  decodeSealed,
  encodeManifest,
  encodePointer,
  type Part,
  pointerTo,
} from '../../lib/snapshots/manifest.ts';
import type { VerifyProgress } from '../../lib/verification/stored-evidence.ts';
import {
  type Verification,
  type VerifyOptions,
  verifyStore,
} from '../../lib/verification/verification.ts';
import { caseStep, countCases } from '../support/cases.ts';
import {
  createMemoryStore,
  type MemoryObjects,
  type MemoryStore,
} from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { makeNewer } from '../support/newer-store.ts';
import { listHistory } from '../support/sealed-history.ts';
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
const startMs = createClock().nowMs();

/** What an untouched store has none of. */
const nothing = {
  pruned: 0,
  prunedParts: 0,
  gaps: [],
  faults: [],
  unchecked: [],
  unnamed: [],
  underWay: [],
  foreign: [],
  future: [],
  pinned: null,
  notHashed: { parts: 0, since: null },
  notReached: [],
  rowParts: { compared: 0, notCompared: 0 },
};

/** What a store without signatures has. */
function unsignedManifests(unsigned: number): Verification['signatures'] {
  return { valid: 0, unsigned, keysFrom: 'store', keyIds: [], covered: 0 };
}

/** All objects but private working state, which verify does not check. */
function isVerified(key: string): boolean {
  return !key.startsWith('_runs/');
}

async function verifyDamaged(
  change: (objects: Map<string, { bytes: Uint8Array; modifiedMs: number }>) => void,
  options: VerifyOptions = {},
): Promise<Verification> {
  const objects = new Map((await created).dump());
  change(objects);
  const store = createMemoryStore({ nowMs: () => startMs });
  store.restore(objects);
  return verifyStore(store, () => {}, options);
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
    const partBytes = parts.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    const seen: VerifyProgress[] = [];
    const store = createMemoryStore({ nowMs: () => startMs });
    const read: string[] = [];
    store.restore((await created).dump());
    const counting: MemoryStore = {
      ...store,
      read(key) {
        read.push(key);
        return store.read(key);
      },
    };
    const verification = await verifyStore(counting, (progress) => seen.push(progress));
    expect(verification).toEqual({
      manifests: 6,
      // Parquet, NDJSON and rejects of each snapshot.
      parts: 21,
      bytes: partBytes,
      verdicts: { complete: 5, drifted: 1 },
      newest: targets.map((target) => ({
        account: 'prod',
        manifest: manifestKey(target, snapshots[2] ?? ''),
        manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      })),
      signatures: unsignedManifests(6),
      ...nothing,
      // Without a decoder, no row is read.
      rowParts: { compared: 0, notCompared: 15 },
    });
    expect(read.sort()).toEqual(parts.map(([key]) => key).sort());
    expect(seen[0]).toMatchObject({ unit: 'manifests', done: 0, total: 6, bytes: 0 });
    const ofParts = seen.filter(({ unit }) => unit === 'parts');
    expect(ofParts[0]).toMatchObject({ done: 0, total: 21, bytes: 0, bytesTotal: partBytes });
    expect(ofParts.at(-1)).toMatchObject({ bytes: partBytes });
    for (const [index, { done, bytes }] of ofParts.entries()) {
      const before = ofParts[index - 1] ?? { done: 0, bytes: 0 };
      expect(done >= before.done && bytes >= before.bytes).toBe(true);
    }
  });

  test('has no faults if it is empty', async () => {
    const store = createMemoryStore({ nowMs: () => 0 });
    expect(await verifyStore(store, () => {})).toEqual({
      manifests: 0,
      parts: 0,
      bytes: 0,
      verdicts: { complete: 0, drifted: 0 },
      newest: [],
      signatures: unsignedManifests(0),
      ...nothing,
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
    expect(objects).toHaveLength(21 + 6 + 4);
    for (const [key] of objects) {
      expectNamed(await verifyDamaged((left) => left.delete(key)), key, `${key} deleted`);
    }
  });

  test('truncated anywhere', async () => {
    const random = createRandom(1);
    for (const [key, bytes] of await verifiedObjects()) {
      const longest = bytes.length - 1;
      const lengths = [
        0,
        1,
        longest,
        ...Array.from({ length: countCases(12) }, () => random() * longest),
      ];
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

  const randomBits = countCases(30);
  const bitStep = 11 * caseStep;
  test(`changed by one bit: ${randomBits} random bits of each, and one of ${bitStep} bits of one manifest and of each pointer`, async () => {
    const random = createRandom(2);
    for (const [key, bytes] of await verifiedObjects()) {
      const isPointer = /^_(head|latest)\//.test(key);
      const isNewest = key === `_manifests/web_nodes/rgn=cn-south-4/prj=p2/${snapshots[2]}.json`;
      const bits =
        isPointer || isNewest
          ? Array.from({ length: bytes.length * 8 }, (_, bit) => bit).filter(
              (bit) => bit % bitStep === 0,
            )
          : Array.from({ length: randomBits }, () => Math.floor(random() * bytes.length * 8));
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
  test('reports an object in a data directory that is not in any manifest, unless it is allowed', async () => {
    const data = [
      'container_nodes/dt=2026-11-24/rgn=cn-south-4/prj=p1/20261124T060000Z-0123456789ab.parquet',
      'container_nodes_rejects/notes.txt',
      'web_nodes/_SUCCESS',
    ];
    const other = ['other/file.txt', 'readme', 'container_nodes.txt'];
    const add = (objects: Map<string, { bytes: Uint8Array; modifiedMs: number }>) => {
      for (const key of [...data, ...other]) {
        objects.set(key, { bytes: Buffer.from('x'), modifiedMs: 0 });
      }
    };
    const { faults, unnamed } = await verifyDamaged(add);
    expect(faults.map(({ key }) => key).sort()).toEqual(data);
    expect(unnamed.sort()).toEqual([...data, ...other].sort());
    const allowed = await verifyDamaged(add, { allowsUnnamed: true });
    expect([allowed.faults, allowed.unnamed.sort()]).toEqual([[], unnamed]);
    // A table of the configuration that has no snapshot yet.
    const configured = await verifyDamaged(add, { tables: ['other'] });
    expect(configured.faults.map(({ key }) => key)).toContain('other/file.txt');
  });

  test('reports a *.json among the manifests that is not a manifest, and lists other names', async () => {
    const wrong = ['_manifests/notes.json', '_manifests/web_nodes/rgn=a/prj=b/latest.json'];
    const foreign = [
      '_head/.nfs0001',
      '_lease/.nfs0001',
      '_manifests/web_nodes/rgn=cn-south-4/prj=p2/notes.txt',
      '_other/x',
      '_quota/notes.txt',
      '_runs/junk',
    ];
    const {
      faults,
      foreign: listed,
      unnamed,
    } = await verifyDamaged((objects) => {
      for (const key of [...wrong, ...foreign]) {
        objects.set(key, { bytes: Buffer.from('x'), modifiedMs: 0 });
      }
    });
    expect(faults).toMatchObject(
      wrong.map((key) => ({ key, message: 'is not a manifest of its key' })),
    );
    expect(listed).toEqual(foreign);
    expect(unnamed).toEqual([]);
  });

  test('reports a manifest that names a key which is not a part of its snapshot, and reads no such key', async () => {
    const target = { ...someTarget };
    const key = manifestKey(target, snapshots[1] as string);
    const text = Buffer.from((await created).dump().get(key)?.bytes ?? []).toString();
    const own = (JSON.parse(text) as { parts: Part[] }).parts[0]?.key ?? '';
    for (const bad of [
      '../../etc/passwd',
      '/etc/passwd',
      '',
      'a//b',
      own.replace('prj=p1', 'prj=p2'),
      '\u0000',
    ]) {
      const altered = Buffer.from(text.replace(JSON.stringify(own), JSON.stringify(bad)));
      const read: string[] = [];
      const objects = new Map((await created).dump());
      objects.set(key, { bytes: altered, modifiedMs: 0 });
      const [lost] = [...objects.keys()].filter((one) => one.startsWith('web_nodes/'));
      objects.delete(lost ?? '');
      const store = createMemoryStore({
        nowMs: () => startMs,
        onCall: ({ op, key: asked }) => void (op === 'get' && read.push(asked)),
      });
      store.restore(objects);
      const { faults } = await verifyStore(store, () => {});
      expect(faults, bad).toContainEqual({
        key,
        message: `names ${JSON.stringify(bad)}, which is not a key of a part of this snapshot: the manifest was altered`,
        hint: expect.stringContaining('Restore'),
      });
      // The other faults are found too.
      expect(faults.map((fault) => fault.key)).toContain(lost);
      expect(read).not.toContain(bad);
    }
  });

  test('lists an object that the store refuses to give as not checked, and verifies the rest', async () => {
    const denied = new StoreError('STORE_DENIED', 'the object is archived', 'Restore it.');
    const objects = await verifiedObjects();
    const manifest = manifestKey(someTarget, snapshots[1] as string);
    const part = objects.find(([key]) => key.startsWith('web_nodes/'))?.[0] ?? '';
    const parts = objects.filter(([key]) => key.includes(`prj=p1/${snapshots[1]}-`));
    for (const [refused, also] of [
      [part, []],
      // Without its manifest, what it names cannot be checked either.
      [manifest, parts.map(([key]) => key)],
      [headKey(someTarget), []],
    ] as const) {
      const store = createMemoryStore({
        nowMs: () => startMs,
        onCall: ({ op, key }) => {
          if (op === 'get' && key === refused) throw denied;
        },
      });
      const damaged =
        objects.find(
          ([key]) => key.startsWith('container_nodes_ndjson/') && key.includes(snapshots[0] ?? '-'),
        )?.[0] ?? '';
      const dump = new Map((await created).dump());
      dump.delete(damaged);
      store.restore(dump);
      const { faults, unchecked } = await verifyStore(store, () => {});
      expect(
        faults.map(({ key }) => key),
        refused,
      ).toEqual([damaged]);
      expect(unchecked.map(({ key }) => key).sort()).toEqual([refused, ...also].sort());
      expect(unchecked.every(({ hint }) => hint === 'Restore it.')).toBe(true);
    }
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
          message: expect.stringMatching(/^is the manifest of .*: it was moved or copied here$/),
          hint: expect.stringContaining('cgs-export ignores it'),
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
    expect(faults).toContainEqual(expect.objectContaining({ key: part.key, message }));
  });

  test.each(['_head', '_latest'])('reports a %s of a target without a manifest', async (prefix) => {
    const key = `${prefix}/web_nodes/rgn=cn-south-4/prj=p9.json`;
    const { faults } = await verifyDamaged((objects) => {
      objects.set(key, { bytes: Buffer.from('{}'), modifiedMs: 0 });
    });
    expect(faults).toMatchObject([{ key, message: 'names a target that has no manifest' }]);
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
    expect((await verifyStore(store, () => {})).faults).toMatchObject([
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

describe('a seal that is under way', () => {
  const target = someTarget;
  const newest = '20261125T000000Z';

  /** The store with a fourth snapshot of one target, and the keys of its parts. */
  async function sealMore(snapshot = newest) {
    const clock = createClock();
    const store = createMemoryStore({ nowMs: clock.nowMs });
    store.restore((await created).dump());
    const before = store.dump();
    const pages = [{ records: [nodeText('a')] }];
    const run = await storeRun(store, { target, snapshot, pages });
    await clock.run(sealStored(createSealPorts(store, clock), run));
    const parts = [...store.dump().keys()]
      .filter((key) => !key.startsWith('_') && !before.has(key))
      .sort();
    const recordKey = sealRecordKey(target, snapshot, run.checkpoint.run);
    const verify = () => verifyStore(store, () => {});
    /** Undoes the writes of the seal, as if the process had not come to them yet. */
    const undo = async (pattern: RegExp) => {
      for (const [key] of store.dump()) {
        if (!pattern.test(key)) continue;
        const old = before.get(key);
        if (old) await store.put(key, old.bytes);
        else if (key.includes(snapshot)) await store.delete(key);
      }
    };
    return { clock, store, run, parts, recordKey, verify, undo };
  }

  const [pointers, headAlone, manifest] = [
    /^_(head|latest)\/con/,
    /^_head\/con/,
    /^_manifests\/con/,
  ];
  test.each([
    ['parts', [pointers, manifest], 'parts'],
    ['the manifest', [pointers], 'manifest'],
    ['_latest', [headAlone], 'manifest'],
  ] as const)(
    'is listed as not proven after %s, and is not a fault',
    async (_after, undone, listed) => {
      const { parts, verify, undo } = await sealMore();
      for (const pattern of undone) await undo(pattern);
      const { faults, underWay, unnamed } = await verify();
      expect({ faults, unnamed }).toEqual({ faults: [], unnamed: [] });
      expect(underWay).toEqual(listed === 'parts' ? parts : [manifestKey(target, newest)]);
    },
  );

  test('does not excuse an object if the snapshot is named more than 24 hours after the store time', async () => {
    const { parts, verify, undo } = await sealMore('20991231T000000Z');
    await undo(pointers);
    await undo(manifest);
    const { underWay, unnamed } = await verify();
    expect({ underWay, unnamed }).toEqual({ underWay: [], unnamed: parts });
  });

  test('does not excuse an object without its record, with a record a day old, or with one that names other keys', async () => {
    const changes: ((world: Awaited<ReturnType<typeof sealMore>>) => Promise<void>)[] = [
      ({ store, recordKey }) => store.delete(recordKey),
      async ({ clock }) => clock.advance(24 * 3_600_000),
      async ({ store, run, recordKey, parts }) => {
        const record = await readSealRecord(store, target, run.checkpoint);
        if (!record) throw new Error('no record');
        const others = parts.map((key) => key.replace(/-[0-9a-f]{12}/, '-0123456789ab'));
        await store.put(recordKey, encodeSealRecord({ ...record, parts: others }));
      },
    ];
    for (const change of changes) {
      const world = await sealMore();
      await world.undo(pointers);
      await world.undo(manifest);
      await change(world);
      const { faults, underWay } = await world.verify();
      expect(underWay).toEqual([]);
      expect(faults.map(({ key }) => key)).toEqual(world.parts);
    }
  });

  test('does not excuse an extra object beside the parts of its record', async () => {
    const { store, parts, verify, undo } = await sealMore();
    await undo(pointers);
    await undo(manifest);
    const extra = partKey(target, { role: 'rows', format: 'parquet' }, newest, 'ab'.repeat(32));
    await store.put(extra, Buffer.from('x'));
    const { faults, underWay } = await verify();
    expect(faults.map(({ key }) => key)).toEqual([extra]);
    expect(underWay).toEqual(parts);
  });

  test('is over once _head names the snapshot: a lost manifest is then a fault', async () => {
    const { parts, verify, undo } = await sealMore();
    await undo(manifest);
    const { faults, underWay } = await verify();
    expect(underWay).toEqual([]);
    expect(faults.map(({ key }) => key)).toEqual(
      expect.arrayContaining([manifestKey(target, newest), ...parts]),
    );
  });

  test('does not excuse a pointer that is two snapshots behind', async () => {
    const { store, verify } = await sealMore();
    const old = manifestKey(target, snapshots[0] as string);
    const bytes = store.dump().get(old)?.bytes ?? new Uint8Array();
    await store.put(headKey(target), encodePointer(pointerTo(decodeSealed(old, bytes))));
    const { faults, underWay } = await verify();
    expect(underWay).toEqual([]);
    expect(faults).toMatchObject([
      { key: headKey(target), message: expect.stringContaining(newest) },
    ]);
  });
});

describe('manifests that a newer version wrote', () => {
  async function verifyNewer(
    isNewer?: (name: string) => boolean,
    change: (store: MemoryStore) => Promise<void> = async () => {},
  ) {
    const store = await createStore();
    const objects = new Map([...store.dump()].map(([key, { bytes }]) => [key, bytes]));
    for (const [key, bytes] of makeNewer(objects, isNewer)) await store.put(key, bytes);
    await change(store);
    return { store, ...(await verifyStore(store, () => {})) };
  }
  const [oldest = '', middle = '', newest = ''] = snapshots;
  const sets = [[oldest], [middle], [newest], [oldest, middle], [middle, newest], snapshots];

  test.each(sets.map((names) => ({ names })))(
    'are faults with their parts, and nothing else is: $names',
    async ({ names }) => {
      const {
        store,
        faults,
        unchecked,
        newest: ends,
        manifests,
      } = await verifyNewer((name) => names.includes(name));
      const isOfThem = (key: string) => names.some((name) => key.includes(name));
      const keys = [...store.dump().keys()].filter((key) => !/^_(?!manifests)/.test(key));
      expect(faults.map(({ key }) => key).sort()).toEqual(keys.filter(isOfThem).sort());
      for (const { key, message, hint } of faults) {
        expect(message).toContain(
          key.startsWith('_')
            ? 'was written by a newer version of cgs-export (manifestVersion 2; this version reads 1)'
            : 'was not checked',
        );
        // The advice to restore holds only for a store that no newer version has written to.
        expect(hint).toMatch(/^Update cgs-export[^.]*\. Only if no newer version/);
      }
      expect(unchecked).toEqual([]);
      expect(ends.filter(({ manifest }) => isOfThem(manifest))).toEqual([]);
      expect(manifests).toBe((snapshots.length - names.length) * targets.length);
    },
  );

  test('are said to be altered where another object has their hash', async () => {
    const { faults } = await verifyNewer(
      () => false,
      async (store) => {
        const key = manifestKey(someTarget, middle);
        const text = Buffer.from((await store.get(key)) ?? []).toString();
        const later = text.replace('"manifestVersion":1', '"manifestVersion":2');
        await store.put(key, Buffer.from(later));
      },
    );
    const ofManifest = faults.filter(({ key }) => key === manifestKey(someTarget, middle));
    expect(ofManifest.map(({ message }) => message)).toEqual([
      expect.stringContaining('was written by a newer version'),
      `was altered: ${newest} recorded another hash of it`,
      `was altered: ${latestKey(someTarget)} recorded another hash of it`,
    ]);
  });

  test('hide neither a pointer that is missing nor one that was altered', async () => {
    const [head, latest] = [headKey(someTarget), latestKey(someTarget)];
    const { faults } = await verifyNewer(
      (name) => name === oldest,
      async (store) => {
        await store.delete(head);
        const text = Buffer.from((await store.get(latest)) ?? []).toString();
        await store.put(latest, Buffer.from(text.replace('"account":"', '"account":"x')));
      },
    );
    const found = faults.filter(({ key }) => key === head || key === latest);
    expect(found).toMatchObject([
      { key: head, message: 'is missing: it should name the newest snapshot' },
      { key: latest, message: expect.stringContaining('it was altered') },
    ]);
  });
});

test('a pointer whose other members were changed does not match its manifest', async () => {
  const key = headKey(someTarget);
  const text = Buffer.from((await created).dump().get(key)?.bytes ?? []).toString();
  for (const [from, to] of [
    ['"verdict":"drifted"', '"verdict":"complete"'],
    ['"account":"prod"', '"account":"test"'],
    ['"parts":["', '"parts":["x'],
  ] as const) {
    const altered = text.replace(from, to);
    expect(altered).not.toBe(text);
    const { faults } = await replaced(key, Buffer.from(altered));
    expect(faults, from).toMatchObject([
      { key, message: expect.stringContaining('does not match') },
    ]);
  }
});

test('another process that seals several times while the store is read causes no fault', async () => {
  const clock = createClock();
  let isReading = false;
  let sealNext: () => Promise<void> = async () => {};
  const store = createMemoryStore({
    nowMs: clock.nowMs,
    onCall: async ({ phase }) => {
      if (!isReading || phase !== 'after') return;
      isReading = false;
      await sealNext();
      isReading = true;
    },
  });
  store.restore((await created).dump());
  let hour = 0;
  sealNext = async () => {
    hour += 1;
    if (hour > 5) return;
    const snapshot = `20261125T${String(hour).padStart(2, '0')}0000Z`;
    const run = await storeRun(store, { snapshot, pages: [{ records: [nodeText('a')] }] });
    await sealStored(createSealPorts(store, clock), run);
  };
  isReading = true;
  const { faults } = await verifyStore(store, () => {});
  expect(faults).toEqual([]);
  expect(hour).toBeGreaterThan(5);
});

test('reads a bounded number of objects at a time, and a large part alone', async () => {
  const nowMs = Date.UTC(2026, 10, 24, 6);
  const store = createMemoryStore({ nowMs: () => nowMs });
  const large = 2 ** 20 + 1;
  const bytesOf = (age: number) => ({
    parquet: Buffer.alloc(age % 10 === 0 ? large : 100, age),
    ndjson: Buffer.from(`${age}`),
  });
  for (const { key, bytes } of listHistory({ count: 60, newestMs: nowMs, bytesOf })) {
    await store.put(key, bytes);
  }
  const open = new Set<string>();
  const most = { manifests: 0, parts: 0, besideLarge: 0 };
  const sizeOf = (key: string) => store.dump().get(key)?.bytes.length ?? 0;
  const { faults, parts } = await verifyStore(
    {
      ...store,
      async get(key) {
        open.add(key);
        const bytes = await store.get(key);
        await new Promise((resolve) => setImmediate(resolve));
        if (key.startsWith('_manifests/')) most.manifests = Math.max(most.manifests, open.size);
        open.delete(key);
        return bytes;
      },
      async read(key) {
        const chunks = await store.read(key);
        open.add(key);
        return (async function* () {
          for await (const chunk of chunks ?? []) {
            most.parts = Math.max(most.parts, open.size);
            if (sizeOf(key) >= large) most.besideLarge = Math.max(most.besideLarge, open.size - 1);
            yield chunk;
          }
          open.delete(key);
        })();
      },
    },
    () => {},
  );
  expect([faults, parts]).toEqual([[], 120]);
  expect(most).toEqual({ manifests: 8, parts: 8, besideLarge: 0 });
});

test('a part that is replaced while the store is read is read again, and is a fault only if it is still wrong', async () => {
  const objects = await verifiedObjects();
  const [key = '', bytes = new Uint8Array()] = objects.find(([one]) => !one.startsWith('_')) ?? [];
  const wrong = Uint8Array.from(bytes, (byte, index) => (index === 5 ? byte ^ 1 : byte));
  for (const isRestored of [true, false]) {
    const store = createMemoryStore({ nowMs: () => startMs });
    store.restore(new Map([...(await created).dump(), [key, { bytes: wrong, modifiedMs: 0 }]]));
    let reads = 0;
    const { faults, parts } = await verifyStore(
      {
        ...store,
        async read(one) {
          const chunks = await store.read(one);
          if (one !== key) return chunks;
          reads += 1;
          if (isRestored) await store.put(key, bytes);
          return chunks;
        },
      },
      () => {},
    );
    expect([reads, parts]).toEqual([2, 21]);
    expect(faults.map((fault) => fault.key)).toEqual(isRestored ? [] : [key]);
  }
});

test('stops within a part if the caller throws', async () => {
  const nowMs = Date.UTC(2026, 10, 24, 6);
  const store = createMemoryStore({ nowMs: () => nowMs });
  const bytesOf = () => ({ parquet: Buffer.alloc(50_000), ndjson: Buffer.from('x') });
  for (const { key, bytes } of listHistory({ count: 1, newestMs: nowMs, bytesOf })) {
    await store.put(key, bytes);
  }
  let read = 0;
  const stop = ({ unit, bytes }: VerifyProgress) => {
    if (unit === 'parts') read = bytes;
    if (read > 10_000) throw new Error('stopped');
  };
  await expect(verifyStore(store, stop)).rejects.toThrow('stopped');
  expect(read).toBeLessThan(12_000);
});

describe('when the time is up', () => {
  const nowMs = Date.UTC(2026, 10, 24, 6);
  const dayMs = 86_400_000;
  /** Snapshots 0 (the newest) to 9. Every third one has a large part. */
  async function createHistory() {
    const store = createMemoryStore({ nowMs: () => nowMs });
    const bytesOf = (age: number) => ({
      parquet: Buffer.alloc(age % 3 === 1 ? 2 ** 20 + 1 : 100, age + 1),
      ndjson: Buffer.from(`${age}`),
    });
    for (const { key, bytes } of listHistory({ count: 10, newestMs: nowMs, bytesOf })) {
      await store.put(key, bytes);
    }
    return store;
  }
  const startOf = (age: number) => new Date(nowMs - age * dayMs).toISOString();
  const snapshotOf = (key: string) => /(\d{8}T\d{6}Z)/.exec(key)?.[1] ?? '';

  test.each([...Array(21).keys()])(
    'after %i parts, the newest were hashed, and the rest is listed with the time from which on all were',
    async (limit) => {
      const store = await createHistory();
      const read: string[] = [];
      const counting: Store = {
        ...store,
        read: async (key) => {
          read.push(key);
          return store.read(key);
        },
      };
      const verification = await verifyStore(counting, () => {}, {
        isTimeUp: () => read.length >= limit,
      });
      const { notReached, notHashed, parts, faults, manifests } = verification;
      expect([manifests, faults]).toEqual([10, []]);
      expect(parts + notReached.length).toBe(20);
      expect(notHashed.parts).toBe(notReached.length);
      // Reads that had begun when the time was up may end.
      expect(read.length).toBeLessThanOrEqual(limit + 8);
      const names = notReached.map(snapshotOf);
      expect(names).toEqual([...names].sort().reverse());
      const newestLeft = snapshotOf(notReached[0] ?? '');
      const ages = [...Array(10).keys()];
      const isWhole = (age: number) =>
        snapshotName(nowMs - age * dayMs) > newestLeft || notReached.length === 0;
      const whole = ages.filter(isWhole);
      const since = whole.length === 0 || whole.length === 10 ? null : startOf(whole.length - 1);
      expect(notHashed.since).toBe(since);
    },
  );

  test('a part that is being read then counts as not reached, whatever its read ends with', async () => {
    const store = await createHistory();
    for (const end of ['throws', 'is stopped'] as const) {
      let isUp = false;
      const failing: Store = {
        ...store,
        read: async (key) => {
          const chunks = await store.read(key);
          if (!key.endsWith('.parquet') || !chunks) return chunks;
          return (async function* () {
            isUp = true;
            if (end === 'throws') throw new StoreError('STORE_FAILED', 'no time left', '');
            yield* chunks;
          })();
        },
      };
      const onProgress = () => {
        if (isUp) throw new Error('stopped');
      };
      const { faults, notReached, manifests } = await verifyStore(failing, onProgress, {
        isTimeUp: () => isUp,
      });
      expect([faults, manifests]).toEqual([[], 10]);
      expect(notReached.some((key) => snapshotOf(key) === snapshotName(nowMs))).toBe(true);
    }
  });

  test('a part whose size is wrong or that is missing is read first', async () => {
    const store = await createHistory();
    const oldest = [...store.dump().keys()].filter((key) =>
      key.includes(snapshotName(nowMs - 9 * dayMs)),
    );
    const key = oldest.find((one) => one.endsWith('.parquet')) ?? '';
    await store.put(key, Buffer.from('short'));
    let reads = 0;
    const counting: Store = {
      ...store,
      read: async (one) => {
        reads += 1;
        return store.read(one);
      },
    };
    const { faults } = await verifyStore(counting, () => {}, { isTimeUp: () => reads > 1 });
    expect(faults).toMatchObject([{ key }]);
  });

  test('an error while there is time left is thrown', async () => {
    const store = await createHistory();
    const read = async () => {
      throw new StoreError('STORE_FAILED', 'gone', '');
    };
    const failing = verifyStore({ ...store, read }, () => {}, { isTimeUp: () => false });
    await expect(failing).rejects.toThrow('gone');
  });
});
