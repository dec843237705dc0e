// Tests promise 6 on a large store: with public keys and pins, verify finds every change to one object, of every kind.

import { beforeAll, describe, expect, test } from 'vitest';
import {
  parseManifestKey,
  parseSignatureKey,
  parseTombstoneKey,
} from '../../lib/core/object-keys.ts';
import { type Verification, verifyStore } from '../../lib/verification/verification.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { createRandom } from '../support/moving-list.ts';
import { createLargeStore, type LargeStore, readObjects } from './large-store.ts';

let large: LargeStore;
let objects: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
  large = await createLargeStore();
  objects = readObjects(large.store);
}, 120_000);

async function verify(changed: ReadonlyMap<string, Uint8Array>): Promise<Verification> {
  const nowMs = large.clock.nowMs();
  const store = createMemoryStore({ nowMs: () => nowMs });
  store.restore(new Map([...changed].map(([key, bytes]) => [key, { bytes, modifiedMs: nowMs }])));
  const publicKeys = [large.oldKey.publicKey, large.newKey.publicKey];
  return verifyStore(store, () => {}, { pins: large.pins, publicKeys });
}

/** By its key, or by the snapshot that it belongs to: without its tombstone, rows are missing. A copy may also be listed as an object that the exporter did not write. */
function isNamed({ faults, foreign }: Verification, key: string): boolean {
  const snapshot = (parseManifestKey(key) ?? parseSignatureKey(key) ?? parseTombstoneKey(key))
    ?.snapshot;
  const isIn = (text: string) =>
    text.includes(key) || (snapshot !== undefined && text.includes(snapshot));
  return (
    faults.some(({ key: named, message }) => isIn(`${named} ${message}`)) || foreign.includes(key)
  );
}

/** The directory without the snapshot's day, and the ending: what tells the kinds of objects apart. */
function kindOf(key: string): string {
  return `${key.slice(0, key.lastIndexOf('/')).replace(/dt=[^/]*\//, '')} ${key.slice(key.lastIndexOf('.'))}`;
}

/** The object of the same kind before this one; of a pointer, its bytes one snapshot ago. Null: there is none. */
function olderVersion(key: string): Uint8Array | null {
  if (/^_(head|latest)\//.test(key)) {
    const now = objects.get(key) ?? new Uint8Array();
    const older = large.rounds.map((round) => round.get(key));
    return older.findLast((bytes) => bytes && Buffer.compare(bytes, now) !== 0) ?? null;
  }
  const siblings = [...objects.keys()].filter((one) => kindOf(one) === kindOf(key)).sort();
  const before = siblings[siblings.indexOf(key) - 1];
  return before === undefined ? null : (objects.get(before) ?? null);
}

type Changed = Map<string, Uint8Array>;

/** Each returns the keys of which one must be named, or null if it cannot be applied. */
const changes: Record<
  string,
  (changed: Changed, key: string, random: () => number) => readonly string[] | null
> = {
  deleted(changed, key) {
    changed.delete(key);
    return [key];
  },
  truncated(changed, key, random) {
    const bytes = changed.get(key) ?? new Uint8Array();
    changed.set(key, bytes.subarray(0, Math.floor(random() * bytes.length)));
    return [key];
  },
  'changed in one byte'(changed, key, random) {
    const bytes = Uint8Array.from(changed.get(key) ?? []);
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(random() * 255));
    changed.set(key, bytes);
    return [key];
  },
  'exchanged with another one of its kind'(changed, key, random) {
    const siblings = [...objects.keys()].filter(
      (one) => one !== key && kindOf(one) === kindOf(key),
    );
    const other = siblings[Math.floor(random() * siblings.length)];
    if (other === undefined) return null;
    const [own, others] = [objects.get(key), objects.get(other)];
    if (!own || !others || Buffer.compare(own, others) === 0) return null;
    changed.set(key, others);
    changed.set(other, own);
    return [key];
  },
  'replaced by an older version'(changed, key) {
    const older = olderVersion(key);
    if (!older || Buffer.compare(older, objects.get(key) ?? older) === 0) return null;
    changed.set(key, older);
    return [key];
  },
  'copied under another name'(changed, key, random) {
    const at = key.lastIndexOf('/') + 1;
    const name = key.slice(at);
    const names = [`x${name}`, name.replace(/\d{8}T\d{6}Z/, '20261003T070000Z'), `${name}.bak`];
    const places = names.filter((one) => one !== name).map((one) => key.slice(0, at) + one);
    const place = places[Math.floor(random() * places.length)] ?? '';
    changed.set(place, objects.get(key) ?? new Uint8Array());
    return [place];
  },
};

test('the untouched store has no faults', async () => {
  const { faults, unchecked, unnamed, foreign, manifests, verdicts, signatures } =
    await verify(objects);
  expect({ faults, unchecked, unnamed, foreign, manifests }).toEqual({
    ...{ faults: [], unchecked: [], unnamed: [], foreign: [], manifests: 60 },
  });
  expect(verdicts.drifted).toBeGreaterThanOrEqual(5);
  expect(signatures).toMatchObject({ valid: 55, unsigned: 5, covered: 5 });
});

describe('finds and names every object that is', () => {
  test.each(Object.keys(changes))(
    '%s',
    async (name) => {
      const missed: string[] = [];
      let applied = 0;
      for (const [index, key] of [...objects.keys()].entries()) {
        const changed = new Map(objects);
        const named = changes[name]?.(changed, key, createRandom(index)) ?? null;
        if (named === null) continue;
        applied += 1;
        const verification = await verify(changed);
        if (!named.some((one) => isNamed(verification, one)))
          missed.push(`${key} (${named.join()})`);
      }
      expect(missed).toEqual([]);
      expect(applied).toBeGreaterThan(objects.size * 0.9);
    },
    300_000,
  );
});
