// Responsible for bytes that are complete, with their hashes, before the first of them is stored: in memory while they are few,
// then in a temporary file.

import { createHash } from 'node:crypto';
import type { PutOptions, Scratch, ScratchFile, Store } from '../core/ports.ts';

export interface Spool {
  /** Copies the bytes. The caller awaits it before the next call but `remove`. Throws ScratchError, and after `remove` an Error. */
  append(bytes: Uint8Array): Promise<void>;
  /** No bytes follow. Throws ScratchError. */
  finish(): Promise<Spooled>;
  /** Frees memory and file, finished or not. Never throws, and may be called again. */
  remove(): Promise<void>;
}

export interface Spooled {
  bytes: number;
  /** Bare lower-case hex. */
  sha256: string;
  /** 16 bytes. */
  md5: Uint8Array;
  /** Stores the bytes. May be called more than once, but not after `remove`. */
  put(store: Store, key: string, options?: PutOptions): Promise<void>;
  /** As that of the Spool. */
  remove(): Promise<void>;
}

const memoryBytesMax = 2 * 2 ** 20;

/** `heldBytesMax`: so many bytes are kept in memory. With more, all are in a file. */
export function openSpool(scratch: Scratch, heldBytesMax = memoryBytesMax): Spool {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let held: Uint8Array[] = [];
  let file: ScratchFile | null = null;
  let bytes = 0;
  let isRemoved = false;
  /** The newest `append`: an encoder that failed may leave one under way. */
  let pending = Promise.resolve();

  async function append(chunk: Uint8Array): Promise<void> {
    if (isRemoved) throw new Error('the spool was removed');
    sha256.update(chunk);
    md5.update(chunk);
    bytes += chunk.length;
    if (file === null && bytes <= heldBytesMax) {
      held.push(Uint8Array.from(chunk));
      return;
    }
    if (file === null) {
      file = await scratch.open();
      for (const earlier of held) await file.append(earlier);
      held = [];
    }
    await file.append(chunk);
  }

  async function remove(): Promise<void> {
    isRemoved = true;
    await pending.catch(() => {});
    held = [];
    await file?.remove();
  }

  return {
    append(chunk) {
      pending = append(chunk);
      return pending;
    },
    async finish() {
      await file?.finish();
      const hashes = { sha256: sha256.digest('hex'), md5: md5.digest() };
      const complete = { bytes, ...hashes };
      return {
        ...complete,
        async put(store, key, options) {
          if (file === null) return store.put(key, Buffer.concat(held), options);
          const { path } = file;
          if (path !== null) return store.putFile(key, { path, ...complete }, options);
          const { sha256 } = hashes;
          return store.put(key, await file.read({ at: 0, length: bytes, sha256 }), options);
        },
        remove,
      };
    },
    remove,
  };
}
