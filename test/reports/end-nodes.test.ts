// Tests since when a node is unprotected at the end, and whether it can have begun earlier.

import { expect, test } from 'vitest';
import { openEndNodes } from '../../lib/reports/end-nodes.ts';

const target = { account: 'a', table: 'container_nodes', region: 'r', projectId: 'p' };
const dayOf = (day: number) => Date.UTC(2026, 10, day);
const nameOf = (day: number) => `202611${String(day).padStart(2, '0')}T000000Z`;

test.each([
  // Start in the period, time in the row, first snapshot known, snapshots without one before: since, on or before.
  [5, null, 5, [], 5, true],
  [5, 9, 5, [], 5, true],
  [5, 5, 5, [], 5, false],
  [5, 2, 5, [], 2, false],
  [5, 2, 5, [2], 2, true],
  [7, 7, 5, [5, 7], 7, true],
  [7, null, 5, [5], 7, false],
] as const)('%j %j %j %j: day %i, %j', (start, inRow, known, without, since, onOrBefore) => {
  const nodes = openEndNodes(dayOf(20));
  const state = { hostName: null, protectStatus: 'closed', agentStatus: 'online' };
  const kind = { isContainerNode: false };
  const protectSinceMs = inRow === null ? null : dayOf(inRow);
  nodes.addRows([{ ...state, ...kind, hostId: 'h', protectSinceMs, agentSinceMs: null }]);
  const interval = { hostId: 'h', hostName: null, reason: 'unprotected', to: null } as const;
  nodes.addIntervals([{ ...interval, from: nameOf(start) }]);
  nodes.endTarget(target, { knownFrom: nameOf(known), withoutBefore: without.map(nameOf) });
  expect(nodes.figures().shown[0]).toMatchObject({
    unprotected: {
      since: `2026-11-${String(since).padStart(2, '0')}T00:00:00Z`,
      days: 20 - since,
      onOrBefore,
    },
    offline: null,
  });
  expect(nodes.unprotectedKinds()).toEqual({ containerNodes: 0, otherHosts: 1, notStated: 0 });
});
