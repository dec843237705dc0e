// Responsible for writing an object of an OBS store, from memory or from a file, and for finding out whether it is stored.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type {
  HeadObjectCommandOutput,
  ObjectCannedACL,
  PutObjectCommandInput,
  PutObjectCommandOutput,
} from '@aws-sdk/client-s3';
import type { LocalFile, PutOptions } from '../core/ports.ts';
import { checkKey } from './key-check.ts';
import { readLocalFile } from './local-file.ts';
import { describeMismatch, isAbsent, type OperationFailure } from './obs-errors.ts';
import type { Location } from './obs-location.ts';
import type { Try } from './obs-operation.ts';

/** The body of a PUT. */
interface Content {
  bytes: number;
  md5: Uint8Array;
  /** Called for each try. */
  open: () => Buffer | Readable;
}

export function contentOf(bytes: Uint8Array): Content {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const md5 = createHash('md5').update(body).digest();
  return { bytes: body.length, md5, open: () => body };
}

export function fileContent(file: LocalFile): Content {
  const { bytes, md5 } = file;
  return { bytes, md5, open: () => Readable.from(copyChunks(file), { objectMode: false }) };
}

/** A stream may hold chunks that the connection has not taken yet. */
async function* copyChunks(file: LocalFile): AsyncGenerator<Uint8Array> {
  for await (const chunk of readLocalFile(file)) yield Uint8Array.from(chunk);
}

export async function putObject(
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
