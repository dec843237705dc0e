// Tests that a report about 60 days, of which a month is pruned, says of every day and node what is true.

import { expect, test } from 'vitest';
import { formatTime } from '../../lib/core/time-text.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { readReport } from '../../lib/reports/report-reading.ts';
import { nameMs } from '../../lib/reports/report-times.ts';
import { createSixtyDays, type SixtyDays, type TrueNode } from '../support/sixty-days.ts';
import { createTestScratch } from '../support/test-scratch.ts';

/** Made once, because a report only reads. */
const sixtyDays = createSixtyDays(Date.UTC(2026, 10, 24));

/** The report about the days from `firstDay` to `lastDay`, and the rows of its unprotected.csv. */
async function readDays(world: SixtyDays, lastDay: number, firstDay = 1) {
  const { store, targets, dayName } = world;
  const rows: unknown[][] = [];
  const report = await readReport(
    {
      ...{ store, scratch: createTestScratch(), dataset: containerNodes, decoder: parquetDecoder },
      openFormat: (columns) => ({
        header: '',
        formatRow(row) {
          if (columns.some(({ name }) => name === 'reason')) rows.push([...row]);
          return '';
        },
      }),
      onProgress: () => {},
    },
    targets,
    { sinceMs: nameMs(dayName(firstDay)), untilMs: nameMs(dayName(lastDay)) + 1_000 },
  );
  return { report, rows };
}

/** Compares each day with a complete snapshot with the nodes that the service had on that day. */
function checkDays(world: SixtyDays, { report, rows }: Awaited<ReturnType<typeof readDays>>): void {
  const timeOf = (day: number) => formatTime(nameMs(world.dayName(day)));
  for (const [t, { region, projectId }] of world.targets.entries()) {
    for (const [index, { counts }] of (report.targets[t]?.days ?? []).entries()) {
      const day = index + 1;
      if (world.verdictOf(t, day) !== 'complete') continue;
      const at = timeOf(day);
      const listed = (reason: string) =>
        rows
          .filter((row) => row[1] === region && row[2] === projectId && row[5] === reason)
          .filter(
            ([, , , , , , from, to]) => String(from) <= at && (to === null || at < String(to)),
          )
          .map((row) => row[3]);
      const nodes = world.nodesOf(t, day);
      const unprotected = nodes.filter(({ protectStatus }) => protectStatus !== 'opened');
      const offline = nodes.filter(({ agentStatus }) => agentStatus === 'offline');
      const ids = (of: readonly { hostId: string }[]) => of.map(({ hostId }) => hostId).sort();
      expect(listed('unprotected'), `${region} day ${day}`).toEqual(ids(unprotected));
      expect(listed('offline'), `${region} day ${day}`).toEqual(ids(offline));
      expect(counts).toEqual({
        ...{ nodes: nodes.length, unprotected: unprotected.length, offline: offline.length },
      });
    }
  }
}

/** Compares the counts at the end, of the nodes of all targets on that day. */
function checkKinds(
  world: SixtyDays,
  { report }: Awaited<ReturnType<typeof readDays>>,
  day: number,
) {
  const all = world.targets.flatMap((_target, t) => world.nodesOf(t, day));
  const unprotected = all.filter(({ protectStatus }) => protectStatus !== 'opened');
  const count = (nodes: readonly TrueNode[], kind: boolean | null) =>
    nodes.filter(({ isContainerNode }) => isContainerNode === kind).length;
  const kindsOf = (nodes: readonly TrueNode[]) => ({
    containerNodes: count(nodes, true),
    otherHosts: count(nodes, false),
    notStated: count(nodes, null),
  });
  expect(report.hostKinds).toEqual({ all: kindsOf(all), unprotected: kindsOf(unprotected) });
  expect(report.nodes.unprotected).toBe(unprotected.length);
}

test('a store of 60 days: which nodes were unprotected and offline on each day, and since when', async () => {
  const world = await sixtyDays;
  const days = await readDays(world, 60);
  checkDays(world, days);
  const { report } = days;
  checkKinds(world, days, 60);
  const statesOf = (t: number) => report.targets[t]?.days.map(({ state }) => state);
  expect(statesOf(0)?.indexOf('drifted')).toBe(21);
  expect(statesOf(1)?.slice(31, 36)).toEqual([
    ...['complete', 'missing', 'missing', 'missing', 'complete'],
  ]);
  expect(statesOf(2)?.filter((state) => state === 'pruned')).toHaveLength(30);
  expect(report.faults).toEqual([]);
  const renamed = report.changes.shown.filter(({ columns }) => columns.includes('host_name'));
  expect(renamed.length).toBeGreaterThan(0);
  for (const one of report.changes.shown) {
    const isRenamed = renamed.includes(one);
    expect('hostNameBefore' in one).toBe(isRenamed);
    if (isRenamed) expect(one.hostName).toBe(`${one.hostNameBefore}-v2`);
  }

  // All rows of the first 25 days were pruned: the rows of day 31 and the changes in between lead back to them.
  const pruned = await readDays(world, 25);
  checkDays(world, pruned);
  expect(pruned.report.targets.map(({ knownFrom }) => knownFrom)).toEqual(
    world.targets.map(() => world.dayName(1)),
  );
  checkKinds(world, pruned, 25);
});

/** The first day of those up to day 60 on which every complete snapshot has the node in this state. */
function firstDayOf(world: SixtyDays, t: number, isSo: (node: TrueNode) => boolean, id: string) {
  let first = 60;
  for (let day = 60; day >= 1; day -= 1) {
    if (world.verdictOf(t, day) !== 'complete') continue;
    const node = world.nodesOf(t, day).find(({ hostId }) => hostId === id);
    if (!node || !isSo(node)) break;
    first = day;
  }
  return first;
}

test.each([1, 40])(
  'a state that the first snapshot has is since that time or before: from day %i on',
  async (firstDay) => {
    const world = await sixtyDays;
    const { report } = await readDays(world, 60, firstDay);
    const found = { cut: 0, exact: 0 };
    for (const node of report.nodes.shown) {
      const t = world.targets.findIndex(({ projectId }) => projectId === node.projectId);
      for (const [state, isSo] of [
        [node.unprotected, (one: TrueNode) => one.protectStatus !== 'opened'],
        [node.offline, (one: TrueNode) => one.agentStatus === 'offline'],
      ] as const) {
        if (state === null) continue;
        const day = firstDayOf(world, t, isSo, node.hostId);
        expect(state.since).toBe(formatTime(nameMs(world.dayName(day))));
        expect(state.onOrBefore, `${node.hostId} since day ${day}`).toBe(day === 1);
        found[state.onOrBefore ? 'cut' : 'exact'] += 1;
      }
    }
    expect(found.cut).toBeGreaterThan(0);
    expect(found.exact).toBeGreaterThan(0);
  },
);
