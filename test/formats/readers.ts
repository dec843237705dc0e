// Responsible for reading encoded files with other libraries than the one that wrote them.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, DuckDBTimestampTZValue, type DuckDBValue } from '@duckdb/node-api';
import { ParquetFile, readParquet, writeParquet } from 'parquet-wasm';
import type { Cell, Column, Row } from '../../lib/core/ports.ts';
import { containerNodes } from '../../lib/datasets/container-nodes.ts';

export interface Duck {
  /** Timestamps with time zone as milliseconds, other bigints as numbers, all other values unchanged. */
  query(sql: string, parameters?: string[]): Promise<unknown[][]>;
  /** The cells of `columns` of all rows in `from`, in file order. */
  readRows(from: string, columns?: readonly Column[]): Promise<unknown[][]>;
  close(): void;
}

export async function openDuck(): Promise<Duck> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'Asia/Shanghai'"); // not UTC, so that a local time in a file causes a difference
  async function query(sql: string, parameters: string[] = []): Promise<unknown[][]> {
    const result = await connection.runAndReadAll(sql, parameters);
    return result.getRows().map((row) => row.map(toPlain));
  }
  return {
    query,
    async readRows(from, columns = containerNodes.columns) {
      // Each text gets a leading character, because the client's decoder removes a leading byte order mark.
      const list = columns.map(({ name, type }) =>
        type === 'string' || type === 'int64' ? `'=' || "${name}"` : `"${name}"`,
      );
      const rows = await query(`SELECT ${list.join(', ')} FROM ${from}`);
      return rows.map((row) =>
        row.map((cell, c) =>
          ['string', 'int64'].includes(columns[c]?.type ?? '') && cell !== null
            ? String(cell).slice(1)
            : cell,
        ),
      );
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function toPlain(value: DuckDBValue): unknown {
  if (value instanceof DuckDBTimestampTZValue) {
    return value.micros % 1000n === 0n ? Number(value.micros / 1000n) : value.micros;
  }
  return typeof value === 'bigint' ? Number(value) : value;
}

export function createTempDir(): { path(name: string): string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'cgs-export-encode-'));
  return {
    path: (name) => join(dir, name),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

interface ArrowRsFile {
  rowGroups: number[];
  createdBy: string | undefined;
  metadata: Record<string, string>;
  /** All rows, decoded by arrow-rs and written by it to a Parquet file of its own. */
  rewritten: Uint8Array;
}

/** Reads with parquet-wasm: arrow-rs, the Parquet library of DataFusion and delta-rs. */
export async function readArrowRs(bytes: Uint8Array): Promise<ArrowRsFile> {
  const file = (await ParquetFile.fromFile(new Blob([new Uint8Array(bytes)]))).metadata();
  const metadata: Map<string, string> = file.fileMetadata().keyValueMetadata();
  return {
    rowGroups: file.rowGroups().map((group) => group.numRows()),
    createdBy: file.fileMetadata().createdBy(),
    metadata: Object.fromEntries(metadata),
    rewritten: writeParquet(readParquet(bytes)),
  };
}

const require = createRequire(import.meta.url);
// parquetjs-lite 0.8.7 knows only PLAIN_DICTIONARY, the old name of RLE_DICTIONARY. The bytes of
// both are the same. Source: parquet-format, Encodings.md, "Dictionary Encoding", read 2026-11-24.
const codecs = require('parquetjs-lite/lib/codec');
codecs.RLE_DICTIONARY ??= codecs.PLAIN_DICTIONARY;
const parquetjs = require('parquetjs-lite');

interface ParquetjsFile {
  columns: string[];
  createdBy: string;
  /** Of each row group: the columns by which it is sorted. */
  sorting: { column_idx: number; descending: boolean; nulls_first: boolean }[][];
  rows: Row[];
}

/**
 * Reads with parquetjs-lite 0.8.7, with two changes. It rejects file version 2, although it can
 * read the V2 data pages of such a file. It cannot convert dictionary values to times. It decodes
 * all levels, pages and cells itself.
 */
export async function readParquetjs(
  bytes: Uint8Array,
  columns: readonly Column[] = containerNodes.columns,
): Promise<ParquetjsFile> {
  const envelope = await parquetjs.ParquetEnvelopeReader.openBuffer(Buffer.from(bytes));
  await envelope.readHeader();
  const metadata = await envelope.readFooter();
  metadata.version = 1;
  for (const element of metadata.schema) {
    if (columns.some(({ name, type }) => name === element.name && type === 'timestamp')) {
      element.converted_type = null;
    }
  }
  const reader = new parquetjs.ParquetReader(metadata, envelope);
  const cursor = reader.getCursor();
  const rows: Row[] = [];
  for (;;) {
    const record = await cursor.next();
    if (record === null) break;
    rows.push(columns.map((column) => toCell(record[column.name], column)));
  }
  const file = {
    columns: Object.keys(reader.getSchema().fields),
    createdBy: metadata.created_by,
    sorting: metadata.row_groups.map(({ sorting_columns }: { sorting_columns: object[] }) =>
      sorting_columns.map((sorting) => ({ ...sorting })),
    ),
    rows,
  };
  await reader.close();
  return file;
}

/** parquetjs-lite returns dictionary values as text, so numbers are converted back. */
function toCell(value: unknown, { type }: Column): Cell {
  if (value === undefined || value === null) return null;
  if (type === 'timestamp') return Number(BigInt(value as string) / 1000n);
  return type === 'int32' ? Number(value) : (value as Cell);
}

/** Writes the same columns and types with parquetjs-lite. It represents null as a missing field. */
export async function writeParquetjs(
  path: string,
  rows: readonly Row[],
  columns: readonly Column[] = containerNodes.columns,
): Promise<void> {
  const types = {
    string: 'UTF8',
    boolean: 'BOOLEAN',
    int32: 'INT32',
    int64: 'INT64',
    timestamp: 'TIMESTAMP_MICROS',
  };
  const schema = new parquetjs.ParquetSchema(
    Object.fromEntries(
      columns.map(({ name, type, required }) => [
        name,
        { type: types[type], optional: required !== true, compression: 'GZIP' },
      ]),
    ),
  );
  const writer = await parquetjs.ParquetWriter.openFile(schema, path, { rowGroupSize: 10_000 });
  for (const row of rows) {
    const record: Record<string, Cell> = {};
    columns.forEach(({ name, type }, c) => {
      const cell = row[c] as Cell;
      if (cell !== null) record[name] = type === 'timestamp' ? (cell as number) * 1000 : cell;
    });
    await writer.appendRow(record); // without await it writes rows twice
  }
  await writer.close();
}

/** The first cell that differs, or null. A diff of 25,000 rows would be unreadable. */
export function findDifference(
  actual: readonly (readonly unknown[])[],
  expected: readonly Row[],
  columns: readonly Column[] = containerNodes.columns,
): string | null {
  if (actual.length !== expected.length) return `${actual.length} rows, not ${expected.length}`;
  for (let r = 0; r < expected.length; r++) {
    for (let c = 0; c < columns.length; c++) {
      const [is, wanted] = [actual[r]?.[c], expected[r]?.[c]];
      if (is !== wanted) {
        return `row ${r}, ${columns[c]?.name}: ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`;
      }
    }
  }
  return null;
}
