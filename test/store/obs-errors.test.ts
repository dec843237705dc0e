// Owns the table of what a failed call means: code, whether it is tried again, and that the hint helps. Real answers are in test/rgw.

import { describe, expect, test } from 'vitest';
import { describeFailure, isAbsent, type Verb } from '../../lib/store/obs-errors.ts';

const attempted = {
  verb: 'write' as Verb,
  url: 'obs://lake/a',
  bucket: 'lake',
  endpoint: 'https://obs.example',
  kms: false,
  temporary: false,
  scrub: (text: string) => text.replaceAll('TOPSECRET', '[redacted]'),
};

function answer(status: number, code: string, message = ''): Error {
  return Object.assign(new Error(message || code), {
    name: code,
    $metadata: { httpStatusCode: status },
  });
}

function network(code: string, inner = false): Error {
  const error = Object.assign(new Error(`it failed: ${code}`), { code });
  return inner ? new Error('wrapped', { cause: error }) : error;
}

describe('what the store answered', () => {
  test.each([
    [403, 'InvalidAccessKeyId', 'STORE_DENIED', 'no', 'obs.credentials'],
    [403, 'SignatureDoesNotMatch', 'STORE_DENIED', 'no', 'obs.credentials'],
    [403, 'AccessDenied', 'STORE_DENIED', 'no', 'obs:object:PutObject'],
    [403, 'UnknownError', 'STORE_DENIED', 'no', 'obs:object:PutObject'],
    [403, 'RequestTimeTooSkewed', 'STORE_DENIED', 'once', 'clock'],
    [400, 'ExpiredToken', 'STORE_DENIED', 'no', 'agency'],
    [404, 'NoSuchBucket', 'STORE_DENIED', 'no', 'Create it'],
    [301, 'PermanentRedirect', 'STORE_DENIED', 'no', 'own region'],
    [307, 'UnknownError', 'STORE_DENIED', 'no', 'own region'],
    [400, 'AuthorizationHeaderMalformed', 'STORE_DENIED', 'no', 'own region'],
    [407, 'UnknownError', 'STORE_DENIED', 'no', 'HTTPS_PROXY'],
    [405, 'MethodNotAllowed', 'STORE_DENIED', 'no', 'obs.pathStyle'],
    [400, 'InvalidArgument', 'STORE_DENIED', 'no', 'obs.endpoint'],
    [503, 'SlowDown', 'STORE_FAILED', 'slowly', 'Start again'],
    [429, 'UnknownError', 'STORE_FAILED', 'slowly', 'Start again'],
    [503, 'ServiceUnavailable', 'STORE_FAILED', 'soon', 'start again'],
    [500, 'InternalError', 'STORE_FAILED', 'soon', 'start again'],
    [502, 'SyntaxError', 'STORE_FAILED', 'soon', 'start again'],
    [400, 'BadDigest', 'STORE_FAILED', 'soon', 'start again'],
    [400, 'RequestTimeout', 'STORE_FAILED', 'soon', 'start again'],
    // A success that cannot be read.
    [200, 'SyntaxError', 'STORE_FAILED', 'soon', 'start again'],
  ])('%i %s → %s, again: %s', (status, name, code, again, hint) => {
    const failure = describeFailure(answer(status, name), attempted);
    expect(failure.error.code).toBe(code);
    expect(failure.again).toBe(again);
    expect(failure.error.hint).toContain(hint);
    expect(failure.error.message).toContain('cannot write obs://lake/a');
    expect(failure.error.message).toContain(String(status));
  });

  test.each([
    ['read', 'obs:object:GetObject'],
    ['list', 'obs:bucket:ListBucket'],
    ['delete', 'obs:object:DeleteObject'],
  ] as const)('a %s that is denied names %s', (verb, action) => {
    const { error } = describeFailure(answer(403, 'AccessDenied'), { ...attempted, verb });
    expect(error.hint).toContain(action);
  });

  test('a KMS key that is refused is named, under whatever code; other refusals mention it', () => {
    const kms = { ...attempted, kms: true };
    for (const thrown of [
      answer(400, 'KMS.NotFoundException'),
      answer(403, 'InvalidAccessKeyId', 'Failed to retrieve the actual key, kms-keyid: nope'),
    ]) {
      expect(describeFailure(thrown, kms).error.hint).toContain('obs.kmsKeyId');
    }
    expect(describeFailure(answer(403, 'AccessDenied'), kms).error.hint).toContain('KMS');
    expect(describeFailure(answer(403, 'AccessDenied'), attempted).error.hint).not.toContain('KMS');
  });

  test('what it said is one line without secrets, and the answer itself is not carried along', () => {
    const thrown = Object.assign(answer(403, 'AccessDenied', 'no\n\u001b[31m TOPSECRET'), {
      AWSAccessKeyId: 'TOPSECRET',
    });
    const { error } = describeFailure(thrown, attempted);
    expect(error.message).toContain('no [31m [redacted]');
    expect(error.cause).toBeUndefined();
  });

  test('403 is a refused key, which a temporary one may get over; 404 is not', () => {
    expect(describeFailure(answer(403, 'AccessDenied'), attempted).refused).toBe(true);
    expect(describeFailure(answer(400, 'ExpiredToken'), attempted).refused).toBe(true);
    expect(describeFailure(answer(404, 'NoSuchBucket'), attempted).refused).toBe(false);
  });
});

describe('no answer', () => {
  test.each([
    ['ECONNRESET', 'STORE_FAILED', 'soon', 'network'],
    ['ECONNREFUSED', 'STORE_FAILED', 'soon', 'network'],
    ['EAI_AGAIN', 'STORE_FAILED', 'soon', 'does not resolve'],
    ['ENOTFOUND', 'STORE_DENIED', 'soon', 'does not resolve'],
    ['CERT_HAS_EXPIRED', 'STORE_DENIED', 'no', 'NODE_EXTRA_CA_CERTS'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'STORE_DENIED', 'no', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'STORE_DENIED', 'no', 'NODE_EXTRA_CA_CERTS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'STORE_DENIED', 'no', 'correct obs.endpoint'],
    ['EPROTO', 'STORE_DENIED', 'no', 'plain http'],
  ])('%s → %s, again: %s', (code, expected, again, hint) => {
    for (const inner of [false, true]) {
      const failure = describeFailure(network(code, inner), attempted);
      expect(failure.error.code).toBe(expected);
      expect(failure.again).toBe(again);
      expect(failure.error.hint).toContain(hint);
      expect(failure.error.message).toContain(code);
    }
  });

  test('a bug of ours comes out as it is', () => {
    const bug = new TypeError('x is not a function');
    expect(() => describeFailure(bug, attempted)).toThrow(bug);
  });
});

test('absent is an object that is not there, not a bucket, and not what something else answers', () => {
  expect(isAbsent(answer(404, 'NoSuchKey'), false)).toBe(true);
  expect(isAbsent(answer(404, ''), false)).toBe(false);
  expect(isAbsent(answer(404, 'NotFound'), true)).toBe(true);
  expect(isAbsent(answer(404, ''), true)).toBe(true);
  for (const headless of [true, false]) {
    expect(isAbsent(answer(404, 'NoSuchBucket'), headless)).toBe(false);
    expect(isAbsent(answer(403, 'AccessDenied'), headless)).toBe(false);
    expect(isAbsent(network('ECONNRESET'), headless)).toBe(false);
  }
});

test('a 404 without a word is not the store: tried again, and the proxy named', () => {
  const { error, again } = describeFailure(answer(404, 'UnknownError'), attempted);
  expect([error.code, again]).toEqual(['STORE_FAILED', 'soon']);
  expect(error.hint).toContain('NO_PROXY');
});

test('a key that is none is told from one that may not, and a temporary one is asked whether it ended', () => {
  const badKeyOf = (name: string) => describeFailure(answer(403, name), attempted).badKey;
  expect(['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken'].every(badKeyOf)).toBe(
    true,
  );
  expect(badKeyOf('AccessDenied')).toBe(false);
  const temporary = { ...attempted, temporary: true };
  const { error } = describeFailure(answer(403, 'InvalidAccessKeyId'), temporary);
  expect(error.hint).toContain('has it ended');
});
