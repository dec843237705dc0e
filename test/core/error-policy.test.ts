// Tests the table from an error to its recovery, exit code and alert.

import { describe, expect, test } from 'vitest';
import { backoffMs, policyOf, recoversByItself, refusesKey } from '../../lib/core/error-policy.ts';
import {
  AuthError,
  ConfigError,
  ConnectionError,
  CorruptError,
  DriftedError,
  ExportError,
  ProtocolError,
  RateLimitedError,
  ScratchError,
  StoppedError,
  StoreError,
  TransientError,
} from '../../lib/core/errors.ts';

describe('the policy of an error', () => {
  test.each([
    ['a configuration error', new ConfigError([]), 'operator', 2, 'withBackoff'],
    ['rejected credentials', new AuthError('X', '', ''), 'operator', 3, 'always'],
    ['a refused certificate', new ConnectionError('X', '', ''), 'operator', 3, 'always'],
    ['a 429', new RateLimitedError('', '', 1), 'automatic', 4, 'never'],
    ['a network fault', new TransientError('X', '', ''), 'automatic', 4, 'never'],
    ['a stop on request', new StoppedError('STOPPED', '', ''), 'automatic', 4, 'never'],
    ['a broken protocol', new ProtocolError('X', '', ''), 'operator', 1, 'always'],
    ['too many rejects', new ProtocolError('TOO_MANY_REJECTS', '', ''), 'operator', 1, 'always'],
    ['a killed seal', new ExportError('SEAL_KILLED', '', ''), 'operator', 1, 'always'],
    ['a corrupt object', new CorruptError('k', '', ''), 'operator', 5, 'withBackoff'],
    ['a drifted snapshot', new DriftedError('DRIFTED', '', ''), 'operator', 6, 'always'],
    ['a full disk', new StoreError('DISK_FULL', '', ''), 'operator', 1, 'withBackoff'],
    ['a long wait', new RateLimitedError('', '', 900_001), 'automatic', 4, 'always'],
    [
      'a store whose headers are too large',
      new StoreError('HEADERS_TOO_LARGE', '', ''),
      ...(['operator', 1, 'withBackoff'] as const),
    ],
    ['a store that denies', new StoreError('STORE_DENIED', '', ''), 'operator', 3, 'withBackoff'],
    [
      'a store that cannot be used',
      new StoreError('STORE_UNUSABLE', '', ''),
      'operator',
      3,
      'withBackoff',
    ],
    ['a store that fails', new StoreError('STORE_FAILED', '', ''), 'automatic', 4, 'ifLasting'],
    ['a full temporary disk', new ScratchError('DISK_FULL', '', ''), 'operator', 1, 'withBackoff'],
    [
      'no temporary folder',
      new ScratchError('TEMP_UNUSABLE', '', ''),
      'operator',
      3,
      'withBackoff',
    ],
    ['a lost temporary file', new ScratchError('TEMP_FAILED', '', ''), 'automatic', 4, 'ifLasting'],
    ['any other deliberate error', new ExportError('X', '', ''), 'operator', 1, 'always'],
    ['a bug', new TypeError('x'), 'operator', 1, 'always'],
  ] as const)('%s', (_name, error, recovery, exitCode, alert) => {
    expect(policyOf(error)).toEqual({ recovery, exitCode, alert });
  });

  test('only automatic recovery counts as recovering by itself', () => {
    expect(recoversByItself(new TransientError('X', '', ''))).toBe(true);
    expect(recoversByItself(new AuthError('X', '', ''))).toBe(false);
  });
});

test.each([['HOST_NOT_FOUND'], ['CERTIFICATE_REFUSED'], ['TLS_FAILED'], ['PROXY_REFUSED']])(
  '%s has the same exit code for the store and for the API',
  (code) => {
    expect(policyOf(new StoreError(code, '', ''))).toMatchObject({
      recovery: policyOf(new ConnectionError(code, '', '')).recovery,
      exitCode: policyOf(new ConnectionError(code, '', '')).exitCode,
    });
  },
);

test.each([
  [new AuthError('REFUSED', '', ''), true],
  [new AuthError('KEY_LOCKED', '', ''), true],
  [new AuthError('CLOCK_SKEW', '', ''), true],
  [new AuthError('PROXY_REFUSED', '', ''), true],
  [new AuthError('NOT_PERMITTED', '', ''), false],
  [new AuthError('PROJECT_UNAVAILABLE', '', ''), false],
  [new ConnectionError('CERTIFICATE_REFUSED', '', ''), false],
  [new StoreError('STORE_DENIED', '', ''), false],
  [new TypeError('x'), false],
])('%s refuses the key: %s', (error, expected) => {
  expect(refusesKey(error)).toBe(expected);
});

test('the backoff is 15 minutes, doubling to 6 hours', () => {
  const minutes = [1, 2, 3, 4, 5, 6, 100].map((failures) => backoffMs(failures) / 60_000);
  expect(minutes).toEqual([15, 30, 60, 120, 240, 360, 360]);
});
