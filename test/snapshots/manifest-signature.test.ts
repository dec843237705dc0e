// Tests that verify finds every change to signatures and to the keys in the store, and what it accepts.

import { describe, expect, test } from 'vitest';
import { StoreError } from '../../lib/core/errors.ts';
import {
  headKey,
  manifestKey,
  publicKeyKey,
  sealRecordKey,
  signatureKey,
  snapshotName,
} from '../../lib/core/object-keys.ts';
import { encodeSealRecord, type SealRecord } from '../../lib/sealing/seal-record.ts';
import { type VerifyOptions, verifyStore } from '../../lib/verification/verification.ts';
import { createMemoryStore, type MemoryStoreOptions } from '../support/memory-store.ts';
import { listHistory } from '../support/sealed-history.ts';
import { createKeyPair } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';

const dayMs = 86_400_000;
const newestMs = Date.UTC(2026, 10, 24, 6);
const nowMs = newestMs + 3_600_000;
const own = createKeyPair();
const foreign = createKeyPair();
const nameOf = (age: number) => snapshotName(newestMs - age * dayMs);
const signatureOf = (age: number) => signatureKey(someTarget, nameOf(age));
const manifestOf = (age: number) => manifestKey(someTarget, nameOf(age));
const ownKey = publicKeyKey(own.signer.keyId);

/** Four snapshots, the oldest one unsigned. */
function createObjects(): Map<string, Uint8Array> {
  const signerOf = (age: number) => (age === 3 ? null : own.signer);
  const history = listHistory({ count: 4, newestMs, signerOf });
  return new Map([...history].map(({ key, bytes }) => [key, bytes]));
}

function verifyChanged(
  change: (objects: Map<string, Uint8Array>) => void,
  options: VerifyOptions = {},
  storeOptions: Partial<MemoryStoreOptions> = {},
) {
  const objects = createObjects();
  change(objects);
  const store = createMemoryStore({ nowMs: () => nowMs, ...storeOptions });
  store.restore(new Map([...objects].map(([key, bytes]) => [key, { bytes, modifiedMs: nowMs }])));
  return verifyStore(store, () => {}, options);
}

const textsOf = ({ faults }: { faults: readonly { key: string; message: string }[] }) =>
  faults.map(({ key, message }) => `${key} ${message}`);

test('accepts valid signatures and an unsigned beginning, and says whose keys were used', async () => {
  expect(await verifyChanged(() => {})).toMatchObject({
    faults: [],
    unchecked: [],
    foreign: [],
    unnamed: [],
    signatures: {
      ...{ valid: 3, unsigned: 1, keysFrom: 'store', keyIds: [own.signer.keyId], covered: 0 },
    },
  });
  const { signatures } = await verifyChanged(() => {}, { publicKeys: [own.publicKey] });
  expect(signatures).toMatchObject({ valid: 3, keysFrom: 'given', covered: 1 });
});

test('checks signatures with a given key that the store has lost, and reports the loss once', async () => {
  const remove = (objects: Map<string, Uint8Array>) => objects.delete(ownKey);
  const given = await verifyChanged(remove, { publicKeys: [own.publicKey] });
  expect(given.signatures).toMatchObject({ valid: 3, covered: 1 });
  expect(textsOf(given)).toEqual([
    `${ownKey} is missing: 3 manifests name it as the key of their signatures`,
  ]);
  const alone = await verifyChanged(remove);
  expect(alone.signatures).toMatchObject({ valid: 0, unsigned: 1 });
  expect(textsOf(alone)).toEqual(textsOf(given));
});

test('names only the key if it is wrong, not each signature', async () => {
  const replace = (objects: Map<string, Uint8Array>) => objects.set(ownKey, Buffer.from('x'));
  expect((await verifyChanged(replace)).faults.map(({ key }) => key)).toEqual([ownKey]);
});

describe('reports', () => {
  const flip = (bytes: Uint8Array, at: number) => {
    const copy = Uint8Array.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const foreignSignature = (objects: Map<string, Uint8Array>) =>
    foreign.signer.sign(objects.get(manifestOf(0)) ?? new Uint8Array());
  const changes: [string, string, (objects: Map<string, Uint8Array>) => void, RegExp][] = [
    ['a missing signature', signatureOf(1), (all) => all.delete(signatureOf(1)), /is missing/],
    [
      'a signature with one changed bit',
      signatureOf(1),
      (all) => all.set(signatureOf(1), flip(all.get(signatureOf(1)) ?? new Uint8Array(), 5)),
      /is not the signature of the manifest/,
    ],
    [
      'a truncated signature',
      signatureOf(0),
      (all) => all.set(signatureOf(0), (all.get(signatureOf(0)) ?? new Uint8Array()).subarray(1)),
      /is not the signature/,
    ],
    [
      'a signature that is too long',
      signatureOf(0),
      (all) =>
        all.set(
          signatureOf(0),
          Buffer.concat([all.get(signatureOf(0)) ?? Buffer.of(), Buffer.of(1)]),
        ),
      /is not the signature/,
    ],
    [
      'the signature of another manifest',
      signatureOf(1),
      (all) => all.set(signatureOf(1), all.get(signatureOf(0)) ?? new Uint8Array()),
      /is not the signature/,
    ],
    [
      'a signature by another key',
      signatureOf(0),
      (all) => all.set(signatureOf(0), foreignSignature(all)),
      /is not the signature/,
    ],
    [
      'a signature without its manifest',
      signatureKey(someTarget, snapshotName(newestMs + dayMs)),
      (all) => all.set(signatureKey(someTarget, snapshotName(newestMs + dayMs)), Buffer.alloc(64)),
      /is a signature, but its manifest .* is missing/,
    ],
    [
      'a signature of a target without manifests',
      signatureKey({ ...someTarget, projectId: 'p9' }, nameOf(0)),
      (all) =>
        all.set(signatureKey({ ...someTarget, projectId: 'p9' }, nameOf(0)), Buffer.alloc(64)),
      /its manifest .* is missing/,
    ],
    [
      'a signature of a manifest that does not say that it is signed',
      signatureOf(3),
      (all) => all.set(signatureOf(3), own.signer.sign(all.get(manifestOf(3)) ?? Buffer.of())),
      /does not say that it is signed/,
    ],
    ['a missing key', ownKey, (all) => all.delete(ownKey), /is missing: 3 manifests name it/],
    [
      'a key that was replaced by another one',
      ownKey,
      (all) => all.set(ownKey, Buffer.from(foreign.signer.publicPem)),
      /is not an Ed25519 public key with the id in its name/,
    ],
    ['a key that is not a key', ownKey, (all) => all.set(ownKey, Buffer.from('x')), /is not an Ed/],
    [
      'a private key in the place of a key',
      ownKey,
      (all) => all.set(ownKey, Buffer.from(own.privatePem)),
      /is not an Ed/,
    ],
    [
      'a *.pem under _keys/ whose name is not a key id',
      '_keys/notes.pem',
      (all) => all.set('_keys/notes.pem', Buffer.from(own.signer.publicPem)),
      /is not an Ed/,
    ],
    [
      'a manifest with one changed bit',
      signatureOf(0),
      (all) => {
        const text = Buffer.from(all.get(manifestOf(0)) ?? '').toString();
        all.set(manifestOf(0), Buffer.from(text.replace('"rows":4321', '"rows":4320')));
      },
      /is not the signature/,
    ],
  ];
  test.each(changes)('%s', async (_what, key, change, pattern) => {
    const texts = textsOf(await verifyChanged(change));
    const named = texts.filter((text) => text.startsWith(`${key} `) && pattern.test(text));
    expect(named.length === 1 ? 'named' : texts).toBe('named');
  });
});

test('lists other names as foreign', async () => {
  const foreignKeys = ['_keys/notes.txt', '_signatures/notes.txt'];
  const verification = await verifyChanged((objects) => {
    for (const key of foreignKeys) objects.set(key, Buffer.from('x'));
  });
  expect([verification.faults, verification.foreign]).toEqual([[], foreignKeys]);
});

describe('a signature whose manifest is not written yet', () => {
  const next = snapshotName(newestMs + 1_000);
  const key = signatureKey(someTarget, next);
  const record = encodeSealRecord({ parts: [] } as Partial<SealRecord> as SealRecord);
  const addSeal = (snapshot: string) => (objects: Map<string, Uint8Array>) => {
    objects.set(key, Buffer.alloc(64));
    objects.set(sealRecordKey(someTarget, snapshot, '0123456789ab'), record);
  };

  test('is listed as a seal under way if a young record names the snapshot', async () => {
    const { faults, underWay } = await verifyChanged(addSeal(next));
    expect([faults, underWay]).toEqual([[], [key]]);
  });

  test('is a fault if the record names another snapshot, or is old', async () => {
    const other = await verifyChanged(addSeal(snapshotName(newestMs + 2_000)));
    expect(textsOf(other)).toEqual([expect.stringContaining(key)]);
    const old = await verifyChanged(addSeal(next), {}, { nowMs: () => nowMs + dayMs + 1 });
    expect(textsOf(old)).toEqual([expect.stringContaining(key)]);
  });

  test('is a fault if _head names a newer snapshot', async () => {
    const older = snapshotName(newestMs - 1_000);
    const orphan = signatureKey(someTarget, older);
    const verification = await verifyChanged((objects) => {
      objects.set(orphan, Buffer.alloc(64));
      objects.set(sealRecordKey(someTarget, older, '0123456789ab'), record);
    });
    expect(textsOf(verification)).toEqual([expect.stringContaining(orphan)]);
  });
});

test('lists a signature or a key that may not be read as not checked', async () => {
  for (const denied of [signatureOf(0), ownKey]) {
    const { faults, unchecked } = await verifyChanged(
      () => {},
      {},
      {
        onCall: ({ op, key }) => {
          if (op === 'get' && key === denied)
            throw new StoreError('STORE_DENIED', 'denied', 'Ask.');
        },
      },
    );
    expect([faults, [...new Set(unchecked.map(({ key }) => key))]]).toEqual([[], [denied]]);
  }
});

test('does not take a pointer for a proof: the manifest that _head names must be signed validly too', async () => {
  const { faults } = await verifyChanged((objects) => objects.delete(signatureOf(0)));
  expect(faults.map(({ key }) => key)).toEqual([signatureOf(0)]);
  expect(createObjects().has(headKey(someTarget))).toBe(true);
});
