// Tests two configurations with different targets: on one store they share the quota, on two stores each has its own.

import { expect, test } from 'vitest';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';
import { limit, minuteMs, sized } from './ticking.ts';

/** Ticks both once per minute, and returns how many requests they sent together in each minute. */
async function tickBoth(a: TestExporter, b: TestExporter) {
  const targets = [sized(a, 'a1', 12), sized(b, 'b1', 12)];
  const perMinute: number[] = [];
  const sealed = new Set<string>();
  for (let minute = 0; minute < 12; minute += 1) {
    const startMs = a.clock.monotonicMs();
    let requests = 0;
    for (const [index, world] of [a, b].entries()) {
      const result = await world.tick({ targets: targets.slice(index, index + 1) });
      requests += result.requests;
      for (const { manifest } of result.snapshots) sealed.add(manifest.scope.projectId);
      expect(result.errors).toEqual([]);
    }
    perMinute.push(requests);
    a.clock.advance(minuteMs - (a.clock.monotonicMs() - startMs));
  }
  return { perMinute, sealed: [...sealed].sort() };
}

test('on one store they send no more together than one alone, and both are exported', async () => {
  const world = createTestExporter({ limit });
  const { perMinute, sealed } = await tickBoth(world, world);
  expect(Math.max(...perMinute)).toBe(5);
  expect(sealed).toEqual(['a1', 'b1']);
});

test('on two stores each of them has the whole quota', async () => {
  const world = createTestExporter({ limit });
  const other = createTestExporter({ limit, clock: world.clock });
  const { perMinute, sealed } = await tickBoth(world, other);
  expect(perMinute[0]).toBe(10);
  expect(sealed).toEqual(['a1', 'b1']);
});
