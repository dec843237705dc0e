// Responsible for reading the rows of a stored part. They are read from a temporary file whose bytes were compared with the
// manifest before, so no row of an altered part is ever given. Not responsible for the format: the Decoder is given.

import { createHash } from 'node:crypto';
import { CorruptError, ExportError, UnusableObjectError } from '../core/errors.ts';
import type {
  Appended,
  ByteSource,
  Column,
  Decoder,
  Row,
  RowReader,
  Scratch,
  ScratchFile,
  Store,
} from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { describeIrregular, irregularHint } from './catalog.ts';
import { type Part, restoreHint } from './manifest.ts';
import { describeDifference, partMissing } from './part-check.ts';

export interface PartRowsOptions {
  store: Store;
  scratch: Scratch;
  decoder: Decoder;
  /** The columns to read. */
  columns: readonly Column[];
  /** One of `columns`, by which the rows ascend. */
  keyColumn: string;
}

export interface PartRows {
  /** Those of the columns that the part has: a part of an older schema lacks some. */
  readonly columns: readonly Column[];
  /** All rows in stored order. A batch is a row group. Throws CorruptError if the part has other rows than its manifest says. */
  readBatches(): AsyncIterable<readonly Row[]>;
  /** Deletes the temporary file. Never throws, and may be called again. */
  close(): Promise<void>;
}

/** The bytes of a temporary file are read and checked in pieces of this size. */
const pieceBytesMax = 2 ** 18;

/**
 * Copies the part into a temporary file and checks it. Memory: one chunk of the store, one row group. Throws CorruptError if the
 * part is missing, was altered or cannot be decoded; StoreError; ScratchError.
 */
export async function openPartRows(part: Part, options: PartRowsOptions): Promise<PartRows> {
  const { scratch, store, decoder, columns, keyColumn } = options;
  const file = await scratch.open();
  try {
    const pieces = await copyPart(store, part, file);
    const source = openPieces(file, pieces, part.bytes);
    const reader = await decodeOrFail(part, () => decoder.open(source, columns));
    const key = reader.columns.findIndex(({ name }) => name === keyColumn);
    if (key === -1) throw corrupt(part, `has no column ${keyColumn}`);
    return {
      columns: reader.columns,
      readBatches: () => readBatches(part, reader, key),
      close: () => file.remove(),
    };
  } catch (error) {
    await file.remove();
    throw error;
  }
}

async function copyPart(store: Store, part: Part, file: ScratchFile): Promise<Appended[]> {
  const chunks = await store.read(part.key).catch((cause: unknown) => {
    if (!(cause instanceof UnusableObjectError)) throw cause;
    throw new CorruptError(part.key, describeIrregular(cause), irregularHint, { cause });
  });
  if (!chunks) throw corrupt(part, partMissing);
  const hash = createHash('sha256');
  const pieces: Appended[] = [];
  const piece = new Uint8Array(Math.min(pieceBytesMax, part.bytes));
  let filled = 0;
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    // Checked here, so that a wrong object cannot fill the disk.
    if (bytes > part.bytes) {
      throw corrupt(part, `has more than the ${part.bytes} bytes that its manifest says`);
    }
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) {
      const some = chunk.subarray(at, at + piece.length - filled);
      piece.set(some, filled);
      filled += some.length;
      at += some.length;
      if (filled < piece.length) continue;
      pieces.push(await file.append(piece));
      filled = 0;
    }
  }
  if (filled > 0) pieces.push(await file.append(piece.subarray(0, filled)));
  await file.finish();
  const difference = describeDifference(part, { bytes, sha256: hash.digest('hex') });
  if (difference !== null) throw corrupt(part, difference);
  return pieces;
}

/** Reads whole pieces, because the file checks the hash of a piece. */
function openPieces(file: ScratchFile, pieces: readonly Appended[], bytes: number): ByteSource {
  return {
    bytes,
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

/** `key`: the index of the key column. */
async function* readBatches(
  part: Part,
  reader: RowReader,
  key: number,
): AsyncGenerator<readonly Row[]> {
  const groups = reader.readGroups()[Symbol.asyncIterator]();
  let rows = 0;
  let last: string | null = null;
  for (;;) {
    const group = await decodeOrFail(part, () => groups.next());
    if (group.done) break;
    for (const row of group.value) {
      const next = row[key];
      const isNext = typeof next === 'string' && (last === null || compareUtf8(last, next) < 0);
      if (!isNext) throw corrupt(part, 'is not sorted by its key, or has a row without a key');
      last = next;
    }
    rows += group.value.length;
    yield group.value;
  }
  if (rows === part.rows) return;
  throw corrupt(part, `has ${rows} rows, but its manifest says ${part.rows}`);
}

/** Errors of the file and the store pass. Any other error says that the bytes are not what the decoder reads. */
async function decodeOrFail<T>(part: Part, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof ExportError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint =
      'Its hash matches its manifest, so it was sealed like this. Another program wrote the manifest and this object, or cgs-export has a bug: report it.';
    const message = `cannot be read as ${part.format}: ${reason}`;
    throw new CorruptError(part.key, message, hint, { cause });
  }
}

function corrupt({ key }: Part, message: string): CorruptError {
  return new CorruptError(key, message, restoreHint);
}
