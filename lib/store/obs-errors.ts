// Responsible for what a failed request to an OBS store means: the error with its hint, and whether a retry can help. Not
// responsible for retrying.

import { type ExportError, ScratchError, StoreError } from '../core/errors.ts';
import { readNetworkCode, readProxy } from '../core/network-code.ts';
import { describeNetworkFault } from '../core/network-fault.ts';
import { asRecord } from '../core/value-shape.ts';

export type Verb = 'write' | 'read' | 'list' | 'delete';

/** What was tried, for messages and hints. */
export interface Operation {
  verb: Verb;
  /** `obs://bucket/prefix/key`. */
  url: string;
  bucket: string;
  endpoint: string;
  /** Scheme, host and port that requests go to. */
  origin: string;
  /** The region in the signature. */
  region: string;
  /** True if obs.kmsKeyId is set. */
  hasKmsKey: boolean;
  /** True if the access key has a security token. */
  isKeyTemporary: boolean;
  /** Removes secrets from text that the store sent. */
  scrub: (text: string) => string;
  /** The region that the store named as the right one. Not defined if it named none. */
  expectedRegion?: string;
  /** Status, code and text of the store's answer, without secrets. Not defined if no answer came. */
  answer?: string;
}

export interface OperationFailure {
  error: ExportError;
  /**
   * `never`: a retry cannot help. `soon`: the cause can pass by itself. `slowly`: as `soon`, but the store asked for fewer
   * requests. `briefly`: a few times, because the cause rarely passes. `once`: the SDK has learned the store's time from this
   * answer, so one retry can help.
   */
  retry: 'never' | 'soon' | 'slowly' | 'briefly' | 'once';
  /** False if the store certainly did not do what was asked: it answered that it refuses. */
  mayHaveEffect: boolean;
  /** The store refused the access key or the action. The key may have expired: stores have several codes for that. */
  isRefused: boolean;
  /** The access key itself is not valid, for any action. Using it again may lock it. */
  isKeyInvalid: boolean;
}

/** For a failure that says nothing about the access key or the effect. */
const plain = { mayHaveEffect: true, isRefused: false, isKeyInvalid: false };

/**
 * The permissions of each operation.
 * Source: OBS API Reference, "Actions Supported by Policy-based Authorization", read 2026-11-24.
 */
const permissions: Record<Verb, string> = {
  write: 'obs:object:PutObject',
  read: 'obs:object:GetObject on the objects and obs:bucket:ListBucket on the bucket (without ListBucket the store answers "denied" for an object that does not exist)',
  list: 'obs:bucket:ListBucket',
  delete: 'obs:object:DeleteObject',
};

const accessKeyHint =
  'Check obs.credentials (default: those of the first account): access key, secret key and security token must belong together.';
const temporaryKeyHint =
  'Use a new temporary key, a permanent key, or the agency of a function, which renews its key.';
const connectionHint =
  'Retries did not help. Check the network, the proxy and obs.endpoint, then start again: the run continues where it stopped.';
const otherServerHint =
  'Another server, such as a proxy or a login page, answered instead of the store: check HTTPS_PROXY, NO_PROXY and obs.endpoint, then start again.';
/** In hints about the connection. */
const addressSettings =
  'obs.endpoint, the bucket name in `store`, and obs.pathStyle (true for most stores other than OBS: then the bucket is not in the host name)';

type Description = [reason: string, hint: string];

/** By the error code in the answer. OBS uses the codes of S3. Source: OBS API Reference, "Error Codes", read 2026-11-24. */
const denials: Record<string, (operation: Operation) => Description> = {
  NoSuchBucket: ({ bucket, endpoint }) => [
    `there is no bucket ${bucket} at ${endpoint}`,
    'Create the bucket, or correct `store` and obs.endpoint: a bucket exists only at the endpoint of its own region.',
  ],
  InvalidBucketName: ({ bucket }) => [
    `${bucket} is not a valid bucket name`,
    'Correct the bucket name in `store`.',
  ],
  InvalidAccessKeyId: ({ isKeyTemporary }) => [
    'the store does not know the access key',
    isKeyTemporary
      ? `The access key is temporary and may have expired. ${temporaryKeyHint}`
      : accessKeyHint,
  ],
  SignatureDoesNotMatch: () => [
    'the signature does not match, so the secret key does not belong to the access key',
    accessKeyHint,
  ],
  InvalidSecurity: () => ['the store rejected the access key', accessKeyHint],
  InvalidToken: () => ['the store rejected the security token', accessKeyHint],
  InvalidObjectState: () => [
    'the object is archived',
    "Restore the object from the archive storage class first (in the console or with the store's own tool), then run the command again.",
  ],
  ExpiredToken: () => ['the temporary access key has expired', temporaryKeyHint],
  RequestTimeTooSkewed: () => [
    "the clock of this host differs from the store's clock by more than 15 minutes",
    'Set the clock of this host, for example with NTP.',
  ],
  AuthorizationHeaderMalformed: describeWrongRegion,
  InvalidRegion: describeWrongRegion,
  PermanentRedirect: describeWrongRegion,
  IllegalLocationConstraintException: describeWrongRegion,
  VirtualHostDomainRequired: () => [
    'the store does not accept the bucket name in the path',
    'Remove obs.pathStyle: OBS accepts the bucket name only in the host name.',
  ],
  MethodNotAllowed: ({ endpoint }) => [
    `${endpoint} does not accept this kind of request`,
    'Check obs.endpoint and obs.pathStyle. OBS needs https://obs.<region>.myhuaweicloud.com without pathStyle; most other stores need pathStyle: true.',
  ],
};

function describeWrongRegion({ bucket, endpoint, region, expectedRegion }: Operation): Description {
  if (expectedRegion !== undefined && expectedRegion !== region) {
    return [
      `the store expects the region ${expectedRegion} in the signature, not ${region}`,
      `Set obs.region: ${expectedRegion} (by flag: --obs-region). If the bucket is in another region than obs.endpoint, correct obs.endpoint instead.`,
    ];
  }
  return [
    `the bucket ${bucket} is not at ${endpoint}`,
    "Set obs.endpoint to the endpoint of the bucket's own region, and obs.region to the region that this store signs with. The console shows both in the bucket's basic information.",
  ];
}

/**
 * The region that the store names in an answer about a wrong one; undefined if it names none. AWS: "the region 'us-east-1' is
 * wrong; expecting 'eu-west-1'", also as the element Region. Garage: "Authorization header malformed, unexpected scope:
 * 20260101/us-east-1/s3/aws4_request, expected: 20260101/garage/s3/aws4_request". MinIO: "...wrong; expecting 'x'".
 */
function readExpectedRegion(thrown: unknown): string | undefined {
  const { Region, BucketRegion, message, $response } = asRecord(thrown);
  const header = asRecord(asRecord($response).headers)['x-amz-bucket-region'];
  const text = typeof message === 'string' ? message : '';
  const [, expecting, scope] =
    /expect(?:ing|s|ed)?:?\s+(?:the\s+)?(?:region\s+)?(?:['"]([\w-]+)['"]|\S*?\d{8}\/([\w-]+)\/s3)/i.exec(
      text,
    ) ?? [];
  return [Region, BucketRegion, header, expecting, scope].find(
    (name): name is string => typeof name === 'string' && /^[\w-]{1,64}$/.test(name),
  );
}

const invalidKeyCode = /^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSecurity|InvalidToken)$/;
const expiredKeyCode = /^(ExpiredToken|TokenRefreshRequired|RequestExpired)$/;
const throttlingCode = /^(SlowDown|TooManyRequests|Throttling|ThrottlingException)$/;
/** The bytes were damaged or lost on the way to the store. */
const transferCode = /^(BadDigest|IncompleteBody|RequestTimeout|XAmzContentSHA256Mismatch)$/;
/** Error names that the SDK or Node sets if the answer has no error code. */
const nameWithoutCode = /^(Error|SyntaxError|TypeError|Unknown|UnknownError|Forbidden)$/;

/** Throws `thrown` itself if it comes neither from the store nor from the network: then it is a bug in this program. */
export function describeFailure(thrown: unknown, operation: Operation): OperationFailure {
  // The cause of this one is an error of a file, whose code would look like one of the network.
  if (thrown instanceof ScratchError) throw thrown;
  const answer = readAnswer(thrown);
  if (answer !== null) {
    const expectedRegion = readExpectedRegion(thrown);
    const named = expectedRegion ? { ...operation, expectedRegion } : operation;
    // A time-out is the only refusal that can come after the work began.
    const isRefusal = answer.status >= 400 && answer.status < 500 && answer.status !== 408;
    return { ...describeAnswer(answer, named), mayHaveEffect: !isRefusal };
  }
  const networkCode = readNetworkCode(thrown);
  if (networkCode === null) throw thrown;
  return describeConnectionFault(networkCode, operation, readProxy(thrown));
}

function describeConnectionFault(
  networkCode: string,
  operation: Operation,
  proxy: string | null = null,
): OperationFailure {
  const place = { origin: operation.origin, settings: addressSettings, proxy };
  const fault = describeNetworkFault(networkCode, place);
  if (fault.code === 'NETWORK') return failed(operation, fault.reason, fault.hint);
  const error = createError(fault.code, operation, fault.reason, fault.hint);
  return { ...plain, error, retry: fault.retry };
}

interface Answer {
  status: number;
  /** Empty if the answer had no body, as for HEAD. */
  code: string;
  text: string;
}

function describeAnswer({ status, code, text }: Answer, unanswered: Operation): OperationFailure {
  const quoted = unanswered.scrub([status, code, text].filter(Boolean).join(' '));
  const operation = { ...unanswered, answer: quoted };
  if (throttlingCode.test(code) || status === 429) {
    const hint =
      'The store asks for fewer requests. Start again later: the run continues where it stopped.';
    return failed(operation, 'too many requests', hint, 'slowly');
  }
  // Before the table of codes: some stores report a KMS error under a code that usually means something else.
  const isKmsFault = /kms|encrypt/i.test(`${code} ${text}`) && status < 500;
  if (operation.hasKmsKey && operation.verb === 'write' && isKmsFault) {
    const hint =
      "Check obs.kmsKeyId: the key must exist in the bucket's region and be enabled, and the access key must have permission to use it.";
    return denied(operation, 'the store refused the KMS key', hint);
  }
  if (status === 407) return describeConnectionFault('PROXY_407', operation);
  return describeByCode(status, code, operation);
}

function describeByCode(status: number, code: string, operation: Operation): OperationFailure {
  const isExpired = expiredKeyCode.test(code);
  // An archived object is answered with 403 too, but neither the key nor the permission is at fault.
  const isArchived = code === 'InvalidObjectState';
  const isRefused = !isArchived && (status === 401 || status === 403 || isExpired);
  const denial = denials[isExpired ? 'ExpiredToken' : code];
  if (denial) {
    const retry = code === 'RequestTimeTooSkewed' ? 'once' : 'never';
    const isKeyInvalid = isExpired || invalidKeyCode.test(code);
    return { ...denied(operation, ...denial(operation), retry), isRefused, isKeyInvalid };
  }
  if (isRefused) {
    const { verb, hasKmsKey } = operation;
    const kms = hasKmsKey ? ' With obs.kmsKeyId, also grant the use of that KMS key.' : '';
    // An answer without a code can also come from a proxy.
    const other = code === '' ? ` If the permission is already granted: ${otherServerHint}` : '';
    const hint = `Grant ${permissions[verb]} for this bucket and prefix to the user of the access key, and look for a policy that denies it.${kms}${other}`;
    return { ...denied(operation, 'access denied', hint), isRefused };
  }
  if (status >= 300 && status < 400) return denied(operation, ...describeWrongRegion(operation));
  // The store names what does not exist. A 404 without a code comes from another server.
  if (status === 404 && (code === '' || code === 'NotFound')) {
    return failed(operation, 'the answer is not from the store', otherServerHint);
  }
  // A status below 300 is a success whose body cannot be read.
  if (status >= 500 || status === 408 || status < 300 || transferCode.test(code)) {
    return failed(operation, 'the store failed', connectionHint);
  }
  const hint =
    'The store does not accept the request: check obs.endpoint and obs.pathStyle, then report it as a bug.';
  return denied(operation, 'the store rejected the request', hint);
}

type Retry = OperationFailure['retry'];

function denied(
  operation: Operation,
  reason: string,
  hint: string,
  retry: Retry = 'never',
): OperationFailure {
  const error = createError('STORE_DENIED', operation, reason, hint);
  return { ...plain, error, retry };
}

function failed(
  operation: Operation,
  reason: string,
  hint: string,
  retry: Retry = 'soon',
): OperationFailure {
  const error = createError('STORE_FAILED', operation, reason, hint);
  return { ...plain, error, retry };
}

/** The SDK's error is not kept as the cause, because it contains the request with its signature and access key. */
function createError(
  code: string,
  { verb, url, answer }: Operation,
  reason: string,
  hint: string,
): StoreError {
  const quoted = answer === undefined ? '' : ` (${answer})`;
  return new StoreError(code, `cannot ${verb} ${url}: ${reason}${quoted}`, hint);
}

/** The store returned, or has now, other bytes than expected. */
export function describeMismatch(operation: Operation, reason: string): OperationFailure {
  const hint =
    'Another program may have written the same object, or the store lost data: inspect the object, then start again.';
  return failed(operation, reason, hint);
}

/** The object is no longer the one whose first bytes were read. The next attempt of the caller reads it from the start. */
export function describeChanged(
  operation: Operation,
  what: 'deleted' | 'replaced',
): OperationFailure {
  const failure = describeMismatch(operation, `the object was ${what} while it was read`);
  return { ...failure, retry: 'never' };
}

export function describeTimeout(operation: Operation, timeoutMs: number): OperationFailure {
  const seconds = Math.round(timeoutMs / 1_000);
  return failed(operation, `no answer within ${seconds} s`, connectionHint);
}

/** An HTML page without a request id: the store sets that id on each of its answers. */
export function describeOtherServer(operation: Operation): OperationFailure {
  const reason = 'the answer is an HTML page that is not from the store';
  return failed(operation, reason, otherServerHint);
}

/** `refusal`: the error with which the store refused the access key before. */
export function describeHeldKey(operation: Operation, refusal: ExportError): OperationFailure {
  const reason = 'the store refused this access key before, so it is not used again for 15 minutes';
  return denied(operation, reason, refusal.hint);
}

export function describeNoTime(operation: Operation): OperationFailure {
  const reason = 'the invocation has no time left for it';
  const hint =
    'The next invocation continues. If this happens often, raise the time-out of the function.';
  return failed(operation, reason, hint, 'never');
}

export function describeEndlessList(operation: Operation): OperationFailure {
  const reason = 'the store returned the same page of the list again';
  const hint =
    'The store does not follow the S3 protocol: check obs.endpoint, then report it as a bug.';
  return failed(operation, reason, hint, 'never');
}

/** True if the object does not exist. `isHead`: the answer is to a HEAD, so it has no body and no error code. */
export function isAbsent(thrown: unknown, isHead: boolean): boolean {
  const answer = readAnswer(thrown);
  const codes = isHead ? ['NoSuchKey', 'NotFound', ''] : ['NoSuchKey', 'NoSuchVersion'];
  return answer?.status === 404 && codes.includes(answer.code);
}

/** True if the object is not the one that the request named with If-Match. */
export function isReplaced(thrown: unknown): boolean {
  return readAnswer(thrown)?.status === 412;
}

/** The store's answer inside an error of the SDK; null if the error has none. */
function readAnswer(thrown: unknown): Answer | null {
  const { name, message, $metadata, $response } = asRecord(thrown);
  const status = asRecord($metadata).httpStatusCode ?? asRecord($response).statusCode;
  if (typeof status !== 'number') return null;
  const isName = typeof name === 'string' && /^[A-Za-z][\w.]{2,60}$/.test(name);
  const code = isName && !nameWithoutCode.test(name) ? name : '';
  const hasText = typeof message === 'string' && code !== '' && message !== name;
  const text = hasText ? toOneLine(message) : '';
  return { status, code, text: /^unknown/i.test(text) ? '' : text };
}

function toOneLine(text: string): string {
  const line = text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
  return line.slice(0, 200);
}
