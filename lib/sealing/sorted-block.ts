// Responsible for the bytes of some sorted readings in a temporary file. Pure.

import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { Cell } from '../core/ports.ts';

/** One record of a stored page that has a key. */
export interface Reading {
  key: string;
  row: Cell[];
  /** True: at a position of the list at which no reading before it was. */
  isPosition: boolean;
}

/** The cells of one column. One value: all are equal. With `indexes`: each is `values[indexes[i]]`. */
interface PackedColumn {
  values: readonly Cell[];
  indexes?: readonly number[];
}

interface Block {
  length: number;
  columns: PackedColumn[];
  positions: PackedColumn;
}

/**
 * Measured on 100,000 inventory rows in blocks of 256, CPU to write and to read (2026-11-26, Node 20.20):
 * - columns as JSON, brotli 0: 0.43 + 0.28 s, 10.1 MB. gzip 1: 0.65 + 0.25 s, 9.5 MB. Not compressed: 0.31 + 0.14 s, 21.5 MB,
 *   which with both formats would be 330 MB of disk for 1,000,000 nodes.
 * - rows as JSON, gzip 1: 0.73 + 0.40 s, 11.3 MB. rows by v8.serialize, gzip 1: 0.70 + 0.49 s, 11.7 MB; not compressed 42 MB.
 */
const compression = {
  params: { [constants.BROTLI_PARAM_QUALITY]: 0, [constants.BROTLI_PARAM_LGWIN]: 16 },
};

/** `readings`: at least one. */
export function encodeBlock(readings: readonly Reading[]): Uint8Array {
  const [first] = readings;
  if (!first) throw new Error('a block has readings');
  const block: Block = {
    length: readings.length,
    columns: first.row.map((_, c) => pack(readings.map(({ row }) => row[c] as Cell))),
    positions: pack(readings.map(({ isPosition }) => isPosition)),
  };
  return brotliCompressSync(JSON.stringify(block), compression);
}

/** `keyIndex`: the column of the key. */
export function decodeBlock(bytes: Uint8Array, keyIndex: number): Reading[] {
  const text = brotliDecompressSync(bytes).toString();
  const { length, columns, positions } = JSON.parse(text) as Block;
  const readings: Reading[] = [];
  for (let r = 0; r < length; r++) {
    // As long as it needs to be: an array that grows by push() has room for up to twice as many cells.
    const row = columns.map((column) => unpack(column, r));
    const isPosition = unpack(positions, r) as boolean;
    readings.push({ key: row[keyIndex] as string, row, isPosition });
  }
  return readings;
}

/** Most columns have few values. With indexes they take less space and less time than their cells. */
function pack(cells: readonly Cell[]): PackedColumn {
  const places = new Map<Cell, number>();
  const indexes: number[] = [];
  const valuesMax = Math.max(1, cells.length / 3);
  for (const cell of cells) {
    let place = places.get(cell);
    if (place === undefined) {
      place = places.size;
      if (place >= valuesMax) return { values: cells };
      places.set(cell, place);
    }
    indexes.push(place);
  }
  const values = [...places.keys()];
  return values.length === 1 ? { values } : { values, indexes };
}

function unpack({ values, indexes }: PackedColumn, r: number): Cell {
  if (values.length === 1) return values[0] as Cell;
  return values[indexes ? (indexes[r] as number) : r] as Cell;
}
