// Responsible for proving who sends a request: credentials, the AK/SK signature, and the encoding of a query.

import { createHash } from 'node:crypto';
import { AKSKSigner } from '@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js';
import type { ICredential } from '@huaweicloud/huaweicloud-sdk-core/auth/ICredential.js';
import type { KeyCredentials } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';

export interface Token {
  token: string;
  expiresAtMs: number;
  /** The project that the token is valid for; null if IAM did not name one. */
  projectId: string | null;
}

export interface TokenCredentials {
  kind: 'token';
  /** Cached: asks IAM only if there is no token that is valid for long enough. Throws the error of IAM's answer. */
  getToken(): Promise<Token>;
  /** Forgets this token. A newer token that was obtained in the meantime is kept. */
  invalidate(token: string): void;
}

export type Credentials = KeyCredentials | TokenCredentials;

/** Called for every try, because the platform renews the keys of an agency. */
export type CredentialsProvider = () => Promise<Credentials>;

/** Texts by name. */
type Texts = Readonly<Record<string, string>>;

/** `name=value&...`, encoded as the signature requires (RFC 3986, a space is %20); '' for no pairs. */
export function encodeQuery(query: Texts): string {
  return Object.entries(query)
    .map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`)
    .join('&');
}

/** RFC 3986: everything but letters, digits and `-._~` is escaped. */
function encodePart(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * The headers of a GET, or of a POST if there is a body, with Authorization. All given headers are signed, so they must not change afterwards. `url`:
 * absolute, without a query.
 * `nowMs` becomes X-Sdk-Date. The gateway rejects a difference of more than 15 minutes.
 * Source: Huawei Cloud, API Signing Guide, "AK/SK Signing and Authentication Algorithm", read 2026-11-24.
 */
export function signRequest(
  request: { url: string; query: Texts; headers: Texts; body?: string },
  credentials: KeyCredentials,
  nowMs: number,
): Record<string, string> {
  const url = new URL(request.url);
  const headers: Record<string, string> = {
    ...request.headers,
    // With this header the signer does not read the clock itself.
    'X-Sdk-Date': `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`,
  };
  if (credentials.securityToken !== undefined) {
    headers['X-Security-Token'] = credentials.securityToken;
  }
  // The signer would hash the JSON of a text. With this header it takes the hash from here.
  if (request.body !== undefined) headers['X-Sdk-Content-Sha256'] = sha256(request.body);
  // Only a part of ICredential: the signer calls only these two methods.
  const key = { getAk: () => credentials.ak, getSk: () => credentials.sk };
  const signed: Record<string, string> = AKSKSigner.sign(
    {
      method: request.body === undefined ? 'GET' : 'POST',
      // From URL, which removes a default port as fetch does: the Host header is signed too.
      endpoint: `${url.origin}${url.pathname}`,
      queryParams: { ...request.query },
      headers,
    },
    key as unknown as ICredential,
  );
  // Signed, but fetch writes this header itself, from the same URL.
  delete signed.host;
  return signed;
}

/** Twelve hex digits that replace an identity in stored state, where the identity itself must not appear. */
export function fingerprintOf(identity: string): string {
  return createHash('sha256').update(identity).digest('hex').slice(0, 12);
}
