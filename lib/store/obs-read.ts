// Responsible for reading an object of an OBS store, as a whole or in chunks.

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { StoreError, UnusableObjectError } from '../core/errors.ts';
import { objectBytesMax } from '../core/object-keys.ts';
import { checkKey } from './key-check.ts';
import {
  describeChanged,
  describeMismatch,
  describeOtherServer,
  isAbsent,
  isReplaced,
  type OperationFailure,
} from './obs-errors.ts';
import type { Location } from './obs-location.ts';
import type { Try } from './obs-operation.ts';

/** What `read` holds in memory at once. */
const chunkBytesMax = 2 * 2 ** 20;
/** No answer of this program is longer: a buffer cannot hold it. */
const answerBytesMax = 2 ** 31;

export async function getObject(location: Location, key: string): Promise<Uint8Array | null> {
  return (await readStart(location, key, answerBytesMax))?.bytes ?? null;
}

/**
 * Each chunk after the first is a request of its own, so a slow reader keeps no connection open, and a broken one costs one chunk.
 * Source of Range and If-Match: OBS API Reference, "Downloading Objects", read 2026-11-24.
 */
export async function readObject(
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
  // The same memory for every chunk: new memory would pile up until V8 frees it.
  const memory = Buffer.allocUnsafeSlow(chunkBytesMax);
  for (let at = bytes.length; at < object.totalBytes; at += chunkBytesMax) {
    const chunk = memory.subarray(0, object.totalBytes - at);
    yield await readRange(location, key, { ...object, at, into: chunk });
  }
}

interface ObjectStart {
  bytes: Uint8Array;
  totalBytes: number;
  /** Of the version that `bytes` belong to. Undefined: the store sent none. */
  etag: string | undefined;
}

/**
 * The first bytes of an object, at most `bytesMax`; null if it does not exist. If these are all, their MD5 is checked. Throws
 * UnusableObjectError if the object is larger than one of its kind can be.
 */
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
      requireSize(location, key, answer);
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

function requireSize(
  location: Location,
  key: string,
  { ContentLength = 0, Body }: GetObjectCommandOutput,
): void {
  const bytesMax = objectBytesMax(key);
  if (ContentLength <= bytesMax) return;
  (Body as Readable).destroy();
  const message = `${location.urlOf(key)} has ${ContentLength} bytes, but an object of this kind has at most ${bytesMax}`;
  const hint =
    'cgs-export did not write it: find out which program did, then restore the object from an earlier version or a backup.';
  throw new UnusableObjectError(key, new StoreError('STORE_UNUSABLE', message, hint));
}

interface Range extends Omit<ObjectStart, 'bytes'> {
  /** The offset of the first byte. */
  at: number;
  /** As long as the range. */
  into: Buffer;
}

/** Fills `into` with the bytes from the offset `at`, and returns it. */
function readRange(
  location: Location,
  key: string,
  { totalBytes, etag, at, into }: Range,
): Promise<Uint8Array> {
  const last = at + into.length - 1;
  const range = `bytes ${at}-${last}/${totalBytes}`;
  const call = { verb: 'read', url: location.urlOf(key) } as const;
  return location.operations.run(call, async (attempt) => {
    const { client, s3, sendOptions, operation } = attempt;
    try {
      const command = new s3.GetObjectCommand({
        ...location.addressOf(key),
        Range: `bytes=${at}-${last}`,
        IfMatch: etag,
      });
      const answer = await client.send(command, sendOptions);
      if (answer.ContentRange !== range) {
        (answer.Body as Readable).destroy();
        const reason = `the answer has ${answer.ContentRange ?? 'no range'} instead of ${range}`;
        return { failure: describeMismatch(operation, reason) };
      }
      return await readBody(attempt, answer, into.length, into);
    } catch (error) {
      if (isAbsent(error, false)) return { failure: describeChanged(operation, 'deleted') };
      if (isReplaced(error)) return { failure: describeChanged(operation, 'replaced') };
      throw error;
    }
  });
}

/** The first `bytes` bytes of an answer, in `into` if it is given. The connection ends if there are more. */
async function readBody(
  { operation, expectBody }: Try,
  { Body, ContentLength, ContentType = '', $metadata }: GetObjectCommandOutput,
  bytes: number,
  into?: Buffer,
): Promise<{ value: Uint8Array } | { failure: OperationFailure }> {
  const body = Body as Readable;
  if (/^text\/html/i.test(ContentType) && $metadata.requestId === undefined) {
    body.destroy();
    return { failure: describeOtherServer(operation) };
  }
  if (ContentLength === undefined || ContentLength > answerBytesMax) {
    body.destroy();
    const reason = `the answer has ${ContentLength ?? 'no stated number of'} bytes`;
    return { failure: describeMismatch(operation, reason) };
  }
  expectBody(bytes);
  const buffer = into ?? Buffer.allocUnsafeSlow(bytes);
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
