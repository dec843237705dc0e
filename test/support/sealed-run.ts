// Responsible for sealing stored runs in tests, into a store that fails when a reader's object is written twice differently.

import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import type { Store } from '../../lib/core/ports.ts';
import { sha256 } from '../../lib/core/state.ts';
import type { SealPorts } from '../../lib/sealing/seal.ts';
import type { Manifest } from '../../lib/snapshots/manifest.ts';
import { createMemoryStore, type MemoryStore, type MemoryStoreOptions } from './memory-store.ts';
import { createSealPorts, nodeText, type RunToStore, sealStored, storeRun } from './stored-run.ts';
import { createClock } from './virtual-clock.ts';

export const first = '20261124T060000Z';
export const second = '20261124T120000Z';
export const third = '20261124T180000Z';

/** Fails the test if an immutable object is written again with other bytes. */
export function createRecordedStore(options: Partial<MemoryStoreOptions> = {}) {
  // Encoders compress on threads. The clock must not advance meanwhile.
  const clock = createClock(undefined, 30);
  const store = createMemoryStore({ nowMs: clock.nowMs, ...options });
  const written = new Map<string, string>();
  const recorded: Store = {
    ...store,
    async put(key, bytes) {
      const isImmutable = /^(?!_)|^_(?:manifests|keys)\//.test(key);
      const hash = sha256(bytes);
      if (isImmutable) expect(written.get(key) ?? hash, `${key} written again`).toBe(hash);
      written.set(key, hash);
      try {
        await store.put(key, bytes);
      } catch (error) {
        // Killed before the write.
        if (!store.dump().has(key)) written.delete(key);
        throw error;
      }
    },
  };
  return { clock, store, recorded };
}

/** Stores the run and seals it. */
export async function seal(run: RunToStore, overrides: Partial<Omit<SealPorts, 'readPages'>> = {}) {
  const { clock, store, recorded } = createRecordedStore();
  const stored = await storeRun(recorded, run);
  const ports = createSealPorts(recorded, clock, overrides);
  const sealed = await clock.run(sealStored(ports, stored));
  return { clock, store, recorded, stored, ports, sealed, manifest: sealed.manifest };
}

/** The JSON lines of a gzipped part. */
export function linesOf(
  store: MemoryStore,
  manifest: Manifest,
  role: 'rows' | 'rejects',
): unknown[] {
  const part = manifest.parts.find((one) => one.role === role && one.format === 'ndjson');
  const key = part?.key ?? '';
  const text = gunzipSync(store.dump().get(key)?.bytes ?? new Uint8Array()).toString('utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line): unknown => JSON.parse(line));
}

/** Keys of all objects that are not private working state. */
export function readerKeys(store: MemoryStore): string[] {
  return [...store.dump().keys()].filter((key) => !/^_(runs|quota|lease)\//.test(key));
}

export const pages = [
  { records: [nodeText('b'), nodeText('a')] },
  { records: [nodeText('a'), nodeText('c'), '{"host_name":"nameless"}'] },
];
export const many = { records: Array.from({ length: 300 }, (_, index) => nodeText(`n${index}`)) };
