// Owns what IAM is asked: a region's project id, and sign-in tokens. Refuses to create anything there.

import { AuthError, ConfigError, RateLimitedError, TransientError } from '../core/errors.ts';
import type { Clock, Scrubber } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';
import { type Answer, describeShape, type Peer, parseBody, unexpectedBody } from './answers.ts';
import { retry, type Try } from './retry.ts';
import { type HttpRequest, requestTimeoutMs, sendRequest } from './send.ts';
import {
  type CredentialsProvider,
  encodeQuery,
  signRequest,
  type Token,
  type TokenCredentials,
} from './sign.ts';

const triesMax = 4;
/** Whoever asks for a longer wait is not waited for. */
const waitMsMax = 30_000;
const renewBeforeMs = 30 * 60_000;
/** Kept of an invocation's time, to note what came of it; and what a request needs, milliseconds. */
const marginMs = 2_000;
const requestLeastMs = 500;
/** A refused sign-in is not repeated for this long: repeating it locks the user. */
const refusalMs = 5 * 60_000;

export interface IamOptions {
  iamEndpoint: string;
  fetch: typeof fetch;
  clock: Clock;
  scrubber: Scrubber;
  /** Before the second try; doubles with each, times a random 1 to 2. */
  backoffMs: number;
  signal?: AbortSignal;
  /** Whether so much may be waited before the next try; not given: up to 30 s a time. */
  mayWait?: (delayMs: number) => boolean;
  /** Until the invocation must be over, milliseconds; not given: no end. */
  timeLeftMs?: () => number;
}

/**
 * The id of the enabled project that bears the region's name. With a sign-in it is the token's project.
 * ConfigError if there is none: it is never created. AuthError, ProtocolError, TransientError as they come.
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
    permissionHint:
      "Grant the identity iam:projects:listProjects, or set the target's projectId: then it is not asked for.",
  });
  const url = new URL('/v3/projects', iamEndpoint).href;
  const query = { name: region };
  const answer = await sendWithRetry(peer, options, () => ({
    method: 'GET',
    url: `${url}?${encodeQuery(query)}`,
    // Signed at each try: a signature's time is part of it.
    headers: signRequest(
      {
        method: 'GET',
        url,
        query,
        headers: { 'Content-Type': 'application/json' },
      },
      credentials,
      clock.nowMs(),
    ),
    okStatus: 200,
  }));
  const value = parseBody(peer, answer.body);
  const { projects } = asRecord(value);
  if (!Array.isArray(projects)) throw unexpectedBody(peer, describeShape(peer, value));
  const found = projects
    .map(asRecord)
    .filter(({ name, enabled, id }) => name === region && enabled !== false && isText(id));
  const [project, second] = found;
  if (project === undefined)
    throw noProject(region, `IAM knows no enabled project named ${region}`);
  if (second !== undefined)
    throw noProject(region, `IAM knows ${found.length} projects named ${region}`);
  return String(project.id);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function noProject(region: string, message: string): ConfigError {
  const hint =
    `Set the target's projectId (console: My Credentials > API Credentials, the row of ${region}), ` +
    'or check the region. Nothing was created.';
  return new ConfigError([{ path: 'projectId', message, hint }]);
}

/**
 * Sign-in by password for one project, given by id or else by the region's name. The token is kept, renewed 30 minutes
 * before it ends, and asked for once however many wait for it.
 * Source: CGS API Reference 2021-12-23, 2.1 and 2.2, read 2026-11-24.
 */
export function createTokenProvider(
  options: IamOptions & {
    user: string;
    password: string;
    domain: string;
    region: string;
    projectId: string | null;
  },
): TokenCredentials {
  const { iamEndpoint, clock, scrubber, user, password, domain, region, projectId } = options;
  scrubber.add(password);
  const peer = createPeer(options, "IAM's sign-in", {
    identityHint:
      'Check iamUser, iamPassword and iamDomain, and that the user may sign in by program.',
    permissionHint: `Check that the user may use project ${projectId ?? region}.`,
  });
  const body = JSON.stringify({
    auth: {
      identity: {
        methods: ['password'],
        password: { user: { name: user, password, domain: { name: domain } } },
      },
      scope: {
        project: projectId === null ? { name: region } : { id: projectId },
      },
    },
  });
  let cached: Token | null = null;
  let pending: Promise<Token> | null = null;
  let refusal: { error: AuthError; untilMs: number } | null = null;

  function lasts(token: Token | null, forMs: number): token is Token {
    return token !== null && clock.nowMs() < token.expiresAtMs - forMs;
  }

  async function signIn(): Promise<Token> {
    try {
      const answer = await sendWithRetry(peer, options, () => ({
        method: 'POST',
        url: new URL('/v3/auth/tokens', iamEndpoint).href,
        headers: { 'Content-Type': 'application/json' },
        body,
        okStatus: 201,
      }));
      cached = readToken(peer, answer);
      scrubber.add(cached.token);
      return cached;
    } catch (error) {
      if (error instanceof AuthError) {
        refusal = { error, untilMs: clock.monotonicMs() + refusalMs };
      }
      // Renewed early so that IAM may be down for a while.
      if (error instanceof TransientError && lasts(cached, 0)) return cached;
      throw error;
    }
  }

  return {
    kind: 'token',
    async getToken() {
      if (lasts(cached, renewBeforeMs)) return cached;
      if (refusal !== null && clock.monotonicMs() < refusal.untilMs) throw refusal.error;
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

function readToken(peer: Peer, answer: Answer): Token {
  const token = answer.headers.get('x-subject-token');
  const value = parseBody(peer, answer.body);
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
  texts: Pick<Peer, 'identityHint' | 'permissionHint'>,
): Peer {
  const { fetch, clock, scrubber } = options;
  // IAM's own limits are not the quota of this exporter; a minute is what its 429 is taken for.
  return {
    fetch,
    clock,
    scrub: scrubber.scrub,
    name,
    windowMs: 60_000,
    ...texts,
  };
}

async function sendWithRetry(
  peer: Peer,
  options: IamOptions,
  makeRequest: () => Omit<HttpRequest, 'timeoutMs'>,
): Promise<Answer> {
  const { clock, backoffMs, signal, mayWait = () => true } = options;
  const { timeLeftMs = () => Number.POSITIVE_INFINITY } = options;
  const stop = signal ? { signal } : {};
  async function tryOnce(): Promise<Try<Answer>> {
    const timeoutMs = Math.min(requestTimeoutMs, timeLeftMs() - marginMs);
    if (timeoutMs < requestLeastMs) throw describeNoTime(peer);
    const { answer, error, thrown } = await sendRequest(peer, {
      ...makeRequest(),
      timeoutMs,
      ...stop,
    });
    if (thrown) throw thrown.value;
    return error === null ? { value: answer as Answer } : { error };
  }
  return retry(tryOnce, {
    triesMax,
    backoffMs,
    clock,
    ...stop,
    isRetryable: (error) => error instanceof TransientError || error instanceof RateLimitedError,
    waitsByItself: () => false,
    mayWait: (delayMs) => delayMs <= waitMsMax && mayWait(delayMs),
    onRetry: () => {},
  });
}

function describeNoTime({ name }: Peer): TransientError {
  return new TransientError(
    'NO_TIME',
    `The invocation has no time left to ask ${name}.`,
    "It goes on with the next one. If none gets further, raise the function's time-out.",
  );
}
