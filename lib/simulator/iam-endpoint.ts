// Responsible for IAM: checks keys and tokens, locks a key after failures, and answers the routes for projects and tokens.

import { randomBytes } from 'node:crypto';
import type { Account, Project } from './accounts.ts';
import type { Exchange } from './http-transport.ts';
import {
  buildGatewayError,
  buildJson,
  type GatewayError,
  type ResponseContent,
} from './response-bodies.ts';
import { checkSignature, parseAuthorization, type ReceivedRequest } from './signature-check.ts';
import type { SimulatorSettings } from './simulator-options.ts';

/** `user`: the gateway counts the quota per user. */
export type AuthenticationResult =
  | { ok: true; user: string; account: Account }
  | { ok: false; error: GatewayError };
export type Authenticate = (request: ReceivedRequest) => AuthenticationResult;

/** Source: API Request Signing Guide, "Common Errors Related to IAM Authentication Information"; read 2026-11-24. */
const failuresMax = 5;
const lockMs = 5 * 60_000;
const tokenMs = 24 * 3_600_000;

export function createIamEndpoint(settings: SimulatorSettings) {
  const { clock, accounts } = settings;
  const checkKey = createKeyCheck(settings);
  /** The account of each issued token, and when it expires, milliseconds since the epoch. */
  const issued = new Map<string, { account: Account; expiresAtMs: number }>();

  /** Checks the signature if there is an Authorization header, otherwise X-Auth-Token. */
  const authenticate: Authenticate = (request) => {
    if (request.headers.authorization !== undefined) return checkKey(request);
    const token = request.headers['x-auth-token'];
    if (!token) return reject('x-auth-token not found');
    const known = issued.get(token);
    if (known === undefined) return reject('decrypt token fail');
    const { account, expiresAtMs } = known;
    if (expiresAtMs <= clock.nowMs()) {
      return reject(`token expires, expires_at: ${new Date(expiresAtMs).toISOString()}`);
    }
    return { ok: true, user: `user:${account.iamUser}`, account };
  };

  function answerTokenRequest(body: Uint8Array): ResponseContent {
    const request = readTokenRequest(accounts, body);
    if ('rejection' in request) return buildKeystoneError(...request.rejection);
    const { account, project } = request;
    const expiresAtMs = clock.nowMs() + tokenMs;
    // About as long as a real token, so that a client meets the real header size.
    const token = `MII${randomBytes(1_536).toString('base64')}`;
    issued.set(token, { account, expiresAtMs });
    const description = describeToken(account, project, expiresAtMs);
    return buildJson(201, JSON.stringify({ token: description }), { 'X-Subject-Token': token });
  }

  /** Every route except the two is answered with 404. */
  function answer({ received, url, requestId }: Exchange): ResponseContent {
    const route = `${received.method} ${url.pathname.replace(/\/$/, '')}`;
    if (route === 'GET /v3/projects') {
      const result = authenticate(received);
      return result.ok
        ? buildProjects(result.account, url)
        : buildGatewayError(result.error, requestId);
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

/** Locks a key for `lockMs` after five failures in a row. */
function createKeyCheck({ clock, accounts }: SimulatorSettings): Authenticate {
  const keys = accounts.map((account) => ({ account, failures: 0, lockedUntilMs: -Infinity }));
  const byAk = new Map(keys.map((key) => [key.account.ak, key]));
  const [first] = keys as [(typeof keys)[number]];
  return (request) => {
    const ak = parseAuthorization(request.headers.authorization ?? '')?.ak;
    // An unknown key is compared with any known one, and differs from it.
    const key = byAk.get(ak ?? '') ?? first;
    const check = checkSignature(request, key.account, clock.nowMs());
    if (!check.ok && check.ak === null) return reject(check.message);
    // While the key is locked, even a valid signature is rejected. A rejection does not extend the lock.
    if (clock.monotonicMs() < key.lockedUntilMs) {
      return reject('AK access failed to reach the limit,forbidden.');
    }
    if (check.ok) {
      key.failures = 0;
      return { ok: true, user: `ak:${check.ak}`, account: key.account };
    }
    key.failures += 1;
    if (key.failures >= failuresMax) {
      key.failures = 0;
      key.lockedUntilMs = clock.monotonicMs() + lockMs;
    }
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

/** The account and the project that a token is for, or the status and the message of the error. */
function readTokenRequest(
  accounts: readonly Account[],
  body: Uint8Array,
): { account: Account; project: Project } | { rejection: [status: 400 | 401, message: string] } {
  let request: TokenRequest | null;
  try {
    request = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return { rejection: [400, 'The request body is not JSON.'] };
  }
  const { methods, password } = request?.auth?.identity ?? {};
  const user = password?.user;
  if (!Array.isArray(methods) || !methods.includes('password') || user === undefined) {
    return { rejection: [400, 'Only the password method is simulated.'] };
  }
  const account = accounts.find(
    ({ iamUser, iamPassword, iamDomain }) =>
      user?.name === iamUser && user.password === iamPassword && user.domain?.name === iamDomain,
  );
  if (!account) return { rejection: [401, 'The username or password is wrong.'] };
  const { id, name } = request?.auth?.scope?.project ?? {};
  const project = account.projects.find((one) =>
    id === undefined ? one.name === name : one.id === id,
  );
  // Assumed: as in Keystone, the answer is the same for a project without permission and for an unknown one.
  if (!project) return { rejection: [401, 'The project cannot be accessed.'] };
  return { account, project };
}

function describeToken(account: Account, { id, name }: Project, expiresAtMs: number) {
  // Keystone writes microseconds.
  const formatTime = (timeMs: number) => new Date(timeMs).toISOString().replace('Z', '000Z');
  const domain = { id: domainIdOf(account), name: account.iamDomain };
  return {
    expires_at: formatTime(expiresAtMs),
    issued_at: formatTime(expiresAtMs - tokenMs),
    methods: ['password'],
    catalog: [],
    roles: [],
    project: { id, name, domain },
    user: { id: 'd1'.padEnd(32, '0'), name: account.iamUser, domain },
  };
}

/** Source of the shape: the API reference of 2021-12-23, section A.3; read 2026-11-24. */
function buildProjects(account: Account, url: URL): ResponseContent {
  const wanted = url.searchParams.get('name');
  const self = `${url.origin}/v3/projects`;
  const projects = account.projects
    .filter(({ name }) => wanted === null || name === wanted)
    .map(({ id, name }) => ({
      domain_id: domainIdOf(account),
      is_domain: false,
      parent_id: domainIdOf(account),
      name,
      description: '',
      links: { next: null, previous: null, self: `${self}/${id}` },
      id,
      enabled: true,
    }));
  const links = { next: null, previous: null, self };
  return buildJson(200, JSON.stringify({ projects, links }));
}

function domainIdOf({ projects }: Account): string {
  return `d0${(projects[0] as Project).id.slice(2)}`;
}
