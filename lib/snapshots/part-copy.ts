// Responsible for a copy of a part on this host, whose pieces can be read in any order: a small part in memory, a large one in a
// temporary file.

import type { Appended, ByteSource, Scratch, ScratchFile } from '../core/ports.ts';

export interface PartCopy {
  /** The caller awaits it before the next call, and may then reuse the chunk. Throws ScratchError. */
  add(chunk: Uint8Array): Promise<void>;
  /** No bytes follow. Throws ScratchError, also from the source. */
  finish(): Promise<ByteSource>;
  /** Deletes the temporary file. Never throws, and may be called again. */
  remove(): Promise<void>;
}

export interface CopyOptions {
  scratch: Scratch;
  /** What the manifest says. Further bytes are left out of the copy, so a wrong object cannot fill the disk. */
  bytes: number;
  /** Parts up to this size are kept in memory. Default: none. */
  memoryBytesMax?: number;
}

/** The bytes of a temporary file are read and checked in pieces of this size. */
const pieceBytesMax = 2 ** 18;

export async function openPartCopy({
  scratch,
  bytes,
  memoryBytesMax = -1,
}: CopyOptions): Promise<PartCopy> {
  if (bytes <= memoryBytesMax) return copyIntoMemory(bytes);
  return copyIntoFile(bytes, await scratch.open());
}

function copyIntoMemory(bytes: number): PartCopy {
  const copy = new Uint8Array(bytes);
  let filled = 0;
  return {
    async add(chunk) {
      const some = chunk.subarray(0, bytes - filled);
      copy.set(some, filled);
      filled += some.length;
    },
    async finish() {
      return { bytes: filled, read: async (start, end) => copy.subarray(start, end) };
    },
    async remove() {},
  };
}

function copyIntoFile(bytes: number, file: ScratchFile): PartCopy {
  const pieces: Appended[] = [];
  const piece = new Uint8Array(Math.min(pieceBytesMax, bytes));
  let filled = 0;
  return {
    async add(chunk) {
      const wanted = chunk.subarray(0, bytes - file.bytes - filled);
      for (let at = 0; at < wanted.length; ) {
        const some = wanted.subarray(at, at + piece.length - filled);
        piece.set(some, filled);
        filled += some.length;
        at += some.length;
        if (filled < piece.length) continue;
        pieces.push(await file.append(piece));
        filled = 0;
      }
    },
    async finish() {
      if (filled > 0) pieces.push(await file.append(piece.subarray(0, filled)));
      await file.finish();
      return openPieces(file, pieces);
    },
    remove: () => file.remove(),
  };
}

/** Reads whole pieces, because the file checks the hash of a piece. */
function openPieces(file: ScratchFile, pieces: readonly Appended[]): ByteSource {
  return {
    bytes: file.bytes,
    async read(start, end) {
      const result = new Uint8Array(Math.max(0, end - start));
      for (const piece of pieces) {
        if (piece.at >= end || piece.at + piece.length <= start) continue;
        const from = Math.max(start, piece.at);
        const to = Math.min(end, piece.at + piece.length);
        const content = await file.read(piece);
        result.set(content.subarray(from - piece.at, to - piece.at), from - start);
      }
      return result;
    },
  };
}
