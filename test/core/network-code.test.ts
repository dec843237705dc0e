// Tests that a network error code is found in an error and in its causes.

import { expect, test } from 'vitest';
import { causesOf, readNetworkCode } from '../../lib/core/network-code.ts';

const withCode = (code: string) => Object.assign(new Error('failed'), { code });

test.each([
  'ECONNRESET',
  'CERT_HAS_EXPIRED',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'PROXY_407',
  'INVALID_CA',
  'HPE_INVALID_CONSTANT',
  'Z_DATA_ERROR',
])('finds %s in the error, in its cause and in an AggregateError', (code) => {
  const error = withCode(code);
  expect(readNetworkCode(error)).toBe(code);
  expect(readNetworkCode(new Error('outer', { cause: error }))).toBe(code);
  expect(readNetworkCode(new AggregateError([error]))).toBe(code);
});

test.each([
  [Object.assign(new Error('took too long'), { name: 'TimeoutError' }), 'ETIMEDOUT'],
  [new Error('wrapped', { cause: new Error('socket hang up') }), 'ECONNRESET'],
  [new Error('aborted'), 'ECONNRESET'],
  [new Error('Proxy connection ended before receiving CONNECT response'), 'PROXY_ENDED'],
  [new Error('No header received from proxy CONNECT response'), 'PROXY_ENDED'],
  [new Error('Invalid header from proxy CONNECT response: "TOPSECRET"'), 'PROXY_ENDED'],
])('knows %s, which has no code', (error, code) => {
  expect(readNetworkCode(error)).toBe(code);
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
