// Responsible for a store in a bucket of OBS or of another S3-compatible service: its methods, list and delete.
// Not responsible for reading and writing an object (obs-read.ts, obs-write.ts), retries (obs-operation.ts) or for what a
// failure means (obs-errors.ts).

import { configFault } from '../core/errors.ts';
import type { Store, StoredObject } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { checkKey } from './key-check.ts';
import { describeEndlessList, describeOtherServer, isAbsent } from './obs-errors.ts';
import { type Location, type ObsStoreOptions, openLocation } from './obs-location.ts';
import { getObject, readObject } from './obs-read.ts';
import { contentOf, fileContent, putObject } from './obs-write.ts';

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
