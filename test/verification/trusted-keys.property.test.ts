// Tests what trusted keys and pins exclude: no false alarm over honest histories, and every forgery by a person who can write to
// the store but has no key. Without keys and pins the words say what cannot be excluded.

import { describe, expect, test } from 'vitest';
import {
  headKey,
  latestKey,
  manifestKey,
  parseManifestKey,
  publicKeyKey,
  snapshotName,
  targetId,
} from '../../lib/core/object-keys.ts';
import { sha256 } from '../../lib/core/state.ts';
import {
  decodeManifest,
  encodeManifest,
  encodePointer,
  type Manifest,
  type Previous,
  pointerTo,
} from '../../lib/snapshots/manifest.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { advancePins, listNewest, type Pin } from '../../lib/verification/pins.ts';
import { describeProof } from '../../lib/verification/proof.ts';
import { type VerifyOptions, verifyWithChains } from '../../lib/verification/verification.ts';
import { countCases } from '../support/cases.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { listHistory } from '../support/sealed-history.ts';
import { createKeyPair, type KeyPair } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';

type Objects = Map<string, Uint8Array>;
const dayMs = 86_400_000;
const newestMs = Date.UTC(2026, 10, 24, 6);
const nowMs = newestMs + 3_600_000;
const otherTarget = { ...someTarget, projectId: 'p2' };

function verify(objects: Objects, options: VerifyOptions = {}) {
  const store = createMemoryStore({ nowMs: () => nowMs });
  store.restore(new Map([...objects].map(([key, bytes]) => [key, { bytes, modifiedMs: nowMs }])));
  return verifyWithChains(store, () => {}, options);
}

describe('an honest history', () => {
  test('with an unsigned beginning and rotations causes no fault, whenever it is pinned', async () => {
    for (let seed = 1; seed <= countCases(40); seed += 1) {
      const random = createRandom(seed);
      const below = (count: number) => Math.floor(random() * count);
      const count = 1 + below(9);
      const pairs = Array.from({ length: 1 + below(3) }, createKeyPair);
      const unsigned = below(count);
      // Snapshot by snapshot, a later one never goes back to an older key.
      const signers: (KeyPair | null)[] = [];
      for (let index = 0, key = 0; index < count; index += 1) {
        if (index > unsigned && key < pairs.length - 1 && below(3) === 0) key += 1;
        signers.push(index < unsigned ? null : (pairs[key] ?? null));
      }
      const historyOf = (length: number): Objects => {
        const signerOf = (age: number) => signers[length - 1 - age]?.signer ?? null;
        const verdictOf = (age: number) => ((length - age) % 3 === 2 ? 'drifted' : 'complete');
        const options = {
          newestMs: newestMs - (count - length) * dayMs,
          signerOf,
          verdictOf,
        } as const;
        return new Map(
          [...listHistory({ ...options, count: length })].map(({ key, bytes }) => [key, bytes]),
        );
      };
      const used = [...new Set(signers)].flatMap((pair) => pair ?? []);
      const publicKeys = used.map(({ publicKey }) => publicKey);
      let pins: Pin[] = [];
      for (let length = 1; length <= count; length += 1) {
        const where = `seed ${seed}, ${length} of ${count}`;
        // Before the first signature there is no key that could be given.
        const given = length > unsigned ? publicKeys : [];
        const options = { pins, publicKeys: given };
        const { verification, chains } = await verify(historyOf(length), options);
        expect(verification.faults, where).toEqual([]);
        expect(verification.signatures, where).toMatchObject({
          valid: Math.max(0, length - unsigned),
          unsigned: Math.min(length, unsigned),
          covered: given.length > 0 ? unsigned : 0,
        });
        if (below(2) === 0) pins = advancePins(pins, chains, nowMs);
      }
      const newestKey = signers.at(-1)?.publicKey;
      if (!newestKey) throw new Error('the newest snapshot is signed');
      // An auditor who knows only the newest key: older signatures are covered by the chain.
      const { verification } = await verify(historyOf(count), { publicKeys: [newestKey] });
      const first = signers.findIndex((pair) => pair?.publicKey === newestKey);
      expect([verification.faults, verification.signatures.covered], `seed ${seed}`).toEqual([
        [],
        first,
      ]);
    }
  });
});

const own = createKeyPair();
const forger = createKeyPair();

/** Six snapshots of one target and three of another; the oldest two of the first are unsigned. */
function createObjects(): Objects {
  const signerOf = (age: number) => (age >= 4 ? null : own.signer);
  const histories = [
    ...listHistory({ count: 6, newestMs, signerOf }),
    ...listHistory({ target: otherTarget, count: 3, newestMs, signerOf }),
  ];
  return new Map(histories.map(({ key, bytes }) => [key, bytes]));
}

/** The manifests of the first target, oldest first. */
function listManifests(objects: Objects): Manifest[] {
  return [...objects]
    .filter(([key]) => {
      const place = parseManifestKey(key);
      return place !== null && targetId(place.target) === targetId(someTarget);
    })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, bytes]) => decodeManifest(key, bytes));
}

/** Writes the chain of the first target anew, and its pointers, as a person with all rights on the store could. */
function writeChain(objects: Objects, manifests: readonly Manifest[], signer: SigningKey | null) {
  for (const key of [...objects.keys()]) {
    const isOld = /^_(manifests|signatures)\/container_nodes\/rgn=[^/]+\/prj=p1\//.test(key);
    if (isOld) objects.delete(key);
  }
  let previous: Previous | null = null;
  for (const manifest of manifests) {
    const signing = signer && { keyId: signer.keyId };
    const bytes = encodeManifest({ ...manifest, previous, signing });
    const { snapshot } = manifest;
    const key = manifestKey(someTarget, snapshot);
    objects.set(key, bytes);
    if (signer) {
      objects.set(
        key.replace('_manifests', '_signatures').replace('.json', '.sig'),
        signer.sign(bytes),
      );
      objects.set(publicKeyKey(signer.keyId), Buffer.from(signer.publicPem));
    }
    previous = { snapshot, manifestSha256: sha256(bytes) };
  }
  setPointers(objects);
}

function setPointers(objects: Objects) {
  const manifest = listManifests(objects).at(-1);
  if (!manifest) throw new Error('there is no manifest');
  const key = manifestKey(someTarget, manifest.snapshot);
  const manifestSha256 = sha256(objects.get(key) ?? new Uint8Array());
  const pointer = encodePointer(pointerTo({ manifestKey: key, manifest, manifestSha256 }));
  objects.set(headKey(someTarget), pointer);
  objects.set(latestKey(someTarget), pointer);
}

/** Deletes the newest snapshots of the first target with all that belongs to them. */
function deleteNewest(objects: Objects, count: number) {
  for (const { snapshot } of listManifests(objects).slice(-count)) {
    for (const key of [...objects.keys()]) {
      if (key.includes(snapshot) && key.includes('prj=p1')) objects.delete(key);
    }
  }
  setPointers(objects);
}

/** A count that differs from the parts would be found without keys and pins. */
const changed = (manifests: readonly Manifest[]) =>
  manifests.map((manifest, index) =>
    index === 3 ? { ...manifest, startedAt: '2026-11-24T05:00:00.000Z' } : manifest,
  );

interface Forgery {
  name: string;
  apply: (objects: Objects) => void;
  /** What finds it; by default the keys alone and the pins alone do. */
  hiddenFrom?: 'keys';
}

const forgeries: Forgery[] = [
  {
    name: 'the whole chain hashed again, with all signatures removed',
    apply: (objects) => writeChain(objects, changed(listManifests(objects)), null),
  },
  {
    name: 'the whole chain hashed again and signed by another key',
    apply: (objects) => writeChain(objects, changed(listManifests(objects)), forger.signer),
  },
  {
    name: 'only the signatures removed from the whole chain',
    apply: (objects) => writeChain(objects, listManifests(objects), null),
  },
  ...[1, 2, 4].map(
    (count): Forgery => ({
      name: `the newest ${count} snapshots deleted, and the pointers set back`,
      apply: (objects) => deleteNewest(objects, count),
      // What is left is a valid history that ends earlier, unless the newest manifest is one without a signature.
      hiddenFrom: 'keys',
    }),
  ),
  {
    name: 'the signed snapshots deleted and the unsigned beginning continued',
    apply: (objects) => writeChain(objects, listManifests(objects).slice(0, 2), null),
  },
  {
    name: 'the whole target deleted',
    apply: (objects) => {
      for (const key of [...objects.keys()]) if (key.includes('prj=p1')) objects.delete(key);
    },
    hiddenFrom: 'keys',
  },
];

async function createPins(): Promise<Pin[]> {
  const { chains } = await verify(createObjects());
  return listNewest(chains, nowMs);
}

/** Parts that no manifest names any more would be found without keys and pins. A careful forger deletes them. */
function deleteUnnamedParts(objects: Objects) {
  const named = new Set(
    [...objects]
      .filter(([key]) => parseManifestKey(key) !== null)
      .flatMap(([key, bytes]) => decodeManifest(key, bytes).parts.map((part) => part.key)),
  );
  for (const key of [...objects.keys()]) {
    if (!key.startsWith('_') && !named.has(key)) objects.delete(key);
  }
}

describe.each(forgeries)('a forger: $name', ({ apply, hiddenFrom }) => {
  const forge = () => {
    const objects = createObjects();
    apply(objects);
    deleteUnnamedParts(objects);
    return objects;
  };

  test('is not found without keys and pins, and the words of the result say so', async () => {
    const { verification } = await verify(forge());
    expect(verification.faults).toEqual([]);
    const { notProven } = describeProof(verification);
    expect(notProven).toMatch(
      /consistent in itself; a rewrite of the whole chain cannot be excluded, nor that the newest snapshots were deleted/,
    );
  });

  test('is seen with pins, and the fault names the pinned manifest', async () => {
    const { verification } = await verify(forge(), { pins: await createPins() });
    const named = verification.faults.map(({ key }) => key);
    expect(named).toContain(manifestKey(someTarget, snapshotName(newestMs)));
  });

  test('is seen with the public key, or the words say that it cannot be', async () => {
    const { verification } = await verify(forge(), { publicKeys: [own.publicKey] });
    const isSeen = verification.faults.length > 0;
    const { notProven } = describeProof(verification);
    const isSaid =
      /without a pin, it cannot be excluded that the newest snapshots, or all of a target, were deleted/;
    expect(isSeen || isSaid.test(notProven)).toBe(true);
    if (hiddenFrom !== 'keys') expect(isSeen).toBe(true);
  });
});

test('one signature removed from the middle, the rest hashed again, is found with the key', async () => {
  const objects = createObjects();
  const manifests = listManifests(objects);
  let previous: Previous | null = null;
  for (const [index, manifest] of manifests.entries()) {
    const key = manifestKey(someTarget, manifest.snapshot);
    const signature = key.replace('_manifests', '_signatures').replace('.json', '.sig');
    const signer = index < 2 || index === 3 ? null : own.signer;
    const bytes = encodeManifest({
      ...manifest,
      previous,
      signing: signer && { keyId: signer.keyId },
    });
    objects.set(key, bytes);
    if (signer) objects.set(signature, signer.sign(bytes));
    else objects.delete(signature);
    previous = { snapshot: manifest.snapshot, manifestSha256: sha256(bytes) };
  }
  setPointers(objects);
  const { faults } = (await verify(objects, { publicKeys: [own.publicKey] })).verification;
  expect(faults).toMatchObject([
    {
      key: manifestKey(someTarget, manifests[3]?.snapshot ?? ''),
      message: expect.stringContaining('the signature was removed or replaced'),
    },
  ]);
});

test('a changed manifest that still names the given key is not said to have lost its signature', async () => {
  const objects = createObjects();
  const manifest = listManifests(objects)[4] as Manifest;
  const key = manifestKey(someTarget, manifest.snapshot);
  objects.set(key, encodeManifest({ ...manifest, rows: manifest.rows + 1 }));
  const { faults } = (await verify(objects, { publicKeys: [own.publicKey] })).verification;
  const messages = faults.map(({ message }) => message).join('\n');
  expect(messages).toContain(
    'is: its signature is missing, or the two do not fit because one was changed',
  );
  expect(messages).not.toContain('removed or replaced');
});

test('a target without a signature by the given key is one fault that names its newest manifest', async () => {
  const { faults } = (await verify(createObjects(), { publicKeys: [forger.publicKey] }))
    .verification;
  expect(faults.map(({ key }) => key)).toEqual(
    [someTarget, otherTarget].map((target) => manifestKey(target, snapshotName(newestMs))),
  );
});
