// Tests promise 6 against a forger who may write every object of the store, knows the code and has time: with public keys and
// pins, verify finds every rewrite of a history. Without them, its words say which kinds cannot be excluded.

import { beforeAll, describe, expect, test } from 'vitest';
import {
  headKey,
  latestKey,
  manifestKey,
  manifestPrefix,
  parsePartKey,
  partKey,
  publicKeyKey,
  signatureKey,
  snapshotName,
  snapshotTimeMs,
  type TargetKey,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../../lib/core/object-keys.ts';
import { encodeTombstone, isPrunable } from '../../lib/retention/tombstone.ts';
import {
  decodeSealed,
  encodeManifest,
  encodePointer,
  type Manifest,
  pointerTo,
  type Sealed,
} from '../../lib/snapshots/manifest.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { describeProof } from '../../lib/verification/proof.ts';
import {
  type Verification,
  type VerifyOptions,
  verifyStore,
} from '../../lib/verification/verification.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createKeyPair } from '../support/signing-keys.ts';
import {
  createLargeStore,
  type LargeStore,
  readObjects,
  snapshotsOfTarget,
  targets,
} from './large-store.ts';

let large: LargeStore;
beforeAll(async () => {
  large = await createLargeStore();
}, 120_000);

type Objects = Map<string, Uint8Array>;

function verify(objects: Objects, options: VerifyOptions): Promise<Verification> {
  const nowMs = large.clock.nowMs();
  const store = createMemoryStore({ nowMs: () => nowMs });
  store.restore(new Map([...objects].map(([key, bytes]) => [key, { bytes, modifiedMs: nowMs }])));
  return verifyStore(store, () => {}, options);
}

/** The chain of a target, oldest first. */
function readChain(objects: Objects, target: TargetKey): Sealed[] {
  const prefix = manifestPrefix(target);
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  return keys.map((key) => decodeSealed(key, objects.get(key) ?? new Uint8Array()));
}

/** How the forger signs. Null: removes the signatures. */
type Forger = SigningKey | null;

interface Rewrite {
  target: TargetKey;
  /** The whole chain that the forger wants, oldest first. */
  manifests: readonly Manifest[];
  /** The first ones that stay as they are, with their signatures. */
  kept: number;
  by: Forger;
}

/** Replaces the later manifests of a chain, hashes them anew, sets the pointers and deletes parts that are not named any more. */
function rewriteChain(objects: Objects, { target, manifests, kept, by }: Rewrite): void {
  const before = readChain(objects, target);
  const pruned = new Set<string>();
  for (const { manifest, manifestKey: key } of before.slice(kept)) {
    const { snapshot } = manifest;
    if (objects.has(tombstoneKey(target, snapshot))) pruned.add(snapshot);
    for (const keyOf of [signatureKey, tombstoneKey, tombstoneSignatureKey]) {
      objects.delete(keyOf(target, snapshot));
    }
    objects.delete(key);
  }
  const chain = before.slice(0, kept);
  for (const manifest of manifests.slice(kept)) {
    const last = chain.at(-1);
    const previous = last
      ? { snapshot: last.manifest.snapshot, manifestSha256: last.manifestSha256 }
      : null;
    const signing = by && { keyId: by.keyId };
    const bytes = encodeManifest({ ...manifest, previous, signing });
    const key = manifestKey(target, manifest.snapshot);
    objects.set(key, bytes);
    if (by) {
      objects.set(signatureKey(target, manifest.snapshot), by.sign(bytes));
      objects.set(publicKeyKey(by.keyId), Buffer.from(by.publicPem));
    }
    const sealed = decodeSealed(key, bytes);
    chain.push(sealed);
    if (pruned.has(manifest.snapshot)) writeTombstone(objects, target, sealed, by);
  }
  const complete = chain.findLast(({ manifest }) => manifest.verdict === 'complete');
  for (const [key, sealed] of [
    [headKey(target), chain.at(-1)],
    [latestKey(target), complete],
  ] as const) {
    if (sealed) objects.set(key, encodePointer(pointerTo(sealed)));
    else objects.delete(key);
  }
  dropUnnamed(objects);
}

/** For the rows as they are named now. */
function writeTombstone(objects: Objects, target: TargetKey, sealed: Sealed, by: Forger): void {
  const { manifest, manifestSha256 } = sealed;
  const { snapshot } = manifest;
  const bytes = encodeTombstone({
    ...{
      ...target,
      snapshot,
      manifestSha256,
      prunedAt: '2026-10-20T06:00:00.000Z',
      rule: 'all: 8d',
    },
    parts: manifest.parts.filter(isPrunable).map((part) => part.key),
    signing: by && { keyId: by.keyId },
  });
  objects.set(tombstoneKey(target, snapshot), bytes);
  if (!by) return;
  objects.set(tombstoneSignatureKey(target, snapshot), by.sign(bytes));
  objects.set(publicKeyKey(by.keyId), Buffer.from(by.publicPem));
}

/** Deletes the rows of a snapshot that was kept, and writes a tombstone for them. */
function prune(age: number, by: Forger): Attack {
  return (objects, target) => {
    const sealed = readChain(objects, target).at(-1 - age);
    if (!sealed) throw new Error('no such snapshot');
    for (const part of sealed.manifest.parts.filter(isPrunable)) {
      if (!objects.delete(part.key)) throw new Error('pruned before');
    }
    writeTombstone(objects, target, sealed, by);
  };
}

function dropUnnamed(objects: Objects): void {
  const parts = targets
    .flatMap((target) => readChain(objects, target))
    .flatMap(({ manifest }) => manifest.parts);
  const named = new Set(parts.map(({ key }) => key));
  for (const key of [...objects.keys()]) {
    if (parsePartKey(key) && !named.has(key)) objects.delete(key);
  }
}

/** A copy of the snapshot under another name. */
function renamed(
  objects: Objects,
  target: TargetKey,
  manifest: Manifest,
  snapshot: string,
): Manifest {
  const parts = manifest.parts.map((part) => {
    const key = partKey(target, part, snapshot, part.sha256);
    objects.set(key, objects.get(part.key) ?? new Uint8Array());
    return { ...part, key };
  });
  return { ...manifest, snapshot, parts };
}

type Attack = (objects: Objects, target: TargetKey) => void;

function chainOf(objects: Objects, target: TargetKey): Manifest[] {
  return readChain(objects, target).map(({ manifest }) => manifest);
}

/** Changes the snapshot `age` places before the newest one, which is 0. */
function change(age: number, by: Forger, edit: (manifest: Manifest) => Manifest): Attack {
  return (objects, target) => {
    const manifests = chainOf(objects, target);
    const index = manifests.length - 1 - age;
    const edited = manifests.map((manifest, at) => (at === index ? edit(manifest) : manifest));
    rewriteChain(objects, { target, manifests: edited, kept: index, by });
  };
}

/** The rows of a snapshot are gone: it was empty, as the forger says. */
function withoutRows(manifest: Manifest): Manifest {
  return {
    ...manifest,
    rows: 0,
    rejects: 0,
    parts: manifest.parts.filter(({ role }) => role === 'changes'),
  };
}

function otherVerdict(manifest: Manifest): Manifest {
  return { ...manifest, verdict: manifest.verdict === 'complete' ? 'drifted' : 'complete' };
}

/** Deletes the newest snapshots and sets the pointers back. */
function setBack(count: number): Attack {
  return (objects, target) => {
    const manifests = chainOf(objects, target).slice(0, -count);
    rewriteChain(objects, { target, manifests, kept: manifests.length, by: null });
  };
}

/** Adds a copy of a snapshot under a new name, after the one `age` places before the newest one. */
function add(age: number, by: Forger): Attack {
  return (objects, target) => {
    const manifests = chainOf(objects, target);
    const index = manifests.length - age;
    const model = manifests[index - 1];
    if (!model) throw new Error('no such snapshot');
    const name = snapshotName((snapshotTimeMs(model.snapshot) ?? 0) + 1_000);
    manifests.splice(index, 0, renamed(objects, target, model, name));
    rewriteChain(objects, { target, manifests, kept: index, by });
  };
}

/** Removes one snapshot, as if no export had run then. */
function remove(age: number, by: Forger): Attack {
  return (objects, target) => {
    const manifests = chainOf(objects, target);
    const index = manifests.length - 1 - age;
    manifests.splice(index, 1);
    rewriteChain(objects, { target, manifests, kept: index, by });
  };
}

function deleteTarget(objects: Objects, target: TargetKey): void {
  rewriteChain(objects, { target, manifests: [], kept: 0, by: null });
}

function onAll(attack: Attack): Attack {
  return (objects) => {
    for (const target of targets) attack(objects, target);
  };
}

/** The store as it was after so many rounds of exports. */
function rollBack(rounds: number): Attack {
  return (objects) => {
    objects.clear();
    for (const [key, bytes] of large.rounds[rounds - 1] ?? []) objects.set(key, bytes);
  };
}

/** Replaces the newest manifest by one that the exporter signed for another target. */
function replay(objects: Objects, target: TargetKey): void {
  const other = targets.find((one) => one !== target) ?? target;
  const [newest] = readChain(objects, target).slice(-1);
  const [others] = readChain(objects, other).slice(-1);
  if (!newest || !others) throw new Error('no such snapshot');
  objects.set(newest.manifestKey, objects.get(others.manifestKey) ?? new Uint8Array());
  const signature = objects.get(signatureKey(other, others.manifest.snapshot));
  objects.set(signatureKey(target, newest.manifest.snapshot), signature ?? new Uint8Array());
}

/** Which of the means alone find an attack. Both together find all. `store`: neither is given. */
interface Finders {
  store: boolean;
  keys: boolean;
  pins: boolean;
}

const nothingAlone: Finders = { store: false, keys: false, pins: true };
const bothAlone: Finders = { store: false, keys: true, pins: true };
const keysAlone: Finders = { store: false, keys: true, pins: false };
const all: Finders = { store: true, keys: true, pins: true };
const mallory = createKeyPair().signer;

const attacks: [string, Finders, Attack][] = [
  ...[1, 2, 7, snapshotsOfTarget - 1].map((count): [string, Finders, Attack] => [
    `the newest ${count} snapshots deleted, the pointers set back`,
    // Only unsigned manifests of the third target are left then.
    nothingAlone,
    setBack(count),
  ]),
  ['the newest 2 snapshots of all targets deleted', nothingAlone, onAll(setBack(2))],
  ['a whole target deleted', nothingAlone, deleteTarget],
  ['all targets deleted', nothingAlone, onAll(deleteTarget)],
  ['the whole store rolled back by one round', nothingAlone, rollBack(snapshotsOfTarget - 1)],
  ['the whole store rolled back by half', nothingAlone, rollBack(snapshotsOfTarget / 2)],
  ...[['unsigned', null] as const, ['signed with the key of the forger', mallory] as const].flatMap(
    ([how, by]): [string, Finders, Attack][] => [
      [
        `all manifests hashed anew, ${how}`,
        bothAlone,
        change(snapshotsOfTarget - 1, by, withoutRows),
      ],
      [`all targets hashed anew, ${how}`, bothAlone, onAll(change(6, by, withoutRows))],
      [
        `an old snapshot emptied, the later ones hashed anew, ${how}`,
        bothAlone,
        change(9, by, withoutRows),
      ],
      [`the newest snapshot emptied, ${how}`, bothAlone, change(0, by, withoutRows)],
      [`an old verdict changed, ${how}`, bothAlone, change(7, by, otherVerdict)],
      [`the newest verdict changed, ${how}`, bothAlone, change(0, by, otherVerdict)],
      [`a snapshot removed from the middle, ${how}`, bothAlone, remove(8, by)],
      [`a snapshot added in the middle, ${how}`, bothAlone, add(5, by)],
      [`a snapshot added at the end, ${how}`, keysAlone, add(0, by)],
      [`signatures replaced, ${how}`, bothAlone, change(12, by, (manifest) => manifest)],
    ],
  ),
  ['rows deleted with a tombstone, unsigned', keysAlone, prune(4, null)],
  [
    'rows deleted with a tombstone, signed with the key of the forger',
    keysAlone,
    prune(4, mallory),
  ],
  ['rows of the newest snapshot deleted with a tombstone', all, prune(0, null)],
  ['a manifest that was signed for another target', all, replay],
];

const publicKeys = () => [large.oldKey.publicKey, large.newKey.publicKey];
const onlyUnsigned = (objects: Objects, target: TargetKey) =>
  chainOf(objects, target).length > 0 &&
  chainOf(objects, target).every(({ signing }) => signing === null);

describe.each([0, 1, 2])('on target %i', (t) => {
  test.each(attacks)('%s', async (_name, finders, attack) => {
    const target = targets[t] ?? targets[0];
    if (!target) throw new Error('no target');
    const objects: Objects = new Map(readObjects(large.store));
    attack(objects, target);
    const { pins } = large;
    const given = { store: {}, keys: { publicKeys: publicKeys() }, pins: { pins } };
    const isFound: Finders = {
      ...finders,
      keys: finders.keys || targets.some((one) => onlyUnsigned(objects, one)),
    };
    for (const means of ['store', 'keys', 'pins'] as const) {
      const verification = await verify(objects, given[means]);
      expect([means, verification.faults.length > 0]).toEqual([means, isFound[means]]);
      if (!isFound[means]) expect(describeProof(verification).notProven).toMatch(words[means]);
    }
    const { faults } = await verify(objects, { ...given.keys, ...given.pins });
    const named = faults.map(({ key, message }) => `${key} ${message}`).join('\n');
    expect(named).toContain(`/rgn=${target.region}/prj=${target.projectId}/`);
    expect(named).toContain(`/${target.table}/`);
  });
});

/** What the summary says where an attack is not found. */
const words = {
  store:
    /a rewrite of the whole chain cannot be excluded, nor that the newest snapshots were deleted/,
  keys: /it cannot be excluded that the newest snapshots, or all of a target, were deleted/,
  pins: /Manifests after the pinned one .* could have been rewritten.*|can delete rows and write a tombstone/,
};
