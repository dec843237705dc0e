// Tests that a page which states more than it may is refused before the reader gives memory to it.

import { gzipSync } from 'node:zlib';
import { parquetMetadata } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { serializeTCompactProtocol } from 'hyparquet-writer/src/thrift.js';
import { expect, test } from 'vitest';
import type { Column, Row } from '../../lib/core/ports.ts';
import { parquetEncoder } from '../../lib/formats/parquet.ts';
import { parquetDecoder } from '../../lib/formats/parquet-rows.ts';
import { encodeRows } from './encoding.ts';

const columns: Column[] = [
  { name: 'id', type: 'string', required: true },
  { name: 'text', type: 'string' },
];
const count = 2_000;
/** The texts have no pattern, so that their column is longer than each page below. */
const rows: Row[] = Array.from({ length: count }, (_, i) => [
  String(i).padStart(6, '0'),
  ((i * 7919) % 104_729).toString(36).repeat(3),
]);
const huge = 2 ** 31 - 1;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

/** A run of one value of one byte. */
function runOf(length: number, value: number): Buffer {
  return Buffer.concat([varint(length * 2), Buffer.from([value])]);
}

interface Page {
  /** 0: data of version 1; 2: a dictionary; 3: data of version 2. */
  type?: number;
  values?: number;
  nulls?: number;
  /** 0: PLAIN; 5: DELTA_BINARY_PACKED; 7: DELTA_BYTE_ARRAY; 8: RLE_DICTIONARY. */
  encoding?: number;
  levels?: Buffer;
  data?: Buffer;
  full?: number;
}

function encodePage(page: Page): Buffer {
  const { type = 3, values = count, nulls = count, encoding = 0, data = Buffer.alloc(0) } = page;
  const levels = page.levels ?? runOf(count, 0);
  const stored = gzipSync(data);
  const header = {
    field_1: type,
    field_2: page.full ?? levels.length + data.length,
    field_3: levels.length + stored.length,
    ...(type === 0 && { field_5: { field_1: values, field_2: encoding, field_3: 3, field_4: 3 } }),
    ...(type === 2 && { field_7: { field_1: values, field_2: 0 } }),
    ...(type === 3 && {
      field_8: {
        ...{ field_1: values, field_2: nulls, field_3: values, field_4: encoding },
        ...{ field_5: levels.length, field_6: 0 },
      },
    }),
  };
  const writer = new ByteWriter();
  serializeTCompactProtocol(writer, header);
  return Buffer.concat([writer.getBytes(), levels, stored]);
}

/** A file in which the column `text` starts with this page. */
async function decodeWith(page: Page): Promise<Row[]> {
  const bytes = Buffer.from(await encodeRows(parquetEncoder, rows, { columns, sortedBy: 'id' }));
  const { row_groups } = parquetMetadata(Uint8Array.from(bytes).buffer);
  const meta = row_groups[0]?.columns[1]?.meta_data;
  if (!meta) throw new Error('no column');
  const encoded = encodePage(page);
  expect(encoded.length).toBeLessThan(Number(meta.total_compressed_size));
  encoded.copy(bytes, Number(meta.dictionary_page_offset || meta.data_page_offset));
  const source = {
    bytes: bytes.length,
    read: async (start: number, end: number) => bytes.subarray(start, end),
  };
  const found: Row[] = [];
  for await (const group of (await parquetDecoder.open(source, columns)).readGroups()) {
    found.push(...group);
  }
  return found;
}

test('a page of the right form is read', async () => {
  expect((await decodeWith({})).every((row) => row[1] === null)).toBe(true);
});

const bombs: [string, Page, RegExp][] = [
  ['too many values', { values: huge }, /a page of 2147483647 values/],
  ['a negative number of nulls', { nulls: -huge }, /a page with -2147483647 nulls/],
  ['a run of levels that is too long', { levels: runOf(huge, 0) }, /a run of 2147483647 values/],
  ['no levels', { levels: Buffer.alloc(0), data: runOf(huge, 0) }, /bounds/],
  [
    'a run of indexes that is too long',
    {
      ...{ nulls: 0, levels: runOf(count, 1), encoding: 8 },
      data: Buffer.concat([Buffer.from([1]), runOf(huge, 0)]),
    },
    /a run of 2147483647 values/,
  ],
  ['too many values in a dictionary', { type: 2, values: huge }, /a dictionary of 2147483647/],
  ['a page of version 1', { type: 0 }, /the type DATA_PAGE:/],
  ['texts that share a prefix', { encoding: 7 }, /the encoding DELTA_BYTE_ARRAY/],
  ['too many bytes', { full: huge }, /a row group of too many bytes/],
];
test.each(bombs)('refuses %s', async (_what, page, message) => {
  await expect(decodeWith(page)).rejects.toThrow(message);
});
