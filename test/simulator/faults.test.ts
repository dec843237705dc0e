// Tests the fault plan: rules by number and by probability, and how --fault is read.

import { expect, test } from 'vitest';
import { ConfigError } from '../../lib/core/errors.ts';
import { createFaultPlan, type FaultRule, parseFault } from '../../lib/simulator/faults.ts';

function kindsOf(rules: readonly FaultRule[], count: number) {
  const plan = createFaultPlan(rules);
  return Array.from({ length: count }, (_, index) => plan(index + 1)?.kind ?? null);
}

test('of the rules by number, the first one that applies wins', () => {
  const rules: FaultRule[] = [
    { at: 4, kind: 'reset' },
    { every: 2, kind: '500' },
  ];
  expect(kindsOf(rules, 6)).toEqual([null, '500', null, 'reset', null, '500']);
});

test('a rule by probability depends only on its seed and rate, not on other rules', () => {
  const rule: FaultRule = { rate: 0.2, kinds: ['429', 'slow'], seed: 7 };
  const kinds = kindsOf([rule], 2_000);
  expect(kindsOf([rule], 2_000)).toEqual(kinds);
  expect(kindsOf([{ ...rule, seed: 8 }], 2_000)).not.toEqual(kinds);
  const hits = kinds.filter((kind) => kind !== null);
  expect(hits.length).toBeGreaterThan(300);
  expect(hits.length).toBeLessThan(500);
  expect(new Set(hits)).toEqual(new Set(['429', 'slow']));
  expect(kindsOf([{ at: 1, kind: 'reset' }, rule], 2_000).slice(1)).toEqual(kinds.slice(1));
});

test('a fault carries the details of its rule', () => {
  const plan = createFaultPlan([{ at: 1, kind: '503', retryAfterSeconds: 3 }]);
  expect(plan(1)).toEqual({ kind: '503', retryAfterSeconds: 3 });
});

test('parseFault reads kind@request and kind:probability', () => {
  expect(parseFault('429@3')).toEqual({ at: 3, kind: '429' });
  expect(parseFault('slow:0.05')).toEqual({ rate: 0.05, kinds: ['slow'] });
  expect(parseFault('502html:1')).toEqual({ rate: 1, kinds: ['502html'] });
});

test.each([
  ['', 'neither'],
  ['429', 'neither'],
  ['429@', 'neither'],
  ['429@-1', 'neither'],
  ['429@3 ', 'neither'],
  ['429@0', 'not a valid request number'],
  ['429@1.5', 'not a valid request number'],
  ['slow:1.5', 'not a probability'],
  ['418@3', 'not a kind of fault'],
])('parseFault rejects "%s"', (text, part) => {
  expect(() => parseFault(text)).toThrow(ConfigError);
  expect(() => parseFault(text)).toThrow(part);
});
