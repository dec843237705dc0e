// Tests the exit code of each error and of results with several outcomes.

import { describe, expect, test } from 'vitest';
import { exitCodeHelp, exitCodeOfResult, worstOf } from '../../lib/cli/exit-code.ts';
import { exitCodes } from '../../lib/core/error-policy.ts';
import { AuthError, CorruptError, StoppedError, TransientError } from '../../lib/core/errors.ts';
import type { CollectResult } from '../../lib/runs/invocation.ts';

const stopped = new StoppedError('STOPPED', 'm', 'h');
test('the first of 5, 1, 2, 3, 4, 6, 7, 0 that occurred is the exit code', () => {
  const order = [5, 1, 2, 3, 4, 6, 7, 0] as const;
  for (const [index, code] of order.entries()) {
    expect(worstOf(order.slice(index))).toBe(code);
    expect(worstOf([...order.slice(index)].reverse())).toBe(code);
  }
  expect(worstOf([])).toBe(0);
});

test('every exit code has a line in --help', () => {
  expect(Object.keys(exitCodeHelp).map(Number)).toEqual(Object.values(exitCodes).sort());
});

function result(overrides: Partial<CollectResult>, verdicts: string[] = []): CollectResult {
  const snapshots = verdicts.map((verdict) => ({ manifest: { verdict } }));
  return {
    status: 'sealed',
    snapshots: snapshots as unknown as CollectResult['snapshots'],
    requests: 0,
    throttled: 0,
    errors: [],
    held: [],
    failing: [],
    paused: [],
    idle: null,
    ...overrides,
  };
}
const denied = new AuthError('UNAUTHORIZED', 'm', 'h');
const network = new TransientError('NETWORK', 'm', 'h');
const corrupt = new CorruptError('k', 'm', 'h');

describe('the exit code of a command', () => {
  test.each<[string, CollectResult, number]>([
    ['sealed', result({}, ['complete']), 0],
    ['drifted', result({}, ['complete', 'drifted']), 6],
    ['paused', result({ status: 'paused' }), 4],
    ['stopped', result({ status: 'paused', errors: [stopped] }), 4],
    ['one denied, one drifted', result({ status: 'failed', errors: [denied] }, ['drifted']), 3],
    ['denied and corrupt', result({ status: 'failed', errors: [denied, corrupt] }), 5],
    ['paused and drifted', result({ status: 'paused', errors: [network] }, ['drifted']), 4],
    ['failed without an error', result({ status: 'failed' }), 1],
  ])('%s', (_name, given, code) => {
    expect(exitCodeOfResult(given, 'command')).toBe(code);
  });
});

describe('the exit code of a tick', () => {
  test.each<[string, CollectResult, number]>([
    ['idle', result({ status: 'idle' }), 0],
    ['sealed', result({}, ['complete']), 0],
    ['drifted', result({}, ['drifted']), 0],
    ['paused', result({ status: 'paused' }), 0],
    ['a temporary error', result({ status: 'paused', errors: [network] }), 0],
    ['a signal', result({ status: 'paused', errors: [stopped] }), 4],
    ['denied', result({ status: 'failed', errors: [network, denied] }), 3],
    ['corrupt', result({ status: 'failed', errors: [corrupt] }), 5],
  ])('%s', (_name, given, code) => {
    expect(exitCodeOfResult(given, 'timer')).toBe(code);
  });
});
