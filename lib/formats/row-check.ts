// Owns what must hold of rows before a byte is written, for every format. Refuses to repair anything.

import { ExportError } from '../core/errors.ts';
import type { Cell, Column, Row } from '../core/ports.ts';

/** Rows between two signs of life, and in one Parquet row group. */
export const rowsPerGroup = 10_000;

/** 0000-01-01 and 9999-12-31T23:59:59.999Z: outside, ISO 8601 needs more digits than readers take. */
const timestampMinMs = -62_167_219_200_000;
const timestampMaxMs = 253_402_300_799_999;

const int32Min = -(2 ** 31);
const int32Max = 2 ** 31 - 1;
// With the u flag a surrogate matches only where it is not half of a pair. (Node 18 has no isWellFormed.)
const loneSurrogate = /\p{Surrogate}/u;

/**
 * Throws ROW_INVALID, which names the row (from 0) and the column but not the value, for the first cell that
 * is not of its column's type: the writers would name neither, or write it wrongly without a word.
 */
export async function checkRows(
  rows: readonly Row[],
  columns: readonly Column[],
  keepAlive: () => Promise<void>,
): Promise<void> {
  // Cells that were right in the row before need no second look: most columns repeat.
  let before: Row = [];
  for (let r = 0; r < rows.length; r++) {
    if (r > 0 && r % rowsPerGroup === 0) await keepAlive();
    const row = rows[r] as Row;
    if (row.length !== columns.length) {
      throw invalid(`row ${r} has ${row.length} cells, the dataset ${columns.length} columns`);
    }
    for (let c = 0; c < columns.length; c++) {
      const cell = row[c];
      if (cell === before[c] && cell !== undefined) continue;
      const { name, type, required } = columns[c] as Column;
      const fault = findFault(cell, type, required === true);
      if (fault !== null) throw invalid(`row ${r}, column ${name}: ${fault}`);
    }
    before = row;
  }
}

function findFault(cell: Cell | undefined, type: Column['type'], required: boolean): string | null {
  if (cell === undefined) return 'no value where null was due';
  if (cell === null) return required ? 'null in a required column' : null;
  switch (type) {
    case 'string':
      if (typeof cell !== 'string') return `a ${typeof cell}, not a string`;
      return loneSurrogate.test(cell) ? 'not well-formed Unicode (lone surrogate)' : null;
    case 'boolean':
      return typeof cell === 'boolean' ? null : `a ${typeof cell}, not a boolean`;
    case 'int32':
      if (typeof cell !== 'number') return `a ${typeof cell}, not an int32`;
      return Number.isInteger(cell) && cell >= int32Min && cell <= int32Max ? null : 'not an int32';
    case 'timestamp':
      if (typeof cell !== 'number') return `a ${typeof cell}, not a timestamp`;
      return Number.isInteger(cell) && cell >= timestampMinMs && cell <= timestampMaxMs
        ? null
        : 'not whole milliseconds between the years 0000 and 9999';
  }
}

function invalid(message: string): ExportError {
  return new ExportError(
    'ROW_INVALID',
    message,
    'This is a fault of the exporter, not of the data: report it. The stored pages are intact, so a fixed version seals the same run.',
  );
}
