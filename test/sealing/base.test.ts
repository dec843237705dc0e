// Tests which snapshot a new one is compared with, and that a base that cannot be used never stops a seal. Snapshots are sealed one
// after the other in a store in memory; between them, the test damages what the next one is compared with.

import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../lib/core/errors.ts';
import {
  headKey,
  latestKey,
  manifestKey,
  partKey,
  sealRecordKey,
  snapshotName,
  tombstoneKey,
} from '../../lib/core/object-keys.ts';
import type { Row, Store } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import type { Scope } from '../../lib/reading/checkpoint.ts';
import { writeTombstone } from '../../lib/retention/tombstone.ts';
import { decodeSealRecord } from '../../lib/sealing/seal-record.ts';
import { encodeManifest, type Manifest, type Part } from '../../lib/snapshots/manifest.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { encodeRows } from '../formats/encoding.ts';
import { createRows } from '../formats/inventory.ts';
import { createMemoryStore, type MemoryStoreOptions } from '../support/memory-store.ts';
import { createKeyPair, type KeyPair } from '../support/signing-keys.ts';
import {
  createSealPorts,
  nodeText,
  type RunToStore,
  sealWithFaults,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createClock } from '../support/virtual-clock.ts';

const hourMs = 3_600_000;
const rowsParquet = { role: 'rows', format: 'parquet' } as const;

function createWorld(options: Partial<MemoryStoreOptions> = {}) {
  const clock = createClock(undefined, 30);
  const store = createMemoryStore({ nowMs: clock.nowMs, ...options });
  const ports = createSealPorts(store, clock);
  /** Stores a run of these nodes an hour after the last one. */
  async function open(ids: readonly string[], more: Partial<RunToStore> = {}) {
    clock.advance(hourMs);
    const records = ids.map((id) => nodeText(id));
    const snapshot = snapshotName(clock.nowMs());
    return storeRun(store, { snapshot, pages: [{ records }], ...more });
  }
  async function seal(
    ids: readonly string[],
    more: Partial<RunToStore> = {},
    signing: SigningKey | null = null,
  ) {
    const run = await open(ids, more);
    const { sealed, faults } = await clock.run(sealWithFaults({ ...ports, signing }, run));
    return { ...sealed, faults };
  }
  const verify = () => clock.run(verifyStore(store, () => {}));
  return { clock, store, ports, open, seal, verify };
}
type World = ReturnType<typeof createWorld>;

const findPart = ({ parts }: Manifest, role: Part['role'] = 'rows'): Part => {
  const part = parts.find((one) => one.role === role && one.format === 'parquet');
  if (!part) throw new Error(`no part with ${role}`);
  return part;
};
const outcomeOf = ({ changes, changesNone }: Manifest) => changes ?? changesNone;

/** The dates of the first row, as the NDJSON part has them. */
function readDates({ store }: World, { parts }: Manifest) {
  const part = parts.find((one) => one.role === 'rows' && one.format === 'ndjson');
  const lines = gunzipSync(store.dump().get(part?.key ?? '')?.bytes ?? new Uint8Array());
  const row = JSON.parse(String(lines).split('\n')[0] ?? '');
  return [row.first_seen_at, row.agent_status_since, row.protect_status_since];
}

const isoOf = (snapshot: string) =>
  `${snapshot.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6')}.000Z`;
const allAt = (snapshot: string) => Array(3).fill(isoOf(snapshot));
const none = [null, null, null];

describe('a snapshot', () => {
  test('without another one before it has no changes, and its rows are dated by it', async () => {
    const world = createWorld();
    const { manifest } = await world.seal(['a']);
    expect(outcomeOf(manifest)).toBe('first');
    expect(readDates(world, manifest)).toEqual(allAt(manifest.snapshot));
    expect(manifest.parts.map(({ role }) => role)).toEqual(['rows', 'rows']);
  });

  test('is compared with the one before it', async () => {
    const world = createWorld();
    const one = await world.seal(['a', 'b']);
    const two = await world.seal(['a', 'c', 'd']);
    expect(outcomeOf(two.manifest)).toEqual({
      ...{ since: one.manifest.snapshot, added: 2, removed: 1, changed: 0 },
    });
    expect(two.manifest.changesNone).toBeNull();
    expect(readDates(world, two.manifest)).toEqual(allAt(one.manifest.snapshot));
    const part = findPart(two.manifest, 'changes');
    expect(part).toMatchObject({ rows: 3 });
    expect(part.key).toMatch(/^container_nodes_changes\/dt=2026-11-24\/rgn=cn-south-4\/prj=p1\//);
    expect(await world.verify()).toMatchObject({ faults: [], unnamed: [] });
    await world.store.delete(part.key);
    expect((await world.verify()).faults).toMatchObject([{ key: part.key }]);
  });

  test('that equals the one before it has no part with changes, and counts of 0', async () => {
    const { seal } = createWorld();
    const one = await seal(['a']);
    const { manifest } = await seal(['a']);
    const nothing = { since: one.manifest.snapshot, added: 0, removed: 0, changed: 0 };
    expect(outcomeOf(manifest)).toEqual(nothing);
    expect(manifest.parts.map(({ role }) => role)).toEqual(['rows', 'rows']);
  });

  test('with no rows is compared, and so is the one after it', async () => {
    const { seal } = createWorld();
    const counts = [];
    for (const ids of [['a', 'b'], [], [], ['a']]) {
      counts.push(outcomeOf((await seal(ids)).manifest));
    }
    expect(counts).toMatchObject([
      'first',
      { added: 0, removed: 2 },
      { added: 0, removed: 0 },
      { added: 1, removed: 0 },
    ]);
  });

  test('that is drifted is not compared, has no dates, and does not break the line', async () => {
    const world = createWorld();
    const one = await world.seal(['a', 'b']);
    const drifted = await world.seal(['a'], { verdict: 'drifted' });
    expect(outcomeOf(drifted.manifest)).toBe('drifted');
    expect(readDates(world, drifted.manifest)).toEqual(none);
    const two = await world.seal(['a']);
    const removed = { since: one.manifest.snapshot, added: 0, removed: 1, changed: 0 };
    expect(outcomeOf(two.manifest)).toEqual(removed);
    expect(readDates(world, two.manifest)).toEqual(allAt(one.manifest.snapshot));
  });

  test('after only drifted ones is the first', async () => {
    const { seal } = createWorld();
    await seal(['a'], { verdict: 'drifted' });
    expect(outcomeOf((await seal(['a'])).manifest)).toBe('first');
  });

  test('after more drifted ones than are searched is compared with the one that _latest names', async () => {
    const { seal } = createWorld();
    const one = await seal(['a']);
    for (let count = 0; count < 102; count += 1) await seal(['a'], { verdict: 'drifted' });
    expect(outcomeOf((await seal(['a'])).manifest)).toMatchObject({ since: one.manifest.snapshot });
  });

  const others: [string, Partial<Scope>][] = [
    ['API', { api: 'cgs' }],
    ['enterprise project', { enterpriseProjectId: null }],
    ['filters', { filters: { hostName: 'a' } }],
  ];
  test.each(others)('of a list with another %s is not compared', async (_name, scope) => {
    const world = createWorld();
    await world.seal(['a', 'b']);
    const { manifest, faults } = await world.seal(['a'], { scope });
    expect([outcomeOf(manifest), faults]).toEqual(['scope', []]);
    expect(readDates(world, manifest)).toEqual(allAt(manifest.snapshot));
    // The newest complete one counts, not an older one with the same scope.
    expect(outcomeOf((await world.seal(['a'])).manifest)).toBe('scope');
  });

  test('of an account with another label, or from another endpoint, is compared', async () => {
    const { seal } = createWorld();
    await seal(['a']);
    const scope = { account: 'other', endpoint: 'https://elsewhere.example' };
    expect(outcomeOf((await seal(['b'], { scope })).manifest)).toMatchObject({ added: 1 });
  });

  test('is not compared with one that is named more than a day ahead', async () => {
    const { clock, seal } = createWorld();
    const one = await seal(['a']);
    await seal(['a', 'b'], { snapshot: snapshotName(clock.nowMs() + 48 * hourMs) });
    const { manifest } = await seal(['a']);
    expect(outcomeOf(manifest)).toMatchObject({ since: one.manifest.snapshot, removed: 0 });
  });

  test('is compared with the newest manifest, whatever the pointers name', async () => {
    const world = createWorld();
    await world.seal(['a']);
    const two = await world.seal(['b']);
    const three = await world.seal(['c'], { verdict: 'drifted' });
    await world.store.put(latestKey(someTarget), Buffer.from('{}'));
    await world.store.delete(headKey(someTarget));
    const { manifest } = await world.seal(['b', 'c']);
    expect(outcomeOf(manifest)).toMatchObject({ since: two.manifest.snapshot, added: 1 });
    expect(three.manifest.changesNone).toBe('drifted');
  });

  test('of an earlier build without dates carries null until a status changes', async () => {
    const world = createWorld();
    const one = await world.seal(['a', 'b']);
    const older = containerNodes.columns.filter(
      ({ name }) => !/_since$|^first_seen_at$/.test(name),
    );
    const index = (name: string) => older.findIndex((column) => column.name === name);
    const rows = ['a', 'b'].map((id) => {
      const row: Row = older.map(() => null);
      return row
        .with(index('host_id'), id)
        .with(index('agent_status'), id === 'a' ? 'online' : 'x');
    });
    await replaceRows(world, one.manifest, {
      bytes: await encodeRows(parquetEncoder, rows, { columns: older, sortedBy: 'host_id' }),
      rows: 2,
    });
    const { manifest } = await world.seal(['a', 'b', 'c']);
    expect(outcomeOf(manifest)).toMatchObject({ added: 1, removed: 0 });
    expect(readDates(world, manifest)).toEqual(none);
    const next = await world.seal(['b', 'c']);
    // The status of b changed, and nothing else of it is known.
    expect(readDates(world, next.manifest)).toEqual([null, isoOf(manifest.snapshot), null]);
  });
});

/** Replaces the rows of the newest snapshot, with a manifest and pointers that fit. */
async function replaceRows(
  { store }: World,
  manifest: Manifest,
  { bytes, rows }: { bytes: Uint8Array; rows: number },
): Promise<void> {
  const hash = sha256(bytes);
  const key = partKey(someTarget, rowsParquet, manifest.snapshot, hash);
  await store.put(key, bytes);
  const part = { ...rowsParquet, key, rows, bytes: bytes.length, sha256: hash };
  await store.put(
    manifestKey(someTarget, manifest.snapshot),
    encodeManifest({ ...manifest, rows, parts: [part] }),
  );
  await store.delete(headKey(someTarget));
  await store.delete(latestKey(someTarget));
}

/** Writes the tombstone of a snapshot. */
function prune(
  store: Store,
  { manifest, manifestSha256 }: { manifest: Manifest; manifestSha256: string },
  signer: SigningKey | null = null,
): Promise<void> {
  const { snapshot, parts } = manifest;
  const keys = parts.filter(({ role }) => role !== 'changes').map(({ key }) => key);
  const content = { snapshot, manifestSha256, parts: keys, prunedAt: '2026-11-24T08:00:00.000Z' };
  return writeTombstone(store, someTarget, { ...content, rule: 'all: 0s' }, signer);
}

test('a tombstone does not hide rows that exist', async () => {
  const world = createWorld();
  const base = await world.seal(['a', 'b']);
  await prune(world.store, base);
  const { manifest, faults } = await world.seal(['a']);
  expect(outcomeOf(manifest)).toMatchObject({ since: base.manifest.snapshot, removed: 1 });
  expect(readDates(world, manifest)).toEqual(allAt(base.manifest.snapshot));
  expect(faults).toEqual([]);
});

describe('a base that cannot be used', () => {
  const damages: [string, (world: World, base: Manifest) => Promise<unknown>][] = [
    ['is missing', ({ store }, base) => store.delete(findPart(base).key)],
    ['is empty', ({ store }, base) => store.put(findPart(base).key, new Uint8Array())],
    [
      'was truncated',
      async ({ store }, base) => {
        const { key } = findPart(base);
        await store.put(key, ((await store.get(key)) as Uint8Array).subarray(0, -9));
      },
    ],
    [
      'has another byte',
      async ({ store }, base) => {
        const { key } = findPart(base);
        const bytes = Uint8Array.from((await store.get(key)) as Uint8Array);
        bytes[50] = (bytes[50] as number) ^ 1;
        await store.put(key, bytes);
      },
    ],
    [
      'is not Parquet',
      (world, base) => replaceRows(world, base, { bytes: Buffer.from('no Parquet'), rows: 1 }),
    ],
    [
      'is not sorted',
      async (world, base) => {
        const rows = createRows(9).reverse();
        const bytes = await encodeRows(parquetEncoder, rows);
        await replaceRows(world, base, { bytes, rows: 9 });
      },
    ],
    [
      'has more rows than its manifest says',
      async (world, base) => {
        const bytes = await encodeRows(parquetEncoder, createRows(9));
        await replaceRows(world, base, { bytes, rows: 8 });
      },
    ],
    [
      'has a column of another type',
      async (world, base) => {
        const columns = [
          { name: 'host_id', type: 'string' },
          { name: 'asset', type: 'string' },
        ] as const;
        const bytes = await encodeRows(parquetEncoder, [['a', 'x']], {
          columns,
          sortedBy: 'host_id',
        });
        await replaceRows(world, base, { bytes, rows: 1 });
      },
    ],
  ];

  test.each(damages)(
    'because its part %s: is reported once, and there are no changes',
    async (...given) => {
      const [, damage] = given;
      const world = createWorld();
      const base = await world.seal(['a', 'b']);
      await damage(world, base.manifest);
      const { manifest, faults } = await world.seal(['a']);
      expect(outcomeOf(manifest)).toBe('unreadable');
      expect(readDates(world, manifest)).toEqual(none);
      const ofBase = faults.filter(({ key }) => key.startsWith('container_nodes/'));
      expect(ofBase).toMatchObject([
        {
          message: expect.stringMatching(`So ${manifest.snapshot} is sealed without its changes$`),
        },
      ]);
      const next = await world.seal(['a', 'c']);
      expect(next.faults.filter(({ key }) => key.startsWith('container_nodes/'))).toEqual([]);
      expect(outcomeOf(next.manifest)).toMatchObject({ added: 1, removed: 0, changed: 0 });
      // The node a is in the base: since when is not known.
      expect(readDates(world, next.manifest)).toEqual(none);
    },
  );

  test('because its manifest names no Parquet part: the manifest is the fault', async () => {
    const world = createWorld();
    const base = await world.seal(['a']);
    const key = manifestKey(someTarget, base.manifest.snapshot);
    const parts = base.manifest.parts.filter(({ format }) => format === 'ndjson');
    await world.store.put(key, encodeManifest({ ...base.manifest, parts }));
    await world.store.delete(headKey(someTarget));
    await world.store.delete(latestKey(someTarget));
    const { manifest, faults } = await world.seal(['a']);
    expect(outcomeOf(manifest)).toBe('unreadable');
    expect(faults).toMatchObject(
      expect.arrayContaining([
        {
          key,
          message: expect.stringContaining('names no Parquet part'),
          hint: expect.any(String),
        },
      ]),
    );
  });

  test('because it is lost, with a tombstone of another snapshot: is reported', async () => {
    const world = createWorld();
    const base = await world.seal(['a']);
    await world.store.delete(findPart(base.manifest).key);
    await prune(world.store, { ...base, manifestSha256: 'ab'.repeat(32) });
    expect(outcomeOf((await world.seal(['a'])).manifest)).toBe('unreadable');
  });

  test('because it is pruned: there are no changes, and nothing is reported', async () => {
    const world = createWorld();
    const base = await world.seal(['a']);
    await prune(world.store, base);
    await world.store.delete(findPart(base.manifest).key);
    const { manifest, faults } = await world.seal(['a']);
    expect([outcomeOf(manifest), faults]).toEqual(['pruned', []]);
    expect(readDates(world, manifest)).toEqual(none);
  });

  test('because it was altered, with a tombstone of it: is reported', async () => {
    const world = createWorld();
    const base = await world.seal(['a']);
    await prune(world.store, base);
    const { key } = findPart(base.manifest);
    await world.store.put(key, Buffer.from('altered'));
    const { manifest, faults } = await world.seal(['a']);
    expect([outcomeOf(manifest), faults]).toMatchObject(['unreadable', [{ key }]]);
  });

  describe('because it is pruned, and manifests are signed', () => {
    const [own, other] = [createKeyPair(), createKeyPair()];

    /** The base is sealed with `sealer` and pruned with `pruner`. A drifted snapshot follows, and then one that is compared. */
    async function sealAfterPrune(sealer: KeyPair, pruner: KeyPair | null) {
      const world = createWorld();
      const base = await world.seal(['a'], {}, sealer.signer);
      await prune(world.store, base, pruner?.signer ?? null);
      await world.store.delete(findPart(base.manifest).key);
      await world.seal(['a'], { verdict: 'drifted' }, own.signer);
      const { manifest, faults } = await world.seal(['a'], {}, own.signer);
      return { base, outcome: outcomeOf(manifest), faults };
    }

    test.each<[string, KeyPair, KeyPair]>([
      ['the own key', own, own],
      ['a former key that a manifest of the signed chain names', other, other],
    ])('a tombstone signed by %s counts', async (_name, sealer, pruner) => {
      const { outcome, faults } = await sealAfterPrune(sealer, pruner);
      expect([outcome, faults]).toEqual(['pruned', []]);
    });

    test.each<[string, KeyPair | null]>([
      ['is not signed', null],
      ['is signed by a foreign key', other],
    ])('a tombstone that %s is reported, and so is the part', async (_name, pruner) => {
      const { base, outcome, faults } = await sealAfterPrune(own, pruner);
      expect(outcome).toBe('unreadable');
      expect(faults.map(({ key }) => key)).toEqual([
        findPart(base.manifest).key,
        tombstoneKey(someTarget, base.manifest.snapshot),
      ]);
    });
  });

  test('because the store denies it: the seal stops, and the next attempt compares', async () => {
    const world = createWorld();
    const { clock, store, ports, open } = world;
    const base = await world.seal(['a']);
    const run = await open(['a', 'b']);
    let isDenied = true;
    const guarded: Store = {
      ...store,
      async read(key) {
        if (isDenied && key.startsWith('container_nodes/')) {
          throw new StoreError('STORE_DENIED', `${key}: no permission`, 'Allow it.');
        }
        return store.read(key);
      },
    };
    const denied = clock.run(sealWithFaults({ ...ports, store: guarded }, run));
    await expect(denied).rejects.toMatchObject({ code: 'STORE_DENIED' });
    isDenied = false;
    const { sealed, faults } = await clock.run(sealWithFaults({ ...ports, store: guarded }, run));
    expect(faults).toEqual([]);
    expect(outcomeOf(sealed.manifest)).toMatchObject({ since: base.manifest.snapshot, added: 1 });
  });

  test('because it was damaged on the way once is read again', async () => {
    const world = createWorld();
    const { clock, store, ports, open } = world;
    await world.seal(['a']);
    const run = await open(['a', 'b']);
    let reads = 0;
    const flaky: Store = {
      ...store,
      async read(key) {
        if (key.startsWith('container_nodes/')) reads += 1;
        if (reads !== 1) return store.read(key);
        return (async function* () {
          yield Buffer.from('damaged');
        })();
      },
    };
    const { sealed } = await clock.run(sealWithFaults({ ...ports, store: flaky }, run));
    expect(outcomeOf(sealed.manifest)).toMatchObject({ added: 1 });
    expect(reads).toBe(2);
  });
});

describe('the outcome is fixed in the seal record', () => {
  /** A second snapshot of which the parts are written, but not the manifest. */
  async function killBeforeManifest() {
    const world = createWorld();
    const base = await world.seal(['a', 'b']);
    const run = await world.open(['a']);
    const dying: Store = {
      ...world.store,
      async put(key, bytes, options) {
        if (key.startsWith('_manifests/')) throw new Error('killed');
        await world.store.put(key, bytes, options);
      },
    };
    const ports = { ...world.ports, store: dying };
    await expect(world.clock.run(sealWithFaults(ports, run))).rejects.toThrow('killed');
    const { snapshot } = run.checkpoint;
    const key = sealRecordKey(someTarget, snapshot, run.checkpoint.run);
    const readRecord = async () =>
      decodeSealRecord(key, (await world.store.get(key)) as Uint8Array);
    const resume = () => world.clock.run(sealWithFaults(world.ports, run));
    return { ...world, world, base, run, readRecord, resume };
  }

  test('and the next attempt writes the same bytes', async () => {
    const { store, base, readRecord, resume } = await killBeforeManifest();
    const { snapshot, manifestSha256 } = { ...base, snapshot: base.manifest.snapshot };
    expect((await readRecord()).base).toEqual({ snapshot, manifestSha256 });
    const before = store.dump();
    const { sealed } = await resume();
    expect(outcomeOf(sealed.manifest)).toMatchObject({ since: snapshot, removed: 1 });
    for (const { key } of sealed.manifest.parts) expect(before.has(key), key).toBe(true);
  });

  test.each([
    ['pruned', 'pruned', 0],
    ['lost', 'unreadable', 1],
  ] as const)(
    'if the base is %s meanwhile, the record is written again and other parts are deleted',
    async (how, outcome, faultCount) => {
      const { world, store, base, readRecord, resume, verify } = await killBeforeManifest();
      const { key } = findPart(base.manifest);
      const left = [...store.dump().keys()].filter((one) =>
        one.startsWith('container_nodes_changes'),
      );
      expect(left).toHaveLength(1);
      await store.delete(key);
      if (how === 'pruned') {
        await prune(store, base);
      }
      const { sealed, faults } = await resume();
      expect(faults).toHaveLength(faultCount);
      expect(outcomeOf(sealed.manifest)).toBe(outcome);
      expect((await readRecord()).base).toBe(outcome);
      expect(readDates(world, sealed.manifest)).toEqual(none);
      // Only the lost part of the base is a fault: no part of the first attempt is left.
      const expected = how === 'pruned' ? [] : [{ key }];
      expect(await verify()).toMatchObject({ faults: expected, unnamed: [] });
      for (const one of left) expect(store.dump().has(one)).toBe(false);
    },
  );
});
