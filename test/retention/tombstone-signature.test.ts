// Tests that `prune` obeys no tombstone that another person may have written: without a valid signature where a key is set, with a
// time that cannot be true, or for a snapshot that a rule keeps now.

import { describe, expect, test } from 'vitest';
import {
  manifestKey,
  snapshotName,
  tombstoneKey,
  tombstoneSignatureKey,
} from '../../lib/core/object-keys.ts';
import { isPrunable, writeTombstone } from '../../lib/retention/tombstone.ts';
import type { SnapshotPruning } from '../../lib/runs/prune.ts';
import { decodeSealed } from '../../lib/snapshots/manifest.ts';
import { countCases } from '../support/cases.ts';
import { createRandom } from '../support/moving-list.ts';
import { createPruningWorld, dayMs, onlyNewest } from '../support/pruning-world.ts';
import { createKeyPair, type KeyPair } from '../support/signing-keys.ts';
import { someTarget } from '../support/stored-run.ts';

const [own, former, foreign] = [createKeyPair(), createKeyPair(), createKeyPair()];
/** Keeps each of the six snapshots. */
const all = { ...onlyNewest, all: 30 * dayMs };

/** One snapshot a day: six, the oldest two signed by `former`. Returns a tool that writes the tombstone of one of them. */
async function createWorld(signerOf = (age: number): KeyPair | null => (age > 3 ? former : own)) {
  const histories = [{ signerOf: (age: number) => signerOf(age)?.signer ?? null }];
  const world = await createPruningWorld({ histories });
  const { store, clock } = world;
  const nameOf = (age: number) => snapshotName(clock.nowMs() - 3_600_000 - age * dayMs);
  async function mark(age: number, signer: KeyPair | null, prunedMs = clock.nowMs()) {
    const snapshot = nameOf(age);
    const key = manifestKey(someTarget, snapshot);
    const sealed = decodeSealed(key, store.dump().get(key)?.bytes ?? new Uint8Array());
    const { manifestSha256, manifest } = sealed;
    const parts = manifest.parts.filter(isPrunable).map((part) => part.key);
    const content = { snapshot, manifestSha256, parts, rule: 'all: 0s' };
    const prunedAt = new Date(prunedMs).toISOString();
    await writeTombstone(store, someTarget, { ...content, prunedAt }, signer?.signer ?? null);
    return tombstoneKey(someTarget, snapshot);
  }
  const signatureOf = (age: number) => tombstoneSignatureKey(someTarget, nameOf(age));
  return { ...world, mark, nameOf, signatureOf };
}

describe('with a signing key, a tombstone', () => {
  test.each<[string, KeyPair, number]>([
    ['the own key', own, 2],
    ['a former key that the proven chain names', former, 4],
  ])('that %s signed counts', async (_name, signer, age) => {
    const { mark, prune, prunable } = await createWorld();
    await mark(age, signer);
    expect(await prune({ signingKey: own.signer })).toMatchObject({ errors: [], marked: 4 });
    expect(prunable()).toHaveLength(3);
  });

  test.each<[string, KeyPair | null, string]>([
    ['is not signed', null, 'is not signed'],
    ['is signed by a foreign key', foreign, 'is neither the key of'],
  ])('that %s is named, and nothing of its snapshot is deleted', async (...given) => {
    const [, signer, message] = given;
    const { mark, prune, prunable, nameOf } = await createWorld();
    const key = await mark(2, signer);
    const { errors, targets } = await prune({ signingKey: own.signer });
    expect(errors).toMatchObject([
      { code: 'CORRUPT', key, message: expect.stringContaining(message) },
    ]);
    expect(targets[0]?.snapshots.find(({ snapshot }) => snapshot === nameOf(2))).toMatchObject({
      ...{ rule: 'not judged', isDue: false },
    });
    expect(prunable()).toHaveLength(6);
  });

  test.each(['missing', 'that of another tombstone'])(
    'of which the signature is %s is named',
    async (how) => {
      const { mark, prune, prunable, signatureOf, store } = await createWorld();
      await mark(1, own);
      await mark(2, own);
      const other = store.dump().get(signatureOf(1))?.bytes ?? new Uint8Array();
      if (how === 'missing') await store.delete(signatureOf(2));
      else await store.put(signatureOf(2), other);
      const { errors } = await prune({ signingKey: own.signer });
      expect(errors).toMatchObject([{ code: 'CORRUPT', key: signatureOf(2) }]);
      expect(prunable()).toHaveLength(6);
    },
  );

  test('that a former key signed does not count before the new key has signed a manifest', async () => {
    const { mark, prune } = await createWorld(() => former);
    const key = await mark(2, former);
    expect((await prune({ signingKey: own.signer })).errors).toMatchObject([
      { key, hint: expect.stringContaining('run `export` first') },
    ]);
  });
});

describe.each<[string, KeyPair | null]>([
  ['with a signing key', own],
  ['without one', null],
])('%s, a tombstone', (_name, signer) => {
  const signingKey = signer?.signer ?? null;

  test('of a snapshot that a rule keeps now deletes nothing, and is not a fault', async () => {
    const { mark, prune, prunable, nameOf } = await createWorld();
    await mark(3, signer);
    const result = await prune({ signingKey, retention: all });
    expect(result).toMatchObject({ errors: [], marked: 0, parts: 0 });
    expect(result.targets[0]?.snapshots.find(({ snapshot }) => snapshot === nameOf(3))).toEqual(
      expect.objectContaining({ rule: 'all', isDue: false, prunedAt: expect.any(String) }),
    );
    expect(prunable()).toHaveLength(18);
  });

  test('of the first snapshot of a day, week or month that is kept deletes nothing', async () => {
    for (const rule of ['daily', 'weekly', 'monthly'] as const) {
      const { mark, prune, prunable } = await createWorld();
      await mark(5, signer);
      const retention = { ...onlyNewest, [rule]: 30 * dayMs };
      const result = await prune({ signingKey, retention });
      expect(result.targets[0]?.snapshots[0]).toMatchObject({ rule, isDue: false });
      expect(prunable().length, rule).toBeGreaterThan(5);
      expect(result.errors).toEqual([]);
    }
  });

  test('of a snapshot after the first one of its month counts, also if that one was pruned', async () => {
    const { store, mark, prune, prunable, nameOf } = await createWorld();
    for (const age of [5, 4, 3]) await mark(age, signer);
    for (const key of prunable()) if (key.includes(nameOf(5))) await store.delete(key);
    const retention = { ...onlyNewest, monthly: 30 * dayMs };
    const { targets, errors } = await prune({ signingKey, retention });
    expect(errors).toEqual([]);
    expect(targets[0]?.snapshots.slice(0, 2)).toMatchObject([
      { rule: 'pruned', isDue: true },
      { rule: 'pruned', isDue: true },
    ]);
  });

  test.each([
    ['before its snapshot was sealed', -100 * dayMs],
    ['more than a day ahead', 2 * dayMs],
  ])('that states a time %s is named', async (_when, awayMs) => {
    const { mark, prune, prunable, clock } = await createWorld();
    const key = await mark(2, signer, clock.nowMs() + awayMs);
    const { errors } = await prune({ signingKey });
    expect(errors).toMatchObject([
      { code: 'CORRUPT', key, message: expect.stringContaining('cannot have been written at') },
    ]);
    expect(prunable()).toHaveLength(6);
  });
});

const seeds = countCases(10);

test(`no tombstone that prune wrote is void later, while the rules stay: ${seeds} seeds`, async () => {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed);
    const pick = (choices: readonly number[]) =>
      choices[Math.floor(random() * choices.length)] ?? 0;
    const isDrifted = Array.from({ length: 60 }, () => random() < 0.3);
    const verdictOf = (age: number) => (isDrifted[age] ? 'drifted' : 'complete');
    const { prune, clock } = await createPruningWorld({
      histories: [{ count: 60, scheduleMs: 7 * 3_600_000, verdictOf, moreKinds: [] }],
    });
    const retention = {
      ...{ all: pick([0, 1, 3]) * dayMs, daily: pick([0, 5, 12]) * dayMs },
      ...{ weekly: pick([0, 16, 30]) * dayMs, monthly: pick([0, 20, 60]) * dayMs },
      grace: pick([0, 2, 9]) * dayMs,
    };
    for (let round = 0; round < 12; round += 1) {
      const { targets, errors } = await prune({ retention });
      const isVoid = ({ rule, prunedAt }: SnapshotPruning) =>
        prunedAt !== null && rule !== 'pruned';
      const found = targets.flatMap(({ snapshots }) => snapshots.filter(isVoid));
      expect([errors, found], `seed ${seed}, round ${round}`).toEqual([[], []]);
      clock.advance(Math.floor(random() * 4 * dayMs));
    }
  }
});
