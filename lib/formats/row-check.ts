// Responsible for checking rows before any format encodes them. Not responsible for correcting rows.

import { ExportError } from '../core/errors.ts';
import type { Cell, Column, Row } from '../core/ports.ts';
import { isInt32, isInt64Text, isTimestampMs, isWellFormed } from '../core/value-shape.ts';

/**
 * Throws ROW_INVALID for the first cell that does not have its column's type. The message names the row and the column, but
 * not the value. `firstRow`: the number of the first of these rows in the object, counted from 0. The writers' own errors name
 * neither row nor column, and they accept some wrong cells.
 */
export function checkRows(rows: readonly Row[], columns: readonly Column[], firstRow = 0): void {
  // A cell that equals the cell above it is already checked. Most columns repeat their values, so this saves most checks.
  let previousRow: Row = [];
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r] as Row;
    if (row.length !== columns.length) {
      const expected = `the dataset has ${columns.length} columns`;
      throw rowInvalid(`row ${firstRow + r} has ${row.length} cells, but ${expected}`);
    }
    for (let c = 0; c < columns.length; c++) {
      const cell = row[c];
      if (cell === previousRow[c] && cell !== undefined) continue;
      const { name, type, required } = columns[c] as Column;
      const fault = findFault(cell, type, required === true);
      if (fault !== null) throw rowInvalid(`row ${firstRow + r}, column ${name}: ${fault}`);
    }
    previousRow = row;
  }
}

function findFault(cell: Cell | undefined, type: Column['type'], required: boolean): string | null {
  if (cell === undefined) return 'undefined instead of a value or null';
  if (cell === null) return required ? 'null in a required column' : null;
  switch (type) {
    case 'string':
      if (typeof cell !== 'string') return `a ${typeof cell}, not a string`;
      return isWellFormed(cell) ? null : 'not well-formed Unicode (lone surrogate)';
    case 'boolean':
      return typeof cell === 'boolean' ? null : `a ${typeof cell}, not a boolean`;
    case 'int32':
      if (typeof cell !== 'number') return `a ${typeof cell}, not an int32`;
      return isInt32(cell) ? null : 'not an int32';
    case 'int64':
      if (typeof cell !== 'string') return `a ${typeof cell}, not the digits of an int64`;
      return isInt64Text(cell) ? null : 'not the digits of an int64';
    case 'timestamp':
      if (typeof cell !== 'number') return `a ${typeof cell}, not a timestamp`;
      return isTimestampMs(cell) ? null : 'not whole milliseconds between the years 0000 and 9999';
  }
}

function rowInvalid(message: string): ExportError {
  const hint =
    'This is a bug in cgs-export, not a fault in the data: report it. The stored pages are intact, so a fixed version can seal the same run.';
  return new ExportError('ROW_INVALID', message, hint);
}
