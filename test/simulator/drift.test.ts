// Tests drift: the changes to the list, their counts, and how --drift is read.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import { applyDrift, type Change, type ChangeKind, parseDrift } from '../../lib/simulator/drift.ts';
import { createNodeList, type NodeList } from '../../lib/simulator/node-list.ts';
import { createNodeMaker } from '../../lib/simulator/nodes.ts';
import { createRandom } from '../../lib/simulator/random.ts';

function makeList(count: number): NodeList {
  return createNodeList(count, (ordinal) => ({ host_id: `h${ordinal}` }));
}

function idsOf(list: NodeList): unknown[] {
  return list.slice(0, list.length).map((node) => node.host_id);
}

function count(changes: readonly Change[], kind: ChangeKind): number {
  return changes.filter((change) => change.kind === kind).length;
}

test('inserts and deletes keep the order of the surviving nodes and are counted', () => {
  fc.assert(
    fc.property(
      fc.nat(30),
      fc.nat(5),
      fc.nat(5),
      fc.integer(),
      (nodes, insertsPerRequest, deletesPerRequest, seed) => {
        const list = makeList(nodes);
        const before = idsOf(list);
        const drift = { insertsPerRequest, deletesPerRequest };
        const changes = applyDrift(list, drift, createRandom(seed));
        expect(count(changes, 'deleted')).toBe(Math.min(nodes, deletesPerRequest));
        expect(count(changes, 'inserted')).toBe(insertsPerRequest);
        const after = idsOf(list);
        expect(after.length).toBe(nodes - count(changes, 'deleted') + insertsPerRequest);
        expect(after.filter((id) => before.includes(id))).toEqual(
          before.filter((id) => after.includes(id)),
        );
        // The changes name the nodes.
        const named = (kind: ChangeKind) =>
          changes.filter((change) => change.kind === kind).map(({ hostId }) => hostId);
        expect(named('deleted').sort()).toEqual(before.filter((id) => !after.includes(id)).sort());
        expect(named('inserted').sort()).toEqual(after.filter((id) => !before.includes(id)).sort());
      },
    ),
  );
});

test('a reorder moves exactly one node to another place', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.integer(), (nodes, seed) => {
      const list = makeList(nodes);
      const before = idsOf(list);
      const [change] = applyDrift(list, { reordersPerRequest: 1 }, createRandom(seed));
      const after = idsOf(list);
      expect(after).not.toEqual(before);
      const without = (ids: readonly unknown[]) => ids.filter((id) => id !== change?.hostId);
      expect(without(after)).toEqual(without(before));
    }),
  );
});

test('a status change gives one node the status, and reports the values before and after', () => {
  const list = createNodeList(
    500,
    createNodeMaker({ seed: 1, flavour: 'hss', nodes: 500, odd: {} }),
  );
  const before = list.slice(0, 500);
  const kinds = ['offline', 'online', 'closed', 'opened'] as const;
  const drift = {
    offlinePerRequest: 3,
    onlinePerRequest: 2,
    closedPerRequest: 4,
    openedPerRequest: 1,
  };
  const changes = applyDrift(list, drift, createRandom(4));
  expect(kinds.map((kind) => count(changes, kind))).toEqual([3, 2, 4, 1]);
  const expected = structuredClone(before);
  for (const { kind, hostId, before: from, after } of changes) {
    const node = expected.find((one) => one.host_id === hostId) ?? {};
    const field = kind === 'closed' || kind === 'opened' ? 'protect_status' : 'agent_status';
    expect(node[field]).toBe(from);
    expect(from).not.toBe(after);
    expect(after).toBe(kind);
    node[field] = after;
  }
  expect(list.slice(0, 500)).toEqual(expected);
});

test('a list without a node that can change is left as it is', () => {
  for (const list of [makeList(0), makeList(3)]) {
    expect(applyDrift(list, { offlinePerRequest: 2 }, createRandom(1))).toEqual([]);
  }
});

test('a fraction is the mean number of changes', () => {
  const list = makeList(0);
  const random = createRandom(3);
  for (let round = 0; round < 1_000; round += 1) {
    applyDrift(list, { insertsPerRequest: 0.25 }, random);
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
  expect(parseDrift('offline=1,online=2,closed=3,opened=0.5')).toEqual({
    ...{ offlinePerRequest: 1, onlinePerRequest: 2, closedPerRequest: 3, openedPerRequest: 0.5 },
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
