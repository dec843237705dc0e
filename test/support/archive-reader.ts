// Responsible for reading a zip file. Written from the format, not from our writer, and only for what a deployment needs.
// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.16; read 2026-11-24.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { crc32Of } from './crc32.ts';

export interface ArchivedEntry {
  path: string;
  bytes: Buffer;
  mode: number;
}

/** Throws Error if the archive is damaged. */
export function readArchive(archive: Buffer): ArchivedEntry[] {
  const end = archive.lastIndexOf(Buffer.from('504b0506', 'hex'));
  if (end < 0) throw new Error('not a zip file: the end record is missing');
  const entries: ArchivedEntry[] = [];
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (archive.readUInt32LE(at) !== 0x02014b50) throw new Error('a central header is missing');
    const method = archive.readUInt16LE(at + 10);
    const crc = archive.readUInt32LE(at + 16);
    const [packed, size] = [archive.readUInt32LE(at + 20), archive.readUInt32LE(at + 24)];
    const [nameLength, extraLength] = [
      archive.readUInt16LE(at + 28),
      archive.readUInt16LE(at + 30),
    ];
    const commentLength = archive.readUInt16LE(at + 32);
    const mode = archive.readUInt32LE(at + 38) >>> 16;
    const local = archive.readUInt32LE(at + 42);
    const path = archive.subarray(at + 46, at + 46 + nameLength).toString('utf8');
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const data = archive.subarray(start, start + packed);
    const bytes = method === 8 ? inflateRawSync(data) : Buffer.from(data);
    if (method !== 8 && method !== 0)
      throw new Error(`${path}: unknown compression method ${method}`);
    if (bytes.length !== size || crc32Of(bytes) !== crc) throw new Error(`${path}: damaged`);
    if (path.startsWith('/') || normalize(path) !== path || path.startsWith('..')) {
      throw new Error(`${path} is outside the folder`);
    }
    entries.push({ path, bytes, mode });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

export async function unpackArchive(archive: Buffer, folder: string): Promise<void> {
  for (const { path, bytes } of readArchive(archive)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
}
