// Responsible for writing and reading zip files: the same files always give the same bytes. Not responsible for choosing the files.

import { buffer } from 'node:stream/consumers';
import { fromBufferPromise } from 'yauzl';
import { ZipFile } from 'yazl';
import { configFault } from '../core/errors.ts';

/** Limit for a zip sent through the API. Source: FunctionGraph User Guide, "Notes and Constraints", read 2026-11-24. */
export const archiveMaxBytes = 50 * 2 ** 20;

export interface ArchivedFile {
  /** Inside the zip, with `/` between parts. */
  path: string;
  bytes: Uint8Array;
}

/** The bytes depend on the files and the zlib version only. Throws ConfigError above the size limit. */
export async function writeArchive(files: readonly ArchivedFile[]): Promise<Buffer> {
  const zip = new ZipFile();
  // Sorted by code units: the order of files in a folder depends on the file system.
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, bytes } of sorted) {
    zip.addBuffer(Buffer.from(bytes), path, {
      // A zip stores local time without a zone. A date made of local parts gives the same text in every zone.
      mtime: new Date(1980, 0, 1),
      forceDosTimestamp: true,
      mode: 0o100644,
      compress: true,
      compressionLevel: 9,
    });
  }
  zip.end();
  const archive = await buffer(zip.outputStream);
  if (archive.length <= archiveMaxBytes) return archive;
  const message = `the zip has ${archive.length} bytes, but FunctionGraph accepts ${archiveMaxBytes}`;
  throw configFault('package', message, 'See dist/meta/*.json for the contents of the bundle.');
}

/** Null if the zip has no such file. Throws Error if `archive` is not a zip. */
export async function readArchived(archive: Buffer, path: string): Promise<Buffer | null> {
  const zip = await fromBufferPromise(archive);
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName === path) return buffer(await zip.openReadStreamPromise(entry));
  }
  return null;
}
