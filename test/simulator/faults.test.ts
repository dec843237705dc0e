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
    { at: 2, kind: '500' },
    { at: 4, kind: '503' },
  ];
  expect(kindsOf(rules, 5)).toEqual([null, '500', null, 'reset', null]);
});

test('rules by probability choose the same requests each time, and each its own', () => {
  const rules: FaultRule[] = [
    { rate: 0.1, kind: '429' },
    { rate: 0.1, kind: 'slow' },
  ];
  const kinds = kindsOf(rules, 2_000);
  expect(kindsOf(rules, 2_000)).toEqual(kinds);
  for (const wanted of ['429', 'slow']) {
    const hits = kinds.filter((kind) => kind === wanted).length;
    expect(hits).toBeGreaterThan(150);
    expect(hits).toBeLessThan(250);
  }
  // A rule by number changes only its own request.
  expect(kindsOf([{ at: 1, kind: 'reset' }, ...rules], 2_000).slice(1)).toEqual(kinds.slice(1));
});

test('a fault carries the details of its rule', () => {
  const plan = createFaultPlan([{ at: 1, kind: '503', retryAfterSeconds: 3 }]);
  expect(plan(1)).toMatchObject({ kind: '503', retryAfterSeconds: 3 });
});

test('parseFault reads kind@request and kind:probability', () => {
  expect(parseFault('429@3')).toEqual({ at: 3, kind: '429' });
  expect(parseFault('slow:0.05')).toEqual({ rate: 0.05, kind: 'slow' });
  expect(parseFault('502html:1')).toEqual({ rate: 1, kind: '502html' });
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
