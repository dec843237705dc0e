// Tests the table of what a failed request means: its code, whether it is retried, and that its
// hint helps. Answers of a real server are tested in test/rgw.

import { describe, expect, test } from 'vitest';
import {
  describeEndlessList,
  describeFailure,
  describeMismatch,
  describeOtherServer,
  describeTimeout,
  isAbsent,
  type Operation,
} from '../../lib/store/obs-errors.ts';

const operation: Operation = {
  verb: 'write',
  url: 'obs://lake/a',
  bucket: 'lake',
  endpoint: 'https://obs.example',
  origin: 'https://lake.obs.example',
  region: 'cn-south-4',
  hasKmsKey: false,
  isKeyTemporary: false,
  scrub: (text: string) => text.replaceAll('TOPSECRET', '[redacted]'),
};

function answer(status: number, code: string, message = ''): Error {
  return Object.assign(new Error(message || code), {
    name: code,
    $metadata: { httpStatusCode: status },
  });
}

function network(code: string, isWrapped = false): Error {
  const error = Object.assign(new Error(`it failed: ${code}`), { code });
  return isWrapped ? new Error('wrapped', { cause: error }) : error;
}

describe('an answer of the store', () => {
  test.each([
    [403, 'InvalidAccessKeyId', 'STORE_DENIED', 'never', 'obs.credentials'],
    [403, 'SignatureDoesNotMatch', 'STORE_DENIED', 'never', 'obs.credentials'],
    [403, 'AccessDenied', 'STORE_DENIED', 'never', 'obs:object:PutObject'],
    [403, 'UnknownError', 'STORE_DENIED', 'never', 'obs:object:PutObject'],
    [403, 'RequestTimeTooSkewed', 'STORE_DENIED', 'once', 'clock'],
    [400, 'ExpiredToken', 'STORE_DENIED', 'never', 'agency'],
    [403, 'InvalidObjectState', 'STORE_DENIED', 'never', 'archive storage class'],
    [404, 'NoSuchBucket', 'STORE_DENIED', 'never', 'Create the bucket'],
    [301, 'PermanentRedirect', 'STORE_DENIED', 'never', 'own region'],
    [307, 'UnknownError', 'STORE_DENIED', 'never', 'own region'],
    [400, 'AuthorizationHeaderMalformed', 'STORE_DENIED', 'never', 'own region'],
    [407, 'UnknownError', 'PROXY_REFUSED', 'never', 'HTTPS_PROXY'],
    [405, 'MethodNotAllowed', 'STORE_DENIED', 'never', 'obs.pathStyle'],
    [400, 'InvalidArgument', 'STORE_DENIED', 'never', 'obs.endpoint'],
    [503, 'SlowDown', 'STORE_FAILED', 'slowly', 'Start again'],
    [429, 'UnknownError', 'STORE_FAILED', 'slowly', 'Start again'],
    [503, 'ServiceUnavailable', 'STORE_FAILED', 'soon', 'start again'],
    [500, 'InternalError', 'STORE_FAILED', 'soon', 'start again'],
    [502, 'SyntaxError', 'STORE_FAILED', 'soon', 'start again'],
    [400, 'BadDigest', 'STORE_FAILED', 'soon', 'start again'],
    [400, 'RequestTimeout', 'STORE_FAILED', 'soon', 'start again'],
    // A success whose body cannot be read.
    [200, 'SyntaxError', 'STORE_FAILED', 'soon', 'start again'],
  ])('%i %s is %s, retry %s', (status, name, code, retry, hint) => {
    const failure = describeFailure(answer(status, name), operation);
    expect(failure.error.code).toBe(code);
    expect(failure.retry).toBe(retry);
    expect(failure.error.hint).toContain(hint);
    expect(failure.error.message).toContain('cannot write obs://lake/a');
    expect(failure.error.message).toContain(String(status));
  });

  test.each([
    ['read', 'obs:object:GetObject'],
    ['list', 'obs:bucket:ListBucket'],
    ['delete', 'obs:object:DeleteObject'],
  ] as const)('the hint of a denied %s names %s', (verb, permission) => {
    const { error } = describeFailure(answer(403, 'AccessDenied'), { ...operation, verb });
    expect(error.hint).toContain(permission);
  });

  test('a refused KMS key is named under any code; other refusals mention the KMS key', () => {
    const kms = { ...operation, hasKmsKey: true };
    for (const thrown of [
      answer(400, 'KMS.NotFoundException'),
      answer(403, 'InvalidAccessKeyId', 'Failed to retrieve the actual key, kms-keyid: nope'),
    ]) {
      expect(describeFailure(thrown, kms).error.hint).toContain('obs.kmsKeyId');
    }
    expect(describeFailure(answer(403, 'AccessDenied'), kms).error.hint).toContain('KMS');
    expect(describeFailure(answer(403, 'AccessDenied'), operation).error.hint).not.toContain('KMS');
  });

  test("quotes the store's text on one line without secrets, and does not keep the SDK's error", () => {
    const thrown = Object.assign(answer(403, 'AccessDenied', 'no\n\u001b[31m TOPSECRET'), {
      AWSAccessKeyId: 'TOPSECRET',
    });
    const { error } = describeFailure(thrown, operation);
    expect(error.message).toContain('no [31m [redacted]');
    expect(error.cause).toBeUndefined();
  });

  test.each([
    [
      "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
      {},
      'eu-west-1',
    ],
    [
      'Authorization header malformed, unexpected scope: 20261125/cn-south-4/s3/aws4_request, expected: 20261125/garage/s3/aws4_request',
      {},
      'garage',
    ],
    ['no words', { Region: 'us-west-2' }, 'us-west-2'],
    ['no words', { $response: { headers: { 'x-amz-bucket-region': 'eu-1' } } }, 'eu-1'],
  ])('names the region that the store expects: %j %j', (message, more, region) => {
    const thrown = Object.assign(answer(400, 'AuthorizationHeaderMalformed', message), more);
    const { error, retry } = describeFailure(thrown, operation);
    expect(error.hint).toContain(`Set obs.region: ${region}`);
    expect(error.message).toContain(
      `expects the region ${region} in the signature, not cn-south-4`,
    );
    expect(retry).toBe('never');
  });

  test.each([["expecting 'cn-south-4'"], ["expecting 'a b'"], ['malformed']])(
    'names no region for %j',
    (message) => {
      const thrown = answer(400, 'AuthorizationHeaderMalformed', message);
      const { hint } = describeFailure(thrown, operation).error;
      expect(hint).toContain('Set obs.endpoint');
      expect(hint).toContain('obs.region');
    },
  );

  test('isRefused is true for 403 and for an expired key, not for 404', () => {
    expect(describeFailure(answer(403, 'AccessDenied'), operation).isRefused).toBe(true);
    expect(describeFailure(answer(400, 'ExpiredToken'), operation).isRefused).toBe(true);
    expect(describeFailure(answer(404, 'NoSuchBucket'), operation).isRefused).toBe(false);
  });

  test('a 404 without a code is not from the store: it is retried, and the hint names the proxy', () => {
    const { error, retry } = describeFailure(answer(404, 'UnknownError'), operation);
    expect([error.code, retry]).toEqual(['STORE_FAILED', 'soon']);
    expect(error.hint).toContain('NO_PROXY');
  });

  test('isKeyInvalid distinguishes an invalid access key from a missing permission', () => {
    const isKeyInvalid = (name: string) =>
      describeFailure(answer(403, name), operation).isKeyInvalid;
    expect(
      ['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken'].every(isKeyInvalid),
    ).toBe(true);
    expect(isKeyInvalid('AccessDenied')).toBe(false);
  });

  test('the hint for an unknown temporary key says that it may have expired', () => {
    const temporary = { ...operation, isKeyTemporary: true };
    const { error } = describeFailure(answer(403, 'InvalidAccessKeyId'), temporary);
    expect(error.hint).toContain('may have expired');
  });
});

describe('no answer', () => {
  test.each([
    ['ECONNRESET', 'STORE_FAILED', 'soon', 'network'],
    ['ECONNREFUSED', 'STORE_FAILED', 'soon', 'network'],
    ['EAI_AGAIN', 'STORE_FAILED', 'soon', 'does not resolve'],
    ['ENOTFOUND', 'HOST_NOT_FOUND', 'briefly', 'does not resolve'],
    ['CERT_HAS_EXPIRED', 'CERTIFICATE_REFUSED', 'never', 'NODE_EXTRA_CA_CERTS'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'CERTIFICATE_REFUSED', 'never', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERTIFICATE_REFUSED', 'never', 'NODE_EXTRA_CA_CERTS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'CERTIFICATE_REFUSED', 'never', 'check obs.endpoint'],
    ['EPROTO', 'TLS_FAILED', 'never', 'plain http'],
    ['PROXY_407', 'PROXY_REFUSED', 'never', '%25'],
    ['PROXY_403', 'PROXY_REFUSED', 'never', 'lake.obs.example'],
    ['PROXY_502', 'STORE_FAILED', 'soon', 'HTTPS_PROXY'],
  ])('%s is %s, retry %s', (code, expected, retry, hint) => {
    for (const isWrapped of [false, true]) {
      const failure = describeFailure(network(code, isWrapped), operation);
      expect(failure.error.code).toBe(expected);
      expect(failure.retry).toBe(retry);
      expect(failure.error.hint).toContain(hint);
      expect(failure.error.message).toContain(code);
    }
  });

  test('says in words what happened', () => {
    const { error } = describeFailure(network('ECONNREFUSED'), operation);
    expect(error.message).toBe('cannot write obs://lake/a: connection refused (ECONNREFUSED)');
  });

  test('throws a bug of this program unchanged', () => {
    const bug = new TypeError('x is not a function');
    expect(() => describeFailure(bug, operation)).toThrow(bug);
  });
});

test('every other failure names the operation, the object and what to do', () => {
  for (const { error } of [
    describeMismatch(operation, 'the object has 1 of 3 bytes after the write'),
    describeTimeout(operation, 15_000),
    describeOtherServer(operation),
    describeEndlessList(operation),
  ]) {
    expect(error.message).toContain('cannot write obs://lake/a: ');
    expect(error.hint).not.toBe('');
  }
});

test('isAbsent is true for a missing object, not for a missing bucket or another answer', () => {
  expect(isAbsent(answer(404, 'NoSuchKey'), false)).toBe(true);
  expect(isAbsent(answer(404, ''), false)).toBe(false);
  expect(isAbsent(answer(404, 'NotFound'), true)).toBe(true);
  expect(isAbsent(answer(404, ''), true)).toBe(true);
  for (const isHead of [true, false]) {
    expect(isAbsent(answer(404, 'NoSuchBucket'), isHead)).toBe(false);
    expect(isAbsent(answer(403, 'AccessDenied'), isHead)).toBe(false);
    expect(isAbsent(network('ECONNRESET'), isHead)).toBe(false);
  }
});
