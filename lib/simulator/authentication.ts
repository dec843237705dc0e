// Responsible for authentication: access keys and their lock, passwords and tokens. Not responsible for the quota.

import { randomBytes } from 'node:crypto';
import type { GatewayError } from './response-bodies.ts';
import { checkSignature, type ReceivedRequest } from './signature-check.ts';
import type { SimulatorSettings } from './simulator-options.ts';

/** `user`: the gateway counts the quota per user. */
export type AuthenticationResult = { ok: true; user: string } | { ok: false; error: GatewayError };

export type TokenResult =
  | { ok: true; token: string; expiresAtMs: number; issuedAtMs: number }
  | { ok: false; status: 400 | 401; message: string };

export type Authentication = ReturnType<typeof createAuthentication>;

/** Source: API Request Signing Guide, "Common Errors Related to IAM Authentication Information"; read 2026-11-24. */
const failuresMax = 5;
const errorPrefix = 'Incorrect IAM authentication information: ';

export function createAuthentication(settings: SimulatorSettings) {
  const checkKey = createKeyCheck(settings);
  const { checkToken, issueToken, revokeTokens } = createTokens(settings);
  return {
    /** Checks the signature if there is an Authorization header, otherwise X-Auth-Token. */
    authenticate(request: ReceivedRequest): AuthenticationResult {
      if (request.headers.authorization !== undefined) return checkKey(request);
      const token = request.headers['x-auth-token'];
      return token ? checkToken(token) : reject(`${errorPrefix}x-auth-token not found`);
    },
    issueToken,
    revokeTokens,
  };
}

function reject(message: string, code = 'APIGW.0301'): AuthenticationResult {
  return { ok: false, error: { status: 401, code, message } };
}

/** Locks the key for `lockMs` after five failures in a row. */
function createKeyCheck(settings: SimulatorSettings) {
  const { ak, sk, securityToken, clock, lockMs } = settings;
  const findKey = (wanted: string) => (wanted === ak ? { sk, securityToken } : null);
  let failures = 0;
  let lockedUntilMs: number | null = null;
  return (request: ReceivedRequest): AuthenticationResult => {
    const check = checkSignature(request, findKey, settings.serverNowMs());
    const isKnownKey = check.ak !== null;
    if (isKnownKey && lockedUntilMs !== null) {
      // While the key is locked, even a valid signature is rejected. A rejection does not extend the lock.
      if (clock.monotonicMs() < lockedUntilMs) {
        return reject(`${errorPrefix}AK access failed to reach the limit,forbidden.`);
      }
      lockedUntilMs = null;
      failures = 0;
    }
    if (check.ok) {
      failures = 0;
      return { ok: true, user: `ak:${check.ak}` };
    }
    if (isKnownKey) failures += 1;
    if (failures >= failuresMax) lockedUntilMs = clock.monotonicMs() + lockMs;
    return reject(`${errorPrefix}${check.message}`);
  };
}

/** Any part may be missing. */
interface TokenRequest {
  auth?: {
    identity?: { methods?: unknown; password?: { user?: TokenRequestUser | null } };
    scope?: { project?: { id?: unknown; name?: unknown } };
  };
}
interface TokenRequestUser {
  name?: unknown;
  password?: unknown;
  domain?: { name?: unknown };
}

function createTokens(settings: SimulatorSettings) {
  const tokens = new Map<string, { expiresAtMs: number; isRevoked: boolean }>();
  return {
    checkToken(token: string): AuthenticationResult {
      const known = tokens.get(token);
      if (!known) return reject(`${errorPrefix}decrypt token fail`);
      if (known.isRevoked) return reject('The token must be updated.', 'APIGW.0307');
      if (known.expiresAtMs <= settings.serverNowMs()) {
        const expiresAt = new Date(known.expiresAtMs).toISOString();
        return reject(`${errorPrefix}token expires, expires_at: ${expiresAt}`);
      }
      return { ok: true, user: `user:${settings.iamUser}` };
    },

    /** `body`: the parsed request body of POST /v3/auth/tokens, not validated. */
    issueToken(body: unknown): TokenResult {
      const { identity, scope } = (body as TokenRequest | null)?.auth ?? {};
      const { methods, password } = identity ?? {};
      const user = password?.user;
      if (!Array.isArray(methods) || !methods.includes('password') || user === undefined) {
        return { ok: false, status: 400, message: 'Only the password method is simulated.' };
      }
      const isUser =
        user?.name === settings.iamUser &&
        user.password === settings.iamPassword &&
        user.domain?.name === settings.iamDomain;
      if (!isUser) return { ok: false, status: 401, message: 'The username or password is wrong.' };
      const { id, name } = scope?.project ?? {};
      const isProject = id === undefined ? name === settings.region : id === settings.projectId;
      // Assumed: as in Keystone, the answer is the same for a project without permission and for an unknown one.
      if (!isProject) return { ok: false, status: 401, message: 'The project cannot be accessed.' };
      const issuedAtMs = settings.serverNowMs();
      const expiresAtMs = issuedAtMs + settings.tokenSeconds * 1_000;
      // About as long as a real token, so that a client meets the real header size.
      const token = `MII${randomBytes(1_536).toString('base64')}`;
      tokens.set(token, { expiresAtMs, isRevoked: false });
      return { ok: true, token, expiresAtMs, issuedAtMs };
    },

    /** Every token issued so far is rejected with APIGW.0307 from now on. */
    revokeTokens() {
      for (const token of tokens.values()) token.isRevoked = true;
    },
  };
}
