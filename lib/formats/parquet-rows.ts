// Responsible for decoding the rows of a Parquet file that parquet.ts wrote.

import { gunzipSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type DecodedArray,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  type RowGroup,
  type SchemaElement,
} from 'hyparquet';
import type { ByteSource, Cell, Column, Decoder, Row } from '../core/ports.ts';
import { physicalTypes } from './parquet.ts';
import { checkPages, groupBytesMax, otherRowsBytesMax } from './parquet-pages.ts';
import { rowsPerGroup } from './row-groups.ts';

/** A page never becomes larger than its header says. */
const compressors = {
  GZIP: (page: Uint8Array, length: number) =>
    gunzipSync(page, { maxOutputLength: Math.min(Math.max(1, length), groupBytesMax) }),
};

/** All texts of a page are in one buffer: a Buffer for each of them would take a tenth more CPU. */
function openTextDecoder(): (bytes: Uint8Array) => string {
  let page: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  return ({ buffer, byteOffset, length }) => {
    if (page.buffer !== buffer) page = Buffer.from(buffer);
    return page.toString('utf8', byteOffset, byteOffset + length);
  };
}

const parsers = {
  timestampFromMicroseconds: (micros: bigint) => Number(micros / 1000n),
  // Not the reader's TextDecoder, which removes a byte order mark at the start of a text.
  stringFromBytes: openTextDecoder(),
};

export const parquetDecoder: Decoder = {
  format: 'parquet',
  async open(
    source,
    wanted,
    { known, rowBytesMax } = { known: wanted, rowBytesMax: groupBytesMax },
  ) {
    const file = toAsyncBuffer(source);
    const metadata = await parquetMetadataAsync(file);
    findColumns(metadata, known);
    const columns = findColumns(metadata, wanted);
    return {
      columns,
      async *readGroups() {
        let rowStart = 0;
        for (const group of metadata.row_groups) {
          // Checked before the rows get memory: another program may have written the file.
          const { num_rows: count } = group;
          if (count > rowsPerGroup) throw new Error(`a row group has ${count} rows`);
          const bytesMax = Math.min(groupBytesMax, otherRowsBytesMax + rowBytesMax);
          await checkGroup(source, group, metadata, { columns, known, bytesMax });
          const rowEnd = rowStart + Number(count);
          yield await readGroup({ file, metadata, rowStart, rowEnd }, columns);
          rowStart = rowEnd;
        }
      },
    };
  },
};

function toAsyncBuffer(source: ByteSource): AsyncBuffer {
  return {
    byteLength: source.bytes,
    async slice(start, end = source.bytes) {
      // A copy: the reader wants an ArrayBuffer that holds nothing else.
      return Uint8Array.from(await source.read(start, end)).buffer;
    },
  };
}

/** Throws Error if a name is there twice, or a column has another type than wanted or is a list. */
function findColumns({ schema }: FileMetaData, wanted: readonly Column[]): Column[] {
  const elements = new Map(schema.map((element) => [element.name, element]));
  if (elements.size !== schema.length) throw new Error('two columns have the same name');
  const list = schema.find((element) => element.repetition_type === 'REPEATED');
  if (list) throw new Error(`column ${list.name} is a list`);
  const columns = wanted.filter(({ name }) => elements.has(name));
  for (const { name, type } of columns) {
    const element = elements.get(name);
    const found = element?.type;
    const expected = physicalTypes[type].type;
    if (found !== expected)
      throw new Error(`column ${name} has the type ${found}, not ${expected}`);
    // Both are stored as INT64, and have cells of different types.
    if (expected === 'INT64' && isTime(element) !== (type === 'timestamp'))
      throw new Error(`column ${name} is not the ${type} that it should be`);
  }
  return columns;
}

function isTime(element: SchemaElement | undefined): boolean {
  const { converted_type: converted, logical_type: logical } = element ?? {};
  return converted?.startsWith('TIMESTAMP') === true || logical?.type === 'TIMESTAMP';
}

interface GroupCheck {
  /** Those that are read. */
  columns: readonly Column[];
  known: readonly Column[];
  /** Of all pages, decompressed. */
  bytesMax: number;
}

async function checkGroup(
  source: ByteSource,
  group: RowGroup,
  { schema }: FileMetaData,
  { columns, known, bytesMax }: GroupCheck,
): Promise<void> {
  let bytesLeft = bytesMax;
  for (const { meta_data: column } of group.columns) {
    const name = column?.path_in_schema[0];
    if (!column) throw new Error('a column has no description');
    const expected = known.find((one) => one.name === name);
    const type = expected ? physicalTypes[expected.type].type : column.type;
    if (column.type !== type || column.path_in_schema.length > 1) {
      throw new Error(`column ${name} has another type than its schema says`);
    }
    const element = schema.find((one) => one.name === name);
    const isOptional = element?.repetition_type === 'OPTIONAL';
    const isRead = columns.some((one) => one.name === name);
    const rows = Number(group.num_rows);
    const chunk = { column, rows, isOptional, isRead, bytesMax: bytesLeft };
    bytesLeft -= await checkPages(source, chunk);
  }
}

interface Range {
  file: AsyncBuffer;
  metadata: FileMetaData;
  rowStart: number;
  /** Not in the range. */
  rowEnd: number;
}

/** Reads one row group, which the range must be. */
async function readGroup(range: Range, columns: readonly Column[]): Promise<Row[]> {
  const { rowStart, rowEnd } = range;
  const rows = Array.from({ length: rowEnd - rowStart }, () =>
    new Array<Cell>(columns.length).fill(null),
  );
  const index = new Map(columns.map(({ name }, c) => [name, c]));
  const isDigits = columns.map(({ type }) => type === 'int64');
  await parquetRead({
    ...range,
    columns: columns.map(({ name }) => name),
    compressors,
    parsers,
    onChunk({ columnName, columnData, rowStart: chunkStart }) {
      const c = index.get(columnName);
      if (c === undefined) return;
      fillColumn(rows, c, isDigits[c] ? toDigits(columnData) : columnData, chunkStart - rowStart);
    },
  });
  return rows;
}

function toDigits(values: DecodedArray): (string | null)[] {
  return Array.from(values as ArrayLike<bigint | null | undefined>, (value) =>
    value === null || value === undefined ? null : String(value),
  );
}

/** `from`: the row of the first value. */
function fillColumn(rows: readonly Cell[][], c: number, values: DecodedArray, from: number): void {
  for (let i = 0; i < values.length; i++) {
    const row = rows[from + i];
    // The reader has null or undefined for null.
    if (row) row[c] = (values[i] as Cell | undefined) ?? null;
  }
}
