// Responsible for checking signatures in the test doubles. Written from the published algorithm, without code of lib/ or
// the vendor, because shared code would accept its own mistakes.
// Source: API Request Signing Guide (Huawei Cloud), "AK/SK Signing and Authentication Algorithm", read 2026-11-24.

import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SignedRequest {
  method: string;
  /** As received: from the root, with the query. */
  url: string;
  headers: IncomingHttpHeaders;
  body: string | Buffer;
}

export interface Key {
  ak: string;
  sk: string;
  /** Null: a permanent key. */
  securityToken: string | null;
}

/** Why the request is rejected; null if the signature is valid. `nowMs`: the server's wall clock. */
export function findSignatureFault(request: SignedRequest, key: Key, nowMs: number): string | null {
  const header = (name: string) => String(request.headers[name] ?? '');
  const pattern =
    /^SDK-HMAC-SHA256 Access=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
  const [, ak, names = '', signature] = pattern.exec(header('authorization')) ?? [];
  if (ak === undefined) return 'no signature';
  if (ak !== key.ak) return 'unknown access key';
  const date = header('x-sdk-date');
  const iso = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  if (!(Math.abs(Date.parse(iso) - nowMs) <= 15 * 60_000)) return 'expired';
  const signed = names.split(';');
  const needed = ['host', 'x-sdk-date', ...(key.securityToken === null ? [] : [tokenHeader])];
  const unsigned = needed.find((name) => !signed.includes(name));
  if (unsigned !== undefined) return `${unsigned} is not signed`;
  if ((request.headers[tokenHeader] ?? null) !== key.securityToken) return 'wrong token';
  const toSign = `SDK-HMAC-SHA256\n${date}\n${sha256(canonicalize(request, signed))}`;
  const expected = createHmac('sha256', key.sk).update(toSign).digest('hex');
  return signature === expected ? null : 'verify aksk signature fail: the signature does not match';
}

const tokenHeader = 'x-security-token';

function canonicalize({ method, url, headers, body }: SignedRequest, names: string[]): string {
  const { pathname, searchParams } = new URL(url, 'http://double');
  const segments = pathname.split('/').map((part) => escapeAll(decodeURIComponent(part)));
  const query = [...searchParams]
    .map(([name, value]) => [escapeAll(name), escapeAll(value)] as const)
    .sort(([a, b], [c, d]) => (a === c ? (b < d ? -1 : 1) : a < c ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  return [
    method,
    `${segments.join('/')}/`.replace(/\/+$/, '/'),
    query.join('&'),
    ...names.map((name) => `${name}:${String(headers[name] ?? '').trim()}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n');
}

/** Encodes everything except the unreserved characters of RFC 3986. */
export function escapeAll(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
