// Responsible for a timer that ticks once per minute under a virtual clock, on lists of chosen sizes.

import type { Target } from '../../lib/runs/invocation.ts';
import { type TestExporter, toFetchedPage } from '../support/test-exporter.ts';

export const minuteMs = 60_000;
/** 25 requests per slot with the default quota. */
export const scheduleMs = 5 * minuteMs;
export const limit = 10;
/** The size of a list that needs this many requests. */
const nodesFor = (requests: number) => requests * (limit - 1) + 1;

/** A target of its own project whose list needs `requests` requests. */
export function sized(world: TestExporter, name: string, requests: number): Target {
  const ids = Array.from({ length: nodesFor(requests) }, (_, index) => `${name}-${index}`);
  return world.createTarget({
    account: name,
    user: name.padEnd(12, '0'),
    projectId: name,
    openSource: () => ({
      async fetchPage({ offset, limit: count }, gate) {
        if (!(await gate.admit())) return 'paused';
        await gate.sent({ atMonotonicMs: world.clock.monotonicMs(), error: null });
        const records = ids.slice(offset, offset + count).map((id) => ({ host_id: id }));
        const body = JSON.stringify({ total_num: ids.length, data_list: records });
        return toFetchedPage(body, world.clock.nowMs());
      },
    }),
  });
}

export interface Sealing {
  name: string;
  snapshot: string;
  atMs: number;
}

export async function tickFor(world: TestExporter, minutes: number, targets: readonly Target[]) {
  const sealings: Sealing[] = [];
  for (let minute = 0; minute < minutes; minute += 1) {
    const startMs = world.clock.monotonicMs();
    const { snapshots } = await world.tick({ targets });
    for (const { manifest } of snapshots) {
      const { snapshot, scope } = manifest;
      sealings.push({ name: scope.projectId, snapshot, atMs: world.clock.nowMs() });
    }
    world.clock.advance(minuteMs - (world.clock.monotonicMs() - startMs));
  }
  return sealings;
}
