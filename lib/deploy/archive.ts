// Owns the zip: the same files always give the same bytes, and what is in it. Refuses to choose what goes in.

import { buffer } from 'node:stream/consumers';
import { fromBufferPromise } from 'yauzl';
import { ZipFile } from 'yazl';
import { ConfigError } from '../core/errors.ts';

/** Of one zip sent through the API. Source: FunctionGraph User Guide, "Notes and Constraints", read 2026-11-24. */
export const archiveMaxBytes = 50 * 2 ** 20;

export interface ArchivedFile {
  /** In the zip, `/` between parts. */
  path: string;
  bytes: Uint8Array;
}

/**
 * The same bytes wherever and whenever, by the same zlib. Throws ConfigError over the service's limit.
 */
export async function writeArchive(files: readonly ArchivedFile[]): Promise<Buffer> {
  const zip = new ZipFile();
  // By code units: the order of the folder is the file system's own.
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, bytes } of sorted) {
    zip.addBuffer(Buffer.from(bytes), path, {
      // A zip's own time is local and has no zone: built from local parts, it is the same text in every zone.
      mtime: new Date(1980, 0, 1),
      forceDosTimestamp: true,
      mode: 0o100644,
      compress: true,
      compressionLevel: 9,
    });
  }
  zip.end();
  const archive = await buffer(zip.outputStream);
  if (archive.length > archiveMaxBytes) {
    throw new ConfigError([
      {
        path: 'package',
        message: `the zip has ${archive.length} bytes, the service takes ${archiveMaxBytes}`,
        hint: 'Look at dist/meta/*.json for what is in the bundle.',
      },
    ]);
  }
  return archive;
}

/** The bytes of one file of a zip, or null. Throws Error for what is no zip. */
export async function readArchived(archive: Buffer, path: string): Promise<Buffer | null> {
  const zip = await fromBufferPromise(archive);
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName === path) return buffer(await zip.openReadStreamPromise(entry));
  }
  return null;
}
