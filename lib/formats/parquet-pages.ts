// Responsible for refusing pages of a Parquet file that would take more memory than those that parquet.ts writes. Another program may
// have written the file: the reader gives memory to as many values as a few bytes of a page state.

import { gunzipSync } from 'node:zlib';
import type { ColumnMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { readVarInt } from 'hyparquet/src/thrift.js';
import type { ByteSource } from '../core/ports.ts';

/** Of all pages of a row group, decompressed. */
export const groupBytesMax = 2 ** 27;
/**
 * As groupBytesMax, without its last row. The encoder ends a row group with the row that makes it 8 Mi characters, which are at most
 * 24 MiB. Numbers, lengths and levels of 10,000 rows have less than 8 MiB.
 */
export const otherRowsBytesMax = 2 ** 25;

interface Chunk {
  column: ColumnMetaData;
  /** Of the row group. */
  rows: number;
  isOptional: boolean;
  /** The decoder decompresses its pages. If not, they are decompressed here, to check them. */
  isRead: boolean;
  /** How many bytes its pages may have, decompressed. */
  bytesMax: number;
}

/** Returns the bytes of its pages, decompressed. The column must be flat. Throws Error if its pages are not GZIP, V2 and PLAIN or RLE_DICTIONARY, or state more than they may. */
export async function checkPages(source: ByteSource, chunk: Chunk): Promise<number> {
  const { codec, dictionary_page_offset, data_page_offset, total_compressed_size } = chunk.column;
  const start = Number(dictionary_page_offset || data_page_offset);
  const length = Number(total_compressed_size);
  requireTrue(codec === 'GZIP', `a column with the compression ${codec}`);
  requireTrue(start >= 0 && length >= 0 && start + length <= source.bytes, 'a column outside it');
  requireTrue(length <= groupBytesMax, `a column of ${length} bytes`);
  const bytes = await source.read(start, start + length);
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  let values = 0;
  let size = 0;
  while (values < chunk.rows && reader.offset < bytes.length - 1) {
    const header = parquetHeader(reader);
    const { compressed_page_size: stored, uncompressed_page_size: full } = header;
    const end = reader.offset + stored;
    requireTrue(stored >= 0 && end <= bytes.length, `a page of ${stored} bytes`);
    size += full;
    requireTrue(full >= 0 && size <= chunk.bytesMax, 'a row group of too many bytes');
    const page = bytes.subarray(reader.offset, end);
    reader.offset = end;
    if (header.type === 'DICTIONARY_PAGE') {
      const count = header.dictionary_page_header?.num_values ?? 0;
      requireTrue(count >= 0 && count <= chunk.rows, `a dictionary of ${count} values`);
      if (!chunk.isRead) unzipPage(page, full);
    } else {
      requireTrue(header.type === 'DATA_PAGE_V2', `a page of the type ${header.type}`);
      values += checkDataPage(page, header, { ...chunk, rows: chunk.rows - values });
    }
  }
  requireTrue(values === chunk.rows, `a column of ${values} values in ${chunk.rows} rows`);
  return size;
}

/** Throws Error unless the page has exactly `length` bytes, decompressed. */
function unzipPage(page: Uint8Array, length: number): Uint8Array {
  const data = gunzipSync(page, { maxOutputLength: Math.max(1, length) });
  requireTrue(data.length === length, `a page of ${data.length} bytes that says ${length}`);
  return data;
}

/** Returns the number of values. `rows`: how many there may be at most. */
function checkDataPage(
  page: Uint8Array,
  { data_page_header_v2: header, uncompressed_page_size: full }: ReturnType<typeof parquetHeader>,
  { rows, isOptional, isRead }: Pick<Chunk, 'rows' | 'isOptional' | 'isRead'>,
): number {
  if (!header) throw new Error('it has a page without a header');
  const { num_values: count, num_nulls: nulls, num_rows: stated, encoding } = header;
  const { definition_levels_byte_length: levels, repetition_levels_byte_length: repeated } = header;
  requireTrue(count > 0 && count <= rows && stated === count, `a page of ${count} values`);
  requireTrue(nulls >= 0 && nulls <= count, `a page with ${nulls} nulls`);
  requireTrue(repeated === 0, 'a page with repeated values');
  requireTrue(levels >= 0 && levels <= Math.min(page.length, full), `${levels} bytes of levels`);
  if (isOptional) checkRuns(page.subarray(0, levels), 1, count);
  const isDictionary = encoding === 'RLE_DICTIONARY';
  requireTrue(isDictionary || encoding === 'PLAIN', `a page with the encoding ${encoding}`);
  if (!isDictionary && isRead) return count;
  const stored = page.subarray(levels);
  const data = header.is_compressed === false ? stored : unzipPage(stored, full - levels);
  if (!isDictionary) return count;
  const width = data[0] ?? 0;
  requireTrue(width <= 32, `indexes of ${width} bits`);
  checkRuns(data.subarray(1), width, count - nulls);
  return count;
}

/**
 * Runs of values of `width` bits, in the RLE and bit-packing hybrid of Parquet: a run may state more values than there are.
 * Source: Encodings.md of Parquet format 2.x, read 2026-11-26.
 */
function checkRuns(bytes: Uint8Array, width: number, count: number): void {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  for (let seen = 0; seen < count; ) {
    const header = readVarInt(reader) >>> 0;
    const isPacked = header % 2 === 1;
    const run = Math.floor(header / 2) * (isPacked ? 8 : 1);
    // The last run of packed values is filled up to a multiple of 8.
    const max = count - seen + (isPacked ? 7 : 0);
    requireTrue(run > 0 && run <= max, `a run of ${run} values`);
    reader.offset += isPacked ? (run / 8) * width : Math.ceil(width / 8);
    seen += run;
  }
}

function requireTrue(isRight: boolean, what: string): void {
  if (!isRight) throw new Error(`it has ${what}: cgs-export does not write that`);
}
