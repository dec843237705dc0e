// Responsible for a store in a bucket of OBS or of another S3-compatible service: put, get, list and delete.
// Not responsible for retries (obs-operation.ts) or for what a failure means (obs-errors.ts).

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type {
  HeadObjectCommandOutput,
  ObjectCannedACL,
  PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { configFault } from '../core/errors.ts';
import type { PutOptions, Store, StoredObject } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { checkKey } from './key-check.ts';
import { createStoreClock } from './obs-clock.ts';
import {
  describeEndlessList,
  describeMismatch,
  describeOtherServer,
  isAbsent,
  type OperationFailure,
} from './obs-errors.ts';
import { type OperationOptions, openOperations, type Try } from './obs-operation.ts';

export interface ObsStoreOptions extends OperationOptions {
  /** Before every key, without slashes at its ends. Empty: the store's root is the bucket's root. */
  prefix: string;
}

export interface ObsStore extends Store {
  /** Ends the connections. The store opens new ones if it is used again. */
  close(): void;
}

/**
 * Assumed: a PUT takes effect within this time, milliseconds. OBS answers a small PUT in tens of milliseconds but
 * guarantees no limit, so no promise about snapshots depends on it.
 */
const settleMs = 1_500;
const listPageMax = 1_000;
/** No object of this program is longer: a buffer cannot hold it. */
const objectBytesMax = 2 ** 31;

/** Throws ConfigError for a bucket that cannot be addressed at its endpoint. */
export function openObsStore(options: ObsStoreOptions): ObsStore {
  checkBucketName(options);
  const location = openLocation(options);
  const { operations, storeClock, urlOf } = location;
  return {
    url: urlOf(''),
    settleMs,
    nowMs: () => storeClock.nowMs(),
    doubtMs: () => storeClock.doubtMs(),
    put: (key, bytes, putOptions = {}) => putObject(location, key, bytes, putOptions),
    get: (key) => getObject(location, key),
    list: (keyPrefix) => listObjects(location, keyPrefix),
    delete: (key) => deleteObject(location, key),
    close: () => operations.close(),
  };
}

function checkBucketName({ bucket, pathStyle, endpoint }: ObsStoreOptions): void {
  if (!bucket.includes('.') || pathStyle || !endpoint.startsWith('https:')) return;
  throw configFault(
    'store',
    `the bucket name ${bucket} has a dot, so no TLS certificate is valid for its host name`,
    'Use a bucket without dots, or obs.pathStyle: true where the store allows it (OBS does not).',
  );
}

type Location = ReturnType<typeof openLocation>;

/** Where the objects are, and how requests reach them. */
function openLocation(options: ObsStoreOptions) {
  const { bucket, prefix, clock } = options;
  const storeClock = createStoreClock(clock);
  const url = `obs://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  const root = prefix === '' ? '' : `${prefix}/`;
  return {
    options,
    operations: openOperations(options, storeClock),
    storeClock,
    /** What the names of all objects in the bucket start with. */
    root,
    urlOf: (key: string) => (key === '' ? url : `${url}/${key}`),
    /** The object as the S3 protocol addresses it. */
    addressOf: (key: string) => ({ Bucket: bucket, Key: root + key }),
  };
}

async function putObject(
  location: Location,
  key: string,
  bytes: Uint8Array,
  { durability = 'confirmed', isWrittenOnce = false }: PutOptions,
): Promise<void> {
  checkKey(key);
  const { operations, storeClock, root, urlOf } = location;
  const { kmsKeyId, acl, clock } = location.options;
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hash = createHash('md5').update(body).digest();
  const md5 = hash.toString('hex');
  const input: PutObjectCommandInput = {
    ...location.addressOf(key),
    Body: body,
    ContentLength: body.length,
    ContentMD5: hash.toString('base64'),
    // With SSE-KMS the ETag is not the MD5 of the bytes, so the MD5 is also stored as metadata.
    Metadata: { md5 },
    ...(kmsKeyId === null ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId }),
    // One of the values that the configuration accepts.
    ...(acl === null ? {} : { ACL: acl as ObjectCannedACL }),
  };
  const call = { verb: 'write', url: urlOf(key), bodyBytes: body.length } as const;
  await operations.run(call, async (attempt) => {
    if (attempt.mayBeDone) {
      // An earlier try may have stored the object although its answer was lost.
      const { stored, failure } = await headObject(location, attempt, key);
      const isStored = stored?.ContentLength === body.length && stored.Metadata?.md5 === md5;
      if (isStored) return { value: undefined };
      // An answer to HEAD has no code: the error of the PUT says more. If the HEAD is refused, a PUT finds out why.
      if (failure && failure.retry !== 'never') {
        return { failure: { ...failure, error: attempt.earlierError ?? failure.error } };
      }
    }
    const sentMonotonicMs = clock.monotonicMs();
    const command = new attempt.s3.PutObjectCommand(input);
    const answer = await attempt.client.send(command, attempt.sendOptions);
    // Not otherwise: an earlier try may have been the one that set the time stamp.
    if (isWrittenOnce && !attempt.mayBeDone) {
      const receivedMonotonicMs = clock.monotonicMs();
      storeClock.observeWrite(root + key, { sentMonotonicMs, receivedMonotonicMs });
    }
    if (durability === 'acknowledged') return { value: undefined };
    // The ETag is the MD5 of the stored bytes, unless the object is encrypted with a KMS key.
    const etag = answer.ETag?.replaceAll('"', '').toLowerCase();
    if (durability === 'checksummed' && etag === md5) return { value: undefined };
    const { stored, failure } = await headObject(location, attempt, key);
    if (failure) return { failure };
    // Only the size is compared, because another writer may already have replaced the bytes.
    if (stored?.ContentLength === body.length) return { value: undefined };
    const reason =
      stored === null
        ? 'the object does not exist after the write'
        : `the object has ${stored.ContentLength} of ${body.length} bytes after the write`;
    return { failure: describeMismatch(attempt.operation, reason) };
  });
}

/** What a write left; `stored` null: no object, or not known. A failure is one to read, and the write may be done. */
async function headObject(
  location: Location,
  { client, s3, sendOptions, describe }: Try,
  key: string,
): Promise<{ stored: HeadObjectCommandOutput | null; failure?: OperationFailure }> {
  try {
    const command = new s3.HeadObjectCommand(location.addressOf(key));
    return { stored: await client.send(command, sendOptions) };
  } catch (error) {
    if (isAbsent(error, true)) return { stored: null };
    return { stored: null, failure: { ...describe(error, 'read'), mayHaveEffect: true } };
  }
}

async function getObject(location: Location, key: string): Promise<Uint8Array | null> {
  checkKey(key);
  let unexpectedMd5: string | null = null;
  const call = { verb: 'read', url: location.urlOf(key) } as const;
  return location.operations.run(call, async (attempt) => {
    const { client, s3, sendOptions, operation } = attempt;
    try {
      const command = new s3.GetObjectCommand(location.addressOf(key));
      const answer = await client.send(command, sendOptions);
      const { Body, ContentLength, Metadata, ContentType = '', $metadata } = answer;
      if (/^text\/html/i.test(ContentType) && $metadata.requestId === undefined) {
        return { failure: describeOtherServer(operation) };
      }
      if (ContentLength === undefined || ContentLength > objectBytesMax) {
        (Body as Readable).destroy();
        const reason = `the answer has ${ContentLength ?? 'no stated number of'} bytes`;
        return { failure: describeMismatch(operation, reason) };
      }
      attempt.expectBody(ContentLength);
      const bytes = await readBody(Body as AsyncIterable<Buffer>, ContentLength);
      if (bytes.length !== ContentLength) {
        const reason = `the answer has ${bytes.length} of ${ContentLength} bytes`;
        return { failure: describeMismatch(operation, reason) };
      }
      const md5 = createHash('md5').update(bytes).digest('hex');
      const isAsWritten = Metadata?.md5 === undefined || Metadata.md5 === md5;
      // The same wrong bytes twice were not damaged on the way but are stored. The caller checks them by its own hash.
      if (isAsWritten || md5 === unexpectedMd5) return { value: bytes };
      unexpectedMd5 = md5;
      const reason = 'the bytes do not match the MD5 with which they were written';
      return { failure: describeMismatch(operation, reason) };
    } catch (error) {
      if (isAbsent(error, false)) return { value: null };
      throw error;
    }
  });
}

async function readBody(body: AsyncIterable<Buffer>, bytes: number): Promise<Uint8Array> {
  // One buffer of the whole size: joining the chunks at the end would need twice the memory.
  const buffer = Buffer.allocUnsafeSlow(bytes);
  let filled = 0;
  // The HTTP parser ends the body after the stated length.
  for await (const chunk of body) filled += chunk.copy(buffer, filled);
  return filled === buffer.length ? buffer : buffer.subarray(0, filled);
}

async function listObjects(location: Location, keyPrefix: string): Promise<StoredObject[]> {
  const lastSlash = keyPrefix.lastIndexOf('/');
  if (lastSlash > 0) checkKey(keyPrefix.slice(0, lastSlash));
  const { root, storeClock } = location;
  const objects: StoredObject[] = [];
  let marker = '';
  for (;;) {
    const page = await listPage(location, keyPrefix, marker);
    for (const { name, bytes, modifiedMs } of page.entries) {
      storeClock.observeModified(name, modifiedMs);
      // Consoles show folders by creating empty objects whose names end with a slash.
      if (name === '' || name.endsWith('/') || !name.startsWith(root)) continue;
      objects.push({ key: name.slice(root.length), bytes, modifiedMs });
    }
    if (page.nextMarker === null) break;
    marker = page.nextMarker;
  }
  return objects.sort((a, b) => compareUtf8(a.key, b.key));
}

/**
 * The page that follows the name `marker`; the first page if it is empty. Each `name` starts with the store's prefix.
 * `nextMarker` is null after the last page.
 */
function listPage(
  { options, operations, root, urlOf }: Location,
  keyPrefix: string,
  marker: string,
) {
  const call = { verb: 'list', url: urlOf(keyPrefix) } as const;
  return operations.run(call, async ({ client, s3, sendOptions, operation }) => {
    // Version 1 of LIST: OBS does not document version 2.
    // Source: OBS API Reference, "Listing Objects in a Bucket", read 2026-11-24.
    const command = new s3.ListObjectsCommand({
      Bucket: options.bucket,
      Prefix: root + keyPrefix,
      MaxKeys: listPageMax,
      // XML cannot represent every character that a key may have.
      EncodingType: 'url',
      ...(marker === '' ? {} : { Marker: marker }),
    });
    const answer = await client.send(command, sendOptions);
    const { Name, IsTruncated, MaxKeys, Contents, EncodingType, NextMarker = '' } = answer;
    // An HTML page can also be valid XML. It would look like an empty list.
    const expected = [Name, IsTruncated, MaxKeys, Contents, answer.$metadata.requestId];
    if (expected.every((value) => value === undefined)) {
      return { failure: describeOtherServer(operation) };
    }
    const decode = (text: string) =>
      EncodingType === 'url' ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
    const entries = (Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => ({
      name: decode(Key),
      bytes: Size,
      modifiedMs: LastModified?.getTime() ?? 0,
    }));
    const nextMarker = IsTruncated ? (entries.at(-1)?.name ?? decode(NextMarker)) : null;
    // Otherwise a store that ignores the marker would be listed forever.
    if (nextMarker !== null && compareUtf8(nextMarker, marker) <= 0) {
      return { failure: describeEndlessList(operation) };
    }
    return { value: { entries, nextMarker } };
  });
}

async function deleteObject(location: Location, key: string): Promise<void> {
  checkKey(key);
  const call = { verb: 'delete', url: location.urlOf(key) } as const;
  await location.operations.run(call, async ({ client, s3, sendOptions }) => {
    try {
      await client.send(new s3.DeleteObjectCommand(location.addressOf(key)), sendOptions);
    } catch (error) {
      if (!isAbsent(error, false)) throw error;
    }
    return { value: undefined };
  });
}
