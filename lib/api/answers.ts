// Owns what every answer means and how it is told: status and code to error. Refuses I/O, and to show a stranger's text unscrubbed.

import {
  AuthError,
  type ExportError,
  ProtocolError,
  RateLimitedError,
  TransientError,
} from '../core/errors.ts';
import { parseExact } from '../core/exact-json.ts';
import type { Clock } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';

const quoteCharsMax = 200;
/** The gateway refuses 15 minutes; 5 are worth a word. */
const skewMsMax = 5 * 60_000;
const retryAfterMsMax = 24 * 3_600_000;

/** Who is asked, and what its errors need to know. */
export interface Peer {
  fetch: typeof fetch;
  clock: Clock;
  /** Blacks out every secret in a text. */
  scrub(text: string): string;
  /** In messages: 'the container nodes API'. */
  name: string;
  /** Hint for a refused identity: what to check. */
  identityHint: string;
  /** Hint for a missing permission: what to grant. */
  permissionHint: string;
  /** The wait after a 429 that names none, milliseconds. */
  windowMs: number;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

type Rule = [
  on: number | string | ((status: number, body: string) => boolean),
  become: (facts: Facts) => ExportError,
];

/**
 * What an answer means; the first rule that fits wins. A number is a status, a text the answer's own error code
 * (`APIG.` is read as `APIGW.`).
 * Sources: CGS API Reference 2021-12-23, A.1 and A.2; API Gateway, "Error Codes" (0101, 0308, 0310) and
 * "Common Errors Related to IAM Authentication Information" (locked keys); read 2026-11-24.
 */
const rules: readonly Rule[] = [
  ['APIGW.0308', rateLimited],
  [429, rateLimited],
  ['APIGW.0310', ({ become }) => become(AuthError, 'PROJECT_UNAVAILABLE', hints.project)],
  [401, refused],
  [403, refused],
  ['APIGW.0101', ({ become }) => become(ProtocolError, 'NO_SUCH_API', hints.noSuchApi)],
  [404, ({ become }) => become(ProtocolError, 'NOT_FOUND', hints.noSuchApi)],
  [407, ({ become }) => become(ProtocolError, 'PROXY_REFUSED', hints.proxy)],
  [408, passing],
  [400, ({ become }) => become(ProtocolError, 'REQUEST_REFUSED', hints.parameters)],
  [between(400, 500), ({ become }) => become(ProtocolError, 'REQUEST_REFUSED', hints.report)],
  [500, passing],
  [502, passing],
  [503, passing],
  [504, passing],
  [(status, body) => status >= 500 && isHtml(body), passing],
  [501, ({ become }) => become(ProtocolError, 'NOT_IMPLEMENTED', hints.noSuchApi)],
  [505, ({ become }) => become(ProtocolError, 'NOT_IMPLEMENTED', hints.noSuchApi)],
  [between(500, 600), passing],
  [between(300, 400), ({ become }) => become(ProtocolError, 'REDIRECTED', hints.redirect)],
  [() => true, ({ become }) => become(ProtocolError, 'UNEXPECTED_STATUS', hints.report)],
];

const hints = {
  project: "Check the target's projectId: the project is frozen, deleted or another account's.",
  noSuchApi: "There is no such API here: check the target's endpoint, region, api and projectId.",
  proxy: "Check HTTPS_PROXY's user and password, or name the endpoint in NO_PROXY.",
  parameters: "Check the target's filters, enterpriseProjectId and projectId.",
  report: 'This is not in the API reference: check endpoint and region, then report it.',
  redirect: 'Redirects are not followed: set the endpoint it should be, and check the proxy.',
  passing: 'It is tried again; if it stays, ask the service with the request id.',
  rateLimit:
    'Somebody else uses the same quota (it counts per user and per source address). It is waited for; ' +
    'if it stays, lower quota.requests or give this exporter its own user and address.',
};

/** One answer, with what the rules need of it. */
interface Facts {
  peer: Peer;
  answer: Answer;
  nowMs: number;
  /** Of the answer's body, '' where it does not say. */
  code: string;
  message: string;
  /** 'the ... API answered 503 APIGW.0613 "..." (request id ...)', safe to show. */
  text: string;
  become<E extends ExportError>(
    make: new (code: string, message: string, hint: string) => E,
    code: string,
    hint: string,
  ): E;
}

/** Never null: an answer with another status than the one asked for is an error. */
export function classifyAnswer(peer: Peer, answer: Answer, nowMs: number): ExportError {
  const told = readErrorBody(answer.body);
  const code = told.code.replace(/^APIG\./, 'APIGW.');
  // IAM tells it in a header alone.
  const requestId = told.requestId || (answer.headers.get('x-request-id') ?? '');
  const quoted = [
    `${peer.name} answered ${answer.status}`,
    code && ` ${quote(peer, code)}`,
    told.message && `: "${quote(peer, told.message)}"`,
    isHtml(answer.body) && ' with an HTML page',
    requestId && ` (request id ${quote(peer, requestId)})`,
  ];
  const text = quoted.filter(Boolean).join('');
  const facts: Facts = {
    peer,
    answer,
    nowMs,
    code,
    message: told.message,
    text,
    become: (make, ownCode, hint) => new make(ownCode, text, hint),
  };
  const fitting = rules.find(([on]) =>
    typeof on === 'function' ? on(answer.status, answer.body) : on === answer.status || on === code,
  );
  return (fitting as Rule)[1](facts);
}

function between(from: number, below: number): (status: number) => boolean {
  return (status) => status >= from && status < below;
}

function rateLimited({ peer, answer, nowMs, message, text }: Facts): ExportError {
  const waitMs = readRetryAfter(answer.headers, nowMs) ?? readWindow(message) ?? peer.windowMs;
  return new RateLimitedError(text, hints.rateLimit, waitMs);
}

function passing({ answer, nowMs, text }: Facts): ExportError {
  return new TransientError('SERVER', text, hints.passing, {
    retryAfterMs: readRetryAfter(answer.headers, nowMs),
  });
}

function refused({ peer, answer, nowMs, code, message, text }: Facts): ExportError {
  const skew = describeSkew(answer.headers, nowMs);
  if (/reach(ed)? the limit/i.test(message)) {
    const hint = `The key is locked for 5 minutes after 5 failures. ${skew}${peer.identityHint}`;
    return new AuthError('KEY_LOCKED', text, hint);
  }
  // 0301, 0303, 0305 and 0307 doubt the identity, 0302, 0304 and 0306 the permission; without a code the status tells.
  const doubtsIdentity = /^APIGW\.030[1357]$/.test(code) || answer.status === 401;
  if (!doubtsIdentity) {
    return new AuthError('NOT_PERMITTED', text, `${skew}${peer.permissionHint}`);
  }
  return new AuthError(skew ? 'CLOCK_SKEW' : 'REFUSED', text, `${skew}${peer.identityHint}`);
}

/** '' while the clocks agree. */
function describeSkew(headers: Headers, nowMs: number): string {
  const serverMs = Date.parse(headers.get('date') ?? '');
  const skewMs = nowMs - serverMs;
  if (Number.isNaN(serverMs) || Math.abs(skewMs) <= skewMsMax) return '';
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  return `This host's clock is ${minutes} minutes ${side} the server's: set it (more than 15 are refused). `;
}

/** Seconds or a date, as milliseconds from now; null if there is none that makes sense. */
function readRetryAfter(headers: Headers, nowMs: number): number | null {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(value)) return Math.min(Number(value) * 1000, retryAfterMsMax);
  // Date.parse takes much for a date, '-5' too; RFC 9110 has GMT in each.
  const untilMs = value.endsWith('GMT') ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(untilMs)) return null;
  // Against the server's own clock where it tells, for ours may be off.
  const serverMs = Date.parse(headers.get('date') ?? '');
  const fromMs = Number.isNaN(serverMs) ? nowMs : serverMs;
  return Math.min(Math.max(0, untilMs - fromMs), retryAfterMsMax);
}

const unitMs: Record<string, number> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** The window in '...limit:5,time:1 minute'; null if it is not there. */
function readWindow(message: string): number | null {
  const [, count, unit] = /time:\s*(\d+)\s*(second|minute|hour|day)/i.exec(message) ?? [];
  if (count === undefined || unit === undefined) return null;
  return Math.min(Number(count) * (unitMs[unit.toLowerCase()] as number), retryAfterMsMax);
}

/** Code, message and request id in the gateway's, the service's or IAM's form; '' where there is none. */
function readErrorBody(body: string): {
  code: string;
  message: string;
  requestId: string;
} {
  let value: unknown = null;
  try {
    value = JSON.parse(body);
  } catch {
    // An error page of a proxy, or nothing: the status has to do.
  }
  const outer = asRecord(value);
  const inner = asRecord(outer.error);
  const pick = (...candidates: unknown[]) =>
    String(candidates.find((one) => typeof one === 'string' || typeof one === 'number') ?? '');
  return {
    code: pick(outer.error_code, outer.code, inner.code),
    message: pick(outer.error_msg, outer.message, inner.message, inner.title),
    requestId: pick(outer.request_id),
  };
}

/**
 * A successful body as JSON. TransientError `BODY_BROKEN` where it does not parse,
 * ProtocolError `NOT_A_PAGE` where it never was JSON.
 */
export function parseBody(peer: Peer, body: string): unknown {
  if (isHtml(body)) throw unexpectedBody(peer, 'an HTML page');
  try {
    return parseExact(body);
  } catch {
    const seen = body.trim() === '' ? 'an empty body' : 'truncated or invalid JSON';
    const hint = 'It is tried again; if it stays, look at what stands between here and there.';
    throw new TransientError('BODY_BROKEN', `${peer.name} sent ${seen}`, hint);
  }
}

/** For a success that is not what was asked for; `value` is named by its shape, its contents are not shown. */
export function unexpectedBody(peer: Peer, seen: string): ProtocolError {
  const hint = "Check the target's endpoint and api, and any proxy on the way; then report it.";
  return new ProtocolError(
    'NOT_A_PAGE',
    `Expected an answer from ${peer.name}, but received ${seen}`,
    hint,
  );
}

/** 'a JSON object with the fields a, b': what a value seems to be. */
export function describeShape(peer: Peer, value: unknown): string {
  if (Array.isArray(value)) return 'a JSON array';
  if (typeof value !== 'object' || value === null)
    return `JSON ${value === null ? 'null' : typeof value}`;
  const names = Object.keys(value);
  if (names.length === 0) return 'an empty JSON object';
  return `a JSON object with the fields ${quote(peer, names.slice(0, 20).join(', '))}`;
}

function isHtml(body: string): boolean {
  return /^\s*<(!doctype|html|head|body|\?xml)/i.test(body.slice(0, 1000));
}

/** A stranger's text made safe to show: no control characters, no secrets, not long. */
export function quote(peer: Peer, text: string): string {
  const bounded = text.slice(0, 100_000);
  // Scrubbed on both sides of the change: either text may be the one that holds a secret.
  const printable = peer.scrub(bounded).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '');
  const clean = peer.scrub(printable).replace(/Signature=[0-9a-f]{64}/gi, 'Signature=[redacted]');
  return clean.length > quoteCharsMax ? `${clean.slice(0, quoteCharsMax - 1)}…` : clean;
}
