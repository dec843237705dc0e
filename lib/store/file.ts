// Responsible for a store in a folder. Not responsible for how a file appears whole (file-write.ts).

import { link, lstat, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { StoreError, UnusableObjectError } from '../core/errors.ts';
import { objectBytesMax } from '../core/object-keys.ts';
import { mapParallel } from '../core/parallel.ts';
import type {
  Clock,
  FileClock,
  IrregularEntry,
  OnRefused,
  Store,
  StoredObject,
} from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { findClockKind } from './file-clock.ts';
import { codeOf, nullIfAbsent, withStoreErrors } from './file-errors.ts';
import {
  checkFolders,
  checkRoot,
  isRefused,
  listFolder,
  readRegularFile,
  streamRegularFile,
} from './file-read.ts';
import { type Content, createAtomicWriter, removeQuietly } from './file-write.ts';
import { badKey, checkKey } from './key-check.ts';
import { readLocalFile } from './local-file.ts';

/**
 * The folder of half-written files. It is in the store's root, so that it is on the same file system as every object and
 * the globs of readers do not match it. The leading dot hides it from Spark and Hive. No key may start with it.
 */
export const temporaryFolder = '.cgs-export-tmp';
/** The kernel stamps files up to one tick late, in milliseconds. A smaller difference does not mean another clock. */
const stampDoubtMs = 20;

/** Files that a list looks at at a time: all at once would need 2 kB of memory each. */
const describedMax = 32;

export interface FileStoreOptions {
  root: string;
  clock: Pick<Clock, 'nowMs'>;
  /** Permissions of new files; default 0600. */
  fileMode?: number;
  /**
   * True: the folder is not only for this store. A file that is replaced keeps its permissions, and no folder for half-written
   * files remains.
   */
  isShared?: boolean;
}

/**
 * Every write is synced to disk before `put` resolves, whatever its durability. `root` need not exist: the first put
 * creates it, and until then the store is empty. Only regular files are objects; links below `root` are not followed.
 */
// Long because: one adapter, each method a few lines.
export function openFileStore({ clock, fileMode = 0o600, ...options }: FileStoreOptions): Store {
  const root = resolve(options.root);
  const { isShared = false } = options;
  const writer = createAtomicWriter({ folder: join(root, temporaryFolder), fileMode, isShared });
  let kind: FileClock['kind'] | null = null;
  let skewMs = 0;

  function pathOf(key: string): string {
    checkFileKey(key);
    return join(root, ...key.split('/'));
  }

  /** Before a write: neither the object nor its temporary file may get out of the root through a link. */
  async function checkWay(key: string): Promise<void> {
    await checkRoot(root);
    await checkFolders(root, `${temporaryFolder}/`);
    await checkFolders(root, key);
  }

  async function replace(key: string, content: Content): Promise<void> {
    const path = pathOf(key);
    await withStoreErrors('write', path, async () => {
      await checkWay(key);
      await writer.write(path, content, (temporaryPath) => rename(temporaryPath, path));
    });
  }

  async function openObject<T>(
    key: string,
    open: (path: string, bytesMax: number) => Promise<T | null>,
  ): Promise<T | null> {
    const path = pathOf(key);
    return withStoreErrors('read', path, async () => {
      if ((await checkRoot(root)) === 'absent') return null;
      return nameObject(key, async () => {
        await checkFolders(root, key);
        return open(path, objectBytesMax(key));
      });
    });
  }

  return {
    url: `file:${root}`,
    settleMs: 0,
    nowMs: () => clock.nowMs() + skewMs,

    async readClock() {
      return withStoreErrors('write', root, async () => {
        await checkWay('');
        const nowMs = await writer.readTime();
        kind ??= await findClockKind(root);
        const differenceMs = nowMs - clock.nowMs();
        skewMs = Math.abs(differenceMs) > stampDoubtMs ? differenceMs : 0;
        return { kind, nowMs };
      });
    },

    put: replace,

    // Copied, not moved, also on one file system: the copy checks the hash of the bytes, and the caller keeps its file.
    putFile: (key, file) => replace(key, () => readLocalFile(file)),

    async putIfAbsent(key, bytes) {
      const path = pathOf(key);
      return withStoreErrors('write', path, async () => {
        await checkWay(key);
        return writer.write(path, bytes, async (temporaryPath) => {
          const isCreated = await linkIfAbsent(temporaryPath, path);
          await removeQuietly(temporaryPath);
          return isCreated;
        });
      });
    },

    get: (key) => openObject(key, readRegularFile),

    read: (key) => openObject(key, streamRegularFile),

    list: (prefix, onRefused) => listObjects(root, prefix, onRefused),

    listIrregular: (onRefused) => listIrregular(root, onRefused),

    async delete(key) {
      const path = pathOf(key);
      const isRemoved = await withStoreErrors('delete', path, async () => {
        if ((await checkRoot(root)) === 'absent') return null;
        await checkFolders(root, key);
        return unlink(path).then(() => true, nullIfAbsent);
      });
      if (isRemoved) await removeEmptyFolders(root, dirname(path));
    },
  };
}

function checkFileKey(key: string): void {
  checkKey(key);
  if (key.split('/')[0] === temporaryFolder) throw badKey(key);
}

/** Names the object in an error about what is in its place. */
async function nameObject<T>(key: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw error instanceof StoreError ? new UnusableObjectError(key, error) : error;
  }
}

async function listObjects(
  root: string,
  prefix: string,
  onRefused: OnRefused | undefined,
): Promise<StoredObject[]> {
  if (prefix.startsWith(`${temporaryFolder}/`)) return [];
  const folderPrefix = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (folderPrefix !== '') checkFileKey(folderPrefix.slice(0, -1));
  const folder = join(root, folderPrefix);
  return withStoreErrors('list', folder, async () => {
    if ((await checkRoot(root)) === 'absent') return [];
    await checkFolders(root, folderPrefix);
    const nameStart = prefix.slice(folderPrefix.length);
    const listing = { except: temporaryFolder, onRefused };
    const found = await listFolder(root, folderPrefix, nameStart, listing);
    const keys = found.filter(({ isFile, isKey }) => isFile && isKey).map(({ key }) => key);
    const describe = (key: string) => describeOrRefuse(root, key, onRefused);
    const described = await mapParallel(keys.sort(compareUtf8), describedMax, describe);
    return described.filter((object) => object !== null);
  });
}

async function listIrregular(
  root: string,
  onRefused: OnRefused | undefined,
): Promise<IrregularEntry[]> {
  return withStoreErrors('list', root, async () => {
    if ((await checkRoot(root)) === 'absent') return [];
    const found = await listFolder(root, '', '', { except: temporaryFolder, onRefused });
    return found
      .filter(({ isFile, isKey }) => !isFile || !isKey)
      .map(({ key, isKey }) => ({ key, kind: isKey ? ('special' as const) : ('name' as const) }))
      .sort((a, b) => compareUtf8(a.key, b.key));
  });
}

/** False if a file with this path exists. Throws if a folder has this path. */
async function linkIfAbsent(temporaryPath: string, path: string): Promise<boolean> {
  try {
    await link(temporaryPath, path);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || (await lstat(path)).isDirectory()) throw error;
    return false;
  }
}

/** As describeObject(), but `onRefused` is called with the folder of a file that may not be looked at. */
async function describeOrRefuse(
  root: string,
  key: string,
  onRefused: OnRefused | undefined,
): Promise<StoredObject | null> {
  try {
    return await withStoreErrors('list', join(root, key), () => describeObject(root, key));
  } catch (error) {
    if (!isRefused(error) || !onRefused || !key.includes('/')) throw error;
    onRefused(dirname(key), error);
    return null;
  }
}

/** Null if the file no longer exists. */
async function describeObject(root: string, key: string): Promise<StoredObject | null> {
  const found = await lstat(join(root, key)).catch(nullIfAbsent);
  return found?.isFile() ? { key, bytes: found.size, modifiedMs: found.mtimeMs } : null;
}

/** Removes `folder` and its parents below `root` while they are empty. Each run leaves some, which would slow every list. */
async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let path = folder; path.startsWith(root + sep); path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
  }
}
