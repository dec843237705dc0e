// Tests that the store's clock is never read ahead, and that its doubt shrinks with every answer.
// The clock of the store is known here; answers take any time both ways, and their time stamps are
// cut to seconds or to milliseconds.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStoreClock } from '../../lib/store/obs-clock.ts';

const secondMs = 1_000;

function createStoreWithClock(offsetMs: number) {
  let monotonicMs = 5_000;
  const clock = createStoreClock({ nowMs: () => 42, monotonicMs: () => monotonicMs });
  const travel = (outMs: number, backMs: number) => {
    const sentMonotonicMs = monotonicMs;
    monotonicMs += outMs;
    const storeMs = monotonicMs + offsetMs;
    monotonicMs += backMs;
    return { exchange: { sentMonotonicMs, receivedMonotonicMs: monotonicMs }, storeMs };
  };
  return {
    clock,
    storeMs: () => monotonicMs + offsetMs,
    pass: (ms: number) => {
      monotonicMs += ms;
    },
    travel,
    /** One answer whose time stamp is cut to `cutMs`. */
    answer(outMs: number, backMs: number, cutMs: number) {
      const { exchange, storeMs } = travel(outMs, backMs);
      clock.observe(exchange, Math.floor(storeMs / cutMs) * cutMs, cutMs);
    },
  };
}

test("is this host's clock before the first answer", () => {
  const clock = createStoreClock({ nowMs: () => 42, monotonicMs: () => 7 });
  expect([clock.nowMs(), clock.doubtMs()]).toEqual([42, 0]);
});

test('is never ahead of the store, and never behind it by more than the last answer leaves open', () => {
  const answer = fc.record({
    outMs: fc.double({ min: 0, max: 300, noNaN: true }),
    backMs: fc.double({ min: 0, max: 300, noNaN: true }),
    pauseMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    cutMs: fc.constantFrom(1, secondMs),
  });
  fc.assert(
    fc.property(
      fc.double({ min: 1e12, max: 2e12, noNaN: true }),
      fc.array(answer, { minLength: 1, maxLength: 40 }),
      (offsetMs, answers) => {
        const store = createStoreWithClock(offsetMs);
        for (const { outMs, backMs, pauseMs, cutMs } of answers) {
          store.answer(outMs, backMs, cutMs);
          const behindMs = store.storeMs() - store.clock.nowMs();
          // Doubles near 1e12 are exact to a ten-thousandth.
          expect(behindMs).toBeGreaterThanOrEqual(-0.01);
          expect(behindMs).toBeLessThanOrEqual(backMs + cutMs + 0.01);
          expect(store.clock.doubtMs()).toBeGreaterThanOrEqual(behindMs - 0.01);
          store.pass(pauseMs);
        }
      },
    ),
  );
});

test('time stamps in whole seconds give a better time with every answer', () => {
  const store = createStoreWithClock(1_764_000_000_123);
  const behindMs: number[] = [];
  for (let index = 0; index < 60; index += 1) {
    store.answer(5, 5, secondMs);
    behindMs.push(store.storeMs() - store.clock.nowMs());
    store.pass(137);
  }
  expect(behindMs[59]).toBeLessThan(60);
  expect(behindMs[0]).toBeGreaterThan(60);
});

test('one time stamp in milliseconds leaves the duration of its answer, and drift adds to it slowly', () => {
  const store = createStoreWithClock(1_764_000_000_123);
  store.answer(40, 20, 1);
  expect(store.storeMs() - store.clock.nowMs()).toBeLessThanOrEqual(21);
  expect(store.clock.doubtMs()).toBeLessThanOrEqual(61.01);
  store.pass(60_000);
  store.answer(40, 20, secondMs);
  expect(store.storeMs() - store.clock.nowMs()).toBeLessThanOrEqual(21 + 12.1);
});

test('follows a store whose clock was set back or forward', () => {
  for (const stepMs of [-3_600_000, 3_600_000]) {
    const before = 1_764_000_000_123;
    let monotonicMs = 0;
    const clock = createStoreClock({ nowMs: () => 0, monotonicMs: () => monotonicMs });
    for (const offsetMs of [before, before + stepMs]) {
      monotonicMs += 1_000;
      const stampMs = Math.floor((monotonicMs + offsetMs) / secondMs) * secondMs;
      const exchange = { sentMonotonicMs: monotonicMs, receivedMonotonicMs: monotonicMs };
      clock.observe(exchange, stampMs, secondMs);
      expect(monotonicMs + offsetMs - clock.nowMs()).toBeGreaterThanOrEqual(0);
      expect(monotonicMs + offsetMs - clock.nowMs()).toBeLessThan(1_000);
    }
  }
});

test('the time stamp of a remembered object counts once, and only if its key was remembered', () => {
  const store = createStoreWithClock(1_764_000_000_123);
  const { exchange, storeMs } = store.travel(40, 20);
  store.clock.observeWrite('a', exchange);
  store.clock.observeModified('b', storeMs + 3_600_000);
  expect(store.clock.doubtMs()).toBe(0);
  store.pass(500);
  store.clock.observeModified('a', storeMs);
  expect(store.storeMs() - store.clock.nowMs()).toBeLessThanOrEqual(21);
  expect(store.clock.doubtMs()).toBeLessThanOrEqual(61.01);
  // Another object has this key by now, so its time stamp says nothing about the remembered write.
  store.clock.observeModified('a', storeMs + 3_600_000);
  expect(store.storeMs() - store.clock.nowMs()).toBeLessThanOrEqual(21);
});

test('a time stamp in whole seconds is taken as cut to a second', () => {
  const store = createStoreWithClock(1_764_000_000_123);
  const { exchange, storeMs } = store.travel(0, 0);
  store.clock.observeWrite('a', exchange);
  store.clock.observeModified('a', Math.floor(storeMs / secondMs) * secondMs);
  expect(store.clock.doubtMs()).toBe(1_000);
});

test('remembers the last 16 writes', () => {
  const store = createStoreWithClock(1_764_000_000_123);
  const { exchange, storeMs } = store.travel(0, 0);
  for (let index = 0; index < 17; index += 1) store.clock.observeWrite(`key-${index}`, exchange);
  store.clock.observeModified('key-0', storeMs);
  expect(store.clock.doubtMs()).toBe(0);
  store.clock.observeModified('key-1', storeMs);
  expect(store.clock.doubtMs()).toBe(1);
});
