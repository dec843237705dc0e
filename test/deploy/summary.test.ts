// Tests the printed text: steps that are done or not done, and no values of variables.

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

test('a deployment with a setting that serverless.yml no longer has', () => {
  const text = describeDeployment('f', {
    done: [],
    notDone: [],
    running: 'new code',
    leftovers: ['VPC v'],
    error: null,
  });
  expect(text).toMatch(/^f: no change\n {2}still set: VPC v \(.*run remove and then deploy\)$/);
});

test('a deployment: no change, success, failure, and which code runs', () => {
  const describe = (
    done: string[],
    notDone: string[] = [],
    running: Deployment['running'] = 'old code',
  ) =>
    describeDeployment('f', {
      done,
      notDone,
      running,
      leftovers: [],
      error: notDone.length > 0 ? error : null,
    });
  expect(describe([])).toBe('f: no change');
  expect(describe(['code', 'timer'])).toBe('f: deployed\n  done: code · timer');
  expect(describe([], ['code'])).toBe(
    'f: failed; the previous code is still running\n  not done: code',
  );
  expect(describe([], ['created'], 'nothing')).toContain('failed; the function does not exist');
  expect(describe(['code'], ['timer'], 'new code')).toBe(
    'f: failed; the new code is deployed, but some of its settings or timers are not\n  done: code\n  not done: timer',
  );
  expect(describe([], ['code'], 'unknown')).toContain('which code is running is unknown');
});

test('a removal: complete, nothing to remove, incomplete', () => {
  const describe = (done: string[], notDone: string[] = []) =>
    describeRemoval('f', { done, notDone, error: notDone.length > 0 ? error : null });
  expect(describe(['function'])).toBe('f: removed');
  expect(describe([])).toBe('f: was not deployed');
  expect(describe(['trigger a'], ['function'])).toBe(
    'f: not completely removed; run remove again\n  done: trigger a\n  not done: function',
  );
});

test('a function: its settings, and the names of variables without their values', () => {
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

test('an invocation and the list of invocations', () => {
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
    'f\n  a b FAIL r why\n  log: LTS group g, stream s',
  );
});
