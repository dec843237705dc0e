// Responsible for a store in a folder. Not responsible for how a file appears whole (file-write.ts).

import { link, lstat, readdir, readFile, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Clock, Store, StoredObject } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { codeOf, nullIfAbsent, withStoreErrors } from './file-errors.ts';
import { createAtomicWriter, removeQuietly } from './file-write.ts';
import { badKey, checkKey } from './key-check.ts';

/**
 * The folder of half-written files. It is in the store's root, so that it is on the same file system as every object and
 * the globs of readers do not match it. The leading dot hides it from Spark and Hive. No key may start with it.
 */
const temporaryFolder = '.cgs-export-tmp';

/**
 * Every write is synced to disk before `put` resolves, whatever its durability. `root` need not exist: the first put
 * creates it, and until then the store is empty.
 */
export function openFileStore(options: { root: string; clock: Pick<Clock, 'nowMs'> }): Store {
  const { clock } = options;
  const root = resolve(options.root);
  const write = createAtomicWriter(join(root, temporaryFolder), clock);

  function pathOf(key: string): string {
    checkFileKey(key);
    return join(root, ...key.split('/'));
  }

  return {
    url: `file:${root}`,
    settleMs: 0,
    nowMs: () => clock.nowMs(),

    async put(key, bytes) {
      const path = pathOf(key);
      await withStoreErrors('write', path, () =>
        write(path, bytes, (temporaryPath) => rename(temporaryPath, path)),
      );
    },

    async putIfAbsent(key, bytes) {
      const path = pathOf(key);
      return withStoreErrors('write', path, () =>
        write(path, bytes, async (temporaryPath) => {
          const isCreated = await linkIfAbsent(temporaryPath, path);
          await removeQuietly(temporaryPath);
          return isCreated;
        }),
      );
    },

    async get(key) {
      const path = pathOf(key);
      return withStoreErrors('read', path, () => readFile(path).catch(nullIfAbsent));
    },

    async list(prefix) {
      if (prefix.startsWith(`${temporaryFolder}/`)) return [];
      const folderPrefix = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      if (folderPrefix !== '') checkFileKey(folderPrefix.slice(0, -1));
      const folder = join(root, folderPrefix);
      return withStoreErrors('list', folder, async () => {
        const keys = await listKeys(folder, folderPrefix, prefix.slice(folderPrefix.length));
        const described = keys.sort(compareUtf8).map((key) => describeObject(root, key));
        return (await Promise.all(described)).filter((object) => object !== null);
      });
    },

    async delete(key) {
      const path = pathOf(key);
      const isRemoved = await withStoreErrors('delete', path, () =>
        unlink(path).then(() => true, nullIfAbsent),
      );
      if (isRemoved) await removeEmptyFolders(root, dirname(path));
    },
  };
}

function checkFileKey(key: string): void {
  checkKey(key);
  if (key.split('/')[0] === temporaryFolder) throw badKey(key);
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

/** The keys of all files below `folder`: `folderPrefix`, then a path in `folder` that starts with `nameStart`. */
async function listKeys(
  folder: string,
  folderPrefix: string,
  nameStart: string,
): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(nullIfAbsent);
  const keys: string[] = [];
  for (const entry of entries ?? []) {
    const key = `${folderPrefix}${entry.name}`;
    if (!entry.name.startsWith(nameStart) || key === temporaryFolder) continue;
    const path = join(folder, entry.name);
    const isFolder = entry.isSymbolicLink()
      ? ((await stat(path).catch(() => null))?.isDirectory() ?? false)
      : entry.isDirectory();
    if (!isFolder) keys.push(key);
    else for (const below of await listKeys(path, `${key}/`, '')) keys.push(below);
  }
  return keys;
}

/** Null if the file no longer exists. */
async function describeObject(root: string, key: string): Promise<StoredObject | null> {
  const found = await stat(join(root, key)).catch(nullIfAbsent);
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
