// Responsible for running one operation on an OBS store: tries, time limits, retries, and a new access key after a refusal.
// Not responsible for what an operation sends.

import type { ExportError } from '../core/errors.ts';
import { briefTriesMax } from '../core/network-fault.ts';
import type { Clock, Log } from '../core/ports.ts';
import { type AccessKey, type AccessKeyProvider, createAccessKeys } from './obs-access-key.ts';
import {
  addressOf,
  type ClientOptions,
  type ObsTimeouts,
  type OpenedClient,
  openClient,
} from './obs-client.ts';
import type { StoreClock } from './obs-clock.ts';
import {
  describeFailure,
  describeHeldKey,
  describeNoTime,
  describeTimeout,
  type Operation,
  type OperationFailure,
  type Verb,
} from './obs-errors.ts';

export interface OperationOptions
  extends Pick<ClientOptions, 'endpoint' | 'region' | 'pathStyle' | 'openAgent' | 'bucket'> {
  /** Null: the bucket's own default encryption applies. */
  kmsKeyId: string | null;
  /** Canned ACL of every object; null: none is sent. */
  acl: string | null;
  credentials: AccessKeyProvider;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  scrub: (text: string) => string;
  log: Log;
  /** Until the invocation ends, milliseconds. No try takes longer. Default: no limit. */
  timeLeftMs?: () => number;
  timeouts?: Partial<ObsTimeouts>;
  /** Wait before the second try. Doubles with each try and is multiplied by a random factor of 1 to 2. */
  backoffMs?: number;
}

const defaultTimeouts: ObsTimeouts = { connectMs: 10_000, requestMs: 15_000, operationMs: 60_000 };
/** The slowest connection that is expected. A large body gets more time according to this rate. */
const bytesPerSecondMin = 250_000;
const triesMax = 7;
/**
 * After an operation has failed, others get fewer tries for this long, milliseconds. A program that is about to stop must
 * not wait for all tries of each of its last operations.
 */
const fewTriesMs = 10_000;
const fewTriesMax = 2;
const defaultBackoffMs = 200;
const backoffMsMax = 5_000;
/** The wait is this many times longer if the store asks for fewer requests. */
const slowFactor = 5;
/** A try only starts if the invocation has at least this much time left, milliseconds. */
const tryMsMin = 300;

/** What one try may use. */
export interface Try extends Pick<OpenedClient, 'client' | 's3'> {
  /** The second argument of each `client.send`. */
  sendOptions: { abortSignal: AbortSignal; requestTimeout: number };
  /** True if an earlier try may already have had its effect. A try that the store refused had none. */
  mayBeDone: boolean;
  /** Of the try before this one; null: this is the first. */
  earlierError: ExportError | null;
  /** For the messages of failures. */
  operation: Operation;
  /** What a failed request of this try means. Throws `thrown` if it comes neither from the store nor from the network. */
  describe: (thrown: unknown, verb: Verb) => OperationFailure;
  /** Restarts the time limit when the size of the body that is about to arrive is known. */
  expectBody: (bytes: number) => void;
}

/** `failure`: whether another try may help is in it. */
type TryResult<T> = { value: T } | { failure: OperationFailure };

/** What an operation does in each try. */
type Act<T> = (attempt: Try) => Promise<TryResult<T>>;

export function openOperations(options: OperationOptions, storeClock: StoreClock) {
  const { clock, bucket, endpoint, region, scrub } = options;
  const origin = addressOf(options);
  const session = openSession(options, storeClock);
  let fewTriesUntilMonotonicMs = Number.NEGATIVE_INFINITY;
  return {
    /**
     * Calls `act` until it returns a value. Throws the error of the last failure when retries cannot help or take too
     * long. An error that comes neither from the store nor from the network is thrown unchanged. `bodyBytes`: what is sent.
     */
    async run<T>(
      { verb, url, bodyBytes = 0 }: { verb: Verb; url: string; bodyBytes?: number },
      act: Act<T>,
    ): Promise<T> {
      const startMonotonicMs = clock.monotonicMs();
      const mayTry = startMonotonicMs < fewTriesUntilMonotonicMs ? fewTriesMax : triesMax;
      const hasKmsKey = options.kmsKeyId !== null;
      const running: Running = {
        operation: {
          ...{ verb, url, bucket, endpoint, origin, region, scrub },
          hasKmsKey,
          isKeyTemporary: false,
        },
        bodyBytes,
        endMonotonicMs: startMonotonicMs + session.timeouts.operationMs + transferMs(bodyBytes),
        tries: 0,
        mayBeDone: false,
        earlierError: null,
        refusedKey: null,
        isRepaired: false,
      };
      for (;;) {
        const result = await tryOnce(session, running, act);
        if ('value' in result) {
          fewTriesUntilMonotonicMs = Number.NEGATIVE_INFINITY;
          return result.value;
        }
        const { failure } = result;
        running.mayBeDone ||= failure.mayHaveEffect;
        running.earlierError = failure.error;
        if (running.tries >= mayTry || !(await waitForRetry(session, running, failure))) {
          fewTriesUntilMonotonicMs = clock.monotonicMs() + fewTriesMs;
          throw failure.error;
        }
      }
    },
    /** Ends the connections. The next operation opens new ones. */
    close: session.close,
  };
}

/** One operation that is in progress. */
interface Running {
  operation: Operation;
  bodyBytes: number;
  /** No retry starts later. */
  endMonotonicMs: number;
  tries: number;
  /** As in Try. */
  mayBeDone: boolean;
  earlierError: ExportError | null;
  /** The temporary access key that the store refused, once it is replaced. */
  refusedKey: AccessKey | null;
  /** True after the access key was replaced or the SDK has learned the store's time. Neither helps a second time. */
  isRepaired: boolean;
}

type Session = ReturnType<typeof openSession>;

/** What all operations of one store share. */
function openSession(options: OperationOptions, storeClock: StoreClock) {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const keys = createAccessKeys(options.credentials, options.clock);
  let opened: Promise<OpenedClient> | null = null;
  return {
    ...options,
    timeouts,
    keys,
    timeLeftMs: options.timeLeftMs ?? (() => Number.POSITIVE_INFINITY),
    open(): Promise<OpenedClient> {
      opened ??= openClient({
        ...options,
        timeouts,
        // Known: each try asks for its key before it sends a request.
        accessKey: () => keys.current() as AccessKey,
        storeClock,
      });
      return opened;
    },
    close(): void {
      // A client that could not be opened has nothing to close.
      opened?.then(({ close }) => close()).catch(() => {});
      opened = null;
    },
  };
}

/** Throws what comes neither from the store nor from the network. */
async function tryOnce<T>(session: Session, running: Running, act: Act<T>): Promise<TryResult<T>> {
  const { keys, timeouts, timeLeftMs } = session;
  const { operation, bodyBytes } = running;
  running.tries += 1;
  const limit = createTimeLimit((bytes) =>
    Math.min(timeouts.requestMs + transferMs(bytes), Math.max(tryMsMin, timeLeftMs())),
  );
  limit.restart(bodyBytes);
  const describe: Try['describe'] = (thrown, verb) =>
    limit.signal.aborted
      ? describeTimeout({ ...operation, verb }, limit.limitMs())
      : describeFailure(thrown, { ...operation, verb });
  try {
    if (timeLeftMs() < tryMsMin) return { failure: describeNoTime(operation) };
    const key = await keys.next(running.refusedKey);
    operation.isKeyTemporary = key.securityToken !== undefined;
    const refusal = keys.holdReason();
    if (refusal !== null) return { failure: describeHeldKey(operation, refusal) };
    const { client, s3 } = await session.open();
    return await act({
      client,
      s3,
      sendOptions: { abortSignal: limit.signal, requestTimeout: Math.ceil(limit.limitMs()) },
      mayBeDone: running.mayBeDone,
      earlierError: running.earlierError,
      operation,
      describe,
      expectBody: limit.restart,
    });
  } catch (thrown) {
    return { failure: describe(thrown, operation.verb) };
  } finally {
    limit.stop();
  }
}

function transferMs(bytes: number): number {
  return (bytes / bytesPerSecondMin) * 1_000;
}

/** Aborts `signal` when the time is over. Uses a real timer, not the clock port, because it limits real I/O. */
function createTimeLimit(limitMsOf: (bodyBytes: number) => number) {
  const controller = new AbortController();
  let limitMs = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    signal: controller.signal,
    limitMs: () => limitMs,
    restart(bodyBytes: number): void {
      clearTimeout(timer);
      limitMs = limitMsOf(bodyBytes);
      timer = setTimeout(() => controller.abort(), limitMs);
    },
    stop: () => clearTimeout(timer),
  };
}

/** Waits before the next try. False: no try must follow, because it cannot help or has no time. */
async function waitForRetry(
  session: Session,
  running: Running,
  { error, retry, isRefused, isKeyInvalid }: OperationFailure,
): Promise<boolean> {
  const { keys, clock, log, random, timeLeftMs } = session;
  const mayReplaceKey = isRefused && running.operation.isKeyTemporary && !running.isRepaired;
  // Not with the same key: the store would refuse it again, and a few refusals lock a key.
  if (mayReplaceKey && (await keys.hasReplacement())) {
    running.isRepaired = true;
    running.refusedKey = keys.current();
    const { code } = error;
    log('debug', 'the store refused the temporary access key; retrying with a new one', { code });
    return true;
  }
  const isLast =
    retry === 'never' ||
    (retry === 'once' && running.isRepaired) ||
    (retry === 'briefly' && running.tries >= briefTriesMax);
  if (isLast) {
    if (isKeyInvalid) keys.hold(error);
    return false;
  }
  if (retry === 'once') running.isRepaired = true;
  const backoffMs = (session.backoffMs ?? defaultBackoffMs) * 2 ** (running.tries - 1);
  const askedMs = retry === 'slowly' ? backoffMs * slowFactor : backoffMs;
  const delayMs = Math.min(askedMs, backoffMsMax) * (1 + random());
  if (clock.monotonicMs() + delayMs > running.endMonotonicMs) return false;
  if (delayMs + tryMsMin > timeLeftMs()) return false;
  const { code, message } = error;
  // Short waits are frequent and do not last.
  const level = delayMs < 1_000 ? 'debug' : 'info';
  const seconds = Math.ceil(delayMs / 1_000);
  const plan = `store: retry ${running.tries + 1} of ${triesMax} in ${seconds} s: ${message}`;
  log(level, plan, { code });
  await clock.sleep(delayMs);
  return true;
}
