// Owns rows as gzipped newline-delimited JSON: every column of every row, in order. Refuses to filter or reorder.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Cell, Column, Encoder, Row } from '../core/ports.ts';
import { checkRows, rowsPerGroup } from './row-check.ts';

/** Rows in one write: about 300 kB of text, so that compressing in zlib's thread and formatting overlap. */
const rowsPerWrite = 500;

/** Timestamps are ISO 8601, UTC, with milliseconds; nulls are written; `createdBy` has no place in this format. */
export const ndjsonEncoder: Encoder = {
  format: 'ndjson',
  async encode(rows, columns, { keepAlive }) {
    await checkRows(rows, columns, keepAlive);
    const chunks: Buffer[] = [];
    // Level 6 is zlib's own default; named, because the bytes are part of the contract. Its header carries no time.
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
    yield rows
      .slice(start, start + rowsPerWrite)
      .map(formatRow)
      .join('');
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
      line += prefixes[c];
      line +=
        isTimestamp[c] && cell !== null ? formatTimestamp(cell as number) : JSON.stringify(cell);
    }
    return `${line}}\n`;
  };
}

/** Rows of one page share their times: the last few texts are kept. */
function createTimestampFormatter(): (timeMs: number) => string {
  const known = new Map<number, string>();
  return (timeMs) => {
    let text = known.get(timeMs);
    if (text === undefined) {
      if (known.size >= 16) known.clear();
      text = `"${new Date(timeMs).toISOString()}"`;
      known.set(timeMs, text);
    }
    return text;
  };
}
