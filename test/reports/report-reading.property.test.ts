// Tests that a report about 60 days, of which a month is pruned, says of every day and node what is true.

import { expect, test } from 'vitest';
import { snapshotTimeMs } from '../../lib/core/object-keys.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { readReport } from '../../lib/reports/report-reading.ts';
import { createSixtyDays } from '../support/sixty-days.ts';
import { createTestScratch } from '../support/test-scratch.ts';

const lastDayMs = Date.UTC(2026, 10, 24);

test('a store of 60 days: which nodes were unprotected and offline on each day, and since when', async () => {
  const world = await createSixtyDays(lastDayMs);
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
    { sinceMs: snapshotTimeMs(dayName(1)) ?? 0, untilMs: store.nowMs() },
  );
  const timeOf = (day: number) =>
    `${new Date(snapshotTimeMs(dayName(day)) ?? 0).toISOString().slice(0, 19)}Z`;
  for (const [t, { region, projectId }] of targets.entries()) {
    for (let day = 1; day <= 60; day += 1) {
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
      expect(report.targets[t]?.days[day - 1]?.counts).toEqual({
        ...{ nodes: nodes.length, unprotected: unprotected.length, offline: offline.length },
      });
    }
  }
  const statesOf = (t: number) => report.targets[t]?.days.map(({ state }) => state);
  expect(statesOf(0)?.indexOf('drifted')).toBe(21);
  expect(statesOf(1)?.slice(31, 36)).toEqual([
    ...['complete', 'missing', 'missing', 'missing', 'complete'],
  ]);
  expect(statesOf(2)?.filter((state) => state === 'pruned')).toHaveLength(30);
  expect(report.faults).toEqual([]);
});
