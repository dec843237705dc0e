// Responsible for what an HTTP answer means: its status and error code become an ExportError. Text from the server is
// scrubbed and shortened before it is shown. Not responsible for sending (send.ts).

import {
  AuthError,
  type ExportError,
  ProtocolError,
  RateLimitedError,
  TransientError,
} from '../core/errors.ts';
import { parseExact, RawNumber } from '../core/exact-json.ts';
import type { Clock } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';

const quoteCharsMax = 200;
/** Above this difference the hint mentions the clocks. The gateway rejects more than 15 minutes. */
const skewMsMax = 5 * 60_000;
const retryAfterMsMax = 24 * 3_600_000;

/** The server that is asked, and what the errors about its answers need. */
export interface Peer {
  fetch: typeof fetch;
  clock: Clock;
  /** Replaces every known secret in a text. */
  scrub(text: string): string;
  /** In messages: 'the container nodes API'. */
  name: string;
  /** Hint for a rejected identity: what to check. */
  identityHint: string;
  /** Hint for a missing permission: what to grant. */
  permissionHint: string;
  /** The wait after a 429 that does not name one, milliseconds. */
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

const hints = {
  project:
    "Check the target's projectId: the project is frozen, deleted or belongs to another account.",
  noSuchApi:
    "This address has no such API: check the target's endpoint, region, api and projectId.",
  proxy: 'Check the user and password in HTTPS_PROXY, or add the endpoint to NO_PROXY.',
  parameters: "Check the target's filters, enterpriseProjectId and projectId.",
  report:
    'The API reference does not document this answer: check endpoint and region, then report it.',
  redirect: 'Redirects are not followed: correct the endpoint, and check the proxy.',
  transient: 'Retried automatically. If it persists, contact support with the request id.',
  rateLimit:
    'Another client uses the same quota, which counts per user and per source address. Retried automatically. If it persists, lower quota.requests or give this exporter its own user and address.',
};

/**
 * What an answer means; the first rule that matches is used. A number matches the status, a string the error code in the
 * answer (`APIG.` counts as `APIGW.`).
 * Sources: CGS API Reference 2021-12-23, A.1 and A.2; API Gateway, "Error Codes" (0101, 0308, 0310) and
 * "Common Errors Related to IAM Authentication Information" (locked keys); read 2026-11-24.
 */
const rules: readonly Rule[] = [
  ['APIGW.0308', rateLimited],
  [429, rateLimited],
  ['APIGW.0310', become(AuthError, 'PROJECT_UNAVAILABLE', hints.project)],
  [401, rejectIdentity],
  [403, rejectIdentity],
  ['APIGW.0101', become(ProtocolError, 'NO_SUCH_API', hints.noSuchApi)],
  [404, become(ProtocolError, 'NOT_FOUND', hints.noSuchApi)],
  [407, become(ProtocolError, 'PROXY_REFUSED', hints.proxy)],
  [408, transient],
  [400, become(ProtocolError, 'REQUEST_REFUSED', hints.parameters)],
  [between(400, 500), become(ProtocolError, 'REQUEST_REFUSED', hints.report)],
  [(status, body) => status >= 500 && isHtml(body), transient],
  [501, become(ProtocolError, 'NOT_IMPLEMENTED', hints.noSuchApi)],
  [505, become(ProtocolError, 'NOT_IMPLEMENTED', hints.noSuchApi)],
  [between(500, 600), transient],
  [between(300, 400), become(ProtocolError, 'REDIRECTED', hints.redirect)],
  [() => true, become(ProtocolError, 'UNEXPECTED_STATUS', hints.report)],
];

/** What the functions in the rules need. */
interface Facts {
  peer: Peer;
  answer: Answer;
  nowMs: number;
  /** From the body; '' if it has none. */
  code: string;
  message: string;
  /** 'the ... API answered 503 APIGW.0613: "..." (request id ...)', safe to show. */
  text: string;
}

/** The error for an answer whose status is not the expected one. */
export function classifyAnswer(peer: Peer, answer: Answer, nowMs: number): ExportError {
  const { message, ...stated } = readErrorBody(answer.body);
  const code = stated.code.replace(/^APIG\./, 'APIGW.');
  // IAM sends its request id only in a header.
  const requestId = stated.requestId || (answer.headers.get('x-request-id') ?? '');
  const quoted = [
    `${peer.name} answered ${answer.status}`,
    code && ` ${quote(peer, code)}`,
    message && `: "${quote(peer, message)}"`,
    isHtml(answer.body) && ' with an HTML page',
    requestId && ` (request id ${quote(peer, requestId)})`,
  ];
  const text = quoted.filter(Boolean).join('');
  const rule = rules.find(([on]) =>
    typeof on === 'function' ? on(answer.status, answer.body) : on === answer.status || on === code,
  ) as Rule;
  return rule[1]({ peer, answer, nowMs, code, message, text });
}

function become(
  make: new (code: string, message: string, hint: string) => ExportError,
  code: string,
  hint: string,
): Rule[1] {
  return ({ text }) => new make(code, text, hint);
}

function between(from: number, below: number): (status: number) => boolean {
  return (status) => status >= from && status < below;
}

function rateLimited({ peer, answer, nowMs, message, text }: Facts): ExportError {
  const waitMs = readRetryAfter(answer.headers, nowMs) ?? readWindow(message) ?? peer.windowMs;
  return new RateLimitedError(text, hints.rateLimit, waitMs);
}

function transient({ answer, nowMs, text }: Facts): ExportError {
  const retryAfterMs = readRetryAfter(answer.headers, nowMs);
  return new TransientError('SERVER', text, hints.transient, { retryAfterMs });
}

function rejectIdentity({ peer, answer, nowMs, code, message, text }: Facts): ExportError {
  const skew = describeSkew(answer.headers, nowMs);
  if (/reach(ed)? the limit/i.test(message)) {
    const hint = `The service locks a key for 5 minutes after 5 failed sign-ins. ${skew}${peer.identityHint}`;
    return new AuthError('KEY_LOCKED', text, hint);
  }
  // 0301, 0303, 0305 and 0307 are about the identity; 0302, 0304 and 0306 about the permission. Without a code, 401 is
  // about the identity and 403 about the permission.
  const isAboutIdentity = /^APIGW\.030[1357]$/.test(code) || answer.status === 401;
  if (!isAboutIdentity) return new AuthError('NOT_PERMITTED', text, skew + peer.permissionHint);
  return new AuthError(skew ? 'CLOCK_SKEW' : 'REFUSED', text, skew + peer.identityHint);
}

/** '' if the clocks agree. */
function describeSkew(headers: Headers, nowMs: number): string {
  const serverMs = Date.parse(headers.get('date') ?? '');
  const skewMs = nowMs - serverMs;
  if (Number.isNaN(serverMs) || Math.abs(skewMs) <= skewMsMax) return '';
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  return `This host's clock is ${minutes} minutes ${side} the server's clock: correct it (more than 15 minutes are rejected). `;
}

/** The Retry-After header, seconds or a date, as milliseconds from now; null if it is missing or not valid. */
function readRetryAfter(headers: Headers, nowMs: number): number | null {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(value)) return Math.min(Number(value) * 1000, retryAfterMsMax);
  // Date.parse accepts much that is not a date, such as '-5'. The dates of RFC 9110 end in GMT.
  const untilMs = value.endsWith('GMT') ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(untilMs)) return null;
  // Measured by the server's own clock if it sends one, because this host's clock may be wrong.
  const serverMs = Date.parse(headers.get('date') ?? '');
  const fromMs = Number.isNaN(serverMs) ? nowMs : serverMs;
  return Math.min(Math.max(0, untilMs - fromMs), retryAfterMsMax);
}

const unitMs = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** The window in '...limit:5,time:1 minute', milliseconds; null if the message does not have it. */
function readWindow(message: string): number | null {
  const [, count, unit] = /time:\s*(\d+)\s*(second|minute|hour|day)/i.exec(message) ?? [];
  if (count === undefined || unit === undefined) return null;
  const oneMs = unitMs[unit.toLowerCase() as keyof typeof unitMs];
  return Math.min(Number(count) * oneMs, retryAfterMsMax);
}

/** From the body of the gateway, the service or IAM; '' for what is missing. */
function readErrorBody(body: string): { code: string; message: string; requestId: string } {
  let value: unknown = null;
  try {
    value = JSON.parse(body);
  } catch {
    // An error page of a proxy, or an empty body: only the status is known.
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
 * The JSON value of a successful answer's body. Throws ProtocolError `NOT_A_PAGE` for HTML, TransientError `BODY_BROKEN`
 * for anything else that does not parse.
 */
export function parseBody(peer: Peer, body: string): unknown {
  if (isHtml(body)) throw unexpectedBody(peer, 'an HTML page');
  try {
    return parseExact(body);
  } catch {
    throw brokenBody(peer, body.trim() === '' ? 'an empty body' : 'truncated or invalid JSON');
  }
}

/** The error for a body that cannot be read. `seen` must be safe to show. */
export function brokenBody(peer: Peer, seen: string): TransientError {
  const hint =
    'Retried automatically. If it persists, check proxies and firewalls between this host and the API.';
  return new TransientError('BODY_BROKEN', `${peer.name} sent ${seen}`, hint);
}

/** The error for a successful answer that is not what was requested. `seen` must be safe to show. */
export function unexpectedBody(peer: Peer, seen: string): ProtocolError {
  const message = `Expected an answer from ${peer.name}, but received ${seen}`;
  const hint =
    "Check the target's endpoint and api, and any proxy in between. If they are right, report it.";
  return new ProtocolError('NOT_A_PAGE', message, hint);
}

/** What a value looks like, such as 'a JSON object with the fields a, b'. Contents are not shown. */
export function describeShape(peer: Peer, value: unknown): string {
  if (Array.isArray(value)) return 'a JSON array';
  if (value instanceof RawNumber) return 'JSON number';
  if (value === null) return 'JSON null';
  if (typeof value !== 'object') return `JSON ${typeof value}`;
  const names = Object.keys(value);
  if (names.length === 0) return 'an empty JSON object';
  return `a JSON object with the fields ${quote(peer, names.slice(0, 20).join(', '))}`;
}

function isHtml(body: string): boolean {
  return /^\s*<(!doctype|html|head|body|\?xml)/i.test(body.slice(0, 1000));
}

/** Text from a server, made safe to show: without control characters and secrets, at most 200 characters. */
export function quote(peer: Peer, text: string): string {
  const bounded = text.slice(0, 100_000);
  // Scrubbed before and after control characters are removed, because both forms may contain a secret.
  const printable = peer.scrub(bounded).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '');
  const clean = peer.scrub(printable).replace(/Signature=[0-9a-f]{64}/gi, 'Signature=[redacted]');
  return clean.length > quoteCharsMax ? `${clean.slice(0, quoteCharsMax - 1)}…` : clean;
}
