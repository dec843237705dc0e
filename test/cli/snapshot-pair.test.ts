// Tests which two snapshots of a target are compared.

import { describe, expect, test } from 'vitest';
import { choosePair, type Moment, readMoment } from '../../lib/cli/snapshot-pair.ts';
import { PrunedError } from '../../lib/core/errors.ts';
import { tombstoneKey } from '../../lib/core/object-keys.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { listHistory } from '../support/sealed-history.ts';
import { someTarget } from '../support/stored-run.ts';

const dayMs = 24 * 3_600_000;
const newestMs = Date.UTC(2026, 10, 24, 6);
const nowMs = newestMs + 3_600_000;

/** One snapshot a day at 06:00, the newest on 24 November. `drifted`: by age in days. */
async function choose(
  a: string | null,
  b: string | null,
  drifted: readonly number[] = [],
  count = 5,
) {
  const store = createMemoryStore({ nowMs: () => nowMs });
  const verdictOf = (age: number) => (drifted.includes(age) ? 'drifted' : 'complete');
  for (const { key, bytes } of listHistory({ count, newestMs, scheduleMs: dayMs, verdictOf })) {
    await store.put(key, bytes);
  }
  const moment = (text: string | null) => text && readMoment('A', text, nowMs);
  const target = { ...someTarget, account: 'prod', isFiltered: false, dataset: null };
  const pair = await choosePair(store, target, [moment(a) || null, moment(b) || null], []);
  if (typeof pair === 'string') return pair;
  const days = [pair.previous, pair.current].map(({ sealed }) =>
    sealed.manifest.snapshot.slice(6, 8),
  );
  return days.join(' ');
}

test.each([
  [null, null, [], '23 24'],
  [null, null, [0], '22 23'],
  [null, null, [1, 2], '21 24'],
  ['2026-11-22', null, [], '22 24'],
  ['2026-11-22T05:59:59Z', null, [], '21 24'],
  ['2026-11-22T06:00:00Z', null, [], '22 24'],
  ['2d', null, [], '22 24'],
  ['2026-11-22', '2026-11-23', [], '22 23'],
  // A time means a complete snapshot, a name any.
  ['2026-11-22', null, [2], '21 24'],
  ['20261122T060000Z', null, [2], '22 24'],
  ['20261124T060000Z', '20261120T060000Z', [], '20 24'],
])('%j and %j with the drifted ages %j: days %s', async (a, b, drifted, expected) => {
  expect(await choose(a, b, drifted)).toBe(expected);
});

test.each([
  [null, null, [0, 1, 2, 3], 'it has only one complete snapshot up to 20261120T060000Z'],
  [null, null, [0, 1, 2, 3, 4], 'it has no complete snapshot'],
  ['2026-11-19', null, [], 'it has no complete snapshot up to 20261119T235959Z'],
  ['20261101T060000Z', null, [], 'it has no snapshot 20261101T060000Z'],
  ['2026-11-24', null, [], 'both arguments mean the snapshot 20261124T060000Z'],
])('%j and %j with the drifted ages %j: %s', async (a, b, drifted, expected) => {
  expect(await choose(a, b, drifted)).toBe(expected);
});

test('a time far back is found behind more snapshots than a search reads', async () => {
  expect(await choose('2026-06-01', null, [], 200)).toBe('01 24');
});

describe('rows of the predecessor that retention deleted', () => {
  /** The hint. `days`: which of the days from 20 to 24 November have no rows. */
  async function hintFor(
    days: readonly number[],
    isUnchanged = false,
    moments: readonly [Moment | null, Moment | null] = [null, null],
  ) {
    const store = createMemoryStore({ nowMs: () => nowMs });
    const moreKinds = isUnchanged ? [] : [{ role: 'changes', format: 'parquet' } as const];
    const history = listHistory({ count: 5, newestMs, scheduleMs: dayMs, moreKinds });
    for (const { key, bytes } of history) {
      const isPruned = days.some((day) => key.includes(`/202611${day}T`));
      if (/^container_nodes\//.test(key) && isPruned) continue;
      await store.put(key, bytes);
      const [, name] = /\/(202611\d\dT060000Z)\.json$/.exec(key) ?? [];
      if (name && isPruned) await store.put(tombstoneKey(someTarget, name), Buffer.from('{}\n'));
    }
    const target = { ...someTarget, account: 'prod', isFiltered: false, dataset: null };
    const error = await choosePair(store, target, moments, []).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(PrunedError);
    const { hint, instead } = error as PrunedError;
    for (const snapshot of instead) {
      expect(days.map((day) => `202611${day}T060000Z`)).not.toContain(snapshot);
    }
    return hint;
  }

  test('the hint names the part with the changes, and never the other compared snapshot', async () => {
    const hint = await hintFor([20, 21, 22, 23]);
    expect(hint).toMatch(
      /^What changed between it and 20261124T060000Z is kept in the Parquet file container_nodes_changes\/dt=2026-11-24\/\S+\.parquet\. No snapshot near it has its rows\./,
    );
    expect(await hintFor([22, 23])).toMatch(
      /parquet\. The nearest snapshot that has its rows is 20261121T060000Z\.$/,
    );
  });

  const named = (day: number) => ({ snapshot: `202611${day}T060000Z` });

  test('of two pruned snapshots, the hint names a pair of which none is pruned', async () => {
    expect(await hintFor([21, 22], true, [named(21), named(22)])).toBe(
      'The nearest snapshots that have their rows are 20261120T060000Z and 20261123T060000Z.',
    );
    expect(await hintFor([20, 22], true, [named(22), named(20)])).toBe(
      'The nearest snapshots that have their rows are 20261121T060000Z and 20261123T060000Z.',
    );
  });

  test('without a pair that is kept, the hint says so, and what still has the changes', async () => {
    const hint = await hintFor([20, 21, 22, 23], true, [named(20), named(22)]);
    expect(hint).toMatch(
      /^No other pair of snapshots near them has its rows\. .*`cgs-export node`/,
    );
  });

  test('without recorded changes the hint is the nearest snapshot alone', async () => {
    expect(await hintFor([23], true)).toBe(
      'The nearest snapshot that has its rows is 20261122T060000Z.',
    );
  });
});
