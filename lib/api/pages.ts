// Responsible for fetching one page of a target's list: signing in, the request, its retries, and parsing the answer.
// Not responsible for the quota: the caller's RequestGate admits each request.

import { AuthError, type ExportError, ProtocolError, RateLimitedError } from '../core/errors.ts';
import type {
  Clock,
  Dataset,
  FetchedPage,
  ListScope,
  Log,
  PageBody,
  RequestGate,
  Scrubber,
  Source,
} from '../core/ports.ts';
import {
  type Answer,
  describeShape,
  findStatedError,
  type Peer,
  parseBody,
  unexpectedBody,
} from './answers.ts';
import { briefOf, isTransient, logRetry, retry, type Try } from './retry.ts';
import { type Outcome, sendRequest } from './send.ts';
import {
  type Credentials,
  type CredentialsProvider,
  encodeQuery,
  signRequest,
  type Token,
} from './sign.ts';
import type { Fetch } from './transport.ts';

/** Tries of one page, whatever their errors. */
const triesMax = 10;
/** Tries of one page whose 200 response is not a page. */
const malformedMax = 3;

export interface SourceOptions {
  dataset: Dataset;
  scope: ListScope;
  /** Scheme and host, without a path. */
  endpoint: string;
  region: string;
  projectId: string;
  credentials: CredentialsProvider;
  fetch: Fetch;
  clock: Clock;
  scrubber: Scrubber;
  log: Log;
  /** Wait before the second try. It doubles with each try, is multiplied by a random 1 to 2, and ends at 60 s. */
  backoffMs: number;
  /** Length of the configured quota's window: the wait after a 429 that does not name one. */
  windowMs: number;
  /** Requests in that window, by the configured quota, to compare with what a 429 says. */
  quotaRequests?: number | undefined;
}

export function createSource(options: SourceOptions): Source {
  const { dataset, scope, clock, log } = options;
  const peer = createPeer(options);
  const session = openSession(options, peer);

  async function fetchPage(
    { offset, limit }: { offset: number; limit: number },
    gate: RequestGate,
  ): Promise<FetchedPage | 'paused'> {
    const query = { ...dataset.query(scope), limit: String(limit), offset: String(offset) };
    let malformed = 0;
    let hasRenewed = false;

    function readOutcome({ answer, error }: Outcome, fetchedAtMs: number): Try<FetchedPage> {
      const body = answer?.body ?? '';
      const parsed = error ? { error } : parsePage(peer, dataset, answer as Answer, limit);
      if ('value' in parsed) return { value: { body, page: parsed.value, fetchedAtMs } };
      if (!isMalformed(parsed.error)) return parsed;
      malformed += 1;
      return malformed === malformedMax ? { error: asProtocolError(parsed.error) } : parsed;
    }

    async function tryOnce(): Promise<Try<FetchedPage | 'paused'>> {
      // Sign in before asking for quota: an admitted request must leave within 2 s, and signing in may take longer.
      const identity = await session.signIn(gate.signal);
      if (gate.timeLeftMs() <= 0 || !(await gate.admit())) return { value: 'paused' };
      const outcome = await session.send(identity, query, gate);
      const result = readOutcome(outcome, clock.nowMs());
      const error = 'error' in result ? result.error : null;
      // Report before anything else can fail: the request has used quota.
      await gate.sent({ atMonotonicMs: outcome.sentAtMonotonicMs, error });
      if (outcome.thrown) throw outcome.thrown.value;
      if (session.hasExpired(identity, outcome) && !hasRenewed) {
        log('info', 'the sign-in token has expired: signing in again');
        hasRenewed = true;
        session.renew(identity);
        return tryOnce();
      }
      if (error === null) session.accept(identity);
      return result;
    }

    return retry(tryOnce, {
      triesMax,
      backoffMs: options.backoffMs,
      clock,
      signal: gate.signal,
      isRetryable: (error) => isRetryable(error) && malformed < malformedMax,
      // The gate knows of the 429, and admit() waits as long as it demands.
      waitsByItself: (error) => error instanceof RateLimitedError,
      mayWait: gate.mayWait,
      onRetry(plan) {
        logRetry(log, plan, { offset });
        if (plan.delayMs > 0) gate.retrying?.({ ...plan, cause: briefOf(plan.error) });
      },
    });
  }

  return { fetchPage };
}

/** Who sends a request. `token` is null if the request is signed with a key. */
interface Identity {
  credentials: Credentials;
  token: Token | null;
}

/** Signs in and sends requests, and knows when a sign-in token must be renewed. */
export function openSession(options: SourceOptions, peer: Peer) {
  const { dataset, clock, region, projectId } = options;
  const url = new URL(dataset.path(projectId), options.endpoint).href;
  /** The last token that the API accepted. A 401 for it means that it has expired, not that the user is unknown. */
  let acceptedToken: string | null = null;
  return {
    async signIn(signal: AbortSignal): Promise<Identity> {
      const credentials = await abortable(options.credentials(), signal);
      const token =
        credentials.kind === 'token' ? await abortable(credentials.getToken(), signal) : null;
      const { ak, sk, securityToken } = credentials.kind === 'aksk' ? credentials : {};
      for (const secret of [ak, sk, securityToken, token?.token]) {
        options.scrubber.add(secret ?? '');
      }
      return { credentials, token };
    },
    send({ credentials, token }: Identity, query: Record<string, string>, gate: RequestGate) {
      const plain = { 'Content-Type': 'application/json', region, 'X-Project-Id': projectId };
      const headers =
        credentials.kind === 'aksk'
          ? signRequest({ url, query, headers: plain }, credentials, clock.nowMs())
          : { ...plain, 'X-Auth-Token': token?.token ?? '' };
      return sendRequest(peer, {
        method: 'GET',
        url: `${url}?${encodeQuery(query)}`,
        headers,
        okStatus: 200,
        timeoutMs: gate.timeLeftMs(),
        signal: gate.signal,
      });
    },
    /** True if the answer rejects a token that was valid before, so that signing in again may help. */
    hasExpired({ token }: Identity, { answer, error }: Outcome): boolean {
      if (token === null || answer?.status !== 401 || !(error instanceof AuthError)) return false;
      return token.token === acceptedToken || token.expiresAtMs <= clock.nowMs();
    },
    renew({ credentials, token }: Identity): void {
      if (credentials.kind === 'token' && token) credentials.invalidate(token.token);
    },
    accept({ token }: Identity): void {
      if (token) acceptedToken = token.token;
    },
  };
}

export function createPeer(options: SourceOptions): Peer {
  const { dataset, region, projectId, fetch, clock, scrubber, windowMs, quotaRequests } = options;
  return {
    fetch,
    clock,
    scrub: scrubber.scrub,
    name: `the ${dataset.noun} API`,
    settings: "the target's endpoint and region",
    identityHint:
      "Check the account's access key, secret key, security token or sign-in, and that the endpoint belongs to the same region.",
    permissionHint:
      `Grant the identity ${dataset.permission} for project ${projectId} in region ${region}, ` +
      'and check that the projectId is right.',
    windowMs,
    quotaRequests,
  };
}

/**
 * The page in the body of a 200 response, or TransientError `BODY_BROKEN`, ProtocolError `NOT_A_PAGE` or the error that the
 * body states. The records are not checked: the dataset reads them later.
 */
function parsePage(peer: Peer, dataset: Dataset, answer: Answer, limit: number): Try<PageBody> {
  let value: unknown;
  try {
    value = parseBody(peer, answer.body);
  } catch (error) {
    return { error: error as ExportError };
  }
  const page = dataset.parsePage(value);
  // An empty page beside an error does not prove that the list is empty.
  if (typeof page === 'string' || page.records.length === 0) {
    const stated = findStatedError(peer, answer, value, peer.clock.nowMs());
    if (stated) return { error: stated };
  }
  if (typeof page === 'string') {
    return { error: unexpectedBody(peer, `${describeShape(peer, value)}: ${page}`) };
  }
  const count = page.records.length;
  if (count <= limit) return { value: page };
  const seen = `a page of ${count} records where at most ${limit} were requested`;
  return { error: unexpectedBody(peer, seen) };
}

function isMalformed({ code }: ExportError): boolean {
  return code === 'NOT_A_PAGE' || code === 'BODY_BROKEN';
}

/** For a body that is still broken after the last try: waiting longer will not help. */
function asProtocolError(error: ExportError): ExportError {
  if (error instanceof ProtocolError) return error;
  return new ProtocolError('NOT_A_PAGE', error.message, error.hint, { cause: error });
}

function isRetryable(error: ExportError): boolean {
  return isTransient(error) || isMalformed(error);
}

/** Settles as the promise does, or rejects with the signal's reason as soon as the signal aborts. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
