// Responsible for one HTTP request: its time-out, the size of its body, and when it left. Not responsible for retries
// (retry.ts) or for the meaning of the answer (answers.ts).

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  AuthError,
  ExportError,
  ProtocolError,
  StoppedError,
  TransientError,
} from '../core/errors.ts';
import { readNetworkCode } from '../core/network-code.ts';
import type { Clock } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';
import { type Answer, brokenBody, classifyAnswer, type Peer, quote } from './answers.ts';

/** The longest that one request may take, including its body. */
export const requestTimeoutMs = 20_000;
const bodyBytesMax = 64 * 1024 * 1024;

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** The only status that is a success. */
  okStatus: number;
  /** Limited to `requestTimeoutMs`. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface Outcome {
  /** When the request left. Without an answer: when it failed, the latest time at which it can have left. */
  sentAtMonotonicMs: number;
  /** Null if there was no answer. */
  answer: Answer | null;
  /** Null for an answer of `okStatus`. */
  error: ExportError | null;
  /** If not null, the caller must throw `value` unchanged: it is the signal's reason, or a bug in this program. */
  thrown: { value: unknown } | null;
}

/** Never throws, so that the caller can report every request to the quota. */
export async function sendRequest(peer: Peer, request: HttpRequest): Promise<Outcome> {
  const { clock } = peer;
  const badHeader = findBadHeader(request.headers);
  if (badHeader !== null) {
    return { sentAtMonotonicMs: clock.monotonicMs(), answer: null, error: badHeader, thrown: null };
  }
  const timeoutMs = Math.max(1, Math.min(requestTimeoutMs, request.timeoutMs));
  const departure = watchDeparture(request, clock);
  const limit = limitTime(timeoutMs, request.signal);
  try {
    return await exchange(peer, request, limit.signal, departure.atMs);
  } catch (error) {
    const failure = explainFailure(peer, error, request.signal, limit.signal.aborted && timeoutMs);
    return { sentAtMonotonicMs: clock.monotonicMs(), answer: null, ...failure };
  } finally {
    limit.release();
    departure.stop();
  }
}

/** The request and its whole answer. Throws if there is no complete answer. */
async function exchange(
  peer: Peer,
  request: HttpRequest,
  signal: AbortSignal,
  departedAtMs: () => number | null,
): Promise<Outcome> {
  const { clock } = peer;
  const { url, method, headers, body, okStatus } = request;
  const response = await peer.fetch(url, {
    method,
    headers,
    redirect: 'manual',
    signal,
    ...(body === undefined ? {} : { body }),
  });
  const sentAtMonotonicMs = departedAtMs() ?? clock.monotonicMs();
  const isOk = response.status === okStatus;
  const answer: Answer = { status: response.status, headers: response.headers, body: '' };
  try {
    answer.body = await readBody(response, peer);
  } catch (error) {
    if (request.signal?.aborted) throw error;
    // Any other status is enough to know: a rejected key must not be retried because its error text was truncated.
    if (isOk) {
      if (!(error instanceof ExportError)) throw error;
      return { sentAtMonotonicMs, answer, error, thrown: null };
    }
  }
  const error = isOk ? null : classifyAnswer(peer, answer, clock.nowMs());
  return { sentAtMonotonicMs, answer, error, thrown: null };
}

/** A signal that aborts with `outer`, or after `timeoutMs`. (Node 18.15 does not have AbortSignal.any.) */
function limitTime(timeoutMs: number, outer: AbortSignal | undefined) {
  const controller = new AbortController();
  const onAbort = () => controller.abort();
  // A real timer and not the clock's sleep: it bounds real I/O, while the clock of a test may sleep in no time.
  const timer = setTimeout(onAbort, timeoutMs);
  if (outer?.aborted) onAbort();
  else outer?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onAbort);
    },
  };
}

/** `timedOutMs`: the time-out, if it or the signal has ended the request; otherwise false. */
function explainFailure(
  peer: Peer,
  error: unknown,
  signal: AbortSignal | undefined,
  timedOutMs: number | false,
): Pick<Outcome, 'error' | 'thrown'> {
  if (signal?.aborted) {
    const value: unknown = signal.reason;
    const message = `The request to ${peer.name} was stopped`;
    const hint = 'Start it again: it continues where it stopped.';
    const stopped = new StoppedError('STOPPED', message, hint);
    // The request may have left: the caller must first report it, then throw the reason.
    return { error: value instanceof ExportError ? value : stopped, thrown: { value } };
  }
  if (timedOutMs !== false) {
    const message = `${peer.name} did not answer within ${timedOutMs / 1000} s`;
    return { error: new TransientError('TIMEOUT', message, connectionHint), thrown: null };
  }
  if (isNetworkFailure(error)) {
    const code = readNetworkCode(error) ?? 'connection lost';
    const message = `${peer.name} could not be reached: ${quote(peer, code)}`;
    const hint = networkHints.find(([pattern]) => pattern.test(code))?.[1] ?? connectionHint;
    return { error: new TransientError('NETWORK', message, hint), thrown: null };
  }
  const message = `The request to ${peer.name} could not be made`;
  const hint = 'This is a bug: please report it.';
  return { error: new ProtocolError('INTERNAL', message, hint), thrown: { value: error } };
}

async function readBody(response: Response, peer: Peer): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the stream.
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > bodyBytesMax) {
      const message = `${peer.name} sent more than ${bodyBytesMax / 1024 / 1024} MB`;
      const hint = 'This is not a page of a list: check endpoint and region, then report it.';
      throw new ProtocolError('BODY_TOO_LARGE', message, hint);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw brokenBody(peer, 'bytes that are not UTF-8');
  }
}

/** An error if fetch would reject a header value: the error of fetch would show that value. */
function findBadHeader(headers: Record<string, string>): ExportError | null {
  for (const [name, value] of Object.entries(headers)) {
    if (/^[\t\x20-\x7e]*$/.test(value)) continue;
    const hint = 'Check the key, token and region for line breaks and non-ASCII characters.';
    return new AuthError('HEADER_INVALID', `The value of the header ${name} is not valid`, hint);
  }
  return null;
}

/**
 * Observes when fetch writes the header of this request to its socket.
 * Source: undici, "Diagnostics Channel Support", undici:client:sendHeaders, read 2026-11-24.
 */
function watchDeparture(request: HttpRequest, clock: Clock) {
  const { origin, pathname, search } = new URL(request.url);
  const path = `${pathname}${search}`;
  let atMs: number | null = null;
  const onHeaders = (event: unknown) => {
    const sent = asRecord(asRecord(event).request);
    if (sent.path !== path || sent.method !== request.method) return;
    if (sent.origin !== undefined && String(sent.origin).replace(/\/$/, '') !== origin) return;
    // The last time counts: fetch may send a request again by itself (status 421).
    atMs = clock.monotonicMs();
  };
  subscribe('undici:client:sendHeaders', onHeaders);
  return {
    atMs: () => atMs,
    stop: () => unsubscribe('undici:client:sendHeaders', onHeaders),
  };
}

const connectionHint =
  'Retried automatically. If it persists, check the network, the proxy and the endpoint.';
/** By the network error code. */
const networkHints: readonly [RegExp, string][] = [
  [
    /ENOTFOUND|EAI_AGAIN/,
    "The host name does not resolve: check the target's endpoint and region, and the DNS.",
  ],
  [
    /CERT|SELF_SIGNED|ISSUER|ALTNAME|SIGNATURE/,
    'The certificate is not trusted: set NODE_EXTRA_CA_CERTS to the CA of your proxy.',
  ],
  [/ABORTED|PROXY/, 'The proxy rejected the connection: check HTTPS_PROXY and NO_PROXY.'],
];

/** undici reports a network failure as a TypeError with one of two messages, or with a code in the error or its causes. */
function isNetworkFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (['fetch failed', 'terminated'].includes(error.message)) return error instanceof TypeError;
  return readNetworkCode(error) !== null;
}
