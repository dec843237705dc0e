// Tests that `doctor` names the keys and targets that a timer does not try for some time, although the cause may be corrected.

import { expect, test } from 'vitest';
import { checkHolds } from '../../lib/app/hold-check.ts';
import type { ServiceTarget } from '../../lib/app/target.ts';
import { emptySchedule, type Schedule } from '../../lib/runs/schedule.ts';

const nowMs = Date.parse('2026-11-24T06:00:00Z');
const minuteMs = 60_000;
const targetOf = (account: string, user: string, projectId: string) =>
  ({
    ...{ account, user, projectId, table: 'container_nodes', region: 'cn-south-4' },
    projectQuestion: '',
  }) as ServiceTarget;
const targets = [
  targetOf('prod', 'key1', 'p1'),
  targetOf('prod', 'key1', 'p2'),
  targetOf('test', 'key2', 'p3'),
];
const failure = { code: 'REFUSED', message: 'm', hint: 'h', sinceMs: nowMs, lastMs: nowMs };

const check = (schedule: Partial<Schedule>) =>
  checkHolds({ ...emptySchedule(), ...schedule }, targets, nowMs);

test('prints one line if no key and no target is held', () => {
  expect(check({})).toMatchObject([{ check: 'hold', status: 'ok' }]);
});

test('a held key is one warning, with its end, its cause and the command that ends it', () => {
  const untilMs = nowMs + 10 * minuteMs;
  const checks = check({ holds: { key1: { failures: 1, untilMs, failure } } });
  expect(checks).toMatchObject([
    {
      ...{ check: 'hold', status: 'warning', account: 'prod', target: null },
      message: expect.stringMatching(/do not try the key again until 2026-11-24T06:10:00.*REFUSED/),
      hint: expect.stringMatching(/does not end the hold.*`cgs-export export`.*--account prod/),
    },
  ]);
});

test('a key that the service asked to wait: the hint does not promise that an export helps', () => {
  const askedMs = 24 * 60 * minuteMs;
  const asked = { ...failure, code: 'RATE_LIMITED', hint: 'a timer continues by itself' };
  const hold = { failures: 1, untilMs: nowMs + askedMs, askedMs, failure: asked };
  const [found] = check({ holds: { key1: hold } });
  expect(found?.hint).toBe('A correction does not end the hold. a timer continues by itself');
});

test('a held target is named', () => {
  const id = 'container_nodes/rgn=cn-south-4/prj=p3';
  const state = { open: null, sealed: null, failures: 2, retryAtMs: nowMs + minuteMs, failure };
  expect(check({ targets: { [id]: state } })).toMatchObject([
    { status: 'warning', account: 'test', target: id, message: expect.stringContaining('target') },
  ]);
});

test('a hold that has ended is not shown', () => {
  const checks = check({ holds: { key1: { failures: 1, untilMs: nowMs - 1, failure } } });
  expect(checks).toMatchObject([{ status: 'ok' }]);
});
