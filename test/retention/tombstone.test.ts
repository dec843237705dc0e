// Tests tombstones: their bytes, their signature, and what fits a manifest.

import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  manifestKey,
  snapshotName,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../../lib/core/object-keys.ts';
import { checkFit, decodeTombstone, encodeTombstone } from '../../lib/retention/tombstone.ts';
import { decodeSealed } from '../../lib/snapshots/manifest.ts';
import { createPruningWorld, dayMs } from '../support/pruning-world.ts';
import { createSigningKey } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';

/** A store of six snapshots, of which five are pruned; and the oldest of these. */
async function createPruned(signed = false) {
  const world = await createPruningWorld();
  const signingKey = signed ? createSigningKey() : null;
  const result = await world.prune({ signingKey });
  expect(result.errors).toEqual([]);
  const snapshot = snapshotName(world.clock.nowMs() - 3_600_000 - 5 * dayMs);
  const key = tombstoneKey(someTarget, snapshot);
  const read = (name: string) => world.store.dump().get(name)?.bytes ?? new Uint8Array();
  const tombstone = decodeTombstone(someTarget, snapshot, read(key));
  const named = manifestKey(someTarget, snapshot);
  return { ...world, signingKey, snapshot, key, read, tombstone, manifest: named };
}

test('is one line of JSON with the manifest hash and all rows and rejects, but not the changes', async () => {
  const { read, key, manifest, snapshot, clock } = await createPruned();
  const text = Buffer.from(read(key)).toString();
  expect(text).toMatch(/^\{.*\}\n$/);
  const sealed = decodeSealed(manifest, read(manifest));
  const parts = sealed.manifest.parts.map((part) => part.key);
  expect(parts).toHaveLength(4);
  expect(JSON.parse(text)).toEqual({
    ...someTarget,
    snapshot,
    manifestSha256: sealed.manifestSha256,
    parts: parts.filter((part) => !part.startsWith('container_nodes_changes/')),
    prunedAt: new Date(clock.nowMs()).toISOString(),
    rule: 'all: 0s',
    signing: null,
  });
});

test('is signed where a key is given, and the key is stored', async () => {
  const { read, key, snapshot, tombstone, signingKey } = await createPruned(true);
  const keyId = signingKey?.keyId ?? '';
  expect(tombstone.signing).toEqual({ keyId });
  const publicKey = createPublicKey(Buffer.from(read(`_keys/${keyId}.pem`)).toString());
  const signature = read(tombstoneSignatureKey(someTarget, snapshot));
  expect(signature).toHaveLength(64);
  expect(verify(null, read(key), publicKey, signature)).toBe(true);
});

describe('is refused', () => {
  const utf8 = (text: string) => new Uint8Array(Buffer.from(text));

  test.each([
    ['if it has no line feed at its end', (text: string) => text.trimEnd(), /does not parse/],
    ['if it is not JSON', () => '{\n', /does not parse/],
    [
      'if a member is missing',
      (text: string) => text.replace('"prunedAt"', '"x"'),
      /not a valid tombstone: prunedAt/,
    ],
    [
      'if it is of another target',
      (text: string) => text.replace('"p1"', '"p2"'),
      /of another snapshot/,
    ],
  ])('%s', async (_name, change, message) => {
    const { tombstone, snapshot } = await createPruned();
    const text = change(Buffer.from(encodeTombstone(tombstone)).toString());
    expect(() => decodeTombstone(someTarget, snapshot, utf8(text))).toThrow(message);
  });

  test.each([
    ['hash', { manifestSha256: '0'.repeat(64) }],
    ['parts', { parts: [] }],
    ['parts', { parts: ['container_nodes_changes/x.parquet'] }],
    ['parts', { parts: Array.from({ length: 3 }, () => 'container_nodes/x.parquet') }],
  ])('if its %s does not fit the manifest', async (_name, change) => {
    const { tombstone, manifest, read } = await createPruned();
    const sealed = decodeSealed(manifest, read(manifest));
    expect(() => checkFit(someTarget, tombstone, sealed)).not.toThrow();
    expect(() => checkFit(someTarget, { ...tombstone, ...change }, sealed)).toThrow(/does not fit/);
  });
});
