// Tests when each rule sends an alert, and that ids tell changes apart.

import { expect, test } from 'vitest';
import type { Alert } from '../../lib/alerts/alert.ts';
import {
  judge,
  type NewSnapshot,
  nothingSeen,
  type Seen,
  type Trouble,
  type Watched,
} from '../../lib/alerts/due-alerts.ts';
import type { AlertRules } from '../../lib/core/alert-rules.ts';
import { type Sketch, sealedOf } from './stored-manifests.ts';

const hourMs = 3_600_000;
const off: AlertRules = {
  ...{ snapshotFailed: false, unprotectedShareAbove: null, nodeGone: false },
  ...{ staleAfterMs: null, driftedInARow: null, onSnapshot: false },
};
const trouble: Trouble = {
  ...{ kind: 'failed', code: 'NOT_PERMITTED', message: 'answered 403', hint: 'Grant it.' },
  ...{ since: '2026-11-24T06:00:00.000Z', heldUntil: null },
};
const target = { account: 'prod', table: 't', region: 'r-1', projectId: 'p' };
/** At 06:00 of this day of November. */
const nameOf = (day: number) => `202611${String(day).padStart(2, '0')}T060000Z`;
const timeOf = (day: number) => Date.UTC(2026, 10, day, 6);

/** Judges one step after another, and returns the alerts of each as `rule state`, and all alerts. */
function judgeSteps(rules: Partial<AlertRules>, steps: readonly Partial<Watched>[]) {
  let seen: Seen = { ...nothingSeen, snapshot: null };
  const all: Alert[] = [];
  const texts = steps.map((step) => {
    const watched: Watched = {
      ...{ store: 'file:/s', id: 't/r/p', target, trouble: null, snapshots: [], nowMs: 0 },
      ...step,
    };
    const judged = judge({ ...off, ...rules }, watched, seen);
    seen = judged.seen;
    all.push(...judged.alerts);
    return judged.alerts.map(({ rule, state }) => `${rule} ${state}`);
  });
  return { texts, all, seen };
}

const sealed = (day: number, sketch: Partial<Sketch> = {}, gone: NewSnapshot['gone'] = null) => {
  return {
    snapshots: [
      { sealed: sealedOf({ snapshot: nameOf(day), verdict: 'complete', ...sketch }), gone },
    ],
    nowMs: timeOf(day) + 60_000,
  };
};

test('snapshotFailed fires once between two snapshots, whatever fails, and ends with the next one', () => {
  const held = { ...trouble, kind: 'held' as const, heldUntil: '2026-11-24T07:00:00.000Z' };
  const { texts, all } = judgeSteps({ snapshotFailed: true }, [
    { trouble },
    { trouble: held },
    {},
    { trouble },
    sealed(24),
    sealed(25),
    { trouble: { ...trouble, kind: 'abandoned' } },
    sealed(26),
  ]);
  expect(texts).toEqual([
    ['snapshotFailed firing'],
    [],
    [],
    [],
    ['snapshotFailed resolved'],
    [],
    ['snapshotFailed firing'],
    ['snapshotFailed resolved'],
  ]);
  expect(new Set(all.map(({ id }) => id)).size).toBe(4);
  expect(all[0]).toMatchObject({
    ...{ alertVersion: 1, rule: 'snapshotFailed', state: 'firing', target, snapshot: null },
    message: expect.stringContaining('t in r-1 (account prod, project p): the newest attempt'),
    values: { kind: 'failed', code: 'NOT_PERMITTED', newestSnapshot: null },
    hint: 'Grant it.',
  });
  expect(all[1]?.snapshot).toBe(nameOf(24));
});

test('a target that fails again in the same call as its snapshot ends the first failure and starts another', () => {
  const { texts, all } = judgeSteps({ snapshotFailed: true }, [
    { trouble },
    { ...sealed(24), trouble },
  ]);
  expect(texts[1]).toEqual(['snapshotFailed resolved', 'snapshotFailed firing']);
  expect(new Set(all.map(({ id }) => id)).size).toBe(3);
});

test('unprotectedShareAbove looks at complete snapshots only, and needs more than the share', () => {
  const { texts, all } = judgeSteps({ unprotectedShareAbove: 0.05 }, [
    sealed(20, { opened: 95 }),
    sealed(21, { opened: 94, verdict: 'drifted' }),
    sealed(22, { opened: 94 }),
    sealed(23, { opened: 10 }),
    sealed(24, { opened: 95 }),
    sealed(25, { rows: 0, opened: 0 }),
  ]);
  expect(texts.map(([text = '']) => text)).toEqual([
    ...['', '', 'unprotectedShareAbove firing', '', 'unprotectedShareAbove resolved', ''],
  ]);
  expect(all[0]?.values).toEqual({ nodes: 100, unprotected: 6, share: 0.06, limit: 0.05 });
  expect(all[0]?.message).toContain('6 of 100 nodes are unprotected');
});

test('unprotectedShareAbove is silent about a table of another dataset', () => {
  const step = sealed(20, { opened: 0 });
  const [snapshot] = step.snapshots ?? [];
  const manifest = { ...snapshot?.sealed.manifest, dataset: 'container_clusters' };
  const other = { ...snapshot, sealed: { ...snapshot?.sealed, manifest } } as NewSnapshot;
  const { texts } = judgeSteps({ unprotectedShareAbove: 0.05 }, [{ ...step, snapshots: [other] }]);
  expect(texts).toEqual([[]]);
});

test('driftedInARow counts drifted snapshots in a row', () => {
  const { texts } = judgeSteps({ driftedInARow: 2 }, [
    sealed(20, { verdict: 'drifted' }),
    sealed(21),
    sealed(22, { verdict: 'drifted' }),
    sealed(23, { verdict: 'drifted' }),
    sealed(24, { verdict: 'drifted' }),
    sealed(25),
    sealed(26),
  ]);
  expect(texts.map(([text = '']) => text)).toEqual([
    ...['', '', '', 'driftedInARow firing', '', 'driftedInARow resolved', ''],
  ]);
});

test('staleAfter fires once a snapshot is older, and ends with the next one; it needs a first snapshot', () => {
  const staleAfterMs = 36 * hourMs;
  const { texts } = judgeSteps({ staleAfterMs }, [
    { nowMs: timeOf(20) },
    sealed(20),
    { nowMs: timeOf(20) + staleAfterMs },
    { nowMs: timeOf(20) + staleAfterMs + 1 },
    { nowMs: timeOf(25) },
    sealed(25),
  ]);
  expect(texts.map(([text = '']) => text)).toEqual([
    ...['', '', '', 'staleAfter firing', '', 'staleAfter resolved'],
  ]);
});

test('nodeGone and onSnapshot are events of one snapshot; no node is named if the snapshot was not compared', () => {
  const gone = { count: 120, nodes: [{ hostId: 'h1', hostName: 'web-1' }] };
  const rules = { nodeGone: true, onSnapshot: true };
  const { texts, all } = judgeSteps(rules, [sealed(20), sealed(21, {}, gone)]);
  expect(texts).toEqual([['onSnapshot event'], ['nodeGone event', 'onSnapshot event']]);
  expect(all[1]).toMatchObject({
    values: gone,
    message: expect.stringContaining('120 nodes are gone'),
  });
  const { manifestKey: manifest, manifestSha256 } = sealedOf({
    snapshot: nameOf(21),
    verdict: 'complete',
  });
  expect(all[2]?.values).toEqual({ verdict: 'complete', rows: 100, manifest, manifestSha256 });
});

test('a rule that is turned off while it fires ends without an alert; the other rules stay', () => {
  const first = judge(
    { ...off, snapshotFailed: true },
    { store: 's', id: 'i', target, trouble, snapshots: [], nowMs: 0 },
    nothingSeen,
  );
  expect(first.seen.firing.snapshotFailed).toBeDefined();
  const second = judge(
    off,
    { store: 's', id: 'i', target, trouble, snapshots: [], nowMs: 0 },
    first.seen,
  );
  expect(second).toEqual({ seen: { ...nothingSeen, firing: {} }, alerts: [] });
});

test('an id is the same for the same change, and differs by store, target, rule, state and snapshot', () => {
  const idsOf = (changes: Partial<Watched>, day = 24) => {
    const watched = { ...sealed(day), ...changes };
    return judgeSteps({ onSnapshot: true }, [watched]).all.map(({ id }) => id);
  };
  expect(idsOf({})).toEqual(idsOf({ nowMs: 1 }));
  const ids = [idsOf({}), idsOf({ store: 'file:/other' }), idsOf({ id: 'other' }), idsOf({}, 25)];
  expect(new Set(ids.flat()).size).toBe(4);
  for (const id of ids.flat()) expect(id).toMatch(/^[0-9a-f]{32}$/);
});
