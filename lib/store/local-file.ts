// Responsible for reading a file whose size and hash are known, chunk by chunk, and for finding out that it has changed.

import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { ScratchError } from '../core/errors.ts';
import type { LocalFile } from '../core/ports.ts';

const chunkBytesMax = 256 * 1024;

/**
 * The bytes of the file. All chunks use the same memory: copy a chunk that is needed after the next one is requested. New memory
 * for each chunk would add up to 30 MB until V8 frees it. Throws ScratchError `TEMP_FAILED` if the file cannot be read or has other
 * bytes, at the latest in place of its last chunk: a writer that got every chunk has the right bytes.
 */
export async function* readLocalFile(local: LocalFile): AsyncGenerator<Uint8Array> {
  const { path, bytes, sha256 } = local;
  const file = await orFailed(path, open(path, constants.O_RDONLY | constants.O_NOFOLLOW));
  try {
    const { size } = await orFailed(path, file.stat());
    if (size !== bytes) throw changed(path, `it has ${size} bytes, but ${bytes} were written`);
    const hash = createHash('sha256');
    const memory = Buffer.allocUnsafeSlow(Math.min(chunkBytesMax, bytes));
    let at = 0;
    do {
      const chunk = await readChunk(path, file, at, memory.subarray(0, bytes - at));
      hash.update(chunk);
      at += chunk.length;
      if (at === bytes && hash.digest('hex') !== sha256) throw changed(path, 'its hash differs');
      if (chunk.length > 0) yield chunk;
    } while (at < bytes);
  } finally {
    await file.close();
  }
}

async function readChunk(
  path: string,
  file: FileHandle,
  at: number,
  memory: Uint8Array,
): Promise<Uint8Array> {
  const { bytesRead } = await orFailed(path, file.read(memory, 0, memory.length, at));
  if (bytesRead === 0 && memory.length > 0)
    throw changed(path, 'it became shorter while it was read');
  return memory.subarray(0, bytesRead);
}

function changed(path: string, what: string): ScratchError {
  return failed(`the temporary file ${path} was changed by another program: ${what}`);
}

async function orFailed<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throw failed(`cannot read the temporary file ${path}: ${(cause as Error).message}`, cause);
  }
}

function failed(message: string, cause?: unknown): ScratchError {
  const hint =
    'Start again. If it happens again, find out which program cleans this folder, or set TMPDIR to a folder that only cgs-export uses.';
  return new ScratchError('TEMP_FAILED', message, hint, { cause });
}
