// Responsible for a store in memory that behaves like an object store without conditional PUT.

import { existsSync, readFileSync } from 'node:fs';
import { ScratchError } from '../../lib/core/errors.ts';
import type { PutOptions, Store } from '../../lib/core/ports.ts';
import { sha256 as hashOf } from '../../lib/core/state.ts';
import { compareUtf8 } from '../../lib/core/utf8-order.ts';

type StoreOperation = 'put' | 'putIfAbsent' | 'get' | 'list' | 'delete';

/** `putFile` counts as `put`, and `read` as `get`. `index` counts the store's calls from 0; `before` and `after` of one call share it. */
export interface StoreCall {
  index: number;
  op: StoreOperation;
  /** The key, or the prefix of a list. */
  key: string;
  /** The options of a put; null for other operations. */
  putOptions: PutOptions | null;
  phase: 'before' | 'after';
}

/** As small as a chunk may be: a reader must handle any boundary. */
const chunkBytes = 1_000;

export type MemoryObjects = ReadonlyMap<string, { bytes: Uint8Array; modifiedMs: number }>;

export interface MemoryStore extends Store {
  /** A copy of all objects. */
  dump(): MemoryObjects;
  /** Replaces all objects. The counter of calls continues. */
  restore(objects: MemoryObjects): void;
}

export interface MemoryStoreOptions {
  /** The store's clock. */
  nowMs: () => number;
  settleMs?: number;
  /** True: has putIfAbsent, like a file system. */
  exclusive?: boolean;
  /**
   * May throw or wait. If it throws in `before`, the call has no effect (a crash before it, a rejected request).
   * If it throws in `after`, the call has its effect, but its caller does not know (a crash after it, a lost response).
   */
  onCall?: (call: StoreCall) => void | Promise<void>;
}

const badKey = /^$|^\/|\/$|\/\/|(^|\/)\.\.?(\/|$)|\0/;

/** A caller that keeps a chunk finds other bytes in it. */
async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(chunkBytes);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes);
    memory.set(chunk);
    yield memory.subarray(0, chunk.length);
  }
}

export function createMemoryStore(options: MemoryStoreOptions): MemoryStore {
  let objects = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();
  let calls = 0;

  async function call<T>(
    op: StoreOperation,
    key: string,
    effect: () => T,
    putOptions: PutOptions | null = null,
  ): Promise<T> {
    if (op !== 'list' && badKey.test(key))
      throw new Error(`${JSON.stringify(key)} is not a valid key`);
    const index = calls++;
    await options.onCall?.({ index, op, key, putOptions, phase: 'before' });
    // The effect is one synchronous step. Other calls may run before and after it, but not in between.
    const result = effect();
    await options.onCall?.({ index, op, key, putOptions, phase: 'after' });
    return result;
  }

  function write(key: string, bytes: Uint8Array): void {
    objects.set(key, { bytes, modifiedMs: options.nowMs() });
  }

  const store: MemoryStore = {
    url: 'obs://memory',
    settleMs: options.settleMs ?? 0,
    nowMs: options.nowMs,
    put(key, bytes, putOptions = {}) {
      // Copied now, because the caller may reuse its buffer during the request.
      const copy = Uint8Array.from(bytes);
      return call('put', key, () => write(key, copy), putOptions);
    },
    async putFile(key, { path, bytes, sha256 }, putOptions = {}) {
      // At once, because a virtual clock would not wait for the disk.
      const content = existsSync(path) ? readFileSync(path) : null;
      if (content?.length !== bytes || hashOf(content) !== sha256) {
        throw new ScratchError('TEMP_FAILED', `${path} was changed by another program`, 'again');
      }
      return call('put', key, () => write(key, Uint8Array.from(content)), putOptions);
    },
    async read(key) {
      const bytes = await store.get(key);
      return bytes && chunksOf(bytes);
    },
    get(key) {
      return call('get', key, () => {
        const object = objects.get(key);
        return object ? Uint8Array.from(object.bytes) : null;
      });
    },
    list(prefix) {
      return call('list', prefix, () =>
        [...objects]
          .filter(([key]) => key.startsWith(prefix))
          .map(([key, { bytes, modifiedMs }]) => ({ key, bytes: bytes.length, modifiedMs }))
          .sort((a, b) => compareUtf8(a.key, b.key)),
      );
    },
    delete(key) {
      return call('delete', key, () => {
        objects.delete(key);
      });
    },
    dump: () => new Map([...objects].map(([key, object]) => [key, { ...object }])),
    restore(from) {
      objects = new Map([...from].map(([key, object]) => [key, { ...object }]));
    },
  };
  if (options.exclusive) {
    store.putIfAbsent = (key, bytes) => {
      const copy = Uint8Array.from(bytes);
      return call('putIfAbsent', key, () => {
        if (objects.has(key)) return false;
        write(key, copy);
        return true;
      });
    };
  }
  return store;
}
