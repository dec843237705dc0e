// Responsible for checking SDK-HMAC-SHA256 signatures. Written from the specification, without the vendor's signer or
// lib/api/sign.ts: shared code would accept its own mistakes.
// Source: API Request Signing Guide (Huawei Cloud), "AK/SK Signing and Authentication Algorithm"; read 2026-11-24.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A request as received. */
export interface ReceivedRequest {
  method: string;
  /** Path and query, URI-encoded. */
  target: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** The gateway rejects a date that differs more than this from its own clock. */
const skewMaxMs = 15 * 60 * 1_000;

function hashHex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Null: the header has another form, or the names are not lower-case, sorted and unique. */
export function parseAuthorization(header: string) {
  const pattern =
    /^SDK-HMAC-SHA256 Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/;
  const [, ak, names, signature] = pattern.exec(header) ?? [];
  if (!ak || !names || !signature) return null;
  const signedHeaders = names.split(';');
  const isOrdered = signedHeaders.every(
    (name, index) =>
      name === name.toLowerCase() && (index === 0 || (signedHeaders[index - 1] as string) < name),
  );
  return isOrdered ? { ak, signedHeaders, signature } : null;
}

/** RFC 3986: everything except letters, digits and `-._~` becomes an upper-case %XX of its UTF-8 bytes. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function buildCanonicalUri(path: string): string {
  const uri = path
    .split('/')
    .map((segment) => encodeStrictly(decodeURIComponent(segment)))
    .join('/');
  return uri.endsWith('/') ? uri : `${uri}/`;
}

/** Splits at the first `mark`. Without it, `after` is empty. */
function splitOnce(text: string, mark: string): [before: string, after: string] {
  const [before = '', ...after] = text.split(mark);
  return [before, after.join(mark)];
}

/** Sorted before encoding, by name, then by value. A name without a value becomes `name=`. */
function buildCanonicalQuery(query: string): string {
  const parts = query.split('&').filter((part) => part !== '');
  const pairs = parts.map((part) => {
    const [name, value] = splitOnce(part.replaceAll('+', ' '), '=');
    return [decodeURIComponent(name), decodeURIComponent(value)] as const;
  });
  pairs.sort((a, b) => compareText(a[0], b[0]) || compareText(a[1], b[1]));
  return pairs.map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`).join('&');
}

/** Throws URIError if the path or the query cannot be decoded. */
export function buildCanonicalRequest(
  request: ReceivedRequest,
  signedHeaders: readonly string[],
): string {
  const [path, query] = splitOnce(request.target, '?');
  const headerLines = signedHeaders.map(
    (name) => `${name}:${(request.headers[name] ?? '').trim()}\n`,
  );
  return [
    request.method.toUpperCase(),
    buildCanonicalUri(path),
    buildCanonicalQuery(query),
    headerLines.join(''),
    signedHeaders.join(';'),
    // Hashes the real body. X-Sdk-Content-Sha256 is not trusted.
    hashHex(request.body),
  ].join('\n');
}

/** `20261124T060000Z` as milliseconds since the epoch. Null: the text has another form or is not a real time. */
export function parseSdkDate(text: string): number | null {
  const form = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
  if (!form.test(text)) return null;
  const timeMs = Date.parse(text.replace(form, '$1-$2-$3T$4:$5:$6Z'));
  return Number.isNaN(timeMs) ? null : timeMs;
}

export interface AccessKey {
  ak: string;
  sk: string;
  /** Not null: a temporary key, which needs this token in a signed X-Security-Token header. */
  securityToken: string | null;
}

/** `ak` of a failure: the key for which the failure counts; null if the key is unknown. */
export type SignatureCheck =
  | { ok: true; ak: string }
  | { ok: false; ak: string | null; message: string };

/** `key`: the only known key. `nowMs`: the server's wall clock, milliseconds since the epoch. */
export function checkSignature(
  request: ReceivedRequest,
  key: AccessKey,
  nowMs: number,
): SignatureCheck {
  const authorization = parseAuthorization(request.headers.authorization ?? '');
  if (!authorization) return { ok: false, ak: null, message: 'Authorization is malformed' };
  const { ak, signedHeaders, signature } = authorization;
  if (ak !== key.ak) {
    return { ok: false, ak: null, message: `Get secretKey failed,ak:${ak},err:ak not exist` };
  }
  // Assumed: the text of every error, except those for an unknown key and a wrong signature.
  const fail = (message: string): SignatureCheck => ({ ok: false, ak, message });
  const date = request.headers['x-sdk-date'];
  if (date === undefined || !signedHeaders.includes('x-sdk-date')) {
    return fail('x-sdk-date not found or not signed');
  }
  const dateMs = parseSdkDate(date);
  if (dateMs === null) return fail('x-sdk-date is not in the form YYYYMMDDTHHMMSSZ');
  if (Math.abs(nowMs - dateMs) > skewMaxMs) {
    return fail('x-sdk-date is more than 15 minutes from the time of the gateway');
  }
  if (!signedHeaders.includes('host')) return fail('host is not signed');
  const absent = signedHeaders.find((name) => request.headers[name] === undefined);
  if (absent !== undefined) return fail(`signed header ${absent} not found`);
  if (key.securityToken !== null) {
    const isSigned = signedHeaders.includes('x-security-token');
    if (!isSigned || request.headers['x-security-token'] !== key.securityToken) {
      return fail('x-security-token not found, not signed or not valid');
    }
  }
  let canonicalRequest: string;
  try {
    canonicalRequest = buildCanonicalRequest(request, signedHeaders);
  } catch {
    return fail('path or query cannot be decoded');
  }
  const stringToSign = `SDK-HMAC-SHA256\n${date}\n${hashHex(canonicalRequest)}`;
  const expected = createHmac('sha256', key.sk).update(stringToSign).digest('hex');
  if (timingSafeEqual(Buffer.from(expected), Buffer.from(signature))) return { ok: true, ak };
  // The real gateway returns the canonical request with "|" for line breaks. It contains the signed headers, also
  // X-Security-Token. Source: huaweicloud-sdk-nodejs-v3 issue 2, read 2026-11-24.
  const shown = canonicalRequest.replaceAll('\n', '|');
  return fail(`verify aksk signature fail, canonicalRequest:${shown}`);
}
