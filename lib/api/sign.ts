// Owns how a request proves who sends it: credentials, the AK/SK signature, the query's one spelling. Refuses to send.

import { createHash } from 'node:crypto';
import { AKSKSigner } from '@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js';
import type { ICredential } from '@huaweicloud/huaweicloud-sdk-core/auth/ICredential.js';
import type { KeyCredentials } from '../core/ports.ts';

export interface Token {
  token: string;
  expiresAtMs: number;
  /** The project the token is for; null if IAM did not say. */
  projectId: string | null;
}

export interface TokenCredentials {
  kind: 'token';
  /** Cached; asks IAM only when there is no token that will last. Throws what IAM's answer was. */
  getToken(): Promise<Token>;
  /** Forgets this token, and only this one: a newer one, got meanwhile, stays. */
  invalidate(token: string): void;
}

export type Credentials = KeyCredentials | TokenCredentials;

/** Asked anew for every try, so that an agency's keys are never stale. */
export type CredentialsProvider = () => Promise<Credentials>;

export interface UnsignedRequest {
  method: 'GET';
  /** Absolute, without a query. */
  url: string;
  query: Readonly<Record<string, string>>;
  headers: Readonly<Record<string, string>>;
}

/** `name=value&...`, spelled as the signature spells it: RFC 3986, a space is %20. '' for no pairs. */
export function encodeQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`)
    .join('&');
}

/** RFC 3986: only letters, digits and `-._~` stay. */
function encodePart(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * The headers to send, Authorization included; every one given is signed, and so must not be changed on the way.
 * `nowMs` becomes X-Sdk-Date; the gateway refuses more than 15 minutes of difference.
 * Source: Huawei Cloud, API Signing Guide, "AK/SK Signing and Authentication Algorithm", read 2026-11-24.
 */
export function signRequest(
  request: UnsignedRequest,
  credentials: KeyCredentials,
  nowMs: number,
): Record<string, string> {
  const url = new URL(request.url);
  const headers: Record<string, string> = {
    ...request.headers,
    // The signer reads the clock only if this is missing.
    'X-Sdk-Date': formatSdkDate(nowMs),
  };
  if (credentials.securityToken !== undefined) {
    headers['X-Security-Token'] = credentials.securityToken;
  }
  // Not the whole ICredential: the signer asks for these two only.
  const key = { getAk: () => credentials.ak, getSk: () => credentials.sk };
  const signed: Record<string, string> = AKSKSigner.sign(
    {
      method: request.method,
      // Through URL, because fetch leaves a default port out of the Host header, and that is signed.
      endpoint: `${url.origin}${url.pathname}`,
      queryParams: { ...request.query },
      headers,
    },
    key as unknown as ICredential,
  );
  // Signed, but fetch writes it itself, from the same URL.
  delete signed.host;
  return signed;
}

function formatSdkDate(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** Names an identity where its name must not be seen: ledger marks and holds. Twelve hex digits. */
export function fingerprintOf(identity: string): string {
  return createHash('sha256').update(identity).digest('hex').slice(0, 12);
}
