// Responsible for reading the rows of a stored part. They are read from a temporary file whose bytes were compared with the
// manifest before, so no row of an altered part is ever given. Not responsible for the format: the Decoder is given.

import { createHash } from 'node:crypto';
import { CorruptError, ExportError, UnusableObjectError } from '../core/errors.ts';
import type { ByteSource, Column, Decoder, Row, RowReader, Scratch, Store } from '../core/ports.ts';
import { compareUtf8 } from '../core/utf8-order.ts';
import { describeIrregular, irregularHint } from './catalog.ts';
import { type Part, restoreHint } from './manifest.ts';
import { openPartCopy, type PartCopy } from './part-copy.ts';
import { describeDifference, partMissing } from './part-difference.ts';

export interface PartRowsOptions {
  store: Store;
  scratch: Scratch;
  decoder: Decoder;
  /** The columns to read. */
  columns: readonly Column[];
  /** All that the part may have, which are checked too. Default: `columns`. */
  known?: readonly Column[];
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

/**
 * Copies the part into a temporary file and checks it. Memory: one chunk of the store, one row group. Throws CorruptError if the
 * part is missing, was altered or cannot be decoded; StoreError; ScratchError.
 */
export async function openPartRows(part: Part, options: PartRowsOptions): Promise<PartRows> {
  const copy = await openPartCopy({ scratch: options.scratch, bytes: part.bytes });
  try {
    const source = await copyPart(options.store, part, copy);
    return { ...(await decodePart(part, source, options)), close: () => copy.remove() };
  } catch (error) {
    await copy.remove();
    throw error;
  }
}

async function copyPart(store: Store, part: Part, copy: PartCopy): Promise<ByteSource> {
  const chunks = await store.read(part.key).catch((cause: unknown) => {
    if (!(cause instanceof UnusableObjectError)) throw cause;
    throw new CorruptError(part.key, describeIrregular(cause), irregularHint, { cause });
  });
  if (!chunks) throw new CorruptError(part.key, partMissing, restoreHint);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > part.bytes) {
      const message = `has more than the ${part.bytes} bytes that its manifest says`;
      throw new CorruptError(part.key, message, restoreHint);
    }
    hash.update(chunk);
    await copy.add(chunk);
  }
  const source = await copy.finish();
  const difference = describeDifference(part, { bytes, sha256: hash.digest('hex') });
  if (difference !== null) throw new CorruptError(part.key, difference, restoreHint);
  return source;
}

const mebibyte = 2 ** 20;
/**
 * The most bytes that the texts of one row can have. A row is a record of an answer of at most 8 MiB (lib/api/send.ts); one of its
 * fields is in two columns, as the service sent it and normalized. In a row of changes these can be there before and after,
 * and all of it once more each as JSON in JSON, which at most doubles it.
 */
const rowBytesMax = { rows: 17 * mebibyte, rejects: 17 * mebibyte, changes: 96 * mebibyte };

/** The rows of a part whose bytes match its manifest. Throws CorruptError if they cannot be decoded, and what the source throws. */
export async function decodePart(
  part: Part,
  source: ByteSource,
  { decoder, columns, known, keyColumn }: Omit<PartRowsOptions, 'store' | 'scratch'>,
): Promise<Omit<PartRows, 'close'>> {
  const expected = { known: known ?? columns, rowBytesMax: rowBytesMax[part.role] };
  const reader = await decodeOrFail(part, () => decoder.open(source, columns, expected));
  const key = reader.columns.findIndex(({ name }) => name === keyColumn);
  if (key === -1) throw sealedWrong(part, `has no column ${keyColumn}`);
  return { columns: reader.columns, readBatches: () => readBatches(part, reader, key) };
}

/** Puts the cells of a row of `columns` into the order of `wanted`. A column that the part lacks is null. */
export function openCellOrder(
  wanted: readonly Column[],
  columns: readonly Column[],
): (row: Row) => Row {
  const places = wanted.map(({ name }) => columns.findIndex((column) => column.name === name));
  const isSame = places.length === columns.length && places.every((place, c) => place === c);
  return isSame ? (row) => row : (row) => places.map((place) => row[place] ?? null);
}

/** `key`: the index of the key column. */
async function* readBatches(
  part: Part,
  reader: RowReader,
  key: number,
): AsyncGenerator<readonly Row[]> {
  const groups = reader.readGroups()[Symbol.asyncIterator]();
  const name = reader.columns[key]?.name;
  let rows = 0;
  let last: string | null = null;
  try {
    for (;;) {
      const group = await decodeOrFail(part, () => groups.next());
      if (group.done) break;
      for (const row of group.value) {
        rows += 1;
        if (rows > part.rows) {
          throw sealedWrong(part, `has more than the ${part.rows} rows that its manifest says`);
        }
        const next = row[key];
        if (typeof next !== 'string') throw sealedWrong(part, `has no ${name} in row ${rows}`);
        if (last !== null && compareUtf8(last, next) >= 0) {
          const order = last === next ? 'the same as in' : 'before that of';
          throw sealedWrong(
            part,
            `is not sorted: ${name} in row ${rows} is ${order} row ${rows - 1}`,
          );
        }
        last = next;
      }
      yield group.value;
    }
  } finally {
    await groups.return?.();
  }
  if (rows === part.rows) return;
  throw sealedWrong(part, `has ${rows} rows, but its manifest says ${part.rows}`);
}

/** Errors of the file and the store pass. Any other error says that the bytes are not what the decoder reads. */
async function decodeOrFail<T>(part: Part, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof ExportError) throw cause;
    const reason = describeCause(cause);
    throw sealedWrong(part, `cannot be read as ${part.format}: ${reason}`, cause);
  }
}

/** The words of the engine about its own values (TypeError, RangeError) say nothing about the file. */
function describeCause(cause: unknown): string {
  const isOfEngine =
    !(cause instanceof Error) || cause instanceof TypeError || cause instanceof RangeError;
  return isOfEngine
    ? 'its footer or a page is cut or damaged, or it is a file of another kind'
    : cause.message;
}

/** The fault of a part whose bytes match its manifest. */
export function sealedWrong({ key }: Part, message: string, cause?: unknown): CorruptError {
  const hint =
    'Its hash matches its manifest, so it was sealed like this. Another program wrote the manifest and this object, or cgs-export has a bug: report it.';
  return new CorruptError(key, message, hint, { cause });
}
