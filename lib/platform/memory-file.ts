// Responsible for a temporary file in memory, in place of one that cannot be made. Not responsible for how much fits: the room is
// given.

import type { ScratchFile } from '../core/ports.ts';
import { sha256 } from '../core/state.ts';

/** What all files in memory share. */
export interface Room {
  /** Throws if so many bytes do not fit. */
  reserve(bytes: number): void;
  release(bytes: number): void;
}

export function createMemoryFile(room: Room): ScratchFile {
  let chunks: Uint8Array[] = [];
  /** The index of the chunk that starts at an offset. */
  const starts = new Map<number, number>();
  let bytes = 0;
  let state: 'writing' | 'finished' | 'removed' = 'writing';
  return {
    path: null,
    get bytes() {
      return bytes;
    },
    async append(chunk) {
      if (state !== 'writing') throw new Error(`the file in memory is ${state}`);
      room.reserve(chunk.length);
      const at = bytes;
      if (chunk.length > 0) starts.set(at, chunks.push(new Uint8Array(chunk)) - 1);
      bytes += chunk.length;
      return { at, length: chunk.length, sha256: sha256(chunk) };
    },
    async read({ at, length }) {
      const first = starts.get(at) ?? chunks.length;
      const chunk = chunks[first];
      return chunk?.length === length ? chunk : Buffer.concat(chunks.slice(first), length);
    },
    async finish() {
      state = 'finished';
    },
    async remove() {
      if (state === 'removed') return;
      state = 'removed';
      room.release(bytes);
      chunks = [];
    },
  };
}
