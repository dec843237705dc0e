// Responsible for writing a zip as a stream. The same members always give the same bytes.

import { createHash } from 'node:crypto';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

export interface ZipMember {
  /** In the zip. */
  path: string;
  bytes: number;
  isExecutable?: boolean;
  /** Its content. An error of it ends the zip with that error. */
  read(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Writes the members in their order, not compressed, and ends `out`. Memory: a few hundred bytes for each member, and its chunks.
 * Throws the error of a member or of `out`, and the reason of the signal.
 */
export async function writeZip(
  members: readonly ZipMember[],
  out: Writable,
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  zip.on('error', (error) => output.destroy(error));
  let current: Readable | null = null;
  for (const { path, bytes, isExecutable = false, read } of members) {
    const options = {
      size: bytes,
      compress: false,
      // A zip stores local time without a zone. A date made of local parts gives the same text in every zone.
      mtime: new Date(1980, 0, 1),
      forceDosTimestamp: true,
      mode: isExecutable ? 0o100755 : 0o100644,
    };
    zip.addReadStreamLazy(path, options, (take) => {
      current = Readable.from(read(), { objectMode: false });
      current.once('error', (error) => output.destroy(error));
      take(null, current);
    });
  }
  zip.end();
  const hash = createHash('sha256');
  let written = 0;
  async function* count(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      written += chunk.length;
      yield chunk;
    }
  }
  try {
    await pipeline(output, count, out, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    (current as Readable | null)?.destroy();
  }
  return { bytes: written, sha256: hash.digest('hex') };
}
