// Owns a store in a bucket of OBS, or of anything that speaks S3: what a call's outcome is, and when it is tried again. Refuses to know what the objects mean.

import { createHash } from 'node:crypto';
import type { ListObjectsCommandOutput, PutObjectCommandInput } from '@aws-sdk/client-s3';
import pRetry from 'p-retry';
import { ConfigError, type ExportError, StoreError } from '../core/errors.ts';
import { quotaPrefix } from '../core/object-keys.ts';
import type { Clock, Log, Store, StoredObject } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { checkKey } from './key-check.ts';
import { type ObsTimeouts, openClient, type S3 } from './obs-client.ts';
import { createStoreClock } from './obs-clock.ts';
import {
  type Attempted,
  describeFailure,
  describeHeldKey,
  describeMismatch,
  describeNoTime,
  describeStranger,
  describeTimeout,
  type Failure,
  isAbsent,
  type Verb,
} from './obs-errors.ts';

export interface ObsKey {
  ak: string;
  sk: string;
  /** Only temporary keys have one. */
  securityToken?: string;
}

/**
 * Asked anew for every try, so that an agency's keys are never stale. `refused`: this key was just refused, and if the
 * provider keeps keys, it must not give that one again. What it throws comes out unchanged.
 */
export type ObsKeyProvider = (refused: ObsKey | null) => Promise<ObsKey>;

export interface ObsStoreOptions {
  bucket: string;
  /** Without slashes at its ends; empty for the bucket's root. */
  prefix: string;
  /** Scheme, host and port, without the bucket. */
  endpoint: string;
  /** What signatures name; of no meaning to most other stores. */
  region: string;
  /** The bucket in the path instead of in the host's name. OBS refuses it. */
  pathStyle: boolean;
  /** Null: no server-side encryption is asked for, and the bucket's own default applies. */
  kmsKeyId: string | null;
  credentials: ObsKeyProvider;
  /** `url` null: none. `noProxy` as in NO_PROXY. */
  proxy: { url: string | null; noProxy: string | null };
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  scrub: (text: string) => string;
  log: Log;
  /** Until the invocation ends, milliseconds: no try outlives it. Default: for ever. */
  timeLeftMs?: () => number;
  timeouts?: Partial<ObsTimeouts>;
  /** Before the second try; doubles with each, times a random 1 to 2. */
  backoffMs?: number;
}

export interface ObsStore extends Store {
  /** Ends its connections. It opens new ones if it is used again. */
  close(): void;
}

/**
 * How long a PUT may be under way between two hosts, so that after it all writers of one moment have landed. Nothing
 * bounds it in theory; OBS answers a small PUT in tens of milliseconds, and no promise of snapshots rests on it.
 */
const settleMs = 1_500;
const defaultTimeouts: ObsTimeouts = { connectMs: 5_000, requestMs: 15_000, wholeMs: 60_000 };
/** What a connection is assumed to carry at the least, for the time-out of large bodies, bytes a second. */
const bytesASecond = 250_000;
const triesMax = 7;
/** For this long after an operation ran out of tries, the next ones get few: whoever stops must not wait for each anew. */
const givenUpMs = 10_000;
const triesMaxGivenUp = 2;
const defaultBackoffMs = 200;
const backoffMaxMs = 5_000;
/** A store that says SlowDown is left alone this many times longer. */
const slowFactor = 5;
const listPageMax = 1_000;

/** Working state that nothing names, written every few seconds: the store has checked its Content-MD5, and that is enough. */
const unnamedKey = /^_(?:quota|lease)\/|^_runs\/(?!.*\/pages\/)/;
/** Small, and read before much hangs on them: an ETag that is their MD5 proves them. Everything else is looked at again. */
const smallKey = /^_(?:runs|head|latest)\//;
/** A key that the store refused is left alone this long, milliseconds: five refusals may lock it. */
const badKeyHoldMs = 15 * 60_000;
/** No try is begun with less of the invocation's time left, milliseconds. */
const timeLeastMs = 300;

/** Objects of the store, each whole. Throws ConfigError for a bucket that its endpoint cannot address. */
export function openObsStore(options: ObsStoreOptions): ObsStore {
  const { bucket, prefix, endpoint, clock, kmsKeyId, random, log, scrub } = options;
  if (bucket.includes('.') && !options.pathStyle && endpoint.startsWith('https:')) {
    throw new ConfigError([
      {
        path: 'store',
        message: `the bucket ${bucket} has a dot, and no certificate covers such a name as a host`,
        hint: 'Use a bucket without dots, or obs.pathStyle: true where the store allows it (OBS does not).',
      },
    ]);
  }
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const backoffMs = options.backoffMs ?? defaultBackoffMs;
  const root = prefix === '' ? '' : `${prefix}/`;
  const url = `obs://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  const storeClock = createStoreClock(clock);
  /** Ledger objects just written: their time stamps in the next LIST tell the store's time in milliseconds. */
  const written = new Map<string, { sentMonotonicMs: number; receivedMonotonicMs: number }>();
  const timeLeftMs = options.timeLeftMs ?? (() => Number.POSITIVE_INFINITY);
  let key: ObsKey | null = null;
  let badKey: { key: ObsKey; error: ExportError; untilMonotonicMs: number } | null = null;
  let givenUpUntilMonotonicMs = Number.NEGATIVE_INFINITY;
  let opened: ReturnType<typeof openClient> | null = null;

  function openOnce(): ReturnType<typeof openClient> {
    opened ??= openClient({
      ...options,
      timeouts,
      key() {
        if (key === null) throw new Error('no key was asked for');
        return key;
      },
      monotonicMs: () => clock.monotonicMs(),
      onDate(date, sentMonotonicMs, receivedMonotonicMs) {
        const stampMs = Date.parse(date);
        if (Number.isNaN(stampMs)) return;
        storeClock.observe({ sentMonotonicMs, receivedMonotonicMs, stampMs, spanMs: 1_000 });
      },
    });
    return opened;
  }

  interface Try {
    s3: S3;
    client: Awaited<ReturnType<typeof openClient>>['client'];
    /** To be handed to every call of this try. */
    send: { abortSignal: AbortSignal; requestTimeout: number };
    /** Earlier tries may have had their effect. */
    again: boolean;
    /** Ends this try as a failure that another one may mend. */
    mismatch: (found: string) => never;
    /** As `mismatch`: something answered that is not the store. */
    stranger: () => never;
    /** The answer has begun, and this many bytes are to come. */
    expect: (bytes: number) => void;
  }

  /** The first value of `act`, or the last failure's error. `bytes`: the size of the body that travels, if known. */
  async function operate<T>(
    verb: Verb,
    objectKey: string,
    bytes: number,
    act: (attempt: Try) => Promise<T>,
  ): Promise<T> {
    const attempted: Attempted = {
      verb,
      url: objectKey === '' ? url : `${url}/${objectKey}`,
      bucket,
      endpoint,
      kms: kmsKeyId !== null,
      temporary: key?.securityToken !== undefined,
      scrub,
    };
    const travelMs = (size: number) => timeouts.requestMs + (size / bytesASecond) * 1_000;
    const requestMs = travelMs(bytes);
    const endMonotonicMs = clock.monotonicMs() + timeouts.wholeMs + requestMs - timeouts.requestMs;
    const isGivenUp = clock.monotonicMs() < givenUpUntilMonotonicMs;
    let failure: Failure | null = null;
    let refused: ObsKey | null = null;
    let mended = false;
    let tries = 0;
    // Held apart from p-retry, which judges errors by itself: what is no failure of the store comes out unchanged.
    let end: { value: T } | { thrown: unknown } | null = null;

    async function attempt(): Promise<void> {
      tries += 1;
      failure = null;
      const mismatched = new Error('mismatch');
      const fail = (found: Failure): never => {
        failure = found;
        throw mismatched;
      };
      const controller = new AbortController();
      let allowedMs = 0;
      let timer: NodeJS.Timeout | undefined;
      // A real timer although there is a clock: it bounds real I/O.
      const allow = (size: number) => {
        clearTimeout(timer);
        allowedMs = Math.min(travelMs(size), Math.max(timeLeastMs, timeLeftMs()));
        timer = setTimeout(() => controller.abort(), allowedMs);
      };
      allow(bytes);
      try {
        if (timeLeftMs() < timeLeastMs) fail(describeNoTime(attempted));
        key = await options.credentials(refused);
        attempted.temporary = key.securityToken !== undefined;
        const held = badKey && isSameKey(badKey.key, key) ? badKey : null;
        if (held && clock.monotonicMs() < held.untilMonotonicMs) {
          fail(describeHeldKey(attempted, held.error));
        }
        const { client, s3 } = await openOnce();
        const value = await act({
          client,
          s3,
          send: { abortSignal: controller.signal, requestTimeout: Math.ceil(allowedMs) },
          again: tries > 1,
          mismatch: (found) => fail(describeMismatch(attempted, found)),
          stranger: () => fail(describeStranger(attempted)),
          expect: allow,
        });
        end = { value };
        givenUpUntilMonotonicMs = Number.NEGATIVE_INFINITY;
      } catch (thrown) {
        if (thrown !== mismatched) failure = judge(thrown, controller.signal.aborted, allowedMs);
        if (failure === null) end = { thrown };
        else throw failure.error;
      } finally {
        clearTimeout(timer);
      }
    }

    function judge(thrown: unknown, timedOut: boolean, allowedMs: number): Failure | null {
      if (timedOut) return describeTimeout(attempted, allowedMs);
      try {
        return describeFailure(thrown, attempted);
      } catch {
        return null;
      }
    }

    /** False, since there is no other try. */
    function holdKey({ badKey: isBad, error }: Failure): false {
      if (isBad && key) {
        badKey = { key, error, untilMonotonicMs: clock.monotonicMs() + badKeyHoldMs };
      }
      return false;
    }

    async function waitForMore(): Promise<boolean> {
      if (failure === null) return false;
      const { again, error } = failure;
      if (failure.refused && key?.securityToken !== undefined) {
        // The only refusal that is tried again: with another key. The same one twice would only lock it.
        const used = key;
        const fresh = await options.credentials(used);
        if (mended || fresh.securityToken === used.securityToken) return holdKey(failure);
        mended = true;
        refused = used;
        log('debug', 'the temporary key was refused; there is a new one', { code: error.code });
        return true;
      }
      if (again === 'no' || (again === 'once' && mended)) return holdKey(failure);
      mended = mended || again === 'once';
      const least = backoffMs * 2 ** (tries - 1) * (again === 'slowly' ? slowFactor : 1);
      const delayMs = Math.min(least, backoffMaxMs) * (1 + random());
      if (clock.monotonicMs() + delayMs > endMonotonicMs) return false;
      if (delayMs + timeLeastMs > timeLeftMs()) return false;
      log('debug', 'the store is tried again', { message: error.message, tries, delayMs });
      await clock.sleep(delayMs);
      return true;
    }

    try {
      await pRetry(attempt, {
        retries: (isGivenUp ? triesMaxGivenUp : triesMax) - 1,
        // Waited for in waitForMore.
        minTimeout: 0,
        maxTimeout: 0,
        shouldRetry: waitForMore,
      });
    } catch (error) {
      if (end === null) {
        givenUpUntilMonotonicMs = clock.monotonicMs() + givenUpMs;
        throw error;
      }
    }
    // Read through a function: the compiler does not see that attempt() assigns it.
    return unwrap(end as unknown as { value: T } | { thrown: unknown });
  }

  return {
    url,
    settleMs,
    nowMs: () => storeClock.nowMs(),
    doubtMs: () => storeClock.doubtMs(),

    async put(objectKey, bytes) {
      checkKey(objectKey);
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const hash = createHash('md5').update(body).digest();
      const md5 = hash.toString('hex');
      const input: PutObjectCommandInput = {
        Bucket: bucket,
        Key: root + objectKey,
        Body: body,
        ContentLength: body.length,
        ContentMD5: hash.toString('base64'),
        // With SSE-KMS the ETag is no MD5; this says at any time what the bytes were to be.
        Metadata: { md5 },
        ...(kmsKeyId === null
          ? {}
          : { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: kmsKeyId }),
      };
      await operate('write', objectKey, body.length, async (attempt) => {
        const { client, s3, send, again, mismatch } = attempt;
        const look = async () => {
          try {
            const command = new s3.HeadObjectCommand({ Bucket: bucket, Key: root + objectKey });
            return await client.send(command, send);
          } catch (error) {
            if (isAbsent(error, true)) return null;
            throw error;
          }
        };
        if (again) {
          // How the try before ended is not known: what stands there tells it.
          const standing = await look();
          if (standing?.ContentLength === body.length && standing.Metadata?.md5 === md5) return;
        }
        const sentMonotonicMs = clock.monotonicMs();
        const answer = await client.send(new s3.PutObjectCommand(input), send);
        if (!again && objectKey.startsWith(quotaPrefix)) {
          remember(root + objectKey, sentMonotonicMs);
        }
        if (unnamedKey.test(objectKey)) return;
        // With SSE-KMS an ETag is none.
        if (smallKey.test(objectKey) && unquote(answer.ETag) === md5) return;
        const standing = await look();
        // By size: with writers at once, another's bytes may stand there by now.
        if (standing?.ContentLength !== body.length) {
          mismatch(
            standing === null
              ? 'it was written and is not there'
              : `${standing.ContentLength} of ${body.length} bytes are there`,
          );
        }
      });
    },

    async get(objectKey) {
      checkKey(objectKey);
      let seen: string | null = null;
      return operate('read', objectKey, 0, async (attempt) => {
        const { client, s3, send, mismatch, stranger } = attempt;
        try {
          const command = new s3.GetObjectCommand({ Bucket: bucket, Key: root + objectKey });
          const answer = await client.send(command, send);
          const { Body, ContentLength, Metadata, ContentType = '', $metadata } = answer;
          if (/^text\/html/i.test(ContentType) && $metadata.requestId === undefined) stranger();
          attempt.expect(ContentLength ?? 0);
          const bytes = await readBody(Body as AsyncIterable<Buffer>, ContentLength ?? 0);
          if (bytes.length !== ContentLength) {
            mismatch(`${bytes.length} of ${ContentLength} bytes came`);
          }
          const md5 = createHash('md5').update(bytes).digest('hex');
          if (Metadata?.md5 !== undefined && Metadata.md5 !== md5 && seen !== md5) {
            seen = md5;
            mismatch('other bytes came than were written');
          }
          // The same ones twice: so they stand there, and whoever reads them judges them by the hash that they were named with.
          return bytes;
        } catch (error) {
          if (isAbsent(error, false)) return null;
          throw error;
        }
      });
    },

    async list(listPrefix) {
      const cut = listPrefix.lastIndexOf('/');
      if (cut > 0) checkKey(listPrefix.slice(0, cut));
      const objects: StoredObject[] = [];
      let marker: string | undefined;
      do {
        const from = marker;
        const page = await operate('list', listPrefix, 0, async (attempt) => {
          // The older LIST: OBS documents no list-type=2 (OBS API Reference, "Listing Objects in a Bucket", read 2026-11-24).
          const command = new attempt.s3.ListObjectsCommand({
            Bucket: bucket,
            Prefix: root + listPrefix,
            MaxKeys: listPageMax,
            // XML carries not every sign that a key may hold.
            EncodingType: 'url',
            ...(from === undefined ? {} : { Marker: from }),
          });
          const answer: ListObjectsCommandOutput = await attempt.client.send(command, attempt.send);
          // A page of HTML may be XML too, and would be an empty list.
          const { Name, IsTruncated, MaxKeys, Contents, $metadata } = answer;
          const said = [Name, IsTruncated, MaxKeys, Contents, $metadata.requestId];
          if (said.every((value) => value === undefined)) attempt.stranger();
          return answer;
        });
        const decode = (text: string) =>
          page.EncodingType === 'url' ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
        let last: string | undefined;
        for (const { Key, Size, LastModified } of page.Contents ?? []) {
          if (Key === undefined) continue;
          last = decode(Key);
          const modifiedMs = LastModified?.getTime() ?? 0;
          learnTime(last, modifiedMs);
          // A console's "folders" are empty objects whose names end in a slash.
          if (last.endsWith('/') || !last.startsWith(root)) continue;
          objects.push({ key: last.slice(root.length), bytes: Size ?? 0, modifiedMs });
        }
        const next = page.IsTruncated ? (last ?? decode(page.NextMarker ?? '')) : undefined;
        if (next !== undefined && compareUtf8(next, marker ?? '') <= 0) throw endless(url);
        marker = next;
      } while (marker !== undefined);
      return objects.sort((a, b) => compareUtf8(a.key, b.key));
    },

    async delete(objectKey) {
      checkKey(objectKey);
      await operate('delete', objectKey, 0, async ({ client, s3, send }) => {
        try {
          await client.send(
            new s3.DeleteObjectCommand({ Bucket: bucket, Key: root + objectKey }),
            send,
          );
        } catch (error) {
          if (!isAbsent(error, false)) throw error;
        }
      });
    },

    close() {
      const closing = opened;
      opened = null;
      closing?.then(
        ({ close }) => close(),
        () => {},
      );
    },
  };

  function remember(fullKey: string, sentMonotonicMs: number): void {
    written.set(fullKey, { sentMonotonicMs, receivedMonotonicMs: clock.monotonicMs() });
    for (const oldest of written.keys()) {
      if (written.size <= 16) break;
      written.delete(oldest);
    }
  }

  /** A ledger object has one writer, and was written once: its time stamp lies between the PUT's start and its answer. */
  function learnTime(fullKey: string, stampMs: number): void {
    const times = written.get(fullKey);
    if (times === undefined) return;
    written.delete(fullKey);
    // Whole seconds: a store that keeps no milliseconds, or one in a thousand of those that do.
    storeClock.observe({ ...times, stampMs, spanMs: stampMs % 1_000 === 0 ? 1_000 : 1 });
  }
}

async function readBody(body: AsyncIterable<Buffer>, bytes: number): Promise<Uint8Array> {
  // One buffer of the whole size, filled: joining the chunks at the end would hold everything twice.
  let buffer = Buffer.allocUnsafeSlow(bytes);
  let filled = 0;
  for await (const chunk of body) {
    if (filled + chunk.length > buffer.length) buffer = Buffer.concat([buffer, chunk]);
    chunk.copy(buffer, filled);
    filled += chunk.length;
  }
  return filled === buffer.length ? buffer : buffer.subarray(0, filled);
}

function unwrap<T>(end: { value: T } | { thrown: unknown }): T {
  if ('thrown' in end) throw end.thrown;
  return end.value;
}

function isSameKey(a: ObsKey, b: ObsKey): boolean {
  return a.ak === b.ak && a.sk === b.sk && a.securityToken === b.securityToken;
}

function unquote(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '').toLowerCase();
}

function endless(url: string): StoreError {
  return new StoreError(
    'STORE_FAILED',
    `cannot list ${url}: the store repeats a page of its list`,
    'The store does not keep to S3: check obs.endpoint, then report it.',
  );
}
