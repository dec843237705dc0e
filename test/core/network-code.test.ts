// Tests that a network error code is found in an error and in its causes.

import { expect, test } from 'vitest';
import { causesOf, readNetworkCode } from '../../lib/core/network-code.ts';

const withCode = (code: string) => Object.assign(new Error('failed'), { code });

test.each([
  'ECONNRESET',
  'CERT_HAS_EXPIRED',
  'UND_ERR_SOCKET',
  'HPE_INVALID_CONSTANT',
  'Z_DATA_ERROR',
])('finds %s in the error, in its cause and in an AggregateError', (code) => {
  const error = withCode(code);
  expect(readNetworkCode(error)).toBe(code);
  expect(readNetworkCode(new Error('outer', { cause: error }))).toBe(code);
  expect(readNetworkCode(new AggregateError([error]))).toBe(code);
});

test.each([withCode('ERR_INVALID_URL'), withCode('NO_CODE'), new TypeError('bug'), 'text', null])(
  'returns null for %s, which does not come from the network',
  (error) => {
    expect(readNetworkCode(error)).toBeNull();
  },
);

test('looks at 4 errors at most', () => {
  let error: Error = withCode('ECONNRESET');
  for (let depth = 0; depth < 3; depth += 1) error = new Error('outer', { cause: error });
  expect(readNetworkCode(error)).toBe('ECONNRESET');
  expect(readNetworkCode(new Error('outer', { cause: error }))).toBeNull();
  const circular = new Error('circular');
  circular.cause = circular;
  expect(causesOf(circular)).toHaveLength(4);
});
