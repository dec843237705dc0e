// Tests promise 8: with more due than the quota allows, every target gets its turn. A timer ticks once per minute under a
// virtual clock.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../lib/core/errors.ts';
import { slotMs } from '../../lib/runs/schedule.ts';
import { caseStep } from '../support/cases.ts';
import { createTestExporter, type TestExporter } from '../support/test-exporter.ts';
import { limit, minuteMs, scheduleMs, sized, tickFor } from './ticking.ts';

const createWorld = () => createTestExporter({ scheduleMs, limit });
describe('8 targets of 5 requests, 25 requests per slot', () => {
  const names = ['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8'];

  test('every target is exported in at least every second slot, in turn', async () => {
    const world = createWorld();
    const targets = names.map((name) => sized(world, name, 5));
    const sealings = await tickFor(world, 8 * 5, targets);
    const order = sealings.map(({ name }) => name);
    expect(order.slice(0, 16)).toEqual([...names, ...names]);
    for (const name of names) {
      expect(order.filter((one) => one === name).length).toBeGreaterThanOrEqual(4);
    }
  });
});

test('no other target is sealed twice while a target waits, for any mix of sizes', async () => {
  const requests = fc.integer({ min: 1, max: 40 });
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { minLength: 2, maxLength: 8 }), async (sizes) => {
      const world = createWorld();
      const targets = sizes.map((size, index) => sized(world, `t${index}`, size));
      const startMs = world.clock.nowMs();
      const sealings = await tickFor(world, 100, targets);
      const endMs = world.clock.nowMs();
      for (const { account } of targets) {
        const own = sealings.filter(({ name }) => name === account);
        // Since when the target waits, and until when.
        const waits = [startMs, ...own.map(({ atMs }) => slotMs(atMs, scheduleMs) + scheduleMs)];
        for (const [index, fromMs] of waits.entries()) {
          const untilMs = own[index]?.atMs ?? endMs;
          const others = sealings.filter(
            ({ name, atMs }) => name !== account && atMs >= fromMs && atMs < untilMs,
          );
          const served = others.map(({ name }) => name);
          expect(served.length, `${account} waits, ${served} are served`).toBe(
            new Set(served).size,
          );
        }
      }
    }),
    { numRuns: Math.max(2, 8 / caseStep) },
  );
}, 60_000);

describe('targets that fail', () => {
  const failing = (world: TestExporter, name: string, tried: number[]) =>
    world.createTarget({
      account: name,
      user: name.padEnd(12, '0'),
      projectId: name,
      openSource: () => ({
        async fetchPage() {
          tried.push(world.clock.nowMs());
          throw new ProtocolError('NOT_A_PAGE', 'no page', 'look');
        },
      }),
    });

  test('a failing target is tried at least every second hour although others use the whole quota', async () => {
    const world = createWorld();
    const tried: number[] = [];
    const busy = ['t1', 't2', 't3'].map((name) => sized(world, name, 30));
    const hours = Math.max(4, 12 / caseStep);
    await tickFor(world, hours * 60, [failing(world, 'bad', tried), ...busy]);
    expect(tried.length).toBeGreaterThanOrEqual(hours / 2);
    const gapsMs = tried.slice(1).map((timeMs, index) => timeMs - (tried[index] ?? 0));
    expect(Math.max(...gapsMs)).toBeLessThan(2 * 60 * minuteMs);
  });
});
