// Responsible for requests to IAM: the id of a region's project, and sign-in tokens. It never creates anything in IAM.

import {
  AuthError,
  type ConfigError,
  configFault,
  type ExportError,
  TransientError,
} from '../core/errors.ts';
import type { Clock, Log, Scrubber } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';
import {
  type Answer,
  describeShape,
  findStatedError,
  type Peer,
  parseBody,
  unexpectedBody,
} from './answers.ts';
import { isTransient, logRetry, retry, type Try } from './retry.ts';
import { type HttpRequest, requestTimeoutMs, sendRequest } from './send.ts';
import {
  type CredentialsProvider,
  encodeQuery,
  signRequest,
  type Token,
  type TokenCredentials,
} from './sign.ts';
import type { Fetch } from './transport.ts';

const jsonHeaders = { 'Content-Type': 'application/json' };
const triesMax = 4;
const renewBeforeMs = 30 * 60_000;
/** Time of an invocation that is reserved for storing the outcome of a request. */
const marginMs = 2_000;
/** A request is not started with less time than this. */
const requestTimeMinMs = 500;
/** A rejected sign-in is not repeated for this long, because several failures lock the user. */
const rejectionMs = 5 * 60_000;

export interface IamOptions {
  iamEndpoint: string;
  fetch: Fetch;
  clock: Clock;
  scrubber: Scrubber;
  log: Log;
  /** Wait before the second try. It doubles with each try and is multiplied by a random 1 to 2. */
  backoffMs: number;
  signal?: AbortSignal | undefined;
  /** Whether a wait of `delayMs` before the next try is allowed. If not given: always. */
  mayWait?: (delayMs: number) => boolean;
  /** Milliseconds until the invocation must end. If not given: no limit. */
  timeLeftMs?: () => number;
}

/**
 * The id of the enabled project that has the region's name; with a sign-in, the id of the token's project.
 * Throws ConfigError if there is no such project, or more than one. The project is never created. Throws AuthError,
 * ProtocolError and TransientError for IAM's answers.
 * Source: CGS API Reference 2021-12-23, A.3; IAM API Reference, "Querying Project Information", read 2026-11-24.
 */
export async function findProjectId(
  options: IamOptions & { region: string; credentials: CredentialsProvider },
): Promise<string> {
  const { iamEndpoint, region, clock, scrubber } = options;
  const credentials = await options.credentials();
  if (credentials.kind === 'token') {
    const { projectId } = await credentials.getToken();
    if (projectId === null) throw noProject(region, 'The sign-in token names no project');
    return projectId;
  }
  for (const secret of [credentials.ak, credentials.sk, credentials.securityToken ?? '']) {
    scrubber.add(secret);
  }
  const peer = createPeer(options, "IAM's project list", {
    identityHint: "Check the account's access key, secret key and security token.",
    permissionHint: "Grant the identity iam:projects:listProjects, or set the target's projectId.",
  });
  const url = new URL('/v3/projects', iamEndpoint).href;
  const query = { name: region };
  const { value } = await sendWithRetry(peer, options, () => ({
    method: 'GET',
    url: `${url}?${encodeQuery(query)}`,
    // Signed for each try, because the time is part of the signature.
    headers: signRequest({ url, query, headers: jsonHeaders }, credentials, clock.nowMs()),
    okStatus: 200,
  }));
  const { projects } = asRecord(value);
  if (!Array.isArray(projects)) throw unexpectedBody(peer, describeShape(peer, value));
  const found = projects
    .map(asRecord)
    .filter(({ name, enabled, id }) => name === region && enabled !== false && isText(id));
  const [project, second] = found;
  if (project === undefined) throw noProject(region, `IAM has no enabled project named ${region}`);
  if (second === undefined) return String(project.id);
  throw noProject(region, `IAM has ${found.length} projects named ${region}`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function noProject(region: string, message: string): ConfigError {
  const hint =
    `Set the target's projectId (console: My Credentials > API Credentials, the row of ${region}), ` +
    'or check the region. Nothing was created.';
  return configFault('projectId', message, hint);
}

interface SignIn {
  user: string;
  password: string;
  domain: string;
  region: string;
  projectId: string | null;
}

/**
 * Signs in by password to one project, named by its id or, if that is null, by the region. The token is cached and renewed
 * 30 minutes before it expires. Concurrent callers share one request.
 * Source: CGS API Reference 2021-12-23, 2.1 and 2.2, read 2026-11-24.
 */
export function createTokenProvider(options: IamOptions & SignIn): TokenCredentials {
  const { iamEndpoint, clock, scrubber, region, projectId } = options;
  scrubber.add(options.password);
  const peer = createPeer(options, "IAM's sign-in", {
    identityHint:
      'Check iamUser, iamPassword and iamDomain, and that the user has programmatic access.',
    permissionHint: `Check that the user may use project ${projectId ?? region}.`,
    ignoresClock: true,
  });
  const body = encodeSignIn(options);
  let cached: Token | null = null;
  let pending: Promise<Token> | null = null;
  let rejection: { error: AuthError; untilMs: number } | null = null;

  function isValidFor(token: Token | null, forMs: number): token is Token {
    return token !== null && clock.nowMs() < token.expiresAtMs - forMs;
  }

  async function signIn(): Promise<Token> {
    try {
      const { answer, value } = await sendWithRetry(peer, options, () => ({
        method: 'POST',
        url: new URL('/v3/auth/tokens', iamEndpoint).href,
        headers: jsonHeaders,
        body,
        okStatus: 201,
      }));
      cached = readToken(peer, answer, value);
      scrubber.add(cached.token);
      return cached;
    } catch (error) {
      if (error instanceof AuthError) {
        rejection = { error, untilMs: clock.monotonicMs() + rejectionMs };
      }
      // Tokens are renewed early, so a cached token is still valid while IAM is down for a short time.
      if (error instanceof TransientError && isValidFor(cached, 0)) return cached;
      throw error;
    }
  }

  return {
    kind: 'token',
    async getToken() {
      if (isValidFor(cached, renewBeforeMs)) return cached;
      if (rejection !== null && clock.monotonicMs() < rejection.untilMs) throw rejection.error;
      pending ??= signIn().finally(() => {
        pending = null;
      });
      return pending;
    },
    invalidate(token) {
      if (cached?.token === token) cached = null;
    },
  };
}

function encodeSignIn({ user: name, password, domain, region, projectId }: SignIn): string {
  const identity = {
    methods: ['password'],
    password: { user: { name, password, domain: { name: domain } } },
  };
  const scope = { project: projectId === null ? { name: region } : { id: projectId } };
  return JSON.stringify({ auth: { identity, scope } });
}

function readToken(peer: Peer, answer: Answer, value: unknown): Token {
  const token = answer.headers.get('x-subject-token');
  const inner = asRecord(asRecord(value).token);
  const expiresAtMs = isText(inner.expires_at) ? Date.parse(inner.expires_at) : Number.NaN;
  if (!isText(token)) throw unexpectedBody(peer, 'an answer without X-Subject-Token');
  if (Number.isNaN(expiresAtMs)) throw unexpectedBody(peer, describeShape(peer, value));
  const { id } = asRecord(inner.project);
  return { token, expiresAtMs, projectId: isText(id) ? id : null };
}

function createPeer(
  options: IamOptions,
  name: string,
  texts: Pick<Peer, 'identityHint' | 'permissionHint' | 'ignoresClock'>,
): Peer {
  const { fetch, clock, scrubber } = options;
  // Assumed: IAM's own limits count per minute. They are not part of the exporter's quota.
  const settings = "the target's iamEndpoint and region";
  return { fetch, clock, scrub: scrubber.scrub, name, settings, windowMs: 60_000, ...texts };
}

/** The JSON value of a successful answer, or the error that the answer is or states. */
function readAnswer(peer: Peer, answer: Answer): Try<{ answer: Answer; value: unknown }> {
  try {
    const value = parseBody(peer, answer.body);
    const error = findStatedError(peer, answer, value, peer.clock.nowMs());
    return error === null ? { value: { answer, value } } : { error };
  } catch (error) {
    return { error: error as ExportError };
  }
}

async function sendWithRetry(
  peer: Peer,
  options: IamOptions,
  makeRequest: () => Omit<HttpRequest, 'timeoutMs'>,
): Promise<{ answer: Answer; value: unknown }> {
  const { clock, backoffMs, signal, mayWait = () => true } = options;
  const tryOnce = async () => {
    const timeLeftMs = options.timeLeftMs?.() ?? Number.POSITIVE_INFINITY;
    const timeoutMs = Math.min(requestTimeoutMs, timeLeftMs - marginMs);
    if (timeoutMs < requestTimeMinMs) {
      const message = `The invocation has no time left for a request to ${peer.name}.`;
      const hint =
        "The next invocation continues. If none makes progress, raise the function's time-out.";
      throw new TransientError('NO_TIME', message, hint);
    }
    const request = { ...makeRequest(), timeoutMs, signal };
    const { answer, error, thrown } = await sendRequest(peer, request);
    if (thrown) throw thrown.value;
    if (error !== null || answer === null) return { error: error as ExportError };
    return readAnswer(peer, answer);
  };
  return retry(tryOnce, {
    triesMax,
    backoffMs,
    clock,
    signal,
    isRetryable: isTransient,
    mayWait,
    onRetry: (plan) => logRetry(options.log, plan, { request: peer.name }),
  });
}
