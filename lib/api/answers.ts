// Responsible for what an HTTP answer means: its status and error code become an ExportError. Text from the server is
// scrubbed and shortened before it is shown. Not responsible for sending (send.ts).

import { describeDifference } from '../core/duration.ts';
import { askedWaitMsMax, longWaitHint } from '../core/error-policy.ts';
import {
  AuthError,
  type ExportError,
  ProtocolError,
  RateLimitedError,
  TransientError,
} from '../core/errors.ts';
import { depthMax, isDeeper, parseExact, RawNumber } from '../core/exact-json.ts';
import type { Clock } from '../core/ports.ts';
import { asRecord } from '../core/value-shape.ts';
import type { Fetch } from './transport.ts';

const quoteCharsMax = 200;
/** Above this difference the hint mentions the clocks. The gateway rejects more than 15 minutes. */
const skewMsMax = 5 * 60_000;
const retryAfterMsMax = 24 * 3_600_000;

/** The server that is asked, and what the errors about its answers need. */
export interface Peer {
  fetch: Fetch;
  clock: Clock;
  /** Replaces every known secret in a text. */
  scrub(text: string): string;
  /** In messages: 'the container nodes API'. */
  name: string;
  /** In hints: the settings that say where the server is. */
  settings: string;
  /** Hint for a rejected identity: what to check. */
  identityHint: string;
  /** Hint for a missing permission: what to grant. */
  permissionHint: string;
  /** The wait after a 429 that does not name one, milliseconds. */
  windowMs: number;
  /** Requests per `windowMs` that this program may send by its configuration. Absent: it does not count them. */
  quotaRequests?: number | undefined;
  /** True: no request is signed with the time, so that a wrong clock does not matter. */
  ignoresClock?: boolean | undefined;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

type Rule = (facts: Facts) => ExportError;

const hints = {
  project:
    "Check the target's projectId: the project is frozen, deleted or belongs to another account.",
  noSuchApi:
    "This address has no such API: check the target's endpoint, region, api and projectId.",
  proxy:
    'Check the user and password in HTTPS_PROXY (write %25 for a % in them), or add the host to NO_PROXY.',
  parameters: "Check the target's filters, enterpriseProjectId and projectId.",
  report:
    'The API reference does not document this answer: check endpoint and region, then report it.',
  redirect: 'Redirects are not followed: correct the endpoint, and check the proxy.',
  choices:
    'The server offers several resources at this address: check endpoint, region and api, and any proxy in between.',
  unasked:
    'The request did not ask whether something changed, so a cache or proxy answered wrongly: check the proxy and the endpoint.',
  transient:
    'An export tries again by itself. If it persists, contact support with the request id.',
  busy: 'The service is busy. An export tries again by itself. If it persists, start again later: an export continues where it stopped.',
  empty:
    'An export tries again by itself. If it persists, check the endpoint and any proxy in between, then report it.',
  rateLimit:
    'Another client uses the same quota, which counts per user and per source address, or this is a bug: compare the log of the gateway with the entries under _quota/. An export tries again by itself. If it persists, lower quota.requests or give this exporter its own user and address.',
};

const refuseRequest = (hint: string) => become(ProtocolError, 'REQUEST_REFUSED', hint);
const unexpected = become(ProtocolError, 'UNEXPECTED_STATUS', hints.report);
const lackApi = (code: string) => become(ProtocolError, code, hints.noSuchApi);

/**
 * Error codes that decide before the status does (`APIG.` counts as `APIGW.`).
 * Source: API Gateway, "Error Codes", read 2026-11-24.
 */
const ruleByCode: Readonly<Record<string, Rule>> = {
  'APIGW.0308': rateLimited,
  'APIGW.0310': become(AuthError, 'PROJECT_UNAVAILABLE', hints.project),
  'APIGW.0101': lackApi('NO_SUCH_API'),
};

/**
 * Every status of the reference, and others that gateways and proxies send. 200 and 201 come here only if the other one was
 * expected.
 * Source: CGS API Reference 2021-12-23, A.1; read 2026-11-25.
 */
const ruleByStatus: Readonly<Record<number, Rule>> = {
  200: unexpected,
  // "Submitted; the system is busy, and the task is delayed." A list has no task, so it is asked for again.
  202: (facts) => transient(facts, hints.busy),
  // "No content". Like an empty body of a 200: it may be a fault of a gateway.
  204: ({ text }) => new TransientError('BODY_BROKEN', text, hints.empty),
  300: become(ProtocolError, 'REDIRECTED', hints.choices),
  // "Not modified". No redirect, although its class is.
  304: become(ProtocolError, 'UNEXPECTED_STATUS', hints.unasked),
  400: refuseRequest(hints.parameters),
  401: rejectIdentity,
  403: rejectIdentity,
  404: lackApi('NOT_FOUND'),
  405: refuseRequest(hints.noSuchApi),
  406: refuseRequest(hints.report),
  407: become(AuthError, 'PROXY_REFUSED', hints.proxy),
  408: transient,
  // "Conflict". The request only reads, so the conflict is between others and can pass.
  409: transient,
  425: transient,
  429: rateLimited,
  500: transient,
  501: lackApi('NOT_IMPLEMENTED'),
  502: transient,
  503: transient,
  504: transient,
  505: lackApi('NOT_IMPLEMENTED'),
};

/** By the first digit, for a status without a rule of its own. */
const ruleByClass: Readonly<Record<number, Rule>> = {
  3: become(ProtocolError, 'REDIRECTED', hints.redirect),
  4: refuseRequest(hints.report),
  5: transient,
};

/** The error that the first rule for these facts gives. */
function applyRule(facts: Facts, body: string): ExportError {
  const { status, code } = facts;
  // An HTML page of a 5xx is from a proxy or a load balancer, not from the service.
  const isOfProxy = status >= 500 && isHtml(body);
  const rule = ruleByCode[code] ?? (isOfProxy ? transient : ruleByStatus[status]);
  return (rule ?? ruleByClass[Math.floor(status / 100)] ?? unexpected)(facts);
}

/**
 * The status that belongs to an error code, for an error that came with status 200; null: not known.
 * Sources: API Gateway, "Error Codes"; CGS API Reference 2021-12-23, A.2; Keystone and IAM use the status itself as the code.
 */
function statusOfCode(code: string): number | null {
  if (/^[345]\d\d$/.test(code)) return Number(code);
  if (code === 'HSS.0001') return 400;
  if (code === 'HSS.0041') return 500;
  const number = Number(/^APIGW\.(\d{4})$/.exec(code)?.[1] ?? Number.NaN);
  if ([301, 303, 305, 307].includes(number)) return 401;
  if ([302, 304, 306].includes(number)) return 403;
  if ([201, 602, 607].includes(number)) return 400;
  if (number >= 600 && number < 700) return 500;
  return null;
}

/** What the functions in the rules need. */
interface Facts {
  peer: Peer;
  answer: Answer;
  /** What the answer means: its status, or the one that belongs to the error in its body. */
  status: number;
  nowMs: number;
  /** From the body; '' if it has none. */
  code: string;
  message: string;
  /** 'the ... API answered 503 APIGW.0613: "..." (request id ...)', safe to show. */
  text: string;
}

/** The error for an answer whose status is not the expected one. */
export function classifyAnswer(peer: Peer, answer: Answer, nowMs: number): ExportError {
  const facts = readFacts(peer, answer, nowMs);
  return applyRule(facts, answer.body);
}

/**
 * The error that the body of a successful answer states, as `{"error_code", "error_msg"}` or `{"error": {...}}`; null if it
 * states none. It means what it means with the status that belongs to its code.
 */
export function findStatedError(
  peer: Peer,
  answer: Answer,
  value: unknown,
  nowMs: number,
): ExportError | null {
  const { error_code, error_msg, error } = asRecord(value);
  if ([error_code, error_msg, error].every((one) => one === undefined || one === null)) return null;
  const facts = readFacts(peer, answer, nowMs);
  // Some services send these fields with every answer, empty if all is well.
  if (/^0*$/.test(facts.code) && facts.message === '') return null;
  const status = statusOfCode(facts.code);
  if (ruleByCode[facts.code] || status !== null)
    return applyRule({ ...facts, status: status ?? 0 }, '');
  return new ProtocolError('NOT_A_PAGE', facts.text, hints.report);
}

function readFacts(peer: Peer, answer: Answer, nowMs: number): Facts {
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
  return { peer, answer, status: answer.status, nowMs, code, message, text };
}

function become(
  make: new (code: string, message: string, hint: string) => ExportError,
  code: string,
  hint: string,
): Rule {
  return ({ text }) => new make(code, text, hint);
}

function rateLimited({ peer, answer, nowMs, message, text }: Facts): ExportError {
  const askedMs = readAskedWait(answer.headers, nowMs);
  const waitMs = askedMs ?? readWindow(message) ?? peer.windowMs;
  const wait = waitMs > askedWaitMsMax ? describeWait(waitMs) : null;
  const hint = wait?.hint ?? describeLowerQuota(peer, message) ?? hints.rateLimit;
  return new RateLimitedError(text + (wait?.text ?? ''), hint, waitMs);
}

/** The hint if the service names a quota that is below the configured one; otherwise null. */
function describeLowerQuota({ windowMs, quotaRequests }: Peer, message: string): string | null {
  const allowed = Number(/limit:\s*(\d+)/i.exec(message)?.[1] ?? Number.NaN);
  const allowedMs = readWindow(message);
  if (quotaRequests === undefined || Number.isNaN(allowed) || allowedMs === null) return null;
  // The most that the configured quota lets through in a window of the service.
  if (quotaRequests * Math.max(1, Math.ceil(allowedMs / windowMs)) <= allowed) return null;
  const own = `${quotaRequests} in ${windowMs / 1_000} s`;
  const theirs = `${allowed} in ${allowedMs / 1_000} s`;
  return `Your quota is ${own}, but the service allows ${theirs}: set quota to requests: ${allowed} and windowSeconds: ${allowedMs / 1_000}.`;
}

function transient(
  { peer, answer, nowMs, code, text }: Facts,
  hint = hints.transient,
): ExportError {
  const retryAfterMs = readAskedWait(answer.headers, nowMs);
  const wait = (retryAfterMs ?? 0) > askedWaitMsMax ? describeWait(retryAfterMs ?? 0) : null;
  const brief = `answer ${[answer.status, quote(peer, code)].filter(Boolean).join(' ')}`;
  const message = text + (wait?.text ?? '');
  return new TransientError('SERVER', message, wait?.hint ?? hint, { retryAfterMs, brief });
}

/** For a wait that is longer than a run waits. */
function describeWait(waitMs: number): { text: string; hint: string } {
  const hours = waitMs / 3_600_000;
  const long = hours >= 2 ? `${Math.round(hours)} hours` : `${Math.round(hours * 60)} minutes`;
  const atLeast = waitMs >= retryAfterMsMax ? 'at least ' : '';
  return {
    text: ` and asked to wait for ${atLeast}${long}`,
    hint: longWaitHint,
  };
}

function rejectIdentity({ peer, answer, status, nowMs, code, message, text }: Facts): ExportError {
  const skew = peer.ignoresClock ? '' : describeSkew(answer.headers, nowMs);
  const found = findKeyFault(message);
  // With a wrong clock every signature is wrong, so the key is not judged.
  const identityHint = skew || found?.hint || peer.identityHint;
  if (/reach(ed)? the limit/i.test(message)) {
    const hint = `The service locks a key for 5 minutes after 5 failed sign-ins. ${identityHint}`;
    return new AuthError('KEY_LOCKED', text, hint);
  }
  // 0301, 0303, 0305 and 0307 are about the identity; 0302, 0304 and 0306 about the permission. Without a code, 401 is
  // about the identity and 403 about the permission.
  const isAboutIdentity = /^APIGW\.030[1357]$/.test(code) || status === 401;
  if (!isAboutIdentity) return new AuthError('NOT_PERMITTED', text, skew + peer.permissionHint);
  if (skew) return new AuthError('CLOCK_SKEW', text, identityHint);
  return new AuthError('REFUSED', found ? `${found.words}: ${text}` : text, identityHint);
}

/**
 * Which part of a key is wrong, if the gateway's text says so; otherwise null.
 * Assumed: these texts, which the API reference does not list, as in "Get secretKey failed,ak:...,err:ak not exist" and "verify
 * aksk signature fail".
 */
function findKeyFault(message: string): { words: string; hint: string } | null {
  if (/\bak\b.*not (exist|found)|access ?key.*not (exist|found)/i.test(message)) {
    return {
      words: 'the service does not know the access key',
      hint: 'The access key is wrong, not the secret key: check that it is complete, that it was not deleted or disabled, and that the endpoint belongs to the same region and cloud. A temporary key needs its security token too.',
    };
  }
  if (/signature/i.test(message)) {
    return {
      words: 'the secret key does not belong to the access key',
      hint: 'The access key is known, so the secret key is wrong: check that it is complete and belongs to this access key.',
    };
  }
  return null;
}

/** '' if the clocks agree. */
function describeSkew(headers: Headers, nowMs: number): string {
  const serverMs = Date.parse(headers.get('date') ?? '');
  const skewMs = nowMs - serverMs;
  if (Number.isNaN(serverMs) || Math.abs(skewMs) <= skewMsMax) return '';
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  return `This host's clock is ${describeDifference(Math.abs(skewMs))} ${side} the server's clock: correct it (more than 15 minutes are rejected). `;
}

/**
 * How long the answer asks to wait, milliseconds from now: Retry-After in seconds or as a date, else the reset of X-RateLimit
 * or RateLimit headers, else the window in such a header ("remain:0,limit:5,time:1 minute"). Null if none of them is valid.
 */
function readAskedWait(headers: Headers, nowMs: number): number | null {
  const bound = (waitMs: number) => Math.min(Math.max(0, waitMs), retryAfterMsMax);
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(value)) return bound(Number(value) * 1000);
  // Measured by the server's own clock if it sends one, because this host's clock may be wrong.
  const serverMs = Date.parse(headers.get('date') ?? '');
  const fromMs = Number.isNaN(serverMs) ? nowMs : serverMs;
  // Date.parse accepts much that is not a date, such as '-5'. The dates of RFC 9110 end in GMT.
  const untilMs = value.endsWith('GMT') ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(untilMs)) return bound(untilMs - fromMs);
  for (const [name, text] of headers) {
    if (!/^(x-)?ratelimit/.test(name)) continue;
    const reset = /-reset/.test(name) && /^\d{1,13}$/.test(text) ? Number(text) : null;
    // Seconds from now, seconds since 1970, or milliseconds since 1970.
    if (reset !== null && reset < 1e9) return bound(reset * 1000);
    if (reset !== null) return bound((reset < 1e11 ? reset * 1000 : reset) - fromMs);
    if (/remain(ing)?:\s*0\b/.test(text)) return readWindow(text);
  }
  return null;
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
    if (!isDeeper(body, depthMax)) value = JSON.parse(body);
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
  if (isDeeper(body, depthMax)) {
    throw unexpectedBody(peer, `JSON with more than ${depthMax} levels`);
  }
  try {
    return parseExact(body);
  } catch {
    throw brokenBody(peer, body.trim() === '' ? 'an empty body' : 'truncated or invalid JSON');
  }
}

/** The error for a body that cannot be read. `seen` must be safe to show. */
export function brokenBody(peer: Peer, seen: string): TransientError {
  const hint =
    'An export tries again by itself. If it persists, check proxies and firewalls between this host and the API.';
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
function quote(peer: Peer, text: string): string {
  const bounded = text.slice(0, 100_000);
  // Scrubbed before and after control characters are removed, because both forms may contain a secret.
  const printable = peer.scrub(bounded).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '');
  const clean = peer.scrub(printable).replace(/Signature=[0-9a-f]{64}/gi, 'Signature=[redacted]');
  return clean.length > quoteCharsMax ? `${clean.slice(0, quoteCharsMax - 1)}…` : clean;
}
