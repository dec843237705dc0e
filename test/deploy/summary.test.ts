// Owns the proof of what is said: done, not done, and no value of a variable.

import { expect, test } from 'vitest';
import { ProtocolError } from '../../lib/core/errors.ts';
import type { Deployment } from '../../lib/deploy/deployment.ts';
import {
  describeDeployment,
  describeFunction,
  describeInvocation,
  describeInvocations,
  describeRemoval,
} from '../../lib/deploy/summary.ts';

const error = new ProtocolError('FSS.0400', 'No', 'Do.');

test('a deployment that keeps what serverless.yml no longer names', () => {
  const text = describeDeployment('f', {
    urn: 'u',
    done: [],
    notDone: [],
    stands: 'new code',
    stays: ['VPC v'],
    error: null,
  });
  expect(text).toMatch(/^f: no change\n {2}stays: VPC v \(.*remove and deploy again\)$/);
});

test('a deployment: nothing, something, half of it, and what runs now', () => {
  const say = (done: string[], notDone: string[] = [], stands: Deployment['stands'] = 'old code') =>
    describeDeployment('f', {
      urn: 'u',
      done,
      notDone,
      stands,
      stays: [],
      error: notDone.length > 0 ? error : null,
    });
  expect(say([])).toBe('f: no change');
  expect(say(['code', 'timer'])).toBe('f: deployed\n  done: code · timer');
  expect(say([], ['code'])).toBe(
    'f: failed; the code that was deployed before runs on\n  not done: code',
  );
  expect(say([], ['created'], 'nothing')).toContain('failed; nothing is deployed');
  expect(say(['code'], ['timer'], 'new code')).toBe(
    'f: failed; the new code is there, but not all that belongs to it\n  done: code\n  not done: timer',
  );
  expect(say([], ['code'], 'unknown')).toContain('cannot be read');
});

test('a removal: whole, nothing, half', () => {
  const say = (done: string[], notDone: string[] = []) =>
    describeRemoval('f', { done, notDone, error: notDone.length > 0 ? error : null });
  expect(say(['function'])).toBe('f: removed');
  expect(say([])).toBe('f: was not deployed');
  expect(say(['trigger a'], ['function'])).toBe(
    'f: not all of it is removed; remove it again\n  done: trigger a\n  not done: function',
  );
});

test('a function: its settings, names of variables and never their values', () => {
  const text = describeFunction(
    'f',
    {
      func_urn: 'urn:f',
      func_name: 'f',
      runtime: 'Node.js20.15',
      handler: 'index.handler',
      memory_size: 128,
      timeout: 30,
      user_data: '{"LEVEL":"hunter2"}',
    },
    [
      {
        trigger_id: '1',
        trigger_type_code: 'TIMER',
        trigger_status: 'ACTIVE',
        event_data: { name: 'a', schedule: '1m' },
      },
    ],
    { destination_config: { on_failure: { destination: 'SMN', param: '{"topic_urn":"t"}' } } },
  );
  expect(text).toContain('environment LEVEL');
  expect(text).not.toContain('hunter2');
  expect(text).toContain('instances   no limit');
  expect(text).toContain('on failure  SMN {"topic_urn":"t"}');
  expect(text).toContain('trigger     TIMER a 1m ACTIVE');
  expect(describeFunction('f', null, [], null)).toBe('f: not deployed');
});

test('an invocation and the last ones', () => {
  const invocation = { requestId: 'r', status: 200, result: '{"a":1}', log: 'line\n' };
  expect(describeInvocation(invocation)).toBe('line\n{"a":1}\nstatus 200 · request r');
  expect(describeInvocations('f', [], null)).toContain('no invocation yet');
  const last = {
    request_id: 'r',
    status: 'FAIL',
    error_message: 'why',
    start_time: 'a',
    end_time: 'b',
  };
  expect(describeInvocations('f', [last], { group_name: 'g', stream_name: 's' })).toBe(
    'f\n  a b FAIL r why\n  lines: LTS, group g, stream s',
  );
});
