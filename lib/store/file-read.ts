// Responsible for reading a folder that others can write to: only regular files of a sensible size, never through links.

import { isUtf8 } from 'node:buffer';
import type { Dirent, Stats } from 'node:fs';
import { constants, type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { StoreError } from '../core/errors.ts';
import type { OnRefused } from '../core/ports.ts';
import { linkFound, nullIfAbsent, shortened, unusable, withStoreErrors } from './file-errors.ts';

/** Of one chunk of a stream. */
const chunkBytesMax = 256 * 1024;

/**
 * Opens a file of at most `bytesMax` bytes. Null if no file has the path. Throws StoreError STORE_UNUSABLE for a link, a pipe, a
 * device, a socket, and for a larger file. Never waits for another process, as a plain open of a pipe would.
 */
async function openRegularFile(
  path: string,
  bytesMax: number,
): Promise<{ file: FileHandle; bytes: number } | null> {
  const before = await lstat(path).catch(nullIfAbsent);
  if (before === null || before.isDirectory()) return null;
  checkRegular(path, before, bytesMax);
  // The path may have become something else meanwhile.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(nullIfAbsent);
  if (file === null) return null;
  try {
    const found = await file.stat();
    checkRegular(path, found, bytesMax);
    return { file, bytes: found.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The bytes of a file, opened as openRegularFile() says. */
export async function readRegularFile(path: string, bytesMax: number): Promise<Uint8Array | null> {
  const opened = await openRegularFile(path, bytesMax);
  if (opened === null) return null;
  const { file } = opened;
  try {
    const bytes = Buffer.allocUnsafeSlow(opened.bytes);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, null);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** As readRegularFile(), in chunks. The file is open until the iteration ends. The iteration throws StoreError. */
export async function streamRegularFile(
  path: string,
  bytesMax: number,
): Promise<AsyncIterable<Uint8Array> | null> {
  const opened = await openRegularFile(path, bytesMax);
  return opened && readChunks(path, opened);
}

async function* readChunks(
  path: string,
  { file, bytes }: { file: FileHandle; bytes: number },
): AsyncGenerator<Uint8Array> {
  try {
    // One for all chunks. Otherwise tens of megabytes would wait for the garbage collector.
    const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytesMax, bytes));
    for (let at = 0; at < bytes; ) {
      const { bytesRead } = await withStoreErrors('read', path, () =>
        file.read(chunk, 0, Math.min(chunk.length, bytes - at), at),
      );
      if (bytesRead === 0) throw shortened(path, at, bytes);
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function checkRegular(path: string, found: Stats, bytesMax: number): void {
  if (found.isSymbolicLink()) throw linkFound(path);
  const hint = 'cgs-export did not write it: move it away, and restore the object from a backup.';
  if (!found.isFile())
    throw unusable(path, 'is a pipe, a socket, a device or a folder, not a file', hint);
  if (found.size <= bytesMax) return;
  const message = `has ${found.size} bytes, but an object of this kind has at most ${bytesMax}`;
  throw unusable(path, message, hint);
}

/** Throws StoreError STORE_UNUSABLE if `root` is there but is not a folder, or is a link to nothing. A link to a folder is one. */
export async function checkRoot(root: string): Promise<'exists' | 'absent'> {
  const found = await stat(root).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  const hint = 'Name a folder as the store, or one that does not exist yet.';
  if (found?.isDirectory()) return 'exists';
  if (found) throw unusable(root, 'is not a folder', hint);
  const entry = await lstat(root).catch(nullIfAbsent);
  if (entry?.isSymbolicLink()) {
    throw unusable(root, 'is a link to a folder that does not exist', hint);
  }
  // Another process has created it since.
  if (entry) return checkRoot(root);
  await checkParents(root, hint);
  return 'absent';
}

/** Throws StoreError STORE_UNUSABLE if a folder on the way to `root` is a link to nothing: `root` can never be created. */
async function checkParents(root: string, hint: string): Promise<void> {
  for (let path = dirname(root); dirname(path) !== path; path = dirname(path)) {
    const found = await lstat(path).catch(nullIfAbsent);
    if (found === null) continue;
    const target = found.isSymbolicLink() ? await stat(path).catch(nullIfAbsent) : found;
    if (target === null) {
      const message = `cannot be created: ${path} is a link to a folder that does not exist`;
      throw unusable(root, message, hint);
    }
    return;
  }
}

/** Throws StoreError STORE_UNUSABLE if one of the folders below `root` on the way to the last name of `key` is a link. */
export async function checkFolders(root: string, key: string): Promise<void> {
  let path = root;
  for (const name of key.split('/').slice(0, -1)) {
    path = join(path, name);
    const found = await lstat(path).catch(nullIfAbsent);
    if (found === null) return;
    if (found.isSymbolicLink()) throw linkFound(path);
  }
}

/** What a folder of the store has, at any depth. Folders themselves are not entries. */
export interface FolderEntry {
  /** Relative to the store's root. Where a name is not UTF-8, its bytes are escaped: no object has this key. */
  key: string;
  isFile: boolean;
  /** False: a name on the way is not UTF-8. */
  isKey: boolean;
}

export interface Listing {
  /** A name at the top of the store that is left out, and is not entered. */
  except: string;
  /** Absent: a folder that may not be listed is an error. */
  onRefused?: OnRefused | undefined;
}

/**
 * Everything below the folder `root`/`prefix` (`prefix` is empty or ends with `/`) whose path in it starts with `nameStart`. Links
 * to folders are not entered. Throws StoreError.
 */
export async function listFolder(
  root: string,
  prefix: string,
  nameStart: string,
  listing: Listing,
): Promise<FolderEntry[]> {
  const found: FolderEntry[] = [];
  const start = { path: Buffer.from(join(root, prefix)), key: prefix, isKey: true };
  for (const folders = [start]; ; ) {
    const folder = folders.pop();
    if (!folder) return found;
    for (const entry of await readFolder(folder, listing)) {
      const { name } = entry;
      const isKey = folder.isKey && isUtf8(name);
      const text = isUtf8(name) ? name.toString() : escapeName(name);
      const key = `${folder.key}${text}`;
      if (folder === start && !text.startsWith(nameStart)) continue;
      if (key === listing.except) continue;
      if (entry.isDirectory()) {
        const path = Buffer.concat([folder.path, Buffer.from(sep), name]);
        folders.push({ path, key: `${key}/`, isKey });
      } else found.push({ key, isFile: entry.isFile(), isKey });
    }
  }
}

async function readFolder(
  { path, key }: { path: Buffer; key: string },
  { onRefused }: Listing,
): Promise<Dirent<Buffer>[]> {
  try {
    const entries = await withStoreErrors('list', path.toString(), () =>
      readdir(path, { withFileTypes: true, encoding: 'buffer' }).catch(nullIfAbsent),
    );
    return entries ?? [];
  } catch (error) {
    if (!isRefused(error) || !onRefused || key === '') throw error;
    onRefused(key.slice(0, -1), error);
    return [];
  }
}

export function isRefused(error: unknown): error is StoreError {
  return error instanceof StoreError && error.code === 'STORE_DENIED';
}

/** Each byte that is not ASCII as `\xff`. */
function escapeName(name: Buffer): string {
  const toHex = (byte: string) => `\\x${byte.charCodeAt(0).toString(16)}`;
  return name.toString('latin1').replaceAll(/[\u0080-\u00ff]/g, toHex);
}
