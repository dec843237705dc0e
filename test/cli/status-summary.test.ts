// Tests what `status` says about many targets together.

import { expect, test } from 'vitest';
import { describeProblems, describeSummary, summarize } from '../../lib/cli/status-summary.ts';
import type { TargetStatus } from '../../lib/runs/target-status.ts';

const heldUntil = '2026-11-24T06:15:00.000Z';
const held = {
  kind: 'held',
  code: 'REFUSED',
  message: 'its key is held',
  hint: 'check it',
} as const;

function statusOf(index: number, changes: Partial<TargetStatus> = {}): TargetStatus {
  const snapshot = `20261124T06${String(index % 60).padStart(2, '0')}00Z`;
  return {
    ...{ account: `a${index % 50}`, table: 'container_nodes', region: 'r', projectId: `p${index}` },
    ...{ open: null, latest: snapshot, scheduleSeconds: 21_600, due: false, heldUntil: null },
    last: {
      ...{ snapshot, verdict: 'complete', rows: 1, unprotected: 0, offline: 0 },
      ...{ sealedAt: '', ageSeconds: 60, altered: false },
    },
    ...{ failure: null, abandoned: null, missedSlots: 0, slotMissed: false, behindSince: null },
    problems: [],
    ...changes,
  };
}

test('counts targets by state, and names the oldest last snapshot', () => {
  const targets = [
    statusOf(5),
    statusOf(3, { due: true, slotMissed: true }),
    statusOf(9, { heldUntil, problems: [held] }),
    statusOf(1, { last: null, due: true }),
  ];
  expect(summarize(targets)).toMatchObject({
    ...{ targets: 4, accounts: 4, sealed: 2, due: 2, open: 0, held: 1, slotMissed: 1 },
    ...{
      neverSealed: 1,
      needAttention: 1,
      oldest: { snapshot: '20261124T060300Z', account: 'a3' },
    },
  });
  expect(describeSummary(targets, 'file:/lake').split('\n')).toEqual([
    '4 targets of 4 accounts in file:/lake',
    '2 sealed, 2 due, 1 held, 1 missed a slot, 1 never sealed',
    'oldest last snapshot: 20261124T060300Z (60 s) of a3 container_nodes r p3',
    '1 needs attention: held (REFUSED): 1 of a9',
    '',
  ]);
  expect(summarize([]).oldest).toBeNull();
});

test('targets of unknown accounts are not counted as one account', () => {
  const old = { kind: 'old', code: null, message: 'is old', hint: 'wait' } as const;
  const known = [statusOf(1), statusOf(2)];
  const unknown = [3, 4].map((index) => statusOf(index, { account: null, problems: [old] }));
  const all = [...known, ...unknown];
  expect(summarize(all)).toMatchObject({ targets: 4, accounts: 2, accountNotKnown: 2 });
  expect(describeSummary(all, 'file:/lake').split('\n')).toEqual([
    '4 targets of at least 2 accounts in file:/lake',
    expect.anything(),
    expect.anything(),
    '2 need attention: old: 2',
    '',
  ]);
  expect(describeSummary(unknown, 'file:/lake')).toMatch(/^2 targets in file:/);
  expect(summarize(known)).toMatchObject({ accounts: 2, accountNotKnown: 0 });
});

test('a problem of 200 targets is described once, with the first of them and the count', () => {
  const targets = Array.from({ length: 200 }, (_, index) =>
    statusOf(index, { heldUntil, problems: [held] }),
  );
  const lines = describeProblems(targets).trim().split('\n');
  expect(lines).toHaveLength(1 + 10 + 1 + 2);
  expect(lines[11]).toBe('  and 190 more, see the table');
  expect(lines.slice(12)).toEqual(['    held: REFUSED: its key is held', '      check it']);
});
