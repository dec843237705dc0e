// Goal: the store's clock is never read ahead, and the doubt shrinks as answers come. Method: a store whose clock is
// known here, answers that are slow both ways by any amounts, times cut to seconds or to milliseconds.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStoreClock } from '../../lib/store/obs-clock.ts';

const spanMs = 1_000;

function createWorld(offsetMs: number) {
  let monotonicMs = 5_000;
  const clock = createStoreClock({ nowMs: () => 42, monotonicMs: () => monotonicMs });
  return {
    clock,
    storeMs: () => monotonicMs + offsetMs,
    pass: (ms: number) => {
      monotonicMs += ms;
    },
    /** One answer, with a time cut to `cutMs`. */
    exchange(outMs: number, backMs: number, cutMs: number) {
      const sentMonotonicMs = monotonicMs;
      monotonicMs += outMs;
      const stampMs = Math.floor((monotonicMs + offsetMs) / cutMs) * cutMs;
      monotonicMs += backMs;
      clock.observe({ sentMonotonicMs, receivedMonotonicMs: monotonicMs, stampMs, spanMs: cutMs });
    },
  };
}

test("before the first answer it is this host's clock", () => {
  const clock = createStoreClock({ nowMs: () => 42, monotonicMs: () => 7 });
  expect([clock.nowMs(), clock.doubtMs()]).toEqual([42, 0]);
});

test('never ahead of the store, whatever the way takes; never more behind than the first answer left in doubt', () => {
  const exchange = fc.record({
    outMs: fc.double({ min: 0, max: 300, noNaN: true }),
    backMs: fc.double({ min: 0, max: 300, noNaN: true }),
    pauseMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    cutMs: fc.constantFrom(1, spanMs),
  });
  fc.assert(
    fc.property(
      fc.double({ min: 1e12, max: 2e12, noNaN: true }),
      fc.array(exchange, { minLength: 1, maxLength: 40 }),
      (offsetMs, exchanges) => {
        const world = createWorld(offsetMs);
        for (const { outMs, backMs, pauseMs, cutMs } of exchanges) {
          world.exchange(outMs, backMs, cutMs);
          const behindMs = world.storeMs() - world.clock.nowMs();
          // Doubles of 1e12 are exact to a ten-thousandth.
          expect(behindMs).toBeGreaterThanOrEqual(-0.01);
          expect(behindMs).toBeLessThanOrEqual(backMs + cutMs + 0.01);
          expect(world.clock.doubtMs()).toBeGreaterThanOrEqual(behindMs - 0.01);
          world.pass(pauseMs);
        }
      },
    ),
  );
});

test('whole seconds tell the time better with every answer', () => {
  const world = createWorld(1_764_000_000_123);
  const behindMs: number[] = [];
  for (let index = 0; index < 60; index += 1) {
    world.exchange(5, 5, spanMs);
    behindMs.push(world.storeMs() - world.clock.nowMs());
    world.pass(137);
  }
  expect(behindMs[59]).toBeLessThan(60);
  expect(behindMs[0]).toBeGreaterThan(60);
});

test('one time in milliseconds leaves the way back of its answer, and drift widens that slowly', () => {
  const world = createWorld(1_764_000_000_123);
  world.exchange(40, 20, 1);
  expect(world.storeMs() - world.clock.nowMs()).toBeLessThanOrEqual(21);
  expect(world.clock.doubtMs()).toBeLessThanOrEqual(61.01);
  world.pass(60_000);
  world.exchange(40, 20, spanMs);
  expect(world.storeMs() - world.clock.nowMs()).toBeLessThanOrEqual(21 + 12.1);
});

test('a store whose clock was set is followed, back as well as forth', () => {
  for (const stepMs of [-3_600_000, 3_600_000]) {
    const before = 1_764_000_000_123;
    let monotonicMs = 0;
    const clock = createStoreClock({ nowMs: () => 0, monotonicMs: () => monotonicMs });
    for (const offsetMs of [before, before + stepMs]) {
      monotonicMs += 1_000;
      const stampMs = Math.floor((monotonicMs + offsetMs) / spanMs) * spanMs;
      clock.observe({
        sentMonotonicMs: monotonicMs,
        receivedMonotonicMs: monotonicMs,
        stampMs,
        spanMs,
      });
      expect(monotonicMs + offsetMs - clock.nowMs()).toBeGreaterThanOrEqual(0);
      expect(monotonicMs + offsetMs - clock.nowMs()).toBeLessThan(1_000);
    }
  }
});
