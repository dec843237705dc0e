// Tests that a person who can change the store, but has no key, cannot make `prune` sign a tombstone of rows that a rule keeps.

import { describe, expect, test } from 'vitest';
import {
  headKey,
  manifestKey,
  parsePartKey,
  signatureKey,
  snapshotName,
  tombstoneKey,
} from '../../lib/core/object-keys.ts';
import { findProven } from '../../lib/retention/proven-chain.ts';
import { decodeSealed, encodeManifest, type Manifest } from '../../lib/snapshots/manifest.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { createPruningWorld, dayMs, onlyNewest } from '../support/pruning-world.ts';
import { createKeyPair, type KeyPair } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';

const own = createKeyPair();
const forger = createKeyPair();
const hourMs = 3_600_000;

/** Twelve snapshots every 6 hours, the newest an hour ago. `signerOf`: default `own`. The oldest two of each UTC day are drifted. */
async function createWorld(signerOf: (age: number) => KeyPair | null = () => own) {
  const history = {
    count: 12,
    scheduleMs: 6 * hourMs,
    signerOf: (age: number) => signerOf(age)?.signer ?? null,
  };
  const { clock } = await createPruningWorld({ histories: [] });
  const nameOf = (age: number) => snapshotName(clock.nowMs() - hourMs - age * 6 * hourMs);
  const isDrifted = (age: number) => nameOf(age).slice(0, 8) !== nameOf(age + 2).slice(0, 8);
  const verdictOf = (age: number) => (isDrifted(age) ? 'drifted' : 'complete');
  const world = await createPruningWorld({ histories: [{ ...history, verdictOf }] });
  const { store, prune } = world;
  const read = (key: string) => store.dump().get(key)?.bytes ?? new Uint8Array();
  const sealedOf = (snapshot: string) => {
    const key = manifestKey(someTarget, snapshot);
    return decodeSealed(key, read(key));
  };
  const names = Array.from({ length: 12 }, (_, index) => nameOf(11 - index));
  return {
    ...world,
    names,
    read,
    sealedOf,
    isDrifted: (snapshot: string) => sealedOf(snapshot).manifest.verdict === 'drifted',
    prune: (signingKey = own.signer) =>
      prune({ signingKey, retention: { ...onlyNewest, all: 0, daily: 30 * dayMs } }),
    /** Changes a manifest without changing its key. */
    async change(snapshot: string, change: Partial<Manifest>) {
      const { manifest, manifestKey: key } = sealedOf(snapshot);
      await store.put(key, encodeManifest({ ...manifest, ...change }));
    },
    /** The snapshots that still have rows. */
    kept: () =>
      [...new Set(world.prunable().map((key) => parsePartKey(key)?.snapshot ?? ''))].sort(),
    verify: () => verifyStore(store, () => {}, { publicKeys: [own.publicKey] }),
  };
}

type World = Awaited<ReturnType<typeof createWorld>>;

test('prunes an honest chain: the key proves each snapshot', async () => {
  const { names, store, prune, kept, verify } = await createWorld();
  expect(await findProven(store, someTarget, names, own.publicKey)).toEqual({
    snapshots: new Set(names),
    keyIds: new Set([own.publicKey.keyId]),
  });
  expect(await prune()).toMatchObject({ errors: [] });
  expect(kept().length).toBeLessThan(6);
  expect((await verify()).faults).toEqual([]);
});

test.each([
  ['is damaged', async (world: World, key: string) => world.store.put(key, Buffer.from('{}\n'))],
  ['is gone', async (world: World, key: string) => world.store.delete(key)],
])('a manifest that %s ends what the key proves', async (_what, damage) => {
  const world = await createWorld();
  const { names, store } = world;
  await damage(world, manifestKey(someTarget, names[4] ?? ''));
  expect(await findProven(store, someTarget, names, own.publicKey)).toMatchObject({
    snapshots: new Set(names.slice(5)),
  });
});

describe('prunes as without a signing key', () => {
  test.each<[string, (age: number) => KeyPair | null]>([
    ['a chain that is not signed', () => null],
    ['a chain that only the former key signed', () => forger],
  ])('%s', async (_name, signerOf) => {
    const { names, store, prune, kept } = await createWorld(signerOf);
    expect(await findProven(store, someTarget, names, own.publicKey)).toBeNull();
    expect(await prune()).toMatchObject({ errors: [] });
    expect(kept().length).toBeLessThan(6);
  });
});

test('prunes the unsigned beginning of a chain, and one signed by a former key', async () => {
  for (const former of [null, forger]) {
    const { prune, kept } = await createWorld((age) => (age > 5 ? former : own));
    expect(await prune()).toMatchObject({ errors: [] });
    expect(kept().length).toBeLessThan(6);
  }
});

describe('keeps the first complete snapshot of a day', () => {
  test('if an older one of that day, which was pruned, is made complete again', async () => {
    const world = await createWorld();
    const { store, prune, kept, names, isDrifted, sealedOf, read } = world;
    await prune();
    const before = kept();
    // The one after it is pruned too, so only the whole chain shows that it was changed.
    const drifted = names.find((name) => isDrifted(name) && name > (before[0] ?? '')) ?? '';
    const manifest = read(manifestKey(someTarget, drifted));
    const tombstone = read(tombstoneKey(someTarget, drifted));
    for (const { key } of sealedOf(drifted).manifest.parts) await store.put(key, Buffer.from('x'));
    await store.delete(tombstoneKey(someTarget, drifted));
    await world.change(drifted, { verdict: 'complete' });
    const { errors } = await prune();
    expect(errors).toContainEqual(
      expect.objectContaining({ key: manifestKey(someTarget, drifted) }),
    );
    expect(kept()).toEqual([...before, drifted].sort());
    // The forger cleans up. Nothing else is lost.
    await store.put(manifestKey(someTarget, drifted), manifest);
    await store.put(tombstoneKey(someTarget, drifted), tombstone);
    expect(await prune()).toMatchObject({ errors: [] });
    expect(kept()).toEqual(before);
  });

  test('if a manifest with an older name is appended to the chain', async () => {
    const world = await createWorld();
    const { store, prune, kept, names, sealedOf, isDrifted } = world;
    const drifted = names.find((name, index) => index > 2 && isDrifted(name)) ?? '';
    const newest = sealedOf(names.at(-1) ?? '');
    const snapshot = drifted.replace(/\d\dZ$/, '01Z');
    const previous = { snapshot: newest.manifest.snapshot, manifestSha256: newest.manifestSha256 };
    const forged = encodeManifest({
      ...{ ...newest.manifest, snapshot, previous, parts: [] },
      signing: { keyId: forger.signer.keyId },
    });
    await store.put(manifestKey(someTarget, snapshot), forged);
    await store.put(signatureKey(someTarget, snapshot), forger.signer.sign(forged));
    await store.delete(headKey(someTarget));
    const { errors } = await prune();
    expect(errors).toMatchObject([{ key: manifestKey(someTarget, snapshot) }]);
    const honest = await createWorld();
    await honest.prune();
    expect(kept()).toEqual(honest.kept());
  });

  test('if the rows of an older one of that day are lost, and its tombstone too', async () => {
    const { store, prune, kept, names, sealedOf, isDrifted } = await createWorld();
    const first = names.findIndex(
      (name, index) => index > 2 && isDrifted(names[index - 1] ?? '') && !isDrifted(name),
    );
    const lost = names[first] ?? '';
    for (const { key, role } of sealedOf(lost).manifest.parts) {
      if (role !== 'changes') await store.delete(key);
    }
    expect(await prune()).toMatchObject({ errors: [] });
    expect(kept()).toContain(names[first + 1]);
    expect(kept()).not.toContain(names[first + 2]);
  });
});

test('keeps what is not in the chain of a valid signature: a lost manifest, or no valid signature', async () => {
  const lost = await createWorld();
  await lost.store.delete(manifestKey(someTarget, lost.names[8] ?? ''));
  const { errors, marked } = await lost.prune();
  expect(errors).toMatchObject([{ key: manifestKey(someTarget, lost.names[7] ?? '') }]);
  expect(errors[0]?.message).toContain('nor are 7 older ones');
  expect(marked).toBeLessThan(4);
  const bare = await createWorld();
  for (const name of bare.names) await bare.store.delete(signatureKey(someTarget, name));
  expect(await bare.prune()).toMatchObject({ marked: 0, parts: 0, errors: [{ code: 'CORRUPT' }] });
});
