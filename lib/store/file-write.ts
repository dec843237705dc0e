// Responsible for files that appear whole: written under a temporary name, synced to disk, then renamed or linked.

import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../core/ports.ts';
import { codeOf } from './file-errors.ts';

/** An older temporary file no longer has a writer. */
const temporaryAgeMsMax = 24 * 60 * 60 * 1_000;
/** delete() removes empty folders. If it removes one before the file is in it, the folder is created again this often. */
const placementsMax = 50;

/** `temporaryFolder`: an absolute path, on the same file system as all files that are written. */
export function createAtomicWriter(temporaryFolder: string, clock: Pick<Clock, 'nowMs'>) {
  let isTidied = false;

  /**
   * Writes `bytes` to a temporary file and calls `commit`, which must give that file the name `path` in one atomic step.
   * The temporary name must not exist after `commit`. Creates missing folders. Throws errors of the file system.
   */
  return async function write<T>(
    path: string,
    bytes: Uint8Array,
    commit: (temporaryPath: string) => Promise<T>,
  ): Promise<T> {
    if (!isTidied) {
      isTidied = true;
      await removeOldTemporaries(temporaryFolder, clock.nowMs());
    }
    await makeFolder(temporaryFolder);
    const temporaryPath = join(temporaryFolder, `${randomUUID()}.tmp`);
    await createSynced(temporaryPath, bytes);
    for (let placement = 1; ; placement += 1) {
      let result: T;
      try {
        await makeFolder(dirname(path));
        result = await commit(temporaryPath);
      } catch (error) {
        // Another delete() removed the empty folder.
        if (codeOf(error) === 'ENOENT' && placement < placementsMax) continue;
        await removeQuietly(temporaryPath);
        throw error;
      }
      // Not in the try block: after the commit nothing may be undone.
      await syncFolder(dirname(path));
      return result;
    }
  };
}

/** The bytes are on disk before the file gets its final name: a power cut must not leave that name without its bytes. */
async function createSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => {});
    await removeQuietly(path);
    throw error;
  }
}

/** Removes temporary files that killed writers left. Ignores failures. */
async function removeOldTemporaries(folder: string, nowMs: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found && nowMs - found.mtimeMs > temporaryAgeMsMax) await removeQuietly(path);
  }
}

/**
 * Creates a folder and its parents, and syncs each parent, so that the names survive a power cut.
 * Not with `recursive` of mkdir, which never returns if a parent does not allow new folders, as in /proc.
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again;
    });
  }
  await syncFolder(dirname(folder));
}

/**
 * EINVAL, ENOTSUP, ENOSYS: some network file systems cannot sync a folder. ENOENT: a delete() removed the folder with
 * the object. EACCES: the folder is writable but not readable.
 */
const harmlessSyncCodes = ['EINVAL', 'ENOTSUP', 'ENOSYS', 'ENOENT', 'EACCES'];

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!harmlessSyncCodes.includes(codeOf(error))) throw error;
  }
}

/** Removes a file if that is possible. */
export async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}
