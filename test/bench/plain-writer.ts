// Responsible for using hyparquet-writer alone with this project's settings, for comparison in benchmarks.

import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer, type SchemaElement } from 'hyparquet-writer';
import type { Column, Row } from '../../lib/core/ports.ts';

export function toSchema(columns: readonly Column[]): SchemaElement[] {
  return [
    { name: 'root', num_children: columns.length },
    ...columns.map(({ name, type, required }): SchemaElement => {
      const repetition_type = required ? 'REQUIRED' : 'OPTIONAL';
      if (type === 'string') {
        return { name, repetition_type, type: 'BYTE_ARRAY', converted_type: 'UTF8' };
      }
      if (type === 'boolean') return { name, repetition_type, type: 'BOOLEAN' };
      if (type === 'int32') return { name, repetition_type, type: 'INT32' };
      return { name, repetition_type, type: 'INT64', converted_type: 'TIMESTAMP_MICROS' };
    }),
  ];
}

export function toColumnData(rows: readonly Row[], columns: readonly Column[]) {
  const toMicros = (value: Row[number] | undefined) =>
    typeof value === 'number' ? BigInt(value) * 1000n : null;
  return columns.map(({ name, type }, c) => ({
    name,
    data: rows.map((row) => (type === 'timestamp' ? toMicros(row[c]) : row[c])),
  }));
}

/** The bytes of one file, with gzip and row groups of 10,000 rows. */
export function encodePlain(rows: readonly Row[], columns: readonly Column[]): Uint8Array {
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: toColumnData(rows, columns),
      schema: toSchema(columns),
      codec: 'GZIP',
      compressors: { GZIP: (page) => gzipSync(page) },
      rowGroupSize: 10_000,
      statisticsTruncateLength: 64,
    }),
  );
}
