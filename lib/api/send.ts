// Owns one HTTP request: its time-out, its bounded body, the moment it left. Refuses retries, quota and what an answer means.

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
import { type Answer, classifyAnswer, type Peer, quote } from './answers.ts';

/** The most one request may take, body included. */
export const requestTimeoutMs = 20_000;
const bodyBytesMax = 64 * 1024 * 1024;

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** The one status that is a success. */
  okStatus: number;
  /** At most `requestTimeoutMs` of it is used. */
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface Outcome {
  /** When the request left; if nothing came back, when that was clear. */
  sentAtMonotonicMs: number;
  /** Null if nothing came back. */
  answer: Answer | null;
  /** Null for an answer of `okStatus`. */
  error: ExportError | null;
  /** Set when the caller must throw this, unchanged: the signal's reason, or a fault of ours. */
  thrown: { value: unknown } | null;
}

/** Never throws, so that a caller who must account for each request can. */
export async function sendRequest(peer: Peer, request: HttpRequest): Promise<Outcome> {
  const { clock } = peer;
  const unanswered = (error: ExportError, thrown: Outcome['thrown'] = null): Outcome => ({
    sentAtMonotonicMs: clock.monotonicMs(),
    answer: null,
    error,
    thrown,
  });
  const badHeader = findBadHeader(request.headers);
  if (badHeader !== null) return unanswered(badHeader);
  const timeoutMs = Math.max(1, Math.min(requestTimeoutMs, request.timeoutMs));
  const watch = watchDeparture(request, clock);
  const controller = new AbortController();
  let timedOut = false;
  // A real timer although there is a clock: it bounds real I/O, and what a clock in a test makes of a sleep does not.
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, timeoutMs);
  const onAbort = () => controller.abort();
  if (request.signal?.aborted) onAbort();
  else request.signal?.addEventListener('abort', onAbort, { once: true });

  const failed = (error: unknown): Outcome => {
    if (request.signal?.aborted) {
      const value: unknown = request.signal.reason;
      return unanswered(
        value instanceof ExportError ? value : describeStop(peer),
        // A request may have left, so the caller hears of it before the reason goes on.
        { value },
      );
    }
    if (timedOut) return unanswered(describeTimeout(peer, timeoutMs));
    if (isNetworkFailure(error)) return unanswered(describeNetworkFailure(peer, error));
    return unanswered(
      new ProtocolError('INTERNAL', `The request to ${peer.name} could not be made`, 'Report it.'),
      { value: error },
    );
  };

  try {
    let response: Response;
    try {
      response = await peer.fetch(request.url, {
        method: request.method,
        headers: request.headers,
        redirect: 'manual',
        signal: controller.signal,
        ...(request.body === undefined ? {} : { body: request.body }),
      });
    } catch (error) {
      return failed(error);
    }
    const sentAtMonotonicMs = watch.atMs() ?? clock.monotonicMs();
    const answer: Answer = {
      status: response.status,
      headers: response.headers,
      body: '',
    };
    try {
      answer.body = await readBody(response, peer);
    } catch (error) {
      if (request.signal?.aborted) return failed(error);
      // Any other status says enough: a refused key must not be tried again because its error text was cut short.
      if (response.status === request.okStatus) {
        return error instanceof ExportError
          ? { sentAtMonotonicMs, answer, error, thrown: null }
          : failed(error);
      }
    }
    const error =
      response.status === request.okStatus ? null : classifyAnswer(peer, answer, clock.nowMs());
    return { sentAtMonotonicMs, answer, error, thrown: null };
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onAbort);
    watch.stop();
  }
}

async function readBody(response: Response, peer: Peer): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > bodyBytesMax) {
      const message = `${peer.name} sent more than ${bodyBytesMax / 1024 / 1024} MB`;
      const hint = 'This is no page of a list: check endpoint and region, then report it.';
      throw new ProtocolError('BODY_TOO_LARGE', message, hint);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    const message = `${peer.name} sent bytes that are not UTF-8`;
    const hint = 'It is tried again; if it stays, look at what stands between here and there.';
    throw new TransientError('BODY_BROKEN', message, hint);
  }
}

/** Null: fetch will take them all. Its own error would tell the value. */
function findBadHeader(headers: Record<string, string>): ExportError | null {
  for (const [name, value] of Object.entries(headers)) {
    if (/^[\t\x20-\x7e]*$/.test(value)) continue;
    const hint = 'Check the key, token and region for line breaks or characters beyond ASCII.';
    return new AuthError('HEADER_INVALID', `The header ${name} cannot carry its value`, hint);
  }
  return null;
}

/**
 * Listens to Node's own fetch for the moment the header of this request is written.
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
    // The last one counts: fetch may send again by itself (421).
    atMs = clock.monotonicMs();
  };
  subscribe('undici:client:sendHeaders', onHeaders);
  return {
    atMs: () => atMs,
    stop: () => unsubscribe('undici:client:sendHeaders', onHeaders),
  };
}

function describeStop(peer: Peer): ExportError {
  const hint = 'Start it again: it goes on where it stopped.';
  return new StoppedError('STOPPED', `The request to ${peer.name} was stopped`, hint);
}

function describeTimeout(peer: Peer, timeoutMs: number): ExportError {
  const message = `${peer.name} did not answer within ${timeoutMs / 1000} s`;
  const hint = 'It is tried again; if it stays, check the network, the proxy and the endpoint.';
  return new TransientError('TIMEOUT', message, hint);
}

const networkHints: readonly [RegExp, string][] = [
  [
    /ENOTFOUND|EAI_AGAIN/,
    "The name does not resolve: check the target's endpoint and region, and the DNS.",
  ],
  [
    /CERT|SELF_SIGNED|ISSUER|ALTNAME|SIGNATURE/,
    'The certificate is not trusted: set NODE_EXTRA_CA_CERTS to the CA of your proxy.',
  ],
  [/ABORTED|PROXY/, 'The proxy did not let it through: check HTTPS_PROXY and NO_PROXY.'],
  [/./, 'It is tried again; if it stays, check the network, the proxy and the endpoint.'],
];

function describeNetworkFailure(peer: Peer, error: unknown): ExportError {
  const code = readNetworkCode(error) ?? 'connection lost';
  const hint = networkHints.find(([pattern]) => pattern.test(code))?.[1] as string;
  return new TransientError(
    'NETWORK',
    `${peer.name} could not be reached: ${quote(peer, code)}`,
    hint,
  );
}

/** undici and p-retry's is-network-error agree: these two messages, or a system or undici code somewhere below. */
function isNetworkFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.message === 'fetch failed' || error.message === 'terminated') {
    return error instanceof TypeError;
  }
  return readNetworkCode(error) !== null;
}
