// Responsible for rows as CSV text for spreadsheets (RFC 4180). Not responsible for its bytes.

import type { Cell, Column, Row } from '../core/ports.ts';

/** Spreadsheets take a file for UTF-8 only if it starts with this byte order mark. */
const byteOrderMark = '\ufeff';
const lineEnd = '\r\n';

export interface CsvFormatter {
  /** The byte order mark and the names of the columns. */
  header: string;
  formatRow(row: Row): string;
}

/** Null is an empty cell. Timestamps are ISO 8601 in UTC with milliseconds. */
export function createCsvFormatter(columns: readonly Column[]): CsvFormatter {
  const names = columns.map(({ name }) => formatText(name));
  return {
    header: `${byteOrderMark}${names.join(',')}${lineEnd}`,
    formatRow: (row) =>
      `${columns.map(({ type }, c) => formatCell(row[c] ?? null, type)).join(',')}${lineEnd}`,
  };
}

function formatCell(cell: Cell, type: Column['type']): string {
  if (cell === null) return '';
  if (type === 'timestamp') return new Date(cell as number).toISOString();
  return type === 'string' ? formatText(String(cell)) : String(cell);
}

/**
 * A text that a spreadsheet could take for a formula gets a leading apostrophe.
 * Source: OWASP, "CSV Injection", read 2026-11-26.
 */
function formatText(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
