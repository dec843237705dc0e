// Tests that report.json stays small whatever the store has, and says what it left out.

import { expect, test } from 'vitest';
import { figuresBytesMax, limitFigures } from '../../lib/reports/figure-limits.ts';
import type {
  NodeAtEnd,
  ReportFigures,
  ShownChange,
  TargetFigures,
} from '../../lib/reports/figures.ts';
import { noHosts } from '../../lib/snapshots/host-kinds.ts';

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const dates = (count: number) =>
  Array.from({ length: count }, (_, day) =>
    new Date(Date.UTC(2026, 0, 1) + day * 86_400_000).toISOString().slice(0, 10),
  );

function makeTarget(index: number, days: number, missed: number): TargetFigures {
  const snapshot = {
    ...{ snapshot: '20261124T060000Z', verdict: 'complete' as const, rows: 100_000 },
    manifest: `_manifests/container_nodes/rgn=cn-south-4/prj=${'a'.repeat(28)}${index}/20261124T060000Z.json`,
    ...{ startedAt: '2026-11-24T06:00:00Z', sealedAt: '2026-11-24T06:00:00Z' },
    ...{ manifestSha256: 'f'.repeat(64), keyId: '0123456789abcdef' },
  };
  const counts = { nodes: 100_000, unprotected: 50_000, offline: 10_000 };
  return {
    ...{ account: 'production', table: 'container_nodes', region: 'cn-south-4' },
    projectId: `${'a'.repeat(28)}${index}`,
    newest: snapshot,
    newestComplete: { ...snapshot, ...counts },
    knownFrom: '20260101T000000Z',
    snapshots: { complete: 4 * days, drifted: 0, missed, pruned: 0 },
    days: dates(days).map((date) => {
      return { date, state: 'complete', complete: 4, drifted: 0, missed: 0, counts };
    }),
    gaps: Array.from({ length: missed }, () => {
      return { from: '20261124T060000Z', to: '20261124T060000Z', slots: 1 };
    }),
  };
}

function makeFigures(targets: TargetFigures[], days: number, text: string): ReportFigures {
  const name = { account: 'a', table: 'container_nodes', region: 'r', projectId: 'p' };
  const since = { since: '2026-11-24T06:00:00Z', days: 30.25, onOrBefore: false };
  const node: NodeAtEnd = {
    ...{ ...name, hostId: text, hostName: text, protectStatus: 'closed', agentStatus: 'offline' },
    ...{ unprotected: since, offline: since },
  };
  const change: ShownChange = {
    ...{ ...name, snapshotAt: '2026-11-24T06:00:00Z', hostId: text, hostName: text },
    ...{ change: 'changed', columns: ['agent_status', 'agent_status_raw', 'vulnerability'] },
    ...{ protectStatus: ['closed', 'opened'], agentStatus: [null, null] },
  };
  const fault = { key: text, message: text, hint: text };
  return {
    ...{
      reportVersion: 1,
      writer: 'cgs-export/1',
      madeAt: '2026-11-24T06:00:00Z',
      store: 'obs://a',
    },
    period: { since: '2026-01-01T00:00:00Z', until: '2026-12-31T23:59:59Z' },
    targets,
    days: dates(days).map((date) => ({
      ...{ date, nodes: 600_000, unprotected: 300_000, offline: 60_000, current: 6, carried: 0 },
      ...{ unknown: 0, added: 60_000, removed: 60_000, changed: 60_000 },
    })),
    nodes: { total: 90_000, unprotected: 9, offline: 9, shown: Array(500).fill(node) },
    hostKinds: { all: noHosts(), unprotected: noHosts() },
    changes: {
      ...{ added: 1, removed: 1, changed: 1, unprotected: 1, protected: 1, offline: 1 },
      ...{ notOffline: 1, shown: Array(500).fill(change) },
    },
    quality: {
      ...{ snapshots: 9, rejects: 0, repeats: 0, requests: 1, retries: 0, throttled: 0 },
      unknownValues: {
        agent_status: Object.fromEntries(dates(3_000).map((date) => [date + text, 1])),
      },
      unknownFields: dates(3_000).map((date) => date + text),
      mistyped: { asset: 1 },
    },
    integrity: {
      ...{ status: 'failed', proven: 'x', notProven: 'y', manifests: 1, parts: 1, bytes: 1 },
      statements: { proven: [], notProven: [] },
      notHashed: { parts: 0, since: null },
      notReached: Array(70_000).fill(text),
      signatures: { valid: 0, unsigned: 1, keysFrom: 'store', keyIds: [] },
      ...{ pinned: null, pruned: 0 },
      faults: { total: 900, shown: Array(100).fill(fault) },
      unchecked: { total: 900, shown: Array(100).fill(fault) },
    },
    files: [],
  };
}

test('figures that are small enough are not changed', () => {
  const targets = Array.from({ length: 6 }, (_, index) => makeTarget(index, 31, 1));
  const figures = makeFigures(targets, 31, 'node-1');
  figures.integrity.notReached = [];
  figures.quality.unknownFields = [];
  figures.quality.unknownValues = {};
  expect(limitFigures(figures)).toBe(figures);
});

test('200 targets and 366 days with the longest lists fit, and what is left out is counted', () => {
  const targets = Array.from({ length: 200 }, (_, index) =>
    makeTarget(index, 366, index === 150 ? 2_000 : 0),
  );
  const figures = makeFigures(targets, 366, '節'.repeat(128));
  const limited = limitFigures(figures);
  expect(bytesOf(limited)).toBeLessThanOrEqual(figuresBytesMax);
  const { leftOut } = limited;
  expect(limited.targets.length + (leftOut?.targets ?? 0)).toBe(200);
  expect(limited.targets.length).toBeGreaterThan(100);
  expect(limited.targets.filter(({ days }) => days.length === 0)).toHaveLength(
    leftOut?.calendars ?? 0,
  );
  // The one with missed slots is shown, with its newest gaps.
  const troubled = limited.targets.find(({ snapshots }) => snapshots.missed > 0);
  expect(troubled?.days).toHaveLength(366);
  expect(troubled?.gaps.length).toBe(2_000 - (leftOut?.gaps ?? 0));
  expect(limited.days.length).toBe(366 - (leftOut?.days ?? 0));
  expect(limited.integrity.notReached.length).toBe(70_000 - (leftOut?.notReached ?? 0));
  expect(leftOut?.quality).toBeGreaterThan(5_000);
  expect(limited.nodes).toMatchObject({ total: 90_000 });
  expect(limited.nodes.shown.length).toBeGreaterThan(50);
  expect(limited.integrity.faults).toMatchObject({ total: 900 });
});

test('six targets keep all their days of a year with the longest names', () => {
  const targets = Array.from({ length: 6 }, (_, index) => makeTarget(index, 366, 3));
  const limited = limitFigures(makeFigures(targets, 366, 'x'.repeat(128)));
  expect(bytesOf(limited)).toBeLessThanOrEqual(figuresBytesMax);
  const all = [limited.days.length, ...limited.targets.map(({ days }) => days.length)];
  expect(all).toEqual(Array(7).fill(366));
});

test('thousands of targets and many years fit', () => {
  const targets = Array.from({ length: 3_000 }, (_, index) => makeTarget(index, 2, 0));
  const limited = limitFigures(makeFigures(targets, 4_000, 'x'));
  expect(bytesOf(limited)).toBeLessThanOrEqual(figuresBytesMax);
  expect(limited.days.at(-1)?.date).toBe(dates(4_000).at(-1));
});
