// Responsible for checking signatures in the FunctionGraph double. Written from the published algorithm, without code of
// lib/simulator or the vendor, because shared code would accept its own mistakes.
// Source: API Request Signing Guide (Huawei Cloud), "AK/SK Signing and Authentication Algorithm", read 2026-11-24.

import { createHash, createHmac } from 'node:crypto';

export interface SignedRequest {
  method: string;
  /** As received. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
}

export interface Key {
  ak: string;
  sk: string;
  /** Null: a permanent key. */
  securityToken: string | null;
}

/** Null: the signature is valid. Otherwise the code and message of the gateway's response. */
export function findSignatureFault(
  request: SignedRequest,
  key: Key,
  nowMs: number,
): { code: string; message: string } | null {
  const fault = (message: string) => ({ code: 'APIGW.0301', message });
  const header = (name: string) => String(request.headers[name] ?? '');
  const words = header('authorization').split(/,? /);
  const [scheme, ...parts] = words;
  if (scheme !== 'SDK-HMAC-SHA256') return fault('Incorrect IAM authentication information');
  const given = new Map(
    parts.map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
  );
  if (given.get('Access') !== key.ak) return fault('ak not exist');
  const date = header('x-sdk-date');
  const iso = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  if (!(Math.abs(Date.parse(iso) - nowMs) <= 15 * 60_000)) return fault('date is out of range');
  const names = (given.get('SignedHeaders') ?? '').split(';');
  if (!names.includes('host') || !names.includes('x-sdk-date')) return fault('header not signed');
  if (key.securityToken !== null) {
    if (header('x-security-token') !== key.securityToken) return fault('token is wrong');
    if (!names.includes('x-security-token')) return fault('token is not signed');
  }
  const text = canonicalize(request, names);
  const toSign = `SDK-HMAC-SHA256\n${date}\n${sha256(text)}`;
  const expected = createHmac('sha256', key.sk).update(toSign).digest('hex');
  return given.get('Signature') === expected ? null : fault('verify aksk signature fail');
}

function canonicalize({ method, url, headers, body }: SignedRequest, names: string[]): string {
  const { pathname, searchParams } = new URL(url, 'http://double');
  const path = `${decodeURIComponent(pathname).split('/').map(escapeAll).join('/')}/`;
  const query = [...searchParams]
    .map(([name, value]) => `${escapeAll(name)}=${escapeAll(value)}`)
    .sort()
    .join('&');
  const lines = names.map((name) => `${name}:${String(headers[name] ?? '').trim()}`);
  return [
    method,
    path.replace(/\/+$/, '/'),
    query,
    ...lines,
    '',
    names.join(';'),
    sha256(body),
  ].join('\n');
}

/** Encodes everything except the unreserved characters of RFC 3986. */
function escapeAll(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const sign = String.fromCharCode(byte);
      return /[A-Za-z0-9\-._~]/.test(sign)
        ? sign
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
