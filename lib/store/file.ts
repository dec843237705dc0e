// Owns a store in a directory: whole files appear by rename or link. Refuses to know what the objects mean.

import type { Stats } from 'node:fs';
import {
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { StoreError } from '../core/errors.ts';
import type { Clock, Store, StoredObject } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { badKey, checkKey } from './key-check.ts';

/**
 * Half-written files live here, at the root: on the same file system as every object, out of every
 * reader's glob, and hidden from Spark and Hive by the leading dot. No key may begin with it.
 */
const temporaryFolder = '.cgs-export-tmp';
/** A temporary file this old has lost its writer. */
const temporaryAgeMaxMs = 24 * 60 * 60 * 1_000;
/** Times that a folder may vanish between being made and being used: delete() removes empty ones. */
const placingsMax = 50;
const statsAtOnceMax = 64;

/** `root` may be missing: the first put makes it. Reads and lists of a missing root find nothing. */
export function openFileStore(options: { root: string; clock: Pick<Clock, 'nowMs'> }): Store {
  const { clock } = options;
  const root = resolve(options.root);
  const temporaryRoot = join(root, temporaryFolder);
  let lastTemporary = 0;
  let tidied = false;

  function pathOf(key: string): string {
    checkFileKey(key);
    return join(root, ...key.split('/'));
  }

  /** Best effort: what killed writers left behind. */
  async function tidyTemporaries(): Promise<void> {
    if (tidied) return;
    tidied = true;
    for (const name of await readdir(temporaryRoot).catch(() => [])) {
      const path = join(temporaryRoot, name);
      const found = await stat(path).catch(() => null);
      if (found && clock.nowMs() - found.mtimeMs > temporaryAgeMaxMs) await removeQuietly(path);
    }
  }

  /** The bytes, on the disk for certain, under a name that nobody reads. */
  async function writeTemporary(bytes: Uint8Array): Promise<string> {
    await makeFolder(temporaryRoot);
    for (;;) {
      lastTemporary += 1;
      // Another process may use the same number (containers share a volume): `wx` then takes the next.
      const path = join(temporaryRoot, `${process.pid}-${lastTemporary}.tmp`);
      const file = await open(path, 'wx').catch((error: unknown) => {
        if (codeOf(error) === 'EEXIST') return null;
        throw error;
      });
      if (!file) continue;
      try {
        await file.writeFile(bytes);
        // Before the rename: a name must never outlive a power cut without its bytes.
        await file.sync();
        await file.close();
        return path;
      } catch (error) {
        await file.close().catch(() => {});
        await removeQuietly(path);
        throw error;
      }
    }
  }

  /**
   * Gives the bytes their final name through `commit`: one atomic step, after which the temporary name is gone.
   * It must not be removed here once more: another writer may be using that name by then.
   */
  async function place<T>(
    path: string,
    bytes: Uint8Array,
    commit: (temporary: string) => Promise<T>,
  ): Promise<T> {
    await tidyTemporaries();
    const temporary = await writeTemporary(bytes);
    for (let placing = 1; ; placing++) {
      let result: T;
      try {
        await makeFolder(dirname(path));
        result = await commit(temporary);
      } catch (error) {
        // Somebody's delete() has just taken the empty folder away.
        if (codeOf(error) === 'ENOENT' && placing < placingsMax) continue;
        await removeQuietly(temporary);
        throw error;
      }
      await syncFolder(dirname(path));
      return result;
    }
  }

  /** Adds to `keys` every file under `folder`, which stands for `keyStart`, whose name there starts with `leaf`. */
  async function collect(
    folder: string,
    keyStart: string,
    leaf: string,
    keys: string[],
  ): Promise<void> {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      if (isAbsence(error)) return [];
      throw error;
    });
    for (const entry of entries) {
      const key = `${keyStart}${entry.name}`;
      if (!entry.name.startsWith(leaf) || key === temporaryFolder) continue;
      const path = join(folder, entry.name);
      const isFolder = entry.isSymbolicLink()
        ? ((await stat(path).catch(() => null))?.isDirectory() ?? false)
        : entry.isDirectory();
      if (isFolder) await collect(path, `${key}/`, '', keys);
      else keys.push(key);
    }
  }

  async function describe(key: string): Promise<StoredObject | null> {
    const found: Stats | null = await stat(join(root, key)).catch((error: unknown) => {
      if (isAbsence(error)) return null; // vanished since it was listed
      throw error;
    });
    return found?.isFile() ? { key, bytes: found.size, modifiedMs: found.mtimeMs } : null;
  }

  /** Empty folders would pile up, a few for every run, and slow every list(). */
  async function removeEmptyFolders(folder: string): Promise<void> {
    for (let path = folder; path.startsWith(root + sep); path = dirname(path)) {
      const removed = await rmdir(path).then(
        () => true,
        () => false,
      );
      if (!removed) return;
    }
  }

  return {
    url: `file:${root}`,
    settleMs: 0,
    nowMs: () => clock.nowMs(),

    async put(key, bytes) {
      const path = pathOf(key);
      await place(path, bytes, (temporary) => rename(temporary, path)).catch((error: unknown) => {
        throw toStoreError(error, 'write', path);
      });
    },

    async putIfAbsent(key, bytes) {
      const path = pathOf(key);
      try {
        return await place(path, bytes, async (temporary) => {
          const created = await link(temporary, path).then(
            () => true,
            async (error: unknown) => {
              if (codeOf(error) !== 'EEXIST' || (await lstat(path)).isDirectory()) throw error;
              return false;
            },
          );
          await removeQuietly(temporary);
          return created;
        });
      } catch (error) {
        throw toStoreError(error, 'write', path);
      }
    },

    async get(key) {
      const path = pathOf(key);
      try {
        return await readFile(path);
      } catch (error) {
        if (isAbsence(error) || codeOf(error) === 'EISDIR') return null;
        throw toStoreError(error, 'read', path);
      }
    },

    async list(prefix) {
      if (prefix.startsWith(`${temporaryFolder}/`)) return [];
      const cut = prefix.lastIndexOf('/');
      const keyStart = prefix.slice(0, cut + 1);
      if (cut >= 0) checkFileKey(prefix.slice(0, cut));
      const folder = join(root, keyStart);
      try {
        const keys: string[] = [];
        await collect(folder, keyStart, prefix.slice(cut + 1), keys);
        keys.sort(compareUtf8);
        const objects: StoredObject[] = [];
        for (let i = 0; i < keys.length; i += statsAtOnceMax) {
          const described = await Promise.all(keys.slice(i, i + statsAtOnceMax).map(describe));
          for (const object of described) if (object) objects.push(object);
        }
        return objects;
      } catch (error) {
        throw toStoreError(error, 'list', folder);
      }
    },

    async delete(key) {
      const path = pathOf(key);
      try {
        await unlink(path);
      } catch (error) {
        if (isAbsence(error) || codeOf(error) === 'EISDIR') return;
        throw toStoreError(error, 'delete', path);
      }
      await removeEmptyFolders(dirname(path));
    },
  };
}

/** What is being written lies in a folder of its own, which no key may name. */
function checkFileKey(key: string): void {
  checkKey(key);
  if (key.split('/')[0] === temporaryFolder) throw badKey(key);
}

/** Makes the folder and sees to it that its name survives a power cut. One at a time: Node's own `recursive` never ends where a parent takes no folders, as in /proc. */
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

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Some network file systems cannot; and a folder may be gone again: a delete() took it, object and all.
    // EACCES: writable but not readable, as a drop box is.
    const harmless = ['EINVAL', 'ENOTSUP', 'ENOSYS', 'ENOENT', 'EACCES'];
    if (!harmless.includes(codeOf(error))) throw error;
  }
}

async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Nothing of that name is there, or nothing can be. */
function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(codeOf(error));
}

const denials = ['EACCES', 'EPERM', 'EROFS'];
const hints: Record<string, string> = {
  ENOTDIR: 'A file stands where a folder is needed: move it away, or choose another store.',
  EEXIST: 'A file stands where a folder is needed or the reverse: move it away.',
  EISDIR: 'A folder stands where a file is needed: move it away, or choose another store.',
  EXDEV: 'All folders of a store must lie on one file system: mount it at the root of the store.',
  EMFILE: 'Too many files are open in this process: raise its limit (ulimit -n), then start again.',
  ENAMETOOLONG: 'Choose a store with a shorter path: this file system takes no longer names.',
};

/** What a file system call threw, told for the operator; anything else is a bug of ours and stays what it is. */
export function toStoreError(
  error: unknown,
  verb: 'write' | 'read' | 'list' | 'delete',
  path: string,
): unknown {
  const code = codeOf(error);
  if (!(error instanceof Error) || code === '') return error;
  const message = `cannot ${verb} ${path}: ${error.message}`;
  const options = { cause: error };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StoreError(
      'DISK_FULL',
      message,
      'Make room on the disk or raise the quota there, then start again: the run goes on where it stopped.',
      options,
    );
  }
  const isLink = 'syscall' in error && error.syscall === 'link';
  if (isLink && ['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(code)) {
    return new StoreError(
      'STORE_FAILED',
      message,
      'The file system there cannot make hard links, which the lease needs: use another one.',
      options,
    );
  }
  if (denials.includes(code)) {
    return new StoreError(
      'STORE_DENIED',
      message,
      'Give the user that runs cgs-export the right to read and write there, or choose another store.',
      options,
    );
  }
  return new StoreError(
    'STORE_FAILED',
    message,
    hints[code] ?? 'Look at that path and at the system log, then start again.',
    options,
  );
}
