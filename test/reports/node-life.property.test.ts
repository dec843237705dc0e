// Tests that the life of a node is what the listed nodes of all complete snapshots say, whatever was drifted, pruned, altered or
// sealed with another scope.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { snapshotName, tombstoneKey } from '../../lib/core/object-keys.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { prefixedMax } from '../../lib/reports/life-reader.ts';
import { type NodeLife, readNodeLives } from '../../lib/reports/node-life.ts';
import { changeColumns } from '../../lib/snapshots/changes.ts';
import { readTimeline } from '../../lib/snapshots/timeline.ts';
import { type SeededNode, seedStore } from '../support/seeded-store.ts';
import { someTarget } from '../support/stored-run.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const hourMs = 3_600_000;
const names = ['web', 'db', ''];
const statuses = ['opened', 'closed'];

interface Step {
  nodes: Record<string, SeededNode>;
  isDrifted: boolean;
  scope: string;
  isPruned: boolean;
  isAltered: boolean;
}

const node = fc.record({
  host_name: fc.constantFrom(...names, null),
  protect_status: fc.constantFrom(...statuses),
});
const stepOf = (...ids: string[]) =>
  fc.record({
    nodes: fc.dictionary(fc.constantFrom(...ids), node),
    isDrifted: fc.nat(5).map((n) => n === 0),
    scope: fc.nat(4).map((n) => (n === 0 ? 'other' : 'usual')),
    isPruned: fc.nat(2).map((n) => n === 0),
    isAltered: fc.nat(9).map((n) => n === 0),
  });

const step = stepOf('h1', 'h2', 'h3');

const startMs = Date.UTC(2026, 9, 1);
const timeOf = (index: number) => startMs + index * hourMs;

/** `damaged`: whether the steps' pruning and altering are done. `reads`: gets the key of each part that is read. */
async function readLives(
  steps: readonly Step[],
  wanted: string,
  damaged: boolean,
  reads: string[] = [],
) {
  const { store, sealed } = await seedStore(
    steps.map(({ nodes, isDrifted, scope }, index) => ({
      ...{ timeMs: timeOf(index), nodes, verdict: isDrifted ? 'drifted' : 'complete' },
      scope: { enterpriseProjectId: scope },
    })),
    hourMs,
  );
  const newest = sealed.findLastIndex(({ manifest }) => manifest.verdict === 'complete');
  for (const [index, { manifest }] of damaged ? sealed.entries() : []) {
    const partOf = (role: string) =>
      manifest.parts.find((part) => part.role === role && part.format === 'parquet')?.key;
    const [rows, changes] = [partOf('rows'), partOf('changes')];
    if (steps[index]?.isPruned && index < newest && rows) {
      await store.put(tombstoneKey(someTarget, manifest.snapshot), Buffer.from('{}\n'));
      await store.delete(rows);
    }
    if (steps[index]?.isAltered && changes) await store.put(changes, Buffer.from('altered'));
  }
  const period = { sinceMs: 0, untilMs: timeOf(steps.length) };
  const { snapshots } = await readTimeline(store, someTarget, period);
  const read: typeof store.read = (key) => {
    reads.push(key);
    return store.read(key);
  };
  const ports = {
    ...{
      store: { ...store, read },
      scratch: createTestScratch(),
      dataset: containerNodes,
      decoder: parquetDecoder,
    },
    onProgress: () => {},
  };
  return readNodeLives(ports, someTarget, snapshots, wanted);
}

interface Truth {
  name: string;
  nodes: Record<string, SeededNode>;
}

function listTruth(steps: readonly Step[]): Truth[] {
  return steps.flatMap(({ nodes, isDrifted }, index) =>
    isDrifted ? [] : [{ name: snapshotName(timeOf(index)), nodes }],
  );
}

/** Which snapshots the periods cover. */
function listCovered({ seen }: NodeLife, truth: readonly Truth[]): string[] {
  const isWithin = (name: string) =>
    seen.some(({ from, to }) => from <= name && (to ?? '9') >= name);
  return truth.filter(({ name }) => isWithin(name)).map(({ name }) => name);
}

const listing = (truth: readonly Truth[], hostId: string) =>
  truth.filter(({ nodes }) => nodes[hostId]).map(({ name }) => name);

test('without losses, the periods, the names and the ids that had a name are exact', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 7 }),
      fc.constantFrom('h1', 'web', 'db'),
      async (steps, wanted) => {
        const truth = listTruth(steps);
        const lives = await readLives(steps, wanted, false);
        const ids = ['h1', 'h2', 'h3'].filter((id) =>
          truth.some(
            ({ nodes }) => nodes[id] && (id === wanted || nodes[id]?.host_name === wanted),
          ),
        );
        expect(lives.nodes.map(({ hostId }) => hostId)).toEqual(ids);
        expect(lives.knownFrom).toBe(truth[0]?.name ?? null);
        for (const life of lives.nodes) {
          expect(listCovered(life, truth)).toEqual(listing(truth, life.hostId));
          const ever = truth.flatMap(({ nodes }) => nodes[life.hostId]?.host_name ?? []);
          expect(life.names).toEqual([...new Set(ever)]);
          const isListed = truth.at(-1)?.nodes[life.hostId] !== undefined;
          expect(life.now !== null).toBe(isListed);
          if (isListed) expect(life.seen.at(-1)?.to).toBeNull();
          expectMaximal(life, truth);
          expectEvents(life, steps);
        }
      },
    ),
    { numRuns: 25 },
  );
});

test('with pruned rows and altered changes, no period is wrong, and from `knownFrom` on they are exact', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
      const truth = listTruth(steps);
      const { nodes, knownFrom } = await readLives(steps, 'h1', true);
      for (const life of nodes) {
        const listed = listing(truth, 'h1');
        const covered = listCovered(life, truth);
        expect(listed).toEqual(expect.arrayContaining(covered));
        const known = (some: string[]) => some.filter((name) => name >= (knownFrom ?? '9'));
        expect(known(covered)).toEqual(known(listed));
      }
      if (nodes.length === 0)
        expect(listing(truth, 'h1').every((name) => name < (knownFrom ?? '9'))).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test('nodes whose id begins with the text have the same lives as by their ids, and no part is read twice', async () => {
  const [start, ids] = ['0f6a1c5e', ['0f6a1c5e-1', '0f6a1c5e-2', '0f6a1c5f-3']];
  await fc.assert(
    fc.asyncProperty(
      fc.array(stepOf(...ids), { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      async (steps, damaged) => {
        const reads: string[] = [];
        const { nodes, prefixed } = await readLives(steps, start, damaged, reads);
        expect(nodes).toEqual([]);
        const byId = await Promise.all(ids.map((id) => readLives(steps, id, damaged)));
        const expected = byId.flatMap((lives) => lives.nodes);
        expect(prefixed).toEqual(expected.filter(({ hostId }) => hostId.startsWith(start)));
        expect(reads).toEqual([...new Set(reads)]);
      },
    ),
    { numRuns: 25 },
  );
});

test('a node that has the text as its name is found, whatever ids begin with it', async () => {
  const text = '0f6a1c5e';
  const web = { host_name: 'web' };
  const isSealed = { isDrifted: false, scope: 'usual', isPruned: false, isAltered: false };
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`${text}-${n}`, web]));
  const named = { h1: { host_name: text }, [`${text}-8`]: { host_name: text } };
  const steps = [
    { nodes: { ...many, ...named }, ...isSealed },
    { nodes: { ...many, h1: web }, ...isSealed },
  ];
  const { nodes } = await readLives(steps, text, false);
  expect(nodes).toEqual([
    ...(await readLives(steps, `${text}-8`, false)).nodes,
    ...(await readLives(steps, 'h1', false)).nodes,
  ]);
});

test('of many nodes whose id begins with the text, a few are read', async () => {
  const isSealed = { isDrifted: false, scope: 'usual', isPruned: false, isAltered: false };
  const ids = Array.from({ length: 20 }, (_, n) => `0f6a1c5e-${String(n).padStart(2, '0')}`);
  const nodes = Object.fromEntries(ids.map((id) => [id, {}]));
  const { prefixed } = await readLives([{ nodes, ...isSealed }], '0f6a1c5e', false);
  expect(prefixed.map(({ hostId }) => hostId)).toEqual(ids.slice(0, prefixedMax));
});

test('less than eight characters are not the start of an id', async () => {
  const isSealed = { isDrifted: false, scope: 'usual', isPruned: false, isAltered: false };
  const steps = [{ nodes: { '0f6a1c5e-1': {} }, ...isSealed }];
  expect((await readLives(steps, '0f6a1c5', false)).prefixed).toEqual([]);
  expect((await readLives(steps, '0f6a1c5e', false)).prefixed).toHaveLength(1);
});

/** Two periods never follow each other without a snapshot that does not have the node. */
function expectMaximal({ seen }: NodeLife, truth: readonly Truth[]): void {
  const place = (name: string | null) => truth.findIndex((one) => one.name === name);
  for (const [index, { from }] of seen.entries()) {
    if (index > 0) expect(place(from) - place(seen[index - 1]?.to ?? null)).toBeGreaterThan(1);
  }
}

/** A pair of complete snapshots of one scope has an event if the node is listed differently. */
function expectEvents(life: NodeLife, steps: readonly Step[]): void {
  const complete = steps.flatMap((one, index) => (one.isDrifted ? [] : [{ ...one, index }]));
  const columns = changeColumns(containerNodes);
  const [at, change] = ['snapshot_at', 'change'].map((name) =>
    columns.findIndex((column) => column.name === name),
  ) as [number, number];
  const expected = complete.flatMap(({ nodes, scope, index }, place) => {
    const before = complete[place - 1];
    const [a, b] = [before?.nodes[life.hostId], nodes[life.hostId]];
    if (!before || before.scope !== scope || JSON.stringify(a) === JSON.stringify(b)) return [];
    return [[timeOf(index), a && b ? 'changed' : a ? 'removed' : 'added']];
  });
  expect(life.events.map((row) => [row[at], row[change]])).toEqual(expected);
}
