// Tests the stored state of alerts: what the queue keeps, and for how long a destination that refused is left alone.

import { expect, test } from 'vitest';
import type { Alert } from '../../lib/alerts/alert.ts';
import {
  decodeAlertState,
  emptyAlertState,
  encodeAlertState,
  isRefused,
  noteRefusal,
  shortenQueue,
  withoutDelivered,
} from '../../lib/alerts/alert-state.ts';

const alertOf = (id: string, message = 'm'): Alert => ({
  ...{ alertVersion: 1, id, rule: 'onSnapshot', state: 'event', target: null, snapshot: null },
  ...{ noticedAt: '2026-11-24T06:00:00.000Z', message, values: {}, hint: 'h' },
});
const queueOf = (count: number, message?: string) =>
  Array.from({ length: count }, (_, index) => {
    return { alert: alertOf(String(index), message), to: ['webhook' as const] };
  });

test('is the same after a round trip; no object is an empty state; other bytes are rejected', () => {
  const state = { ...emptyAlertState(), queue: queueOf(2) };
  expect(decodeAlertState(encodeAlertState(state))).toEqual(state);
  expect(decodeAlertState(null)).toEqual(emptyAlertState());
  expect(() => decodeAlertState(Buffer.from('{}'))).toThrow('_runs/alerts.json');
});

test('a queue keeps the newest 1,000 alerts, and at most 1 MiB', () => {
  const many = { ...emptyAlertState(), queue: queueOf(1_003) };
  expect(shortenQueue(many)).toBe(3);
  expect(many.queue.map(({ alert }) => alert.id)).toEqual(
    queueOf(1_003)
      .slice(3)
      .map(({ alert }) => alert.id),
  );
  const large = { ...emptyAlertState(), queue: queueOf(30, 'x'.repeat(100_000)) };
  expect(shortenQueue(large)).toBe(20);
  expect(encodeAlertState(large).length).toBeLessThan(2 ** 20 + 1_000);
  expect(shortenQueue(large)).toBe(0);
});

test('an alert leaves the queue once every destination has it', () => {
  const queue = [
    { alert: alertOf('a'), to: ['webhook' as const, 'smn' as const] },
    { alert: alertOf('b'), to: ['webhook' as const] },
  ];
  expect(withoutDelivered(queue, new Map([['webhook', new Set(['a', 'b'])]]))).toEqual([
    { alert: alertOf('a'), to: ['smn'] },
  ]);
});

test('a refusal holds a destination for 15 minutes, doubling to 6 hours; a time from a clock that is ahead is ignored', () => {
  const state = emptyAlertState();
  const minutesMs = 60_000;
  noteRefusal(state, 'smn', 0);
  expect(isRefused(state, 'smn', 15 * minutesMs - 1)).toBe(true);
  expect(isRefused(state, 'smn', 15 * minutesMs)).toBe(false);
  expect(isRefused(state, 'webhook', 0)).toBe(false);
  for (let times = 0; times < 10; times += 1) noteRefusal(state, 'smn', 0);
  expect(isRefused(state, 'smn', 360 * minutesMs - 1)).toBe(true);
  expect(isRefused(state, 'smn', 360 * minutesMs)).toBe(false);
  expect(isRefused(state, 'smn', -1)).toBe(false);
});
