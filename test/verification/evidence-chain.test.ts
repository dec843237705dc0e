// Tests what is collected to prove a snapshot, and that every object of it that is missing or altered is named.

import { describe, expect, test } from 'vitest';
import {
  headKey,
  manifestKey,
  publicKeyKey,
  signatureKey,
  snapshotName,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../../lib/core/object-keys.ts';
import { sha256 } from '../../lib/core/state.ts';
import { readManifest } from '../../lib/snapshots/catalog.ts';
import {
  decodeSealed,
  encodeManifest,
  encodePointer,
  type Manifest,
  pointerTo,
} from '../../lib/snapshots/manifest.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { collectEvidence, type Evidence } from '../../lib/verification/evidence-chain.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';
import { listHistory } from '../support/sealed-history.ts';
import { createSigningKey } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const newestMs = Date.UTC(2026, 10, 24, 6);
const dayMs = 24 * 3_600_000;
const nameOf = (age: number) => snapshotName(newestMs - age * dayMs);
const manifestOf = (age: number) => manifestKey(someTarget, nameOf(age));

const [one, two] = [createSigningKey(), createSigningKey()];
/** Ages 5 and 4 are not signed, 3 and 2 are signed with the first key. */
const signerOf = (age: number) => (age > 3 ? null : age > 1 ? one : two);

async function createStore(count = 6): Promise<MemoryStore> {
  const store = createMemoryStore({ nowMs: () => newestMs });
  for (const { key, bytes } of listHistory({ count, newestMs, signerOf })) {
    await store.put(key, bytes);
  }
  return store;
}

async function collect(store: MemoryStore, age: number) {
  const scratch = createTestScratch();
  const file = await scratch.open();
  const sealed = await readManifest(store, someTarget, nameOf(age));
  if (!sealed) throw new Error('no such snapshot');
  const evidence = await collectEvidence(someTarget, sealed, { store, file, onProgress: () => {} });
  await file.finish();
  return { evidence, read: (object: Evidence['objects'][number]) => file.read(object.kept) };
}

function keysOf({ objects }: Evidence): string[] {
  return objects.map(({ key }) => key).sort();
}

test('has the manifests from the snapshot to the newest, their signatures and keys, with their bytes', async () => {
  const store = await createStore();
  const { evidence, read } = await collect(store, 4);
  const signed = [0, 1, 2, 3];
  expect(keysOf(evidence)).toEqual(
    [
      ...[0, 1, 2, 3, 4].map(manifestOf),
      ...signed.map((age) => signatureKey(someTarget, nameOf(age))),
      ...[one, two].map(({ keyId }) => publicKeyKey(keyId)),
    ].sort(),
  );
  for (const object of evidence.objects) {
    expect(await read(object), object.key).toEqual(
      Buffer.from((await store.get(object.key)) ?? []),
    );
  }
  expect(evidence).toMatchObject({
    ...{ manifests: 5, signed: 4, tombstones: 0, keyIds: [one.keyId, two.keyId].sort() },
    newest: { manifestKey: manifestOf(0) },
  });
});

test('of the newest snapshot has one manifest and one key', async () => {
  const { evidence } = await collect(await createStore(), 0);
  expect(keysOf(evidence)).toEqual(
    [manifestOf(0), signatureKey(someTarget, nameOf(0)), publicKeyKey(two.keyId)].sort(),
  );
});

test('reads each object once, besides the newest manifest', async () => {
  const store = await createStore(40);
  const counts = new Map<string, number>();
  const get = (key: string) => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return store.get(key);
  };
  await collect({ ...store, get }, 39);
  const often = [...counts].filter(([key, count]) => count > 1 && !key.startsWith('_pruned/'));
  expect(often.map(([key]) => key).sort()).toEqual([manifestOf(0), manifestOf(39)].sort());
});

test('each object that is missing, altered or exchanged with a sibling is named', async () => {
  const { evidence } = await collect(await createStore(), 4);
  const keys = [...keysOf(evidence), headKey(someTarget)];
  for (const key of keys) {
    const directory = key.slice(0, key.indexOf('/'));
    const sibling = keys.find((other) => other !== key && other.startsWith(`${directory}/`));
    for (const damage of ['missing', 'altered', 'exchanged'] as const) {
      const store = await createStore();
      const own = manifestOf(4);
      const sealed = decodeSealed(own, (await store.get(own)) ?? new Uint8Array());
      const bytes = Buffer.from((await store.get(key)) ?? []);
      const altered = bytes.map((byte, at) => (at === 45 ? byte ^ 1 : byte));
      if (damage === 'missing') await store.delete(key);
      else if (damage === 'altered') await store.put(key, altered);
      else if (sibling) await store.put(key, (await store.get(sibling)) ?? new Uint8Array());
      else continue;
      const file = await createTestScratch().open();
      const options = { store, file, onProgress: () => {} };
      await expect(
        collectEvidence(someTarget, sealed, options),
        `${key} ${damage}`,
      ).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining(key) });
    }
  }
});

/** Seals one more snapshot after the newest one, without moving `_head`. */
async function sealNext(store: MemoryStore, snapshot: string, beforeKey = manifestOf(0)) {
  const before = decodeSealed(beforeKey, (await store.get(beforeKey)) ?? new Uint8Array());
  const manifest: Manifest = {
    ...before.manifest,
    ...{ snapshot, signing: null, parts: [], rows: 0 },
    previous: {
      snapshot: before.manifest.snapshot,
      manifestSha256: before.manifestSha256,
    },
  };
  const key = manifestKey(someTarget, snapshot);
  const bytes = encodeManifest(manifest);
  await store.put(key, bytes);
  return { manifestKey: key, manifest, manifestSha256: sha256(bytes) };
}

describe('the newest manifest', () => {
  test('is the one after _head while a seal is under way', async () => {
    const store = await createStore();
    const next = await sealNext(store, '20261124T060001Z');
    const { evidence } = await collect(store, 2);
    expect(evidence).toMatchObject({ manifests: 4, newest: { manifestKey: next.manifestKey } });
    const scratch = createTestScratch();
    const file = await scratch.open();
    const options = { store, file, onProgress: () => {} };
    const own = await collectEvidence(someTarget, next, options);
    expect(own.manifests).toBe(1);
  });

  test('can follow one whose name is in the future', async () => {
    const store = await createStore();
    const future = await sealNext(store, '20300101T000000Z');
    const next = await sealNext(store, '20261124T060001Z', future.manifestKey);
    await store.put(headKey(someTarget), encodePointer(pointerTo(next)));
    const { evidence } = await collect(store, 1);
    expect(evidence.manifests).toBe(4);
    expect(keysOf(evidence)).toContain(future.manifestKey);
  });

  test('must continue _head: a store that was set back with a new branch is refused', async () => {
    const store = await createStore();
    await sealNext(store, '20261124T060001Z', manifestOf(1));
    await expect(collect(store, 3)).rejects.toThrow(
      `${headKey(someTarget)}: does not match the manifest that it names`,
    );
  });
});

test('a snapshot that is not in the chain is refused', async () => {
  const store = await createStore();
  const other = await sealNext(store, '20261122T060001Z', manifestOf(3));
  const file = await createTestScratch().open();
  const options = { store, file, onProgress: () => {} };
  await expect(collectEvidence(someTarget, other, options)).rejects.toThrow(
    `${other.manifestKey}: is not in the chain that ends with ${manifestOf(0)}`,
  );
});

test('a manifest that names the key of another object is refused, and the key is not read', async () => {
  const store = await createStore();
  const sealed = await readManifest(store, someTarget, nameOf(0));
  if (!sealed) throw new Error('no such snapshot');
  const [part] = sealed.manifest.parts;
  const parts = part ? [{ ...part, key: '../secret' }] : [];
  const forged = { ...sealed, manifest: { ...sealed.manifest, parts } };
  const file = await createTestScratch().open();
  const options = { store, file, onProgress: () => {} };
  await expect(collectEvidence(someTarget, forged, options)).rejects.toThrow(
    'names "../secret", which is not a part of this snapshot',
  );
});

describe('tombstones', () => {
  async function bury(age: number, signer: SigningKey | null, more = {}): Promise<MemoryStore> {
    const store = await createStore();
    const sealed = await readManifest(store, someTarget, nameOf(age));
    const text = JSON.stringify({
      ...someTarget,
      ...{ snapshot: nameOf(age), manifestSha256: sealed?.manifestSha256, parts: [] },
      ...{ prunedAt: '2026-11-24T06:00:00.000Z', rule: 'all: 1d' },
      signing: signer && { keyId: signer.keyId },
      ...more,
    });
    const bytes = Buffer.from(`${text}\n`);
    await store.put(tombstoneKey(someTarget, nameOf(age)), bytes);
    if (signer) {
      await store.put(publicKeyKey(signer.keyId), Buffer.from(signer.publicPem));
      await store.put(tombstoneSignatureKey(someTarget, nameOf(age)), signer.sign(bytes));
    }
    return store;
  }

  test('of later snapshots are there with their signatures and keys', async () => {
    const signer = createSigningKey();
    const { evidence } = await collect(await bury(2, signer), 3);
    expect(evidence).toMatchObject({
      tombstones: 1,
      keyIds: expect.arrayContaining([signer.keyId]),
    });
    expect(keysOf(evidence)).toEqual(
      expect.arrayContaining([
        tombstoneKey(someTarget, nameOf(2)),
        tombstoneSignatureKey(someTarget, nameOf(2)),
        publicKeyKey(signer.keyId),
      ]),
    );
    expect((await collect(await bury(2, null), 3)).evidence.tombstones).toBe(1);
  });

  test('of earlier snapshots are not', async () => {
    expect((await collect(await bury(4, null), 3)).evidence.tombstones).toBe(0);
  });

  test.each([
    ['another manifest', { manifestSha256: 'a'.repeat(64) }, 'does not fit its manifest'],
    ['no hash', { manifestSha256: 1 }, 'is not a valid tombstone'],
    ['a key that did not sign it', { signing: { keyId: one.keyId } }, 'is missing: '],
  ])('with %s are refused', async (_what, more, message) => {
    await expect(collect(await bury(2, null, more), 3)).rejects.toThrow(message);
  });

  test('whose bytes were changed after signing are refused', async () => {
    const store = await bury(2, one);
    const key = tombstoneKey(someTarget, nameOf(2));
    const text = Buffer.from((await store.get(key)) ?? []).toString();
    await store.put(key, Buffer.from(text.replace('all: 1d', 'all: 2d')));
    await expect(collect(store, 3)).rejects.toThrow(`is not the signature of ${key}`);
  });
});

test('can be stopped', async () => {
  const store = await createStore(40);
  const sealed = await readManifest(store, someTarget, nameOf(39));
  if (!sealed) throw new Error('no such snapshot');
  const seen: number[] = [];
  const onProgress = (done: number, total: number) => {
    seen.push(done, total);
    if (done > 10) throw new Error('stopped');
  };
  const file = await createTestScratch().open();
  await expect(collectEvidence(someTarget, sealed, { store, file, onProgress })).rejects.toThrow(
    'stopped',
  );
  expect(seen).toEqual([0, 40, 8, 40, 16, 40]);
});
