// Tests that requests are signed by the published algorithm; each step is compared separately.

import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeQuery, fingerprintOf, signRequest } from '../../lib/api/sign.ts';
import fixture from '../fixtures/signing-vectors.json' with { type: 'json' };

interface Vector {
  name: string;
  url: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  securityToken?: string;
  canonicalRequest: string;
  stringToSign: string;
  authorization: string;
}
const vectors = fixture.vectors as unknown as Vector[];
const nowMs = Date.parse(fixture.at);

/** Written from the API Signing Guide, independently of the signer: RFC 3986 by bytes. */
function percentEncode(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      const hex = byte.toString(16).toUpperCase().padStart(2, '0');
      return /[A-Za-z0-9\-._~]/.test(character) ? character : `%${hex}`;
    })
    .join('');
}

function compute(vector: Pick<Vector, 'url' | 'query' | 'headers' | 'securityToken'>) {
  const url = new URL(vector.url);
  const date = '20261124T060000Z';
  const headers: [string, string][] = Object.entries({
    ...vector.headers,
    host: url.host,
    'x-sdk-date': date,
    ...(vector.securityToken === undefined ? {} : { 'x-security-token': vector.securityToken }),
  }).map(([name, value]) => [name.toLowerCase(), value.trim()]);
  headers.sort(([a], [b]) => (a < b ? -1 : 1));
  const query = Object.entries(vector.query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .join('&');
  const names = headers.map(([name]) => name).join(';');
  const canonicalRequest = [
    'GET',
    `${url.pathname.split('/').map(percentEncode).join('/')}/`,
    query,
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    createHash('sha256').update('').digest('hex'),
  ].join('\n');
  const hash = createHash('sha256').update(canonicalRequest).digest('hex');
  const stringToSign = `SDK-HMAC-SHA256\n${date}\n${hash}`;
  const signature = createHmac('sha256', fixture.sk).update(stringToSign).digest('hex');
  const authorization = `SDK-HMAC-SHA256 Access=${fixture.ak}, SignedHeaders=${names}, Signature=${signature}`;
  return { canonicalRequest, stringToSign, authorization };
}

function sign(vector: Pick<Vector, 'url' | 'query' | 'headers' | 'securityToken'>) {
  const { url, query, headers, securityToken } = vector;
  return signRequest(
    { url, query, headers },
    {
      kind: 'aksk',
      ak: fixture.ak,
      sk: fixture.sk,
      ...(securityToken === undefined ? {} : { securityToken }),
    },
    nowMs,
  );
}

describe.each(vectors)('$name', (vector) => {
  test('has the published canonical request', () => {
    expect(compute(vector).canonicalRequest).toBe(vector.canonicalRequest);
  });
  test('has the published string to sign', () => {
    expect(compute(vector).stringToSign).toBe(vector.stringToSign);
  });
  test('has the published Authorization header', () => {
    expect(compute(vector).authorization).toBe(vector.authorization);
    expect(sign(vector).Authorization).toBe(vector.authorization);
  });
});

test('signs any query by the algorithm, and encodes it in the URL as it was signed', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('limit', 'offset', 'host_name', 'agent_status', 'A', 'z_9'),
        fc.string({ unit: 'binary' }),
      ),
      (query) => {
        const vector = { url: 'https://cgs.example/v5/p/container/nodes', query, headers: {} };
        const computed = compute(vector);
        expect(sign(vector).Authorization).toBe(computed.authorization);
        const canonicalQuery = computed.canonicalRequest.split('\n')[2] ?? '';
        expect(encodeQuery(query).split('&').sort()).toEqual(canonicalQuery.split('&').sort());
        const url = new URL(`https://cgs.example/?${encodeQuery(query)}`);
        expect(Object.fromEntries(url.searchParams)).toEqual({ ...query });
        // This text is what is sent: URL must not encode it differently.
        expect(url.search.replace(/^\?/, '')).toBe(encodeQuery(query));
      },
    ),
  );
});

test('uses the given time, and leaves the Host header to fetch', () => {
  const headers = signRequest(
    { url: 'https://cgs.example:443/v5', query: {}, headers: {} },
    { kind: 'aksk', ak: 'a', sk: 's' },
    Date.UTC(2031, 0, 2, 3, 4, 5, 999),
  );
  expect(headers['X-Sdk-Date']).toBe('20310102T030405Z');
  expect(Object.keys(headers).map((name) => name.toLowerCase())).not.toContain('host');
  // Default ports are not part of the Host header that fetch sends.
  const plain = signRequest(
    { url: 'https://cgs.example/v5', query: {}, headers: {} },
    { kind: 'aksk', ak: 'a', sk: 's' },
    Date.UTC(2031, 0, 2, 3, 4, 5),
  );
  expect(headers.Authorization).toBe(plain.Authorization);
});

test('a fingerprint is the first 12 hex digits of the sha256', () => {
  expect(fingerprintOf('abc')).toBe('ba7816bf8f01');
});
