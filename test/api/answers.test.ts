// Tests that each answer becomes the right error, with a message that quotes it safely and a hint that says what to do.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  classifyAnswer,
  describeShape,
  findStatedError,
  type Peer,
  parseBody,
} from '../../lib/api/answers.ts';
import {
  AuthError,
  ProtocolError,
  RateLimitedError,
  TransientError,
} from '../../lib/core/errors.ts';

const nowMs = Date.parse('2026-11-24T06:00:00Z');
const peer: Peer = {
  fetch,
  clock: { nowMs: () => nowMs, monotonicMs: () => 0, sleep: async () => {} },
  scrub: (text) => text.replaceAll('SECRET', '[redacted]').replaceAll('sec\u0001ret', '[redacted]'),
  name: 'the container nodes API',
  settings: 'SETTINGS',
  identityHint: 'IDENTITY',
  permissionHint: 'PERMISSION',
  windowMs: 61_000,
};

function classify(status: number, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return classifyAnswer(peer, { status, headers: new Headers(headers), body: text }, nowMs);
}
const gateway = (code: string, message = 'm') => ({
  error_msg: message,
  error_code: code,
  request_id: 'r-1',
});
const html = '<!DOCTYPE html><html><body>Bad Gateway</body></html>';

test('a 304 is not called a redirect', () => {
  expect(classify(304, '').hint).not.toContain('edirect');
  expect(classify(304, '').hint).toContain('cache');
});

// CGS API Reference 2021-12-23, A.1 and A.2; API Gateway error codes.
test.each([
  [200, {}, ProtocolError, 'UNEXPECTED_STATUS'],
  [201, {}, ProtocolError, 'UNEXPECTED_STATUS'],
  [202, {}, TransientError, 'SERVER'],
  [202, '', TransientError, 'SERVER'],
  [202, { task_id: 'x' }, TransientError, 'SERVER'],
  [204, '', TransientError, 'BODY_BROKEN'],
  [300, {}, ProtocolError, 'REDIRECTED'],
  [302, html, ProtocolError, 'REDIRECTED'],
  [304, {}, ProtocolError, 'UNEXPECTED_STATUS'],
  [400, gateway('HSS.0001', 'invalid param error'), ProtocolError, 'REQUEST_REFUSED'],
  [401, gateway('APIGW.0301'), AuthError, 'REFUSED'],
  [401, '', AuthError, 'REFUSED'],
  [401, html, AuthError, 'REFUSED'],
  [403, gateway('APIGW.0302'), AuthError, 'NOT_PERMITTED'],
  [403, {}, AuthError, 'NOT_PERMITTED'],
  [403, gateway('APIGW.0310'), AuthError, 'PROJECT_UNAVAILABLE'],
  [404, gateway('APIGW.0101'), ProtocolError, 'NO_SUCH_API'],
  [404, gateway('APIG.0101'), ProtocolError, 'NO_SUCH_API'],
  [404, {}, ProtocolError, 'NOT_FOUND'],
  [405, {}, ProtocolError, 'REQUEST_REFUSED'],
  [406, {}, ProtocolError, 'REQUEST_REFUSED'],
  [407, '', AuthError, 'PROXY_REFUSED'],
  [408, '', TransientError, 'SERVER'],
  [409, {}, TransientError, 'SERVER'],
  [413, gateway('APIGW.0201'), ProtocolError, 'REQUEST_REFUSED'],
  [429, '', RateLimitedError, 'RATE_LIMITED'],
  [403, gateway('APIGW.0308'), RateLimitedError, 'RATE_LIMITED'],
  [429, gateway('APIG.0308'), RateLimitedError, 'RATE_LIMITED'],
  [500, gateway('HSS.0041', 'Query host extend info error'), TransientError, 'SERVER'],
  [501, {}, ProtocolError, 'NOT_IMPLEMENTED'],
  [501, html, TransientError, 'SERVER'],
  [502, html, TransientError, 'SERVER'],
  [503, gateway('APIGW.0613'), TransientError, 'SERVER'],
  [504, gateway('APIGW.0201'), TransientError, 'SERVER'],
  [520, '', TransientError, 'SERVER'],
] as const)('status %i with %j becomes the right error', (status, body, kind, code) => {
  const error = classify(status, body);
  expect(error).toBeInstanceOf(kind);
  expect(error.code).toBe(code);
  expect(error.hint).not.toBe('');
  expect(error.message).toContain(`the container nodes API answered ${status}`);
});

test('every status of the reference is tested above and has a rule of its own', () => {
  // CGS API Reference 2021-12-23, A.1. Without a rule of its own, a status has the hint of its whole class.
  const statuses = [
    ...[200, 202, 204, 300, 400, 401, 403, 404, 405, 406, 407, 408, 409],
    ...[500, 501, 502, 503, 504],
  ];
  const source = readFileSync(`${import.meta.dirname}/../../lib/api/answers.ts`, 'utf8');
  const rules = [...source.matchAll(/^ {2}(\d{3}): /gm)].map(([, status]) => Number(status));
  expect(statuses.filter((status) => !rules.includes(status))).toEqual([]);
  const test = readFileSync(import.meta.filename, 'utf8');
  expect(statuses.filter((status) => !test.includes(`\n  [${status}, `))).toEqual([]);
});

describe('an error in the body of a 200', () => {
  const stated = (body: unknown) =>
    findStatedError(
      peer,
      { status: 200, headers: new Headers(), body: JSON.stringify(body) },
      body,
      nowMs,
    );
  test.each([
    [gateway('APIGW.0308', 'limit:5,time:1 minute'), RateLimitedError, 'RATE_LIMITED'],
    [gateway('APIG.0301'), AuthError, 'REFUSED'],
    [gateway('APIGW.0303', 'AK access failed to reach the limit'), AuthError, 'KEY_LOCKED'],
    [gateway('APIGW.0302'), AuthError, 'NOT_PERMITTED'],
    [gateway('APIGW.0310'), AuthError, 'PROJECT_UNAVAILABLE'],
    [gateway('APIGW.0101'), ProtocolError, 'NO_SUCH_API'],
    [gateway('APIGW.0201'), ProtocolError, 'REQUEST_REFUSED'],
    [gateway('APIGW.0602'), ProtocolError, 'REQUEST_REFUSED'],
    [gateway('APIGW.0613'), TransientError, 'SERVER'],
    [gateway('HSS.0041'), TransientError, 'SERVER'],
    [gateway('HSS.0001'), ProtocolError, 'REQUEST_REFUSED'],
    [{ error: { code: 401, message: 'm', title: 'Unauthorized' } }, AuthError, 'REFUSED'],
    [{ error: { code: '403', message: 'm' } }, AuthError, 'NOT_PERMITTED'],
    [{ error: { code: 429, message: 'm' } }, RateLimitedError, 'RATE_LIMITED'],
    [{ error: { code: 503, message: 'm' } }, TransientError, 'SERVER'],
    [gateway('HSS.9999'), ProtocolError, 'NOT_A_PAGE'],
    [{ error_msg: 'm' }, ProtocolError, 'NOT_A_PAGE'],
  ])('%j means what its code means', (body, kind, code) => {
    const error = stated(body);
    expect(error).toBeInstanceOf(kind);
    expect(error?.code).toBe(code);
    expect(error?.message).toMatch(/^the container nodes API answered 200/);
    expect(error?.message).toMatch(/"(m|limit:5,time:1 minute|AK access.*)"/);
  });
  test('shows code and message without secrets', () => {
    expect(stated(gateway('HSS.9999', 'key SECRET'))?.message).toBe(
      'the container nodes API answered 200 HSS.9999: "key [redacted]" (request id r-1)',
    );
  });
  test.each([
    [{ total_num: 0 }],
    [{ error_code: null, error_msg: null }],
    [{ error_code: '', error_msg: '' }],
    [{ error_code: 0, error_msg: '' }],
    [[]],
    [null],
  ])('%j states no wait', (body) => {
    expect(stated(body)).toBeNull();
  });
});

test('shows code, message and request id in the form of the gateway and of IAM', () => {
  expect(classify(400, gateway('HSS.0001', 'invalid param error')).message).toBe(
    'the container nodes API answered 400 HSS.0001: "invalid param error" (request id r-1)',
  );
  expect(classify(401, { error: { code: 401, message: 'requires authentication' } }).message).toBe(
    'the container nodes API answered 401 401: "requires authentication"',
  );
  expect(classify(502, html).message).toBe(
    'the container nodes API answered 502 with an HTML page',
  );
});

describe('a rejected identity', () => {
  test('names the permission to grant or the identity to check', () => {
    expect(classify(403, gateway('APIGW.0302')).hint).toBe('PERMISSION');
    expect(classify(401, gateway('APIGW.0301')).hint).toBe('IDENTITY');
    expect(classify(403, gateway('APIGW.0303')).hint).toBe('IDENTITY');
  });
  test('reports a clock that is more than 5 minutes ahead or behind', () => {
    const at = (time: string) => classify(401, gateway('APIGW.0301'), { date: time });
    const behind = at('Tue, 24 Nov 2026 06:17:00 GMT');
    expect(behind.code).toBe('CLOCK_SKEW');
    expect(behind.hint).toMatch(/clock is 17 min behind the server's/);
    expect(at('Tue, 24 Nov 2026 05:40:00 GMT').hint).toMatch(/20 min ahead of/);
    expect(at('Tue, 24 Nov 2026 06:05:00 GMT').hint).toBe('IDENTITY');
    expect(at('nonsense').hint).toBe('IDENTITY');
  });
  test('does not send the user to check the key while the clock is wrong', () => {
    for (const message of ['m', 'verify aksk signature fail', 'err:ak not exist']) {
      const date = 'Wed, 25 Nov 2026 07:00:00 GMT';
      const error = classify(401, gateway('APIGW.0301', message), { date });
      expect(error.code).toBe('CLOCK_SKEW');
      expect(error.hint).toMatch(/^This host's clock is 25 h behind .*correct it/);
      expect(error.hint).not.toMatch(/IDENTITY|key/);
    }
  });
  test.each([
    [
      'Get secretKey failed,ak:AK1,err:ak not exist',
      /^the service does not know the access key: /,
      /^The access key/,
    ],
    [
      'The access key does not exist',
      /^the service does not know the access key: /,
      /^The access key is wrong/,
    ],
    [
      'verify aksk signature fail, canonicalRequest:GET|/v5',
      /^the secret key does not belong to the access key: /,
      /secret key is wrong/,
    ],
  ])('says which of the two keys is wrong: %s', (message, words, hint) => {
    const error = classify(401, gateway('APIGW.0301', message));
    expect(error.code).toBe('REFUSED');
    expect(error.message).toMatch(words);
    expect(error.hint).toMatch(hint);
  });
  test('reports a locked key', () => {
    const message =
      'Incorrect IAM authentication information: AK access failed to reach the limit,forbidden.';
    const error = classify(401, gateway('APIG.0301', message));
    expect(error.code).toBe('KEY_LOCKED');
    expect(error.hint).toMatch(/5 minutes/);
  });
});

describe('a quota of the service that is lower than the configured one', () => {
  const hintOf = (message: string, quotaRequests?: number, windowMs = 2_000) => {
    const answer = {
      status: 429,
      headers: new Headers(),
      body: JSON.stringify(gateway('APIGW.0308', message)),
    };
    return classifyAnswer({ ...peer, windowMs, quotaRequests }, answer, nowMs).hint;
  };

  test('is named beside the configured one, with the setting', () => {
    expect(hintOf('policy user over ratelimits,limit:2,time:3 second', 20)).toBe(
      'Your quota is 20 in 2 s, but the service allows 2 in 3 s: set quota to requests: 2 and windowSeconds: 3.',
    );
    expect(hintOf('limit:5,time:1 minute', 10, 120_000)).toContain('10 in 120 s');
  });

  test.each([
    ['limit:5,time:1 minute', 5, 60_000],
    ['limit:5,time:1 minute', 2, 30_000],
    ['limit:5,time:1 minute', 1, 60_000],
    ['limit:5,time:1 minute', undefined, 60_000],
    ['no figures', 20, 2_000],
    ['time:1 minute', 20, 2_000],
  ])('is not claimed for "%s" and %j requests in %i ms', (message, requests, windowMs) => {
    expect(hintOf(message, requests, windowMs)).toMatch(/^Another client uses the same quota/);
  });
});

describe('the wait after an answer', () => {
  const limit = (message: string, headers: Record<string, string> = {}) =>
    (classify(429, gateway('APIGW.0308', message), headers) as RateLimitedError).retryAfterMs;
  test.each([
    ['policy user over ratelimit,limit:5,time:1 minute', {}, 60_000],
    ['policy ip over ratelimit,limit:100,time:10 second', {}, 10_000],
    ['limit:5,time:2 hours', {}, 7_200_000],
    ['nothing to read', {}, 61_000],
    ['limit:5,time:1 minute', { 'retry-after': '7' }, 7000],
    ['', { 'retry-after': 'Tue, 24 Nov 2026 06:00:30 GMT' }, 30_000],
    // Measured by the server's clock, not by this host's.
    [
      '',
      { 'retry-after': 'Tue, 24 Nov 2026 09:00:30 GMT', date: 'Tue, 24 Nov 2026 09:00:00 GMT' },
      30_000,
    ],
    ['', { 'retry-after': 'Tue, 24 Nov 2026 05:00:00 GMT' }, 0],
    ['', { 'retry-after': '99999999999' }, 86_400_000],
    ['', { 'retry-after': '-5' }, 61_000],
    ['', { 'retry-after': 'soon' }, 61_000],
    ['', { 'retry-after': '0' }, 0],
    ['', { 'x-ratelimit-reset': '30' }, 30_000],
    ['', { 'ratelimit-reset': '30', 'retry-after': '7' }, 7000],
    ['', { 'x-ratelimit-reset': String(nowMs / 1000 + 40) }, 40_000],
    ['', { 'x-ratelimit-reset': String(nowMs + 50_000) }, 50_000],
    ['', { 'x-ratelimit-reset': '-30' }, 61_000],
    ['', { 'x-ratelimit-limit': 'remain:0,limit:5,time:1 minute' }, 60_000],
    ['', { 'x-ratelimit-limit': 'remain:3,limit:5,time:1 hour' }, 61_000],
  ])('for %j and headers %j', (message, headers, expected) => {
    expect(limit(message, headers as Record<string, string>)).toBe(expected);
  });
  test('is read from Retry-After of a 503 too', () => {
    const down = classify(503, '', { 'retry-after': '120' }) as TransientError;
    expect(down.retryAfterMs).toBe(120_000);
    expect((classify(503, '') as TransientError).retryAfterMs).toBeNull();
  });
});

test.each([
  ['900', 900_000, null],
  ['3600', 3_600_000, '60 minutes'],
  ['86399', 86_399_000, '24 hours'],
  ['86400', 86_400_000, 'at least 24 hours'],
  ['99999999999', 86_400_000, 'at least 24 hours'],
])('a wait of %s s is reported if it is longer than a run waits', (asked, waitMs, words) => {
  for (const status of [429, 503]) {
    const error = classify(status, '', { 'retry-after': asked }) as TransientError;
    expect(error.retryAfterMs).toBe(waitMs);
    if (words === null) expect(error.message).not.toContain('asked to wait');
    else expect(error.message).toMatch(new RegExp(` and asked to wait for ${words}$`));
    if (words !== null) expect(error.hint).toContain('at most 15 minutes');
  }
});

describe('quoted text', () => {
  test('has at most 200 characters and no control characters', () => {
    const { message } = classify(400, gateway('X', `a\u0000\u001b[31m\nb${'y'.repeat(1000)}`));
    expect(message).toMatch(/"a\[31mby+…"/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test asserts that there are none
    expect(message).not.toMatch(/[\u0000-\u001f]/);
    expect((/"(.*)"/.exec(message)?.[1] ?? '').length).toBe(200);
  });
  test('contains no secret, not even one that was split by control characters', () => {
    const body = { error_msg: 'SEC\u0000RET SECRET', error_code: 'SECRET', request_id: 'SECRET' };
    expect(classify(400, body).message).toBe(
      'the container nodes API answered 400 [redacted]: "[redacted] [redacted]" (request id [redacted])',
    );
    // This secret itself contains a control character.
    expect(classify(400, gateway('X', 'sec\u0001ret')).message).not.toMatch(/sec/);
    const signature = `Signature=${'a1'.repeat(32)}`;
    expect(classify(400, gateway('X', signature)).message).toContain('"Signature=[redacted]"');
  });
});

describe('bodies', () => {
  test('are rejected if they are not JSON', () => {
    expect(() => parseBody(peer, html)).toThrow(ProtocolError);
    expect(() => parseBody(peer, html)).toThrow(
      'Expected an answer from the container nodes API, but received an HTML page',
    );
    expect(() => parseBody(peer, '{"total_num":1,"data')).toThrow(TransientError);
    expect(() => parseBody(peer, '')).toThrow(/an empty body/);
  });
  test.each([
    [null, 'JSON null'],
    [[], 'a JSON array'],
    ['x', 'JSON string'],
    [{}, 'an empty JSON object'],
    [{ a: 1, SECRET: 2 }, 'a JSON object with the fields a, [redacted]'],
  ])('%j is described by its shape', (value, expected) => {
    expect(describeShape(peer, value)).toBe(expected);
  });
});
