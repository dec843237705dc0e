// Tests the log of changes: it counts all of them and keeps the newest.

import { expect, test } from 'vitest';
import { createChangeLog } from '../../lib/simulator/change-log.ts';

test('keeps the newest changes in order, counts every change and says how many are gone', () => {
  const log = createChangeLog(20);
  for (let request = 1; request <= 50; request += 1) {
    const where = { projectId: 'p', request, atMs: request };
    log.add([{ kind: 'deleted', hostId: `h${request}` }], where);
  }
  expect(log.counts).toMatchObject({ deleted: 50, inserted: 0 });
  const kept = log.kept();
  expect(kept.length).toBeGreaterThan(15);
  expect(kept.length).toBeLessThanOrEqual(20);
  expect(kept.at(-1)).toEqual({
    ...{ kind: 'deleted', hostId: 'h50', projectId: 'p', request: 50, atMs: 50 },
  });
  expect(kept.length + log.dropped()).toBe(50);
  expect(kept[0]?.request).toBe(log.dropped() + 1);
});
