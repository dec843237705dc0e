// Owns who may come in: the access key and its lock, passwords, tokens. Refuses quotas, and to put a secret into any log.

import { randomBytes } from 'node:crypto';
import { type AccessKey, checkSignature, type WireRequest } from './signature.ts';

export interface AccessOptions {
  ak: string;
  key: AccessKey;
  iamUser: string;
  iamPassword: string;
  iamDomain: string;
  /** The one project: its name is the region's. */
  region: string;
  projectId: string;
  /** A token's life, seconds. */
  tokenSeconds: number;
  /** How long a key stays locked after five failures in a row, milliseconds. */
  lockMs: number;
  /** The server's wall clock, milliseconds since the epoch. */
  nowMs: () => number;
  monotonicMs: () => number;
}

/** `user` names whose quota counts. A refusal is 401; `message` and `code` are the gateway's. */
export type Admission = { ok: true; user: string } | { ok: false; code: string; message: string };

export type TokenAnswer =
  | { ok: true; token: string; expiresAtMs: number; issuedAtMs: number }
  | { ok: false; status: 400 | 401; message: string };

/** Source: API Request Signing Guide, "Common Errors Related to IAM Authentication Information"; read 2026-11-24. */
const failuresMax = 5;
const iamError = 'Incorrect IAM authentication information: ';

export interface Access {
  authenticate(request: WireRequest): Admission;
  /** `body` is the parsed request of POST /v3/auth/tokens. */
  issueToken(body: unknown): TokenAnswer;
  /** Tokens issued so far are refused from now on (APIGW.0307). */
  revokeTokens(): void;
}

export function createAccess(options: AccessOptions): Access {
  const tokens = new Map<string, { expiresAtMs: number; revoked: boolean }>();
  let failures = 0;
  let lockedUntilMs: number | null = null;

  function refuse(message: string, code = 'APIGW.0301'): Admission {
    return { ok: false, code, message };
  }

  function checkToken(token: string): Admission {
    const known = tokens.get(token);
    if (!known) return refuse(`${iamError}decrypt token fail`);
    if (known.revoked) return refuse('The token must be updated.', 'APIGW.0307');
    if (known.expiresAtMs <= options.nowMs()) {
      const expiresAt = new Date(known.expiresAtMs).toISOString();
      return refuse(`${iamError}token expires, expires_at: ${expiresAt}`);
    }
    return { ok: true, user: `user:${options.iamUser}` };
  }

  function checkKey(request: WireRequest): Admission {
    const findKey = (ak: string) => (ak === options.ak ? options.key : null);
    const check = checkSignature(request, findKey, options.nowMs());
    const subject = check.ok || check.ak !== null;
    if (subject && lockedUntilMs !== null) {
      // Even a right signature is refused while the key is locked, and does not prolong the lock.
      if (options.monotonicMs() < lockedUntilMs) {
        return refuse(`${iamError}AK access failed to reach the limit,forbidden.`);
      }
      lockedUntilMs = null;
      failures = 0;
    }
    if (check.ok) {
      failures = 0;
      return { ok: true, user: `ak:${check.ak}` };
    }
    if (subject) failures += 1;
    if (failures >= failuresMax) lockedUntilMs = options.monotonicMs() + options.lockMs;
    return refuse(`${iamError}${check.message}`);
  }

  return {
    authenticate(request) {
      if (request.headers.authorization !== undefined) return checkKey(request);
      const token = request.headers['x-auth-token'];
      return token ? checkToken(token) : refuse(`${iamError}x-auth-token not found`);
    },

    issueToken(body) {
      const user = at(body, 'auth', 'identity', 'password', 'user');
      const methods = at(body, 'auth', 'identity', 'methods');
      const project = at(body, 'auth', 'scope', 'project');
      if (!Array.isArray(methods) || !methods.includes('password') || user === undefined) {
        return { ok: false, status: 400, message: 'Only the password method is simulated.' };
      }
      const isUser =
        at(user, 'name') === options.iamUser &&
        at(user, 'password') === options.iamPassword &&
        at(user, 'domain', 'name') === options.iamDomain;
      if (!isUser) return { ok: false, status: 401, message: 'The username or password is wrong.' };
      const id = at(project, 'id');
      const isProject =
        id === undefined ? at(project, 'name') === options.region : id === options.projectId;
      // Assumed: as in Keystone, a project one may not see and one that does not exist look the same.
      if (!isProject) return { ok: false, status: 401, message: 'The project cannot be accessed.' };
      const issuedAtMs = options.nowMs();
      const expiresAtMs = issuedAtMs + options.tokenSeconds * 1_000;
      // About as long as a real one, so that header limits are met.
      const token = `MII${randomBytes(1_536).toString('base64')}`;
      tokens.set(token, { expiresAtMs, revoked: false });
      return { ok: true, token, expiresAtMs, issuedAtMs };
    },

    revokeTokens() {
      for (const token of tokens.values()) token.revoked = true;
    },
  };
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) {
      return undefined;
    }
    current = (current as Record<string, unknown>)[name];
  }
  return current;
}
