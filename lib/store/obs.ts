// Responsible for a store in a bucket of OBS or of another S3-compatible service: put, get, read, list and delete.
// Not responsible for retries (obs-operation.ts) or for what a failure means (obs-errors.ts).

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type {
  GetObjectCommandOutput,
  HeadObjectCommandOutput,
  ObjectCannedACL,
  PutObjectCommandInput,
  PutObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { configFault } from '../core/errors.ts';
import type { LocalFile, PutOptions, Store, StoredObject } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { checkKey } from './key-check.ts';
import { readLocalFile } from './local-file.ts';
import { createStoreClock } from './obs-clock.ts';
import {
  describeChanged,
  describeEndlessList,
  describeMismatch,
  describeOtherServer,
  isAbsent,
  isReplaced,
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
/** What `read` holds in memory at once. */
const chunkBytesMax = 8 * 2 ** 20;
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
    put: (key, bytes, putOptions = {}) => putObject(location, key, contentOf(bytes), putOptions),
    putFile: (key, file, putOptions = {}) =>
      putObject(location, key, fileContent(file), putOptions),
    get: (key) => getObject(location, key),
    read: (key) => readObject(location, key),
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

/** The body of a PUT. */
interface Content {
  bytes: number;
  md5: Uint8Array;
  /** Called for each try. */
  open: () => Buffer | Readable;
}

function contentOf(bytes: Uint8Array): Content {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const md5 = createHash('md5').update(body).digest();
  return { bytes: body.length, md5, open: () => body };
}

function fileContent(file: LocalFile): Content {
  const { bytes, md5 } = file;
  return { bytes, md5, open: () => Readable.from(readLocalFile(file), { objectMode: false }) };
}

async function putObject(
  location: Location,
  key: string,
  content: Content,
  { durability = 'confirmed', isWrittenOnce = false }: PutOptions,
): Promise<void> {
  checkKey(key);
  const { operations, storeClock, root, urlOf } = location;
  const { kmsKeyId, acl, clock } = location.options;
  const { bytes } = content;
  const hash = Buffer.from(content.md5);
  const md5 = hash.toString('hex');
  const input: PutObjectCommandInput = {
    ...location.addressOf(key),
    ContentLength: bytes,
    ContentMD5: hash.toString('base64'),
    // With SSE-KMS the ETag is not the MD5 of the bytes, so the MD5 is also stored as metadata.
    Metadata: { md5 },
    ...(kmsKeyId === null ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId }),
    // One of the values that the configuration accepts.
    ...(acl === null ? {} : { ACL: acl as ObjectCannedACL }),
  };
  const call = { verb: 'write', url: urlOf(key), bodyBytes: bytes } as const;
  await operations.run(call, async (attempt) => {
    if (attempt.mayBeDone) {
      // An earlier try may have stored the object although its answer was lost.
      const { stored, failure } = await headObject(location, attempt, key);
      const isStored = stored?.ContentLength === bytes && stored.Metadata?.md5 === md5;
      if (isStored) return { value: undefined };
      // An answer to HEAD has no code: the error of the PUT says more. If the HEAD is refused, a PUT finds out why.
      if (failure && failure.retry !== 'never') {
        return { failure: { ...failure, error: attempt.earlierError ?? failure.error } };
      }
    }
    const sentMonotonicMs = clock.monotonicMs();
    const answer = await sendBody(attempt, input, content.open());
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
    if (stored?.ContentLength === bytes) return { value: undefined };
    const reason =
      stored === null
        ? 'the object does not exist after the write'
        : `the object has ${stored.ContentLength} of ${bytes} bytes after the write`;
    return { failure: describeMismatch(attempt.operation, reason) };
  });
}

/** Throws the error of a stream that fails, and ends the request. */
async function sendBody(
  { client, s3, sendOptions }: Try,
  input: PutObjectCommandInput,
  body: Buffer | Readable,
): Promise<PutObjectCommandOutput> {
  const command = new s3.PutObjectCommand({ ...input, Body: body });
  if (!(body instanceof Readable)) return client.send(command, sendOptions);
  // The SDK ignores errors of the stream: the request would wait for the rest of its body.
  const stop = new AbortController();
  const abort = () => stop.abort();
  sendOptions.abortSignal.addEventListener('abort', abort, { once: true });
  const failed = new Promise<never>((_, reject) => {
    body.on('error', (error) => {
      reject(error);
      abort();
    });
  });
  try {
    const sent = client.send(command, { ...sendOptions, abortSignal: stop.signal });
    return await Promise.race([failed, sent]);
  } finally {
    sendOptions.abortSignal.removeEventListener('abort', abort);
    // An answer can come before the store has read the whole body.
    body.destroy();
  }
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
  return (await readStart(location, key, objectBytesMax))?.bytes ?? null;
}

/**
 * Each chunk after the first is a request of its own, so a slow reader keeps no connection open, and a broken one costs one chunk.
 * Source of Range and If-Match: OBS API Reference, "Downloading Objects", read 2026-11-24.
 */
async function readObject(
  location: Location,
  key: string,
): Promise<AsyncIterable<Uint8Array> | null> {
  const start = await readStart(location, key, chunkBytesMax);
  return start && readChunks(location, key, start);
}

async function* readChunks(
  location: Location,
  key: string,
  { bytes, ...object }: ObjectStart,
): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
  for (let at = bytes.length; at < object.totalBytes; at += chunkBytesMax) {
    yield await readRange(location, key, object, at);
  }
}

interface ObjectStart {
  bytes: Uint8Array;
  totalBytes: number;
  /** Of the version that `bytes` belong to. Undefined: the store sent none. */
  etag: string | undefined;
}

/** The first bytes of an object, at most `bytesMax`; null if it does not exist. If these are all, their MD5 is checked. */
async function readStart(
  location: Location,
  key: string,
  bytesMax: number,
): Promise<ObjectStart | null> {
  checkKey(key);
  let unexpectedMd5: string | null = null;
  const call = { verb: 'read', url: location.urlOf(key) } as const;
  return location.operations.run(call, async (attempt) => {
    const { client, s3, sendOptions, operation } = attempt;
    try {
      const command = new s3.GetObjectCommand(location.addressOf(key));
      const answer = await client.send(command, sendOptions);
      const { ContentLength: totalBytes = 0, ETag: etag, Metadata } = answer;
      const read = await readBody(attempt, answer, Math.min(totalBytes, bytesMax));
      if ('failure' in read) return read;
      const bytes = read.value;
      const start = { value: { bytes, totalBytes, etag } };
      if (bytes.length < totalBytes) return start;
      const md5 = createHash('md5').update(bytes).digest('hex');
      const isAsWritten = Metadata?.md5 === undefined || Metadata.md5 === md5;
      // The same wrong bytes twice were not damaged on the way but are stored. The caller checks them by its own hash.
      if (isAsWritten || md5 === unexpectedMd5) return start;
      unexpectedMd5 = md5;
      const reason = 'the bytes do not match the MD5 with which they were written';
      return { failure: describeMismatch(operation, reason) };
    } catch (error) {
      if (isAbsent(error, false)) return { value: null };
      throw error;
    }
  });
}

/** The bytes of one chunk, from the offset `at`. */
function readRange(
  location: Location,
  key: string,
  { totalBytes, etag }: Omit<ObjectStart, 'bytes'>,
  at: number,
): Promise<Uint8Array> {
  const bytes = Math.min(chunkBytesMax, totalBytes - at);
  const range = `bytes ${at}-${at + bytes - 1}/${totalBytes}`;
  const call = { verb: 'read', url: location.urlOf(key) } as const;
  return location.operations.run(call, async (attempt) => {
    const { client, s3, sendOptions, operation } = attempt;
    try {
      const command = new s3.GetObjectCommand({
        ...location.addressOf(key),
        Range: `bytes=${at}-${at + bytes - 1}`,
        IfMatch: etag,
      });
      const answer = await client.send(command, sendOptions);
      if (answer.ContentRange !== range) {
        (answer.Body as Readable).destroy();
        const reason = `the answer has ${answer.ContentRange ?? 'no range'} instead of ${range}`;
        return { failure: describeMismatch(operation, reason) };
      }
      return await readBody(attempt, answer, bytes);
    } catch (error) {
      if (isAbsent(error, false)) return { failure: describeChanged(operation, 'deleted') };
      if (isReplaced(error)) return { failure: describeChanged(operation, 'replaced') };
      throw error;
    }
  });
}

/** The first `bytes` bytes of an answer. The connection ends if there are more. */
async function readBody(
  { operation, expectBody }: Try,
  { Body, ContentLength, ContentType = '', $metadata }: GetObjectCommandOutput,
  bytes: number,
): Promise<{ value: Uint8Array } | { failure: OperationFailure }> {
  const body = Body as Readable;
  if (/^text\/html/i.test(ContentType) && $metadata.requestId === undefined) {
    body.destroy();
    return { failure: describeOtherServer(operation) };
  }
  if (ContentLength === undefined || ContentLength > objectBytesMax) {
    body.destroy();
    const reason = `the answer has ${ContentLength ?? 'no stated number of'} bytes`;
    return { failure: describeMismatch(operation, reason) };
  }
  expectBody(bytes);
  // One buffer of the whole size: joining the chunks at the end would need twice the memory.
  const buffer = Buffer.allocUnsafeSlow(bytes);
  let filled = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    filled += chunk.copy(buffer, filled);
    // Not after the last byte of the body: its end leaves the connection open.
    if (filled === bytes && bytes < ContentLength) break;
  }
  if (filled === bytes) return { value: buffer };
  const reason = `the answer has ${filled} of ${bytes} bytes`;
  return { failure: describeMismatch(operation, reason) };
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
