// Tests what `verify` makes of tombstones: which ones allow rows to be missing, and what it says of all others.

import { describe, expect, test } from 'vitest';
import { StoreError } from '../../lib/core/errors.ts';
import {
  manifestKey,
  partKey,
  publicKeyKey,
  snapshotName,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import { isPrunable, writeTombstone } from '../../lib/retention/tombstone.ts';
import { decodeSealed } from '../../lib/snapshots/manifest.ts';
import { type VerifyOptions, verifyStore } from '../../lib/verification/verification.ts';
import { createPruningWorld, dayMs, onlyNewest, type PruneCall } from '../support/pruning-world.ts';
import { listHistory } from '../support/sealed-history.ts';
import { createKeyPair, type KeyPair } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';

const own = createKeyPair();
const forger = createKeyPair();
const otherTarget = { ...someTarget, projectId: 'p2' };

/** Six snapshots of each of two targets, signed by `own`. Of each target, the newest snapshot is drifted. */
async function createWorld(signer: KeyPair | null = own) {
  const signerOf = () => signer?.signer ?? null;
  const verdictOf = (age: number) => (age === 0 ? 'drifted' : 'complete');
  const histories = [someTarget, otherTarget].map((target) => {
    return { target, signerOf, verdictOf } as const;
  });
  const world = await createPruningWorld({ histories });
  const { store, clock } = world;
  const nameOf = (age: number) => snapshotName(clock.nowMs() - 3_600_000 - age * dayMs);
  const read = (key: string) => store.dump().get(key)?.bytes ?? new Uint8Array();
  const sealedOf = (age: number, target = someTarget) => {
    const key = manifestKey(target, nameOf(age));
    return decodeSealed(key, read(key));
  };
  return {
    ...world,
    nameOf,
    read,
    sealedOf,
    keyOf: (age: number) => tombstoneKey(someTarget, nameOf(age)),
    signatureOf: (age: number) => tombstoneSignatureKey(someTarget, nameOf(age)),
    prune: (call: PruneCall = {}) => {
      const signingKey = signer?.signer ?? null;
      return world.prune({ signingKey, targets: [someTarget, otherTarget], ...call });
    },
    /** As a person who can change the store could. `signer` null: without a signature. */
    async forge(age: number, by: KeyPair | null, target = someTarget) {
      const { manifest, manifestSha256 } = sealedOf(age, target);
      const { snapshot } = manifest;
      const parts = manifest.parts.filter(isPrunable).map(({ key }) => key);
      const content = { snapshot, manifestSha256, parts, prunedAt: '2026-01-01T00:00:00.000Z' };
      await writeTombstone(store, target, { ...content, rule: 'all: 0s' }, by?.signer ?? null);
    },
    /** Returns the keys of what was deleted. */
    async deleteRows(age: number) {
      const keys = sealedOf(age)
        .manifest.parts.filter(isPrunable)
        .map(({ key }) => key);
      for (const key of keys) await store.delete(key);
      return keys;
    },
    verify: (options: VerifyOptions = {}, over: Partial<Store> = {}) =>
      verifyStore({ ...store, ...over }, () => {}, options),
  };
}

const given = { publicKeys: [own.publicKey] };
const keysOf = (list: readonly { key: string }[]) => list.map(({ key }) => key).sort();

describe('accepts', () => {
  test.each([
    ['unsigned ones without given keys', null, {}],
    ["signed ones with the store's keys", own, {}],
    ['signed ones with given keys', own, given],
  ])('%s, and counts snapshots and parts', async (_name, signer, options) => {
    const { prune, verify } = await createWorld(signer);
    expect((await prune()).errors).toEqual([]);
    // Of each target: 6 changes, and 3 other parts of the two snapshots that are kept.
    expect(await verify(options)).toMatchObject({
      ...{ faults: [], unchecked: [], foreign: [], unnamed: [] },
      ...{ manifests: 12, parts: 24, pruned: 8, prunedParts: 24 },
    });
  });

  test('pruned parts that are still there, but not one that was altered', async () => {
    const { prune, verify, prunable, store } = await createWorld();
    await prune({ retention: { ...onlyNewest, grace: 1 } });
    const counts = { pruned: 8, prunedParts: 0, parts: 48 };
    expect(await verify(given)).toMatchObject({ faults: [], ...counts });
    const [key = ''] = prunable();
    await store.put(key, Buffer.from('altered'));
    expect(keysOf((await verify(given)).faults)).toEqual([key]);
  });

  test('a rotation, if both keys are given', async () => {
    const { prune, verify, forge, store, keyOf } = await createWorld();
    await prune({ targets: [otherTarget] });
    const next = createKeyPair();
    await forge(4, next);
    const both = { publicKeys: [own.publicKey, next.publicKey] };
    expect(await verify(both)).toMatchObject({ faults: [], pruned: 5 });
    expect(keysOf((await verify(given)).faults)).toEqual([keyOf(4)]);
    // A given key needs no copy in the store.
    await store.delete(publicKeyKey(next.signer.keyId));
    expect(await verify(both)).toMatchObject({ faults: [], pruned: 5 });
  });

  test('a signature whose tombstone was not written yet', async () => {
    const { verify, store, signatureOf } = await createWorld();
    await store.put(signatureOf(4), new Uint8Array(64));
    expect(await verify(given)).toMatchObject({ faults: [], foreign: [], pruned: 0 });
  });
});

describe('with given keys, names', () => {
  test('an unsigned tombstone, says what to do, and calls the rows missing', async () => {
    const { verify, forge, deleteRows, keyOf } = await createWorld();
    const rows = await deleteRows(4);
    await forge(4, null);
    expect((await verify()).faults).toEqual([]);
    const { faults, pruned } = await verify(given);
    expect([keysOf(faults), pruned]).toEqual([[keyOf(4), ...rows].sort(), 0]);
    expect(faults).toContainEqual({
      key: keyOf(4),
      message: 'is not signed, but public keys are given: no part of the snapshot may be missing',
      hint: expect.stringContaining('compare the store with a backup'),
    });
  });

  test('one that another key signed, also if that key is in the store', async () => {
    const { verify, forge, deleteRows, keyOf } = await createWorld();
    const rows = await deleteRows(4);
    await forge(4, forger);
    expect((await verify()).faults).toEqual([]);
    const { faults } = await verify(given);
    expect(keysOf(faults)).toEqual([keyOf(4), ...rows].sort());
    expect(faults).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('which is not given') }),
    );
  });

  test('one that says the given key signed it, but another key did', async () => {
    const { verify, forge, read, store, deleteRows, keyOf, signatureOf } = await createWorld();
    const rows = await deleteRows(4);
    await forge(4, own);
    const text = Buffer.from(read(keyOf(4))).toString();
    const changed = Buffer.from(text.replace('all: 0s', 'all: 1s'));
    await store.put(keyOf(4), changed);
    await store.put(signatureOf(4), forger.signer.sign(changed));
    for (const options of [{}, given]) {
      expect(keysOf((await verify(options)).faults)).toEqual([signatureOf(4), ...rows].sort());
    }
  });
});

type World = Awaited<ReturnType<typeof createWorld>>;

describe('a tombstone never makes missing rows of snapshot 4 acceptable', () => {
  const edit = async (
    { store, read, keyOf, signatureOf }: World,
    change: (t: object) => object,
  ) => {
    const bytes = Buffer.from(
      `${JSON.stringify(change(JSON.parse(Buffer.from(read(keyOf(4))).toString())))}\n`,
    );
    await store.put(keyOf(4), bytes);
    // Also a person with the key cannot excuse other objects.
    await store.put(signatureOf(4), own.signer.sign(bytes));
  };
  const copy = async ({ store, read, keyOf, signatureOf }: World, from: [string, string]) => {
    await store.put(keyOf(4), read(from[0]));
    await store.put(signatureOf(4), read(from[1]));
  };
  const rowsOf = ({ sealedOf }: World, age: number) =>
    sealedOf(age)
      .manifest.parts.filter(isPrunable)
      .map(({ key }) => key);

  test.each<[string, (world: World) => Promise<unknown>, 'tombstone' | 'signature', RegExp]>([
    [
      'if its signature is missing',
      ({ store, signatureOf }) => store.delete(signatureOf(4)),
      'signature',
      /is missing: the tombstone of \S+ says that it is signed/,
    ],
    [
      'if its signature is wrong',
      ({ store, signatureOf }) => store.put(signatureOf(4), new Uint8Array(64)),
      'signature',
      /is not the signature of the tombstone/,
    ],
    [
      'if its key is in no place',
      async (world) => {
        await world.forge(4, forger);
        await world.store.delete(publicKeyKey(forger.signer.keyId));
      },
      'signature',
      /cannot be checked: its key/,
    ],
    [
      'if it is empty',
      ({ store, keyOf }) => store.put(keyOf(4), new Uint8Array()),
      'tombstone',
      /does not parse/,
    ],
    [
      'if it has another hash of the manifest',
      (world) => edit(world, (t) => ({ ...t, manifestSha256: '0'.repeat(64) })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it names no parts',
      (world) => edit(world, (t) => ({ ...t, parts: [] })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it names only some parts',
      (world) => edit(world, (t) => ({ ...t, parts: rowsOf(world, 4).slice(1) })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it names a part twice',
      (world) =>
        edit(world, (t) => ({ ...t, parts: [...rowsOf(world, 4).slice(1), rowsOf(world, 4)[1]] })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it names changes too',
      (world) =>
        edit(world, (t) => ({
          ...t,
          parts: world.sealedOf(4).manifest.parts.map(({ key }) => key),
        })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it names the parts of another snapshot',
      (world) => edit(world, (t) => ({ ...t, parts: rowsOf(world, 3) })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it names the parts of another snapshot too',
      (world) => edit(world, (t) => ({ ...t, parts: [...rowsOf(world, 4), ...rowsOf(world, 3)] })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it names objects outside the store',
      (world) =>
        edit(world, (t) => ({ ...t, parts: ['../../etc/passwd', '_head/x', '_manifests/x'] })),
      'tombstone',
      /does not fit/,
    ],
    [
      'if it was copied from another snapshot',
      (world) => copy(world, [world.keyOf(5), world.signatureOf(5)]),
      'tombstone',
      /is the tombstone of another snapshot/,
    ],
    [
      'if it was copied from another target',
      (world) =>
        copy(world, [
          tombstoneKey(otherTarget, world.nameOf(4)),
          tombstoneSignatureKey(otherTarget, world.nameOf(4)),
        ]),
      'tombstone',
      /is the tombstone of another snapshot/,
    ],
  ])('%s', async (_name, change, named, message) => {
    const world = await createWorld();
    await world.prune();
    await change(world);
    const key = named === 'tombstone' ? world.keyOf(4) : world.signatureOf(4);
    const rows = rowsOf(world, 4);
    const { faults, pruned } = await world.verify();
    expect([keysOf(faults), pruned]).toEqual([[key, ...rows].sort(), 7]);
    expect(faults.find((fault) => fault.key === key)).toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/./),
    });
    expect((await world.verify(given)).faults).toHaveLength(4);
  });
});

describe('is never accepted for', () => {
  test.each([
    ['the newest complete snapshot', 1],
    ['a later one', 0],
  ])('%s, with the signature of a given key', async (_name, age) => {
    const { verify, forge, deleteRows, keyOf } = await createWorld();
    const rows = await deleteRows(age);
    await forge(age, own);
    const { faults, pruned } = await verify(given);
    expect([keysOf(faults), pruned]).toEqual([[keyOf(age), ...rows].sort(), 0]);
    expect(faults).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('prune always keeps them') }),
    );
  });

  test('missing changes, and missing rows of a snapshot that was not pruned', async () => {
    const { prune, verify, deleteRows, sealedOf, store } = await createWorld();
    await prune();
    const changes = sealedOf(4).manifest.parts.find(({ role }) => role === 'changes')?.key ?? '';
    await store.delete(changes);
    const rows = await deleteRows(0);
    expect(keysOf((await verify(given)).faults)).toEqual([changes, ...rows].sort());
  });
});

test.each([
  ['a tombstone', 'is a tombstone, but', true],
  ['the signature of a tombstone', 'is the signature of a tombstone, but', false],
])('calls %s without its manifest a fault', async (_name, message, isTombstone) => {
  const { verify, store, keyOf, signatureOf } = await createWorld();
  const key = (isTombstone ? keyOf(4) : signatureOf(4)).replace('prj=p1', 'prj=p9');
  await store.put(key, new Uint8Array(64));
  const { faults } = await verify();
  expect(faults).toMatchObject([{ key, message: expect.stringContaining(message) }]);
});

test('lists another name under _pruned/ as foreign', async () => {
  const { verify, store } = await createWorld();
  await store.put('_pruned/notes.txt', Buffer.from('x'));
  expect((await verify()).foreign).toEqual(['_pruned/notes.txt']);
});

describe('lists as not checked', () => {
  test.each([
    ['a tombstone', (world: World) => world.keyOf(4)],
    ['its signature', (world: World) => world.signatureOf(4)],
    ['its key', () => publicKeyKey(forger.signer.keyId)],
  ])('%s that may not be read, and the rows that it may explain', async (_name, keyOf) => {
    const world = await createWorld();
    const rows = await world.deleteRows(4);
    await world.forge(4, forger);
    const denied = keyOf(world);
    const { faults, unchecked } = await world.verify(
      {},
      {
        get: (key) => {
          if (key === denied) throw new StoreError('STORE_DENIED', 'denied', 'Ask.');
          return world.store.get(key);
        },
      },
    );
    expect(faults).toEqual([]);
    expect(keysOf(unchecked)).toEqual(expect.arrayContaining([denied, ...rows]));
  });
});

describe('a verify that runs meanwhile finds no fault', () => {
  /** Verifies, and awaits `change` before the first call that `isMoment` accepts. */
  async function verifyWhile(
    { store, verify }: World,
    options: VerifyOptions,
    isMoment: (op: string, key: string) => boolean,
    change: () => Promise<unknown>,
  ) {
    let changed: Promise<unknown> | null = null;
    const reach = async (op: string, key: string) => {
      if (isMoment(op, key)) changed ??= change();
      await changed;
    };
    const verification = await verify(options, {
      list: (key) => reach('list', key).then(() => store.list(key)),
      get: (key) => reach('get', key).then(() => store.get(key)),
      read: (key) => reach('read', key).then(() => store.read(key)),
    });
    expect(changed === null ? 'never reached' : 'reached').toBe('reached');
    return verification;
  }

  test.each([
    ['all is pruned before the first part is read', 'read', {}],
    ['all is pruned before the first part is read, with given keys', 'read', given],
    ['all is pruned after the list, before the manifests', 'get', given],
  ])('if %s', async (_name, moment, options) => {
    const world = await createWorld();
    const isMoment = (op: string) => op === moment;
    const verified = await verifyWhile(world, options, isMoment, () => world.prune());
    expect(verified).toMatchObject({ faults: [], unchecked: [], pruned: 8, prunedParts: 24 });
  });

  test('if a snapshot is sealed and the newest complete one before it is pruned', async () => {
    const world = await createWorld();
    const { store, clock } = world;
    const seal = async () => {
      clock.advance(dayMs);
      const newestMs = clock.nowMs() - 3_600_000;
      const moreKinds = [
        { role: 'rejects', format: 'ndjson' },
        { role: 'changes', format: 'parquet' },
      ] as const;
      const base = { moreKinds, newestMs, signerOf: () => own.signer };
      const verdictOf = (age: number) => (age === 1 ? 'drifted' : 'complete');
      for (const { key, bytes } of listHistory({ ...base, count: 7, verdictOf })) {
        await store.put(key, bytes);
      }
      return world.prune();
    };
    const nameOfNewest = world.nameOf(1);
    const isMoment = (op: string) => op === 'read';
    const verified = await verifyWhile(world, given, isMoment, seal);
    const tombstone = tombstoneKey(someTarget, nameOfNewest);
    expect(store.dump().has(tombstone)).toBe(true);
    expect(verified).toMatchObject({ faults: [], unchecked: [] });
    expect(verified.pruned).toBe(10);
  });
});

describe('with pruned snapshots', () => {
  test('--since hashes what is left from a time on, and does not count what was deleted', async () => {
    const { prune, verify, clock } = await createWorld();
    await prune();
    const hashSinceMs = clock.nowMs() - 2 * dayMs;
    const verified = await verify({ ...given, hashSinceMs });
    // Of each target: the two newest snapshots with 4 parts. Before: the changes of the four others.
    expect(verified).toMatchObject({
      ...{ faults: [], parts: 16, pruned: 8, prunedParts: 24 },
      notHashed: { parts: 8, since: new Date(hashSinceMs).toISOString() },
    });
  });

  test('--manifests-only reads no part, and finds missing rows without an accepted tombstone', async () => {
    const { prune, verify, deleteRows } = await createWorld();
    await prune();
    const options = { ...given, hashSinceMs: Number.POSITIVE_INFINITY };
    let reads = 0;
    const verified = await verify(options, {
      async read() {
        reads += 1;
        throw new Error('read a part');
      },
    });
    expect(verified).toMatchObject({
      ...{ faults: [], parts: 0, pruned: 8, prunedParts: 24 },
      notHashed: { parts: 24, since: null },
    });
    expect(reads).toBe(0);
    const rows = await deleteRows(0);
    expect(keysOf((await verify(options)).faults)).toEqual([...rows].sort());
  });

  test('a pin of a pruned snapshot still meets its manifest', async () => {
    const { prune, verify, sealedOf } = await createWorld();
    const { manifest, manifestSha256 } = sealedOf(4);
    await prune();
    const pin = { ...someTarget, account: 'prod', snapshot: manifest.snapshot, manifestSha256 };
    expect(await verify({ ...given, pins: [pin] })).toMatchObject({ faults: [] });
    const other = { ...pin, manifestSha256: '0'.repeat(64) };
    expect((await verify({ ...given, pins: [other] })).faults).toHaveLength(1);
  });
});

test('an object with other bytes in the place of a pruned part is a fault', async () => {
  const { prune, verify, store, sealedOf } = await createWorld();
  await prune();
  const rows = sealedOf(4).manifest.parts.find(isPrunable);
  if (!rows) throw new Error('no rows');
  await store.put(rows.key, Buffer.from('other'));
  const copied = partKey(someTarget, rows, sealedOf(4).manifest.snapshot, '0'.repeat(64));
  await store.put(copied, Buffer.from('other'));
  expect(keysOf((await verify(given)).faults)).toEqual([rows.key, copied].sort());
});
