// Responsible for temporary files: one folder for each process, memory in its place if it cannot be made, and the folders that
// killed processes left behind.

import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rm, rmdir, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ScratchError } from '../core/errors.ts';
import type { Clock, Host, Scratch, ScratchFile } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';
import { createMemoryFile } from './memory-file.ts';
import { changedFile, describeScratchFault, noRoom } from './scratch-errors.ts';

export interface ScratchOptions {
  /** Where the folder of this process is made, such as os.tmpdir(). */
  parent: string;
  host: Host;
  clock: Pick<Clock, 'nowMs'>;
  /** Has `act`, which is synchronous, called when the process ends. */
  onExit: (act: () => void) => void;
  /** Of all files in memory together. Default: `heldBytesMax`. */
  heldBytesMax?: number;
}

export interface ProcessScratch extends Scratch {
  /** Where the folder of this process is made. */
  parent: string;
  /** Free space there for this user. Null: the file system does not tell it. */
  freeBytes(): Promise<number | null>;
  /** Why no file can be made, so that files are in memory; null: one was made, and removed. */
  findFault(): Promise<ScratchError | null>;
  /** Removes the folders of processes that are gone. Never throws: what cannot be removed stays. */
  removeLeft(): Promise<void>;
}

/** Without a folder, so many bytes of temporary files are in memory. */
export const heldBytesMax = 64_000_000;
const namePrefix = 'cgs-export-tmp-';
/** A folder whose process cannot be judged is removed after this time without a write. No seal takes so long. */
const idleMsMax = 24 * 60 * 60 * 1_000;

/** Folders have the mode 0700 and files 0600. The folder exists only while it has files. */
// Long because: one state, and the functions that share it.
export function openScratch(options: ScratchOptions): ProcessScratch {
  const { parent, host, onExit } = options;
  const roomBytes = options.heldBytesMax ?? heldBytesMax;
  let heldBytes = 0;
  let folder: string | null = null;
  let files = 0;
  let names = 0;
  let willClean = false;

  function useFolder(): string {
    if (folder !== null) return folder;
    try {
      // Its own random end, so that no other user can have made it before. Synchronous: no exit can come in between.
      folder = mkdtempSync(join(parent, `${namePrefix}${host.identity}-`));
    } catch (error) {
      throw describeScratchFault(parent, error, true);
    }
    if (!willClean) {
      willClean = true;
      onExit(() => {
        if (folder !== null) rmSync(folder, { recursive: true, force: true });
      });
    }
    return folder;
  }

  async function release(): Promise<void> {
    files -= 1;
    if (files > 0 || folder === null) return;
    const empty = folder;
    folder = null;
    await rmdir(empty).catch(() => {});
  }

  /** Throws ScratchError. */
  async function makeFile(): Promise<ScratchFile> {
    const path = join(useFolder(), String(names));
    names += 1;
    files += 1;
    try {
      return createFile(path, parent, await open(path, 'wx+', 0o600), release);
    } catch (error) {
      await release();
      throw describeScratchFault(parent, error);
    }
  }

  function holdFile(fault: ScratchError): ScratchFile {
    return createMemoryFile({
      reserve(bytes) {
        if (heldBytes + bytes > roomBytes) throw noRoom(fault, roomBytes);
        heldBytes += bytes;
      },
      release(bytes) {
        heldBytes -= bytes;
      },
    });
  }

  /** Its file, or why it cannot be made. */
  async function tryFile(): Promise<ScratchFile | ScratchError> {
    return makeFile().catch((error: unknown) => {
      if (error instanceof ScratchError) return error;
      throw error;
    });
  }

  return {
    parent,
    async freeBytes() {
      const found = await statfs(parent).catch(() => null);
      return found && found.bavail * found.bsize;
    },
    async findFault() {
      const made = await tryFile();
      if (made instanceof ScratchError) return made;
      await made.remove();
      return null;
    },
    async open() {
      const made = await tryFile();
      return made instanceof ScratchError ? holdFile(made) : made;
    },
    async removeLeft() {
      for (const name of await readdir(parent).catch(() => [])) {
        const path = join(parent, name);
        const identity = readIdentity(name);
        const isLeft = identity !== null && (await isLeftBehind(path, identity, options));
        if (isLeft) await rm(path, { recursive: true, force: true }).catch(() => {});
      }
    },
  };
}

/** `release`: called once, after the file is deleted. */
function createFile(
  path: string,
  parent: string,
  opened: FileHandle,
  release: () => Promise<void>,
): ScratchFile {
  let file = opened;
  let bytes = 0;
  let state: 'writing' | 'finished' | 'removed' = 'writing';
  const fail = (error: unknown): never => {
    throw describeScratchFault(parent, error);
  };
  return {
    path,
    get bytes() {
      return bytes;
    },
    async append(chunk) {
      if (state !== 'writing') throw new Error(`${path} is ${state}`);
      for (let done = 0; done < chunk.length; ) {
        const written = file.write(chunk, done, chunk.length - done, bytes + done);
        done += (await written.catch(fail)).bytesWritten;
      }
      const appended = { at: bytes, length: chunk.length, sha256: sha256(chunk) };
      bytes += chunk.length;
      return appended;
    },
    async read({ at, length, sha256: expected }) {
      const chunk = Buffer.allocUnsafeSlow(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await file.read(chunk, done, length - done, at + done).catch(fail);
        if (bytesRead === 0) throw changedFile(path, 'it became shorter');
        done += bytesRead;
      }
      if (sha256(chunk) !== expected) throw changedFile(path, 'it has other bytes');
      return chunk;
    },
    async finish() {
      if (state === 'finished') return;
      state = 'finished';
      // File servers report some failed writes only when the file is closed.
      await file.close().catch(fail);
      file = await open(path, 'r').catch(fail);
    },
    async remove() {
      if (state === 'removed') return;
      state = 'removed';
      await file.close().catch(() => {});
      await unlink(path).catch(() => {});
      await release();
    },
  };
}

/** Null if it is not the name of a folder for temporary files. */
function readIdentity(name: string): string | null {
  const rest = name.startsWith(namePrefix) ? name.slice(namePrefix.length) : '';
  return /^([\w.]+)-[A-Za-z0-9]{6}$/.exec(rest)?.[1] ?? null;
}

async function isLeftBehind(
  path: string,
  identity: string,
  { parent, host, clock }: ScratchOptions,
): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  // Only folders of this user: others could replace a folder by a link while it is being removed.
  if (!found?.isDirectory() || found.uid !== (process.getuid?.() ?? found.uid)) return false;
  if (host.isGone(identity)) return true;
  if (placeOf(identity) === placeOf(host.identity)) return false;
  if (isOfEarlierBoot(identity, host) && (await isLocal(parent))) return true;
  const names = await readdir(path).catch(() => []);
  const stats = await Promise.all(names.map((name) => lstat(join(path, name)).catch(() => null)));
  const newestMs = Math.max(found.mtimeMs, ...stats.map((one) => one?.mtimeMs ?? 0));
  // As far in the future: it was written while the clock was ahead.
  return Math.abs(clock.nowMs() - newestMs) > idleMsMax;
}

/** The boot and the PID namespace of a process: there, Host.isGone can judge it. */
function placeOf(identity: string): string {
  return identity.split('.').slice(0, 2).join('.');
}

/** True if the host has started again since, or if the folder is shared with another host. */
function isOfEarlierBoot(identity: string, { boot }: Host): boolean {
  const [other = ''] = identity.split('.');
  return boot !== null && /^[0-9a-f]{12}$/.test(other) && other !== boot;
}

/**
 * File systems that one host alone mounts: ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS.
 * Source: Linux, include/uapi/linux/magic.h; ZFS: OpenZFS, include/os/linux/zfs/sys/zfs_vfsops_os.h.
 */
const localTypes = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1,
]);

async function isLocal(folder: string): Promise<boolean> {
  const found = await statfs(folder).catch(() => null);
  return found !== null && localTypes.has(found.type >>> 0);
}
