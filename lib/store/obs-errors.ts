// Owns what a failed call to OBS means: which error, which hint, whether another try helps. Refuses to try.

import { type ExportError, StoreError } from '../core/errors.ts';

export type Verb = 'write' | 'read' | 'list' | 'delete';

/** What was tried, for messages. */
export interface Attempted {
  verb: Verb;
  /** `obs://bucket/prefix/key`. */
  url: string;
  bucket: string;
  endpoint: string;
  kms: boolean;
  /** The key has a security token. */
  temporary: boolean;
  /** Blacks out secrets in what the store said. */
  scrub: (text: string) => string;
}

export interface Failure {
  error: ExportError;
  /**
   * `no`: only a person helps. `soon`, `slowly`: it passes by itself; slowly if the store asks for fewer requests.
   * `once`: the SDK has learned the store's time from the answer, so one more try is worth it.
   */
  again: 'no' | 'soon' | 'slowly' | 'once';
  /** The key was refused, or what it may do: a temporary key ends like this, under one code or another. */
  refused: boolean;
  /** The key itself, whatever it is used for: to use it again may lock it. */
  badKey: boolean;
}

/** What each call needs. Source: OBS API Reference, "Actions Supported by Policy-based Authorization", read 2026-11-24. */
const actions: Record<Verb, string> = {
  write: 'obs:object:PutObject (and obs:object:GetObject, to check what was written)',
  read: 'obs:object:GetObject on the objects and obs:bucket:ListBucket on the bucket (either one missing looks like this: without ListBucket an absent object is refused, not said to be absent)',
  list: 'obs:bucket:ListBucket',
  delete: 'obs:object:DeleteObject',
};

const keyHint =
  "Check obs.credentials (by default the first account's): access key, secret key and security token belong together.";
const wayHint =
  'It was tried several times. Check the network, the proxy and obs.endpoint; start again: the run goes on where it stopped.';

const strangerHint =
  'Something else answers there, a proxy or a login page: check HTTPS_PROXY, NO_PROXY and obs.endpoint; then start again.';

/** By the code in the store's answer. S3 spells them so, and OBS after it: OBS API Reference, "Error Codes", read 2026-11-24. */
const denials: Record<string, (attempted: Attempted) => [message: string, hint: string]> = {
  NoSuchBucket: ({ bucket, endpoint }) => [
    `there is no bucket ${bucket} at ${endpoint}`,
    'Create it, or correct `store` and obs.endpoint: a bucket is found only at the endpoint of its own region.',
  ],
  InvalidBucketName: ({ bucket }) => [`${bucket} is no name of a bucket`, 'Correct `store`.'],
  InvalidAccessKeyId: ({ temporary }) => [
    'the store does not know the access key',
    temporary
      ? 'It is a temporary one: has it ended? Give a new one, or one that is renewed by itself: the agency of a function, or a permanent key.'
      : keyHint,
  ],
  SignatureDoesNotMatch: () => [
    'the signature does not match: the secret key is not that of the access key',
    keyHint,
  ],
  InvalidSecurity: () => ['the store does not take the key', keyHint],
  InvalidToken: () => ['the store does not take the security token', keyHint],
  ExpiredToken: () => [
    'the temporary key has expired',
    'Give a new one, or one that is renewed by itself: the agency of a function, or a permanent key.',
  ],
  RequestTimeTooSkewed: () => [
    "the clock of this host differs from the store's by more than 15 minutes",
    'Set the clock of this host (NTP).',
  ],
  AuthorizationHeaderMalformed: wrongRegion,
  PermanentRedirect: wrongRegion,
  TemporaryRedirect: wrongRegion,
  Redirect: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  VirtualHostDomainRequired: () => [
    'the store does not take the bucket in the path',
    "Remove obs.pathStyle: OBS takes the bucket in the host's name only.",
  ],
  MethodNotAllowed: ({ endpoint }) => [
    `${endpoint} does not take this request`,
    'Check obs.endpoint and obs.pathStyle: OBS wants https://obs.<region>.myhuaweicloud.com and no pathStyle, most others pathStyle: true.',
  ],
};

function wrongRegion({ bucket, endpoint }: Attempted): [string, string] {
  return [
    `the bucket ${bucket} is not at ${endpoint}`,
    "Set obs.endpoint to the endpoint of the bucket's own region; the console shows it under the bucket's basic information.",
  ];
}

/** The key is not one, or not any more. What it may do is another matter. */
const badKeyCodes = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidSecurity',
  'InvalidToken',
];
const expiredCodes = ['ExpiredToken', 'TokenRefreshRequired', 'RequestExpired'];
const slowCodes = ['SlowDown', 'TooManyRequests', 'Throttling', 'ThrottlingException'];
const dnsHint =
  "The name does not resolve: check obs.endpoint, the bucket's name in `store`, and the DNS. Not OBS? Then set obs.pathStyle: true.";
const tlsCode = /CERT|SELF_SIGNED|ISSUER|ALTNAME|LEAF_SIGNATURE|^ERR_SSL|^ERR_TLS|^EPROTO$/;

/** Anything that is neither the store's answer nor the network's fault is a bug of ours, and thrown as it is. */
export function describeFailure(thrown: unknown, attempted: Attempted): Failure {
  const { status, code, text } = readAnswer(thrown);
  if (status !== null) return describeAnswer(status, code, text, attempted);
  const network = readNetworkCode(thrown);
  if (network === null) throw thrown;
  const { verb, url, endpoint, scrub } = attempted;
  const message = `cannot ${verb} ${url}: ${scrub(network)}`;
  if (/ALTNAME/.test(network)) {
    const hint = `The certificate is not made for the host of ${endpoint}: correct obs.endpoint. With the bucket before the host's name it must cover that too; obs.pathStyle: true avoids it where the store allows it (OBS does not). Verification is never switched off.`;
    return fail('STORE_DENIED', message, hint, 'no');
  }
  if (/^EPROTO$|^ERR_SSL|^ERR_TLS/.test(network)) {
    const hint = `${endpoint} does not speak TLS as this host does: is it a port for plain http, or a proxy in between? Plain http is for this host only.`;
    return fail('STORE_DENIED', message, hint, 'no');
  }
  if (tlsCode.test(network)) {
    const hint = `The certificate of ${endpoint} is not trusted: set NODE_EXTRA_CA_CERTS to the CA that signed it (your proxy's, or your own store's). Verification is never switched off.`;
    return fail('STORE_DENIED', message, hint, 'no');
  }
  // A wrong name looks like this for ever, and a timer must not be silent about it; a DNS at rest says EAI_AGAIN.
  if (network === 'ENOTFOUND') return fail('STORE_DENIED', message, dnsHint, 'soon');
  return fail('STORE_FAILED', message, network === 'EAI_AGAIN' ? dnsHint : wayHint, 'soon');
}

function describeAnswer(status: number, code: string, text: string, attempted: Attempted): Failure {
  const { verb, url, kms, scrub } = attempted;
  const said = scrub([status, code, text].filter(Boolean).join(' '));
  const message = (why: string) => `cannot ${verb} ${url}: ${why} (${said})`;
  if (slowCodes.includes(code) || status === 429) {
    const hint =
      'The store asks for fewer requests. Start again: the run goes on where it stopped.';
    return fail('STORE_FAILED', message('too many requests'), hint, 'slowly');
  }
  // First: other stores put it under codes of other meaning.
  if (kms && verb === 'write' && status < 500 && /kms|encrypt/i.test(`${code} ${text}`)) {
    const hint =
      "Check obs.kmsKeyId: the key must exist in the bucket's region, be enabled, and the identity must be allowed to use it.";
    return fail('STORE_DENIED', message('the KMS key was refused'), hint, 'no');
  }
  if (status === 407) {
    const hint = 'The proxy wants a login: check HTTPS_PROXY, or set NO_PROXY for the store.';
    return fail('STORE_DENIED', message('the proxy refused'), hint, 'no');
  }
  const refused = status === 401 || status === 403 || expiredCodes.includes(code);
  const known = denials[expiredCodes.includes(code) ? 'ExpiredToken' : code];
  if (known) {
    const [why, hint] = known(attempted);
    const again = code === 'RequestTimeTooSkewed' ? 'once' : 'no';
    const badKey = badKeyCodes.includes(code) || expiredCodes.includes(code);
    return { ...fail('STORE_DENIED', message(why), hint, again), refused, badKey };
  }
  // A store says what is not there; a page of a proxy says nothing that one could read.
  if (status === 404 && (code === '' || code === 'NotFound')) {
    return fail('STORE_FAILED', message('not the store has answered'), strangerHint, 'soon');
  }
  if (refused) {
    // A HEAD is refused without a word too.
    const orElse = code === '' ? ` If it has that already: ${strangerHint}` : '';
    const forKey = kms ? ' With obs.kmsKeyId, the use of that KMS key must be granted too.' : '';
    const hint = `Grant the identity ${actions[verb]} for this bucket and prefix, and look for a policy that denies it.${forKey}${orElse}`;
    return { ...fail('STORE_DENIED', message('access denied'), hint, 'no'), refused };
  }
  if (status >= 300 && status < 400) {
    const [why, hint] = wrongRegion(attempted);
    return fail('STORE_DENIED', message(why), hint, 'no');
  }
  // BadDigest and the like: the bytes were hurt on the way.
  const hurt = ['BadDigest', 'IncompleteBody', 'RequestTimeout', 'XAmzContentSHA256Mismatch'];
  if (status >= 500 || status === 408 || hurt.includes(code) || status < 300) {
    return fail('STORE_FAILED', message('the store failed'), wayHint, 'soon');
  }
  const hint =
    'The store refuses what it is asked: check obs.endpoint and obs.pathStyle, then report it.';
  return fail('STORE_DENIED', message('refused'), hint, 'no');
}

function fail(
  code: 'STORE_DENIED' | 'STORE_FAILED',
  message: string,
  hint: string,
  again: Failure['again'],
): Failure {
  // Without the SDK's error as its cause: that holds the request, signature and access key.
  return { error: new StoreError(code, message, hint), again, refused: false, badKey: false };
}

/** What came back is not what was sent for; another try may mend it. */
export function describeMismatch(attempted: Attempted, found: string): Failure {
  const message = `cannot ${attempted.verb} ${attempted.url}: ${found}`;
  const hint =
    'Another program may write the same object, or the store loses bytes: look at the object, then start again.';
  return fail('STORE_FAILED', message, hint, 'soon');
}

/** The time for one call ran out. */
export function describeTimeout(attempted: Attempted, timeoutMs: number): Failure {
  const message = `cannot ${attempted.verb} ${attempted.url}: no answer within ${Math.round(timeoutMs / 1000)} s`;
  return fail('STORE_FAILED', message, wayHint, 'soon');
}

/** The object is not there. `headless`: the answer was to a HEAD, whose refusals have no body to say it in. */
export function isAbsent(thrown: unknown, headless: boolean): boolean {
  const { status, code } = readAnswer(thrown);
  const codes = headless ? ['NoSuchKey', 'NotFound', ''] : ['NoSuchKey', 'NoSuchVersion'];
  return status === 404 && codes.includes(code);
}

/** What came is a page for people, and no store has signed it with its request id. */
export function describeStranger(attempted: Attempted): Failure {
  const message = `cannot ${attempted.verb} ${attempted.url}: a page of HTML came, and not from the store`;
  return fail('STORE_FAILED', message, strangerHint, 'soon');
}

/** A key that was refused is not used again for a while. */
export function describeHeldKey(attempted: Attempted, refusal: ExportError): Failure {
  const message = `cannot ${attempted.verb} ${attempted.url}: the key was refused before, and is not tried again`;
  return fail('STORE_DENIED', message, refusal.hint, 'no');
}

/** This invocation has no time left for the call. */
export function describeNoTime(attempted: Attempted): Failure {
  const message = `cannot ${attempted.verb} ${attempted.url}: no time is left`;
  const hint = 'The next invocation goes on. If this happens often, raise the time-out.';
  return fail('STORE_FAILED', message, hint, 'no');
}

/** `status` null: no answer came. `code` is empty where the answer had no body (HEAD). */
function readAnswer(thrown: unknown): { status: number | null; code: string; text: string } {
  const { name, message, $metadata, $response } = asRecord(thrown);
  const answered = asRecord($metadata).httpStatusCode ?? asRecord($response).statusCode;
  const status = typeof answered === 'number' ? answered : null;
  const isCode = typeof name === 'string' && /^[A-Za-z][\w.]{2,60}$/.test(name);
  const nameless = ['Error', 'SyntaxError', 'TypeError', 'Unknown', 'UnknownError', 'Forbidden'];
  const code = isCode && !nameless.includes(name) && !/^\d/.test(name) ? name : '';
  const text =
    typeof message === 'string' && code !== '' && message !== name ? oneLine(message) : '';
  return { status, code, text: /^unknown|^UnknownError$/i.test(text) ? '' : text };
}

function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

const systemCode = /^(E[A-Z]|ERR_(SSL|TLS|HTTP|STREAM)|CERT_|DEPTH_|SELF_|UNABLE_|HPE_)/;

function readNetworkCode(thrown: unknown): string | null {
  let current: unknown = thrown;
  for (let depth = 0; depth < 4; depth += 1) {
    const { code, name, cause, errors, message } = asRecord(current);
    if (typeof code === 'string' && systemCode.test(code)) return code;
    if (name === 'TimeoutError') return 'ETIMEDOUT';
    if (message === 'aborted' || message === 'socket hang up') return 'ECONNRESET';
    // What https-proxy-agent says of a proxy that does not let it through.
    if (typeof message === 'string' && /^Proxy /.test(message)) return oneLine(message);
    current = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
  return null;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
