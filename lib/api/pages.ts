// Owns one target's list at the API: the request for a page, its tries, its shape. Refuses to decide when quota is free.

import {
  AuthError,
  type ExportError,
  ProtocolError,
  RateLimitedError,
  TransientError,
} from '../core/errors.ts';
import type { Attempts, Clock, FetchedPage, Log, Scrubber, Source } from '../core/ports.ts';
import { describeShape, type Peer, parseBody, unexpectedBody } from './answers.ts';
import { retry, type Try } from './retry.ts';
import { sendRequest } from './send.ts';
import {
  type Credentials,
  type CredentialsProvider,
  encodeQuery,
  signRequest,
  type Token,
} from './sign.ts';

/** All tries of one page, whatever ended them. */
const triesMax = 10;
/** Tries that end in something that is no page. */
const malformedMax = 3;

export interface SourceOptions {
  /** In messages: 'the container nodes API'. */
  name: string;
  /** From the root, the project id in it, escaped. */
  path: string;
  /**
   * What a 403 asks for. For the container nodes: hss:containers:list.
   * Source: HSS API Reference, "Actions Supported by Policy-based Authorization", read 2026-11-24.
   */
  permission: string;
  /** Filters and enterprise_project_id, as the API spells them; limit and offset are added. */
  query: Readonly<Record<string, string>>;
  /** Without a path. */
  endpoint: string;
  region: string;
  projectId: string;
  credentials: CredentialsProvider;
  fetch: typeof fetch;
  clock: Clock;
  scrubber: Scrubber;
  log: Log;
  /** Before the second try; doubles with each, times a random 1 to 2, at most 60 s. */
  backoffMs: number;
  /** The configured quota's window: the wait that a 429 means if it names none. */
  windowMs: number;
}

export function createSource(options: SourceOptions): Source {
  const { clock, scrubber, log } = options;
  const url = new URL(options.path, options.endpoint).href;
  const peer: Peer = {
    fetch: options.fetch,
    clock,
    scrub: scrubber.scrub,
    name: options.name,
    identityHint:
      "Check the account's access key, secret key, security token or sign-in, and that the endpoint is of the same region.",
    permissionHint:
      `Grant the identity ${options.permission} for project ${options.projectId} in region ${options.region}, ` +
      'and check that the projectId is right.',
    windowMs: options.windowMs,
  };
  /** A token that the API took once: when it is refused later, it has ended, and the identity is good. */
  let acceptedToken: string | null = null;

  async function send(
    credentials: Credentials,
    token: Token | null,
    query: Record<string, string>,
    attempts: Attempts,
  ) {
    const plain = {
      'Content-Type': 'application/json',
      region: options.region,
      'X-Project-Id': options.projectId,
    };
    const headers =
      credentials.kind === 'aksk'
        ? signRequest({ method: 'GET', url, query, headers: plain }, credentials, clock.nowMs())
        : { ...plain, 'X-Auth-Token': token?.token ?? '' };
    return sendRequest(peer, {
      method: 'GET',
      url: `${url}?${encodeQuery(query)}`,
      headers,
      okStatus: 200,
      timeoutMs: attempts.timeLeftMs(),
      signal: attempts.signal,
    });
  }

  async function fetchPage(
    request: { offset: number; limit: number },
    attempts: Attempts,
  ): Promise<FetchedPage | 'paused'> {
    const query = {
      ...options.query,
      limit: String(request.limit),
      offset: String(request.offset),
    };
    let malformed = 0;
    let renewed = false;

    async function tryOnce(): Promise<Try<FetchedPage | 'paused'>> {
      for (;;) {
        // Before the quota is asked: a slot must be used within 2 s, and signing in may take longer.
        const credentials = await abortable(options.credentials(), attempts.signal);
        const token =
          credentials.kind === 'token'
            ? await abortable(credentials.getToken(), attempts.signal)
            : null;
        rememberSecrets(scrubber, credentials, token);
        if (attempts.timeLeftMs() <= 0 || !(await attempts.admit())) return { value: 'paused' };

        const outcome = await send(credentials, token, query, attempts);
        const fetchedAtMs = clock.nowMs();
        const body = outcome.answer?.body ?? '';
        let error = outcome.error ?? findFault(peer, body, request.limit);
        if (isMalformed(error)) {
          malformed += 1;
          if (malformed === malformedMax) error = asProtocolError(error);
        }
        // Before anything is decided: whatever follows, the ledger must know of this request.
        await attempts.sent({
          atMonotonicMs: outcome.sentAtMonotonicMs,
          error,
        });
        if (outcome.thrown) throw outcome.thrown.value;

        if (credentials.kind === 'token' && token !== null) {
          const ended = token.token === acceptedToken || token.expiresAtMs <= clock.nowMs();
          if (error instanceof AuthError && outcome.answer?.status === 401 && ended && !renewed) {
            log('info', 'the sign-in token has ended: signing in again');
            renewed = true;
            credentials.invalidate(token.token);
            continue;
          }
          if (error === null) acceptedToken = token.token;
        }
        return error === null ? { value: { body, fetchedAtMs } } : { error };
      }
    }

    return retry(tryOnce, {
      triesMax,
      backoffMs: options.backoffMs,
      clock,
      signal: attempts.signal,
      isRetryable: (error) => isRetryable(error) && malformed < malformedMax,
      // Its wait is the ledger's: it was told, and lets admit() take that long.
      waitsByItself: (error) => error instanceof RateLimitedError,
      mayWait: attempts.mayWait,
      onRetry: (error, tries, delayMs) =>
        log('info', 'trying the page again', {
          error,
          tries,
          delayMs,
          offset: request.offset,
        }),
    });
  }

  return { fetchPage };
}

function rememberSecrets(scrubber: Scrubber, credentials: Credentials, token: Token | null): void {
  if (token !== null) scrubber.add(token.token);
  if (credentials.kind !== 'aksk') return;
  scrubber.add(credentials.ak);
  scrubber.add(credentials.sk);
  if (credentials.securityToken !== undefined) scrubber.add(credentials.securityToken);
}

/** What is wrong with a successful answer; null for a page. Elements may be anything: the dataset judges them. */
function findFault(peer: Peer, body: string, limit: number): ExportError | null {
  let value: unknown;
  try {
    value = parseBody(peer, body);
  } catch (error) {
    return error as ExportError;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return unexpectedBody(peer, describeShape(peer, value));
  }
  const { total_num: total, data_list: list } = value as Record<string, unknown>;
  if (typeof total !== 'number' || !Number.isSafeInteger(total) || total < 0) {
    const seen = 'total_num' in value ? 'a JSON object whose total_num is no count' : null;
    return unexpectedBody(peer, seen ?? describeShape(peer, value));
  }
  if (list === null || list === undefined) {
    return total === 0 ? null : unexpectedBody(peer, `a total of ${total} without a data_list`);
  }
  if (!Array.isArray(list)) return unexpectedBody(peer, 'a JSON object whose data_list is no list');
  if (list.length > limit) {
    return unexpectedBody(peer, `a page of ${list.length} where ${limit} were asked for`);
  }
  return null;
}

function isMalformed(error: ExportError | null): error is ExportError {
  return error?.code === 'NOT_A_PAGE' || error?.code === 'BODY_BROKEN';
}

/** A body that stays broken is not going to pass by itself. */
function asProtocolError(error: ExportError): ExportError {
  if (error instanceof ProtocolError) return error;
  return new ProtocolError('NOT_A_PAGE', error.message, error.hint, {
    cause: error,
  });
}

function isRetryable(error: ExportError): boolean {
  if (error instanceof TransientError || error instanceof RateLimitedError) return true;
  return isMalformed(error);
}

/** The promise, or the signal's reason as soon as it aborts. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
