// Tests what a report says about the integrity of the store.

import { expect, test } from 'vitest';
import { describeIntegrity, mergeFindings } from '../../lib/reports/integrity.ts';
import { verifyStore } from '../../lib/verification/verification.ts';
import { createReportWorld } from './report-world.ts';

const fault = (key: string) => ({ key, message: 'was altered', hint: 'Restore it.' });
const nothing = { faults: [], unchecked: [] };

test('without a verification nothing is proven; faults that were found are still shown', () => {
  const skipped = describeIntegrity(null, mergeFindings(null, nothing));
  expect(skipped).toMatchObject({ status: 'notVerified', proven: null, notProven: null });
  const found = mergeFindings(null, { faults: [fault('a'), fault('a')], unchecked: [] });
  const failed = describeIntegrity(null, found);
  expect(failed).toMatchObject({ status: 'failed', proven: null, faults: { total: 1 } });
});

test('has the words of verify, and each object once', async () => {
  const { store } = await createReportWorld({ seed: 4, slots: 3 });
  const verification = await verifyStore(store, () => {});
  const whole = describeIntegrity(verification, mergeFindings(verification, nothing));
  expect(whole).toMatchObject({ status: 'verified', faults: { total: 0 }, pinned: null });
  expect(whole.proven).toContain('every part has the bytes that its manifest names');
  // The same sentences, as codes for the page.
  expect(whole.statements.proven.map(({ code }) => code)).toEqual(['bytesMatch', 'chainMatches']);
  const found = { faults: Array.from({ length: 150 }, (_, i) => fault(`${i}`)), unchecked: [] };
  const merged = mergeFindings({ ...verification, faults: [fault('0')] }, found);
  expect(merged.faults).toHaveLength(150);
  const failed = describeIntegrity(verification, merged);
  expect(failed).toMatchObject({ status: 'failed', faults: { total: 150 } });
  expect(failed.faults.shown).toHaveLength(100);
  // With findings, the words say less.
  expect(failed.proven).toContain('except for the listed findings');
  const denied = describeIntegrity(verification, { faults: [], unchecked: [fault('x')] });
  expect(denied.status).toBe('failed');
});
