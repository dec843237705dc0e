// Responsible for one HTTP request: its time-out, the size of its body, and when it left. Not responsible for retries
// (retry.ts) or for the meaning of the answer (answers.ts).

import {
  AuthError,
  ConnectionError,
  ExportError,
  ProtocolError,
  StoppedError,
  TransientError,
} from '../core/errors.ts';
import { readNetworkCode, readProxy } from '../core/network-code.ts';
import { describeNetworkFault } from '../core/network-fault.ts';
import { type Answer, brokenBody, classifyAnswer, type Peer } from './answers.ts';
import type { WireAnswer } from './transport.ts';

/** The longest that one request may take, including its body. */
export const requestTimeoutMs = 20_000;
/** Of a decoded body. A page of 200 nodes has 0.1 to 0.5 MB. */
const bodyBytesMax = 8 * 1024 * 1024;
/** Of the body of an error. What is longer is not read. */
const errorBytesMax = 64 * 1024;

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** The only status that is a success. */
  okStatus: number;
  /** False: only the status and the headers are wanted. The body is not waited for, and empty in the answer. Default: true. */
  readsBody?: boolean;
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
  const limit = limitTime(timeoutMs, request.signal);
  try {
    return await exchange(peer, request, limit.signal);
  } catch (error) {
    const failure = explainFailure(peer, error, request, limit.signal.aborted && timeoutMs);
    return { sentAtMonotonicMs: clock.monotonicMs(), answer: null, ...failure };
  } finally {
    limit.release();
  }
}

/** The request and its whole answer. Throws if there is no complete answer. */
async function exchange(peer: Peer, request: HttpRequest, signal: AbortSignal): Promise<Outcome> {
  const { clock } = peer;
  const { url, method, headers, body, okStatus, readsBody = true } = request;
  let sentMonotonicMs: number | null = null;
  const response = await peer.fetch(url, {
    method,
    headers,
    signal,
    ...(body === undefined ? {} : { body }),
    onSent: () => {
      sentMonotonicMs = clock.monotonicMs();
    },
  });
  const sentAtMonotonicMs = sentMonotonicMs ?? clock.monotonicMs();
  const isOk = response.status === okStatus;
  const answer: Answer = { status: response.status, headers: response.headers, body: '' };
  try {
    if (readsBody) answer.body = await readBody(response, peer, isOk);
    else response.body?.destroy?.();
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
  { url, signal }: HttpRequest,
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
    const seconds = `${Math.round(timedOutMs / 10) / 100} s`;
    const message = `${peer.name} did not answer within ${seconds}`;
    const brief = `no answer within ${seconds}`;
    return {
      error: new TransientError('TIMEOUT', message, timeoutHint, { brief }),
      thrown: null,
    };
  }
  const networkCode = readNetworkCode(error);
  if (networkCode !== null)
    return { error: describeNoAnswer(peer, url, networkCode, readProxy(error)), thrown: null };
  const message = `The request to ${peer.name} could not be made`;
  const hint = 'This is a bug: please report it.';
  return { error: new ProtocolError('INTERNAL', message, hint), thrown: { value: error } };
}

const timeoutHint =
  'An export tries again by itself. If it persists, check the network, the proxy and the endpoint.';

function describeNoAnswer(
  peer: Peer,
  url: string,
  networkCode: string,
  proxy: string | null,
): ExportError {
  const place = { origin: new URL(url).origin, settings: peer.settings, proxy };
  const { code, reason, hint, retry, isLoginRefused } = describeNetworkFault(networkCode, place);
  if (code === 'HEADERS_TOO_LARGE') {
    return new ProtocolError(code, `${peer.name} sent no answer that can be read: ${reason}`, hint);
  }
  const message = `${peer.name} could not be reached: ${reason}`;
  // The proxy's login is treated like a key: with a wrong one, no further request is sent.
  if (isLoginRefused) return new AuthError(code, message, hint);
  const brief = reason.replace(/ \(.*/, '');
  if (retry === 'soon') return new TransientError(code, message, hint, { brief });
  return new ConnectionError(code, message, hint);
}

/** The body of an error ends where it gets too long. */
async function readBody({ body }: WireAnswer, peer: Peer, isOk: boolean): Promise<string> {
  if (body === null) return '';
  const bytesMax = isOk ? bodyBytesMax : errorBytesMax;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early ends the connection.
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) {
      const message = `${peer.name} sent more than ${bodyBytesMax / 1024 / 1024} MiB in one answer`;
      const hint = `This is not what was asked for: check ${peer.settings}, then report it.`;
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

/** An error if a header value cannot be sent: the error of Node would show that value. */
function findBadHeader(headers: Record<string, string>): ExportError | null {
  for (const [name, value] of Object.entries(headers)) {
    if (/^[\t\x20-\x7e]*$/.test(value)) continue;
    const hint = 'Check the key, token and region for line breaks and non-ASCII characters.';
    return new AuthError('HEADER_INVALID', `The value of the header ${name} is not valid`, hint);
  }
  return null;
}
