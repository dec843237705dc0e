// Tests that the signature check accepts what the vendor's signer produces and rejects any later change.
// Method: sign with the vendor's code and build the URL with the WHATWG URL class, as fetch does.

import { AKSKSigner } from '@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildCanonicalRequest,
  checkSignature,
  parseAuthorization,
  parseSdkDate,
  type ReceivedRequest,
} from '../../lib/simulator/signature-check.ts';

const ak = 'TESTACCESSKEY0000000';
const sk = 'test-secret';
const nowMs = Date.UTC(2026, 10, 24, 6, 0, 0);
const date = '20261124T060000Z';
const origin = 'http://127.0.0.1:8080';

interface Unsigned {
  method?: string;
  path?: string;
  query?: Record<string, string | string[]>;
  headers?: Record<string, string>;
  data?: unknown;
}

/** The request that a server receives from a client that signs with the vendor's code and sends with fetch. */
function signWithVendor(unsigned: Unsigned, secret = sk): ReceivedRequest {
  const { method = 'GET', path = '/v5/p/container/nodes', query = {}, data } = unsigned;
  const url = new URL(origin + path);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, one);
  }
  const signed = AKSKSigner.sign(
    {
      method,
      endpoint: origin + path,
      queryParams: query,
      headers: { 'X-Sdk-Date': date, ...unsigned.headers },
      ...(data === undefined ? {} : { data }),
    } as never,
    { getAk: () => ak, getSk: () => secret } as never,
  ) as Record<string, string>;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(signed)) headers[name.toLowerCase()] = String(value);
  const body = Buffer.from(data === undefined ? '' : JSON.stringify(data));
  return { method, target: url.pathname + url.search, headers, body };
}

function check(request: ReceivedRequest, securityToken: string | null = null, atMs = nowMs) {
  return checkSignature(request, { ak, sk, securityToken }, atMs);
}

describe('requests signed by the vendor code', () => {
  test('builds the same canonical request for a plain GET', () => {
    const request = signWithVendor({ query: { offset: '0', limit: '200' } });
    expect(request.headers.authorization).toContain('SignedHeaders=host;x-sdk-date,');
    expect(buildCanonicalRequest(request, ['host', 'x-sdk-date'])).toBe(
      [
        'GET',
        '/v5/p/container/nodes/',
        'limit=200&offset=0',
        'host:127.0.0.1:8080',
        `x-sdk-date:${date}`,
        '',
        'host;x-sdk-date',
        'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      ].join('\n'),
    );
    expect(check(request)).toEqual({ ok: true, ak });
  });

  test.each<[string, Unsigned]>([
    ['an empty value', { query: { host_name: '' } }],
    ['a space, a plus and a percent', { query: { host_name: 'a b+c%20d' } }],
    ['sub-delimiters', { query: { host_name: "!'()*;:@&=$,/?#[]~-._" } }],
    ['Chinese, full-width and an emoji', { query: { host_name: '节点ｗｅｂ🐳' } }],
    ['one name with several values', { query: { a: ['z', 'b', ''], B: 'x' } }],
    [
      'many headers',
      { headers: { 'X-Project-Id': 'p', 'Content-Type': 'application/json', region: 'r' } },
    ],
    ['a body', { method: 'POST', path: '/v3/auth/tokens', data: { auth: { 名: '值' } } }],
    ['a path of other scripts', { path: '/v5/项目/nodes' }],
    ['the root', { path: '/' }],
  ])('accepts %s', (_name, unsigned) => {
    expect(check(signWithVendor(unsigned))).toEqual({ ok: true, ak });
  });

  test('accepts any query and any header value, and rejects another secret', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 });
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,8}$/);
    const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 }))),
        fc.dictionary(fc.stringMatching(/^x-[a-z]{1,8}$/), value),
        (query, headers) => {
          expect(check(signWithVendor({ query, headers }))).toEqual({ ok: true, ak });
          expect(check(signWithVendor({ query, headers }, 'other'))).toMatchObject({
            ok: false,
            ak,
          });
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('rejects', () => {
  const signed = () =>
    signWithVendor({ query: { limit: '200' }, headers: { 'X-Security-Token': 'T' } });

  test('a signed request with any part changed', () => {
    const request = signed();
    expect(check(request)).toEqual({ ok: true, ak });
    const changed: ReceivedRequest[] = [
      { ...request, method: 'POST' },
      { ...request, target: request.target.replace('200', '100') },
      { ...request, target: request.target.replace('/p/', '/q/') },
      { ...request, target: `${request.target}&offset=0` },
      { ...request, body: Buffer.from('{}') },
      { ...request, headers: { ...request.headers, host: '127.0.0.1:1' } },
      { ...request, headers: { ...request.headers, 'x-sdk-date': '20261124T060001Z' } },
      { ...request, headers: { ...request.headers, 'x-security-token': 'U' } },
    ];
    for (const other of changed) {
      expect(check(other)).toMatchObject({
        ok: false,
        ak,
        message: expect.stringContaining('verify aksk signature fail, canonicalRequest:'),
      });
    }
  });

  test('a body that does not match X-Sdk-Content-Sha256', () => {
    const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    const request = signWithVendor({ headers: { 'X-Sdk-Content-Sha256': emptyHash } });
    expect(check(request)).toEqual({ ok: true, ak });
    expect(check({ ...request, body: Buffer.from('{}') })).toMatchObject({ ok: false });
  });

  test('an unknown key, without naming a key to count the failure for', () => {
    const request = signed();
    const authorization = request.headers.authorization?.replace(ak, 'OTHER') ?? '';
    expect(check({ ...request, headers: { ...request.headers, authorization } })).toEqual({
      ok: false,
      ak: null,
      message: 'Get secretKey failed,ak:OTHER,err:ak not exist',
    });
  });

  test.each([
    ['host', 'host is not signed'],
    ['x-sdk-date', 'x-sdk-date not found or not signed'],
  ])('a request that does not sign %s', (name, message) => {
    const request = signed();
    const authorization = (request.headers.authorization ?? '').replace(
      /SignedHeaders=[^,]+/,
      (names) =>
        `SignedHeaders=${names
          .slice('SignedHeaders='.length)
          .split(';')
          .filter((one) => one !== name)
          .join(';')}`,
    );
    const other = { ...request, headers: { ...request.headers, authorization } };
    expect(check(other)).toEqual({ ok: false, ak, message });
  });

  test('a missing or malformed date, and a missing signed header', () => {
    const request = signed();
    const { 'x-sdk-date': _date, ...dateless } = request.headers;
    expect(check({ ...request, headers: dateless })).toMatchObject({ ok: false, ak });
    const odd = { ...request.headers, 'x-sdk-date': 'Tue, 24 Nov 2026 06:00:00 GMT' };
    expect(check({ ...request, headers: odd })).toMatchObject({
      message: 'x-sdk-date is not in the form YYYYMMDDTHHMMSSZ',
    });
    const { 'x-security-token': _token, ...tokenless } = request.headers;
    expect(check({ ...request, headers: tokenless })).toMatchObject({
      message: 'signed header x-security-token not found',
    });
  });

  test('a date more than 15 minutes before or after the server clock, but not exactly 15', () => {
    const request = signed();
    const skewMs = 15 * 60_000;
    for (const sign of [1, -1]) {
      expect(check(request, null, nowMs + sign * skewMs)).toEqual({ ok: true, ak });
      expect(check(request, null, nowMs + sign * (skewMs + 1))).toMatchObject({
        ok: false,
        ak,
        message: 'x-sdk-date is more than 15 minutes from the time of the gateway',
      });
    }
  });

  test('a temporary key with a token that is missing, different or not signed', () => {
    expect(check(signed(), 'T')).toEqual({ ok: true, ak });
    expect(check(signed(), 'other')).toMatchObject({ ok: false, ak });
    const unsigned = signWithVendor({});
    expect(check(unsigned, 'T')).toMatchObject({ ok: false, ak });
    const added = { ...unsigned, headers: { ...unsigned.headers, 'x-security-token': 'T' } };
    expect(check(added, 'T')).toMatchObject({
      ok: false,
      message: 'x-security-token not found, not signed or not valid',
    });
  });

  test('a query that cannot be decoded', () => {
    const request = signed();
    expect(check({ ...request, target: '/v5/p/container/nodes?limit=%E4%ZZ' })).toMatchObject({
      message: 'path or query cannot be decoded',
    });
  });
});

test('parseAuthorization accepts only lower-case, sorted and unique header names', () => {
  const write = (names: string) =>
    parseAuthorization(
      `SDK-HMAC-SHA256 Access=A, SignedHeaders=${names}, Signature=${'0'.repeat(64)}`,
    );
  expect(write('host;x-sdk-date')).toMatchObject({
    ak: 'A',
    signedHeaders: ['host', 'x-sdk-date'],
  });
  for (const names of ['x-sdk-date;host', 'Host;x-sdk-date', 'host;host', '']) {
    expect(write(names)).toBeNull();
  }
  expect(parseAuthorization('AWS4-HMAC-SHA256 Credential=A')).toBeNull();
});

test('parseSdkDate returns null for a time that does not exist', () => {
  expect(parseSdkDate(date)).toBe(nowMs);
  for (const text of ['20261324T060000Z', '20261124T250000Z', '2026-11-24T06:00:00Z', '']) {
    expect(parseSdkDate(text)).toBeNull();
  }
});
