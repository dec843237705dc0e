// Responsible for files that appear whole: written under a temporary name, synced to disk, then renamed or linked.

import { randomUUID } from 'node:crypto';
import {
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from './file-errors.ts';

/** An older temporary file no longer has a writer. */
const temporaryAgeMsMax = 24 * 60 * 60 * 1_000;
/** delete() removes empty folders. If it removes one before the file is in it, the write is repeated this often. */
const placementsMax = 50;

/** What a file gets. The function is called for each attempt, and opens the bytes from the start. */
export type Content = Uint8Array | (() => AsyncIterable<Uint8Array>);

export interface AtomicWriterOptions {
  /** For half-written files: an absolute path, on the same file system as all files that are written. */
  folder: string;
  /** The permissions of new files, whatever the umask. New folders can be entered by all who may read them. */
  fileMode: number;
  /** True: a file that is replaced keeps its permissions, and `folder` is removed after each write. */
  isShared: boolean;
}

export function createAtomicWriter(options: AtomicWriterOptions) {
  const { folder: temporaryFolder, fileMode, isShared } = options;
  let isTidied = false;
  const folderMode = fileMode | ((fileMode & 0o444) >> 2);

  /** Creates a temporary file, with its bytes on disk if there are any. Resolves its path, and when the file system made it. */
  async function createTemporary(content: Content | null, mode = fileMode) {
    await makeFolder(temporaryFolder, folderMode);
    const path = join(temporaryFolder, `${randomUUID()}.tmp`);
    const createdMs = await createSynced(path, content, mode);
    if (!isTidied) {
      isTidied = true;
      await removeOldTemporaries(temporaryFolder, createdMs);
    }
    return { path, createdMs };
  }

  /**
   * Writes `content` to a temporary file and calls `commit`, which must give that file the name `path` in one atomic step.
   * The temporary name must not exist after `commit`. Creates missing folders. Throws errors of the file system, and those
   * of `content`.
   */
  async function write<T>(
    path: string,
    content: Content,
    commit: (temporaryPath: string) => Promise<T>,
  ): Promise<T> {
    // Another delete() or write() can remove an empty folder, and another process the temporary file, because its clock is wrong.
    const result = await repeatIfGone(async () => {
      const temporary = await createTemporary(content, isShared ? await modeOf(path) : fileMode);
      try {
        await makeFolder(dirname(path), folderMode);
        return await commit(temporary.path);
      } catch (error) {
        await removeQuietly(temporary.path);
        throw error;
      }
    });
    // After the commit nothing may be undone.
    await syncFolder(dirname(path));
    if (isShared) await rmdir(temporaryFolder).catch(() => {});
    return result;
  }

  /** The permissions of the file, if there is one. */
  async function modeOf(path: string): Promise<number> {
    const found = await lstat(path).catch(() => null);
    return found?.isFile() ? found.mode & 0o777 : fileMode;
  }

  return {
    write,
    /** The time that the file system gives to a new file, milliseconds since the epoch. */
    async readTime(): Promise<number> {
      const { path, createdMs } = await createTemporary(null);
      await removeQuietly(path);
      return createdMs;
    },
  };
}

/** Repeats `act` if another process removed a folder or a file while it ran. */
async function repeatIfGone<T>(act: () => Promise<T>): Promise<T> {
  for (let placement = 1; ; placement += 1) {
    try {
      return await act();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || placement === placementsMax) throw error;
    }
  }
}

/**
 * The bytes are on disk before the file gets its final name: a power cut must not leave that name without its bytes.
 * Returns the time stamp of the file. `content` null: an empty file, which need not reach the disk.
 */
async function createSynced(
  path: string,
  content: Content | null,
  fileMode: number,
): Promise<number> {
  const file = await open(path, 'wx', fileMode);
  try {
    await setMode(file, fileMode);
    if (content !== null) {
      const chunks = typeof content === 'function' ? content() : [content];
      // Each call continues after the bytes of the one before.
      for await (const chunk of chunks) await file.writeFile(chunk);
      await file.sync();
    }
    const { mtimeMs } = await file.stat();
    await file.close();
    return mtimeMs;
  } catch (error) {
    await file.close().catch(() => {});
    await removeQuietly(path);
    throw error;
  }
}

/** Some file systems have no permissions, or do not let this user change them. */
const noModeCodes = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'];

/** The umask took permissions away when the file was created. */
async function setMode(target: FileHandle | string, mode: number): Promise<void> {
  try {
    await (typeof target === 'string' ? chmod(target, mode) : target.chmod(mode));
  } catch (error) {
    if (!noModeCodes.includes(codeOf(error))) throw error;
  }
}

/** Removes temporary files that killed writers left. Ignores failures. */
async function removeOldTemporaries(folder: string, nowMs: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    // As far in the future: it was written while the clock was ahead.
    if (found && Math.abs(nowMs - found.mtimeMs) > temporaryAgeMsMax) await removeQuietly(path);
  }
}

/**
 * Creates a folder and its parents, and syncs each parent, so that the names survive a power cut.
 * Not with `recursive` of mkdir, which never returns if a parent does not allow new folders, as in /proc.
 */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, mode);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder), mode);
    const isNew = await mkdir(folder, mode).then(
      () => true,
      (again: unknown) => {
        if (codeOf(again) !== 'EEXIST') throw again;
        return false;
      },
    );
    if (!isNew) return;
  }
  await setMode(folder, mode);
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
