// Tests drift: the changes to the list, their counts, and how --drift is read.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import { applyDrift, parseDrift } from '../../lib/simulator/drift.ts';
import { createNodeMaker, type NodeRecord } from '../../lib/simulator/nodes.ts';
import { createRandom } from '../../lib/simulator/random.ts';

function makeList(count: number): NodeRecord[] {
  return Array.from({ length: count }, (_, index) => ({ host_id: `h${index}` }));
}

test('inserts and deletes keep the order of the surviving nodes and are counted', () => {
  fc.assert(
    fc.property(
      fc.nat(30),
      fc.nat(5),
      fc.nat(5),
      fc.integer(),
      (count, insertsPerRequest, deletesPerRequest, seed) => {
        const before = makeList(count);
        const list = [...before];
        const random = createRandom(seed);
        const makeNode = createNodeMaker(createRandom(seed + 1), 'cgs');
        const counts = applyDrift(list, { insertsPerRequest, deletesPerRequest }, random, makeNode);
        expect(counts.deleted).toBe(Math.min(count, deletesPerRequest));
        expect(counts.inserted).toBe(insertsPerRequest);
        expect(list.length).toBe(count - counts.deleted + counts.inserted);
        const survivors = list.filter((node) => before.includes(node));
        expect(survivors).toEqual(before.filter((node) => list.includes(node)));
      },
    ),
  );
});

test('a reorder moves exactly one node to another place', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.integer(), (count, seed) => {
      const before = makeList(count);
      const list = [...before];
      const makeNode = () => ({});
      const drift = { reordersPerRequest: 1 };
      expect(applyDrift(list, drift, createRandom(seed), makeNode).reordered).toBe(1);
      expect(list).not.toEqual(before);
      const without = (from: readonly NodeRecord[], node: NodeRecord) =>
        from.filter((other) => other !== node);
      const movers = before.filter(
        (node) => JSON.stringify(without(before, node)) === JSON.stringify(without(list, node)),
      );
      expect(movers.length).toBeGreaterThan(0);
    }),
  );
});

test('a fraction is the mean number of changes', () => {
  const list: NodeRecord[] = [];
  const random = createRandom(3);
  for (let round = 0; round < 1_000; round += 1) {
    applyDrift(list, { insertsPerRequest: 0.25 }, random, () => ({}));
  }
  expect(list.length).toBeGreaterThan(200);
  expect(list.length).toBeLessThan(300);
});

test('reads --drift and reports every problem at once', () => {
  expect(parseDrift('insert=2,delete=1,reorder=0')).toEqual({
    insertsPerRequest: 2,
    deletesPerRequest: 1,
    reordersPerRequest: 0,
  });
  expect(parseDrift('insert=0.5, seed=7')).toEqual({ insertsPerRequest: 0.5, seed: 7 });
  expect(() => parseDrift('insert=1,insert=2')).toThrow('appears more than once');
  expect(() => parseDrift('toString=1')).toThrow(ConfigError);
  for (const text of ['', 'insert', 'insert=-1', 'update=1', 'insert=1;delete=1']) {
    expect(() => parseDrift(text)).toThrow(ConfigError);
  }
  // Both problems in one error.
  expect(() => parseDrift('update=1,delete=x')).toThrow(/update=1[\s\S]*delete=x/);
});
