// Responsible for IAM: checks keys and tokens, locks a key after failures, and answers the routes for projects and tokens.

import { randomBytes } from 'node:crypto';
import type { Exchange } from './http-transport.ts';
import {
  buildGatewayError,
  buildJson,
  type GatewayError,
  type ResponseContent,
} from './response-bodies.ts';
import { checkSignature, type ReceivedRequest } from './signature-check.ts';
import type { Identity, SimulatorSettings } from './simulator-options.ts';

/** `user`: the gateway counts the quota per user. */
export type AuthenticationResult = { ok: true; user: string } | { ok: false; error: GatewayError };
export type Authenticate = (request: ReceivedRequest) => AuthenticationResult;

/** Source: API Request Signing Guide, "Common Errors Related to IAM Authentication Information"; read 2026-11-24. */
const failuresMax = 5;
const lockMs = 5 * 60_000;
const tokenMs = 24 * 3_600_000;

export function createIamEndpoint(settings: SimulatorSettings) {
  const { clock } = settings;
  const checkKey = createKeyCheck(settings);
  /** When each issued token expires, milliseconds since the epoch. */
  const expiryByToken = new Map<string, number>();

  /** Checks the signature if there is an Authorization header, otherwise X-Auth-Token. */
  const authenticate: Authenticate = (request) => {
    if (request.headers.authorization !== undefined) return checkKey(request);
    const token = request.headers['x-auth-token'];
    if (!token) return reject('x-auth-token not found');
    const expiresAtMs = expiryByToken.get(token);
    if (expiresAtMs === undefined) return reject('decrypt token fail');
    if (expiresAtMs <= clock.nowMs()) {
      return reject(`token expires, expires_at: ${new Date(expiresAtMs).toISOString()}`);
    }
    return { ok: true, user: `user:${settings.iamUser}` };
  };

  function answerTokenRequest(body: Uint8Array): ResponseContent {
    const rejection = findTokenRejection(settings, body);
    if (rejection) return buildKeystoneError(...rejection);
    const expiresAtMs = clock.nowMs() + tokenMs;
    // About as long as a real token, so that a client meets the real header size.
    const token = `MII${randomBytes(1_536).toString('base64')}`;
    expiryByToken.set(token, expiresAtMs);
    const description = describeToken(settings, expiresAtMs);
    return buildJson(201, JSON.stringify({ token: description }), { 'X-Subject-Token': token });
  }

  /** Every route except the two is answered with 404. */
  function answer({ received, url, requestId }: Exchange): ResponseContent {
    const route = `${received.method} ${url.pathname.replace(/\/$/, '')}`;
    if (route === 'GET /v3/projects') {
      const result = authenticate(received);
      return result.ok ? buildProjects(settings, url) : buildGatewayError(result.error, requestId);
    }
    if (route === 'POST /v3/auth/tokens') return answerTokenRequest(received.body);
    const message = 'The API does not exist or has not been published in the environment.';
    return buildGatewayError({ status: 404, code: 'APIGW.0101', message }, requestId);
  }

  return { authenticate, answer };
}

function reject(reason: string): AuthenticationResult {
  const message = `Incorrect IAM authentication information: ${reason}`;
  return { ok: false, error: { status: 401, code: 'APIGW.0301', message } };
}

/** Locks the key for `lockMs` after five failures in a row. */
function createKeyCheck(settings: SimulatorSettings): Authenticate {
  const { clock } = settings;
  let failures = 0;
  let lockedUntilMs: number | null = null;
  return (request) => {
    const check = checkSignature(request, settings, clock.nowMs());
    const isKnownKey = check.ak !== null;
    if (isKnownKey && lockedUntilMs !== null) {
      // While the key is locked, even a valid signature is rejected. A rejection does not extend the lock.
      if (clock.monotonicMs() < lockedUntilMs) {
        return reject('AK access failed to reach the limit,forbidden.');
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
    return reject(check.message);
  };
}

/** IAM's error form, which comes from Keystone. */
function buildKeystoneError(status: 400 | 401, message: string): ResponseContent {
  const title = status === 401 ? 'Unauthorized' : 'Bad Request';
  return buildJson(status, JSON.stringify({ error: { code: status, message, title } }));
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

/** The status and the message of the error; null if the request is valid. */
function findTokenRejection(
  identity: Identity,
  body: Uint8Array,
): [status: 400 | 401, message: string] | null {
  let request: TokenRequest | null;
  try {
    request = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return [400, 'The request body is not JSON.'];
  }
  const { methods, password } = request?.auth?.identity ?? {};
  const user = password?.user;
  if (!Array.isArray(methods) || !methods.includes('password') || user === undefined) {
    return [400, 'Only the password method is simulated.'];
  }
  const isUser =
    user?.name === identity.iamUser &&
    user.password === identity.iamPassword &&
    user.domain?.name === identity.iamDomain;
  if (!isUser) return [401, 'The username or password is wrong.'];
  const { id, name } = request?.auth?.scope?.project ?? {};
  const isProject = id === undefined ? name === identity.region : id === identity.projectId;
  // Assumed: as in Keystone, the answer is the same for a project without permission and for an unknown one.
  return isProject ? null : [401, 'The project cannot be accessed.'];
}

function describeToken(identity: Identity, expiresAtMs: number) {
  // Keystone writes microseconds.
  const formatTime = (timeMs: number) => new Date(timeMs).toISOString().replace('Z', '000Z');
  const domain = { id: domainIdOf(identity), name: identity.iamDomain };
  return {
    expires_at: formatTime(expiresAtMs),
    issued_at: formatTime(expiresAtMs - tokenMs),
    methods: ['password'],
    catalog: [],
    roles: [],
    project: { id: identity.projectId, name: identity.region, domain },
    user: { id: 'd1'.padEnd(32, '0'), name: identity.iamUser, domain },
  };
}

/** Source of the shape: the API reference of 2021-12-23, section A.3; read 2026-11-24. */
function buildProjects(identity: Identity, url: URL): ResponseContent {
  const name = url.searchParams.get('name');
  const self = `${url.origin}/v3/projects`;
  const project = {
    domain_id: domainIdOf(identity),
    is_domain: false,
    parent_id: domainIdOf(identity),
    name: identity.region,
    description: '',
    links: { next: null, previous: null, self: `${self}/${identity.projectId}` },
    id: identity.projectId,
    enabled: true,
  };
  const projects = name === null || name === identity.region ? [project] : [];
  const links = { next: null, previous: null, self };
  return buildJson(200, JSON.stringify({ projects, links }));
}

function domainIdOf({ projectId }: Identity): string {
  return `d0${projectId.slice(2)}`;
}
