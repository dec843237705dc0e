// Responsible for encoding rows as gzipped newline-delimited JSON (one object per line).

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Cell, Column, Encoder, Row } from '../core/ports.ts';
import { checkRows, rowsPerGroup } from './row-check.ts';

/** About 300 kB of text per write: zlib compresses one write in its own thread while the next one is formatted. */
const rowsPerWrite = 500;

/**
 * Each line has every column, in column order, nulls included. Timestamps are ISO 8601 in UTC with milliseconds.
 * `createdBy` is not used: the format has no place for it.
 */
export const ndjsonEncoder: Encoder = {
  format: 'ndjson',
  async encode(rows, columns, { keepAlive }) {
    await checkRows(rows, columns, keepAlive);
    const chunks: Buffer[] = [];
    // Set, although it is zlib's default: equal rows must always give equal bytes. The gzip header has no time either.
    await pipeline(
      Readable.from(formatLines(rows, columns, keepAlive)),
      createGzip({ level: 6 }),
      async (compressed: AsyncIterable<Buffer>) => {
        for await (const chunk of compressed) chunks.push(chunk);
      },
    );
    return Buffer.concat(chunks);
  },
};

async function* formatLines(
  rows: readonly Row[],
  columns: readonly Column[],
  keepAlive: () => Promise<void>,
): AsyncGenerator<string> {
  const formatRow = createRowFormatter(columns);
  for (let start = 0; start < rows.length; start += rowsPerWrite) {
    if (start > 0 && start % rowsPerGroup === 0) await keepAlive();
    const group = rows.slice(start, start + rowsPerWrite);
    yield group.map(formatRow).join('');
  }
}

function createRowFormatter(columns: readonly Column[]): (row: Row) => string {
  const prefixes = columns.map(({ name }, c) => `${c === 0 ? '{' : ','}${JSON.stringify(name)}:`);
  const isTimestamp = columns.map(({ type }) => type === 'timestamp');
  const formatTimestamp = createTimestampFormatter();
  return (row) => {
    let line = '';
    for (let c = 0; c < prefixes.length; c++) {
      const cell = row[c] as Cell;
      const isTime = isTimestamp[c] && cell !== null;
      line += prefixes[c] + (isTime ? formatTimestamp(cell as number) : JSON.stringify(cell));
    }
    return `${line}}\n`;
  };
}

/** Rows of one page have the same timestamps, so a few formatted texts are kept and used again. */
function createTimestampFormatter(): (timeMs: number) => string {
  const formatted = new Map<number, string>();
  return (timeMs) => {
    let text = formatted.get(timeMs);
    if (text === undefined) {
      if (formatted.size >= 16) formatted.clear();
      text = `"${new Date(timeMs).toISOString()}"`;
      formatted.set(timeMs, text);
    }
    return text;
  };
}
