// Tests that a seal reports once that the newest manifest has lost its signature, although manifests were signed before.

import { expect, test } from 'vitest';
import { StoreError } from '../../lib/core/errors.ts';
import { manifestKey, signatureKey, snapshotName } from '../../lib/core/object-keys.ts';
import type { Store } from '../../lib/core/ports.ts';
import type { SigningKey } from '../../lib/snapshots/signature.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createSigningKey } from '../support/signing-keys.ts';
import {
  createSealPorts,
  nodeText,
  sealWithFaults,
  someTarget,
  storeRun,
} from '../support/stored-run.ts';
import { createClock } from '../support/virtual-clock.ts';

const [own, former] = [createSigningKey(), createSigningKey()];

function createWorld() {
  const clock = createClock();
  const store = createMemoryStore({ nowMs: clock.nowMs });
  async function seal(signing: SigningKey | null, more: Partial<Store> = {}) {
    clock.advance(3_600_000);
    const pages = [{ records: [nodeText('a')] }];
    const run = await storeRun(store, { snapshot: snapshotName(clock.nowMs()), pages });
    const ports = createSealPorts({ ...store, ...more }, clock, { signing });
    const { sealed, faults } = await clock.run(sealWithFaults(ports, run));
    return { snapshot: sealed.manifest.snapshot, faults };
  }
  return { store, seal };
}

test.each<[string, (SigningKey | null)[]]>([
  ['was always off', [null, null]],
  ['is new', [null, null, own]],
  ['has a new key', [former, own, own]],
])('nothing is reported where signing %s', async (_name, signers) => {
  const { seal } = createWorld();
  for (const signer of signers) expect((await seal(signer)).faults).toEqual([]);
});

test.each<[string, SigningKey | null]>([
  ['not signed', null],
  ['signed by another key', former],
])(
  'a newest manifest that is %s is reported once, if an older one has the signature',
  async (...given) => {
    const { seal } = createWorld();
    const [, signer] = given;
    await seal(own);
    await seal(signer);
    const { snapshot } = await seal(signer);
    expect((await seal(own)).faults).toMatchObject([
      {
        key: manifestKey(someTarget, snapshot),
        message: expect.stringContaining('is not signed by the key of `signing`'),
      },
    ]);
    expect((await seal(own)).faults).toEqual([]);
  },
);

test.each(['missing', 'altered'])('a signature that is %s is reported once', async (how) => {
  const { store, seal } = createWorld();
  const { snapshot } = await seal(own);
  const key = signatureKey(someTarget, snapshot);
  if (how === 'missing') await store.delete(key);
  else await store.put(key, new Uint8Array(64));
  expect((await seal(own)).faults).toMatchObject([{ key }]);
  expect((await seal(own)).faults).toEqual([]);
});

test('a signature that cannot be read does not stop a seal', async () => {
  const { store, seal } = createWorld();
  await seal(own);
  const { faults } = await seal(own, {
    async get(key) {
      if (key.startsWith('_signatures/')) throw new StoreError('STORE_DENIED', 'refused', 'x');
      return store.get(key);
    },
  });
  expect(faults).toEqual([]);
});

test('nothing is reported if the search for a signed manifest ends at one that is gone', async () => {
  const { store, seal } = createWorld();
  await seal(own);
  const { snapshot: gone } = await seal(null);
  await seal(null);
  await store.delete(manifestKey(someTarget, gone));
  expect((await seal(own)).faults).toEqual([]);
});
