// Responsible for encoding rows as gzipped newline-delimited JSON (one object per line).

import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Cell, Column, Encoder, Row } from '../core/ports.ts';
import { openRowGroups } from './row-groups.ts';

/** About 300 kB of text per write: zlib compresses one write in its own thread while the next one is formatted. */
const rowsPerWrite = 500;
/** Large rows: a write ends with the row that reaches this size. */
const charactersPerWrite = 2 ** 20;

/**
 * Each line has every column, in column order, nulls included. Timestamps are ISO 8601 in UTC with milliseconds.
 * An int64 is a JSON number with all its digits. `sortedBy`, `createdBy` and `metadata` are not used: the format has no place for them.
 */
export const ndjsonEncoder: Encoder = {
  format: 'ndjson',
  open({ columns, sink }) {
    const formatRow = createRowFormatter(columns);
    const gzip = openGzip(sink);
    const groups = openRowGroups(columns, async (group) => {
      // Always the same rows in a write, because zlib does not promise that its output is independent of how input is divided.
      let lines: string[] = [];
      let characters = 0;
      for (const row of group) {
        const line = formatRow(row);
        lines.push(line);
        characters += line.length;
        if (lines.length < rowsPerWrite && characters < charactersPerWrite) continue;
        await gzip.write(lines.join(''));
        lines = [];
        characters = 0;
      }
      if (lines.length > 0) await gzip.write(lines.join(''));
    });
    return {
      write: groups.add,
      async end() {
        await groups.finish();
        await gzip.end();
      },
    };
  },
};

/** Compresses texts into `sink`. `write` resolves when the text before its own is compressed. */
function openGzip(sink: (bytes: Uint8Array) => Promise<void> | void) {
  // Set, although it is zlib's default: equal rows must always give equal bytes. The gzip header has no time either.
  const gzip = createGzip({ level: 6 });
  const finished = pipeline(gzip, async (compressed: AsyncIterable<Uint8Array>) => {
    for await (const chunk of compressed) await sink(chunk);
  });
  // An error of the sink is thrown by the next call below. Until then it is not unhandled.
  finished.catch(() => {});
  return {
    async write(text: string): Promise<void> {
      const mustWait = gzip.writableNeedDrain || gzip.destroyed;
      if (mustWait) await Promise.race([once(gzip, 'drain'), finished]);
      gzip.write(text);
    },
    async end(): Promise<void> {
      gzip.end();
      await finished;
    },
  };
}

/** One line, with its line feed. Most columns repeat their values, so the text of a cell is used again where the next row has the same: a quarter less CPU. */
export function createRowFormatter(columns: readonly Column[]): (row: Row) => string {
  const prefixes = columns.map(({ name }, c) => `${c === 0 ? '{' : ','}${JSON.stringify(name)}:`);
  const formatTimestamp = createTimestampFormatter();
  const formats = columns.map(({ type }) =>
    type === 'timestamp' ? formatTimestamp : type === 'int64' ? String : JSON.stringify,
  ) as ((cell: Cell) => string)[];
  const cells: (Cell | undefined)[] = columns.map(() => undefined);
  const texts = columns.map(() => '');
  return (row) => {
    let line = '';
    for (let c = 0; c < prefixes.length; c++) {
      const cell = row[c] as Cell;
      if (cell !== cells[c]) {
        cells[c] = cell;
        texts[c] = `${prefixes[c]}${cell === null ? 'null' : formats[c]?.(cell)}`;
      }
      line += texts[c];
    }
    return `${line}}\n`;
  };
}

/** Every page has one time, and the rows of all pages are mixed. 10,001 pages have every node that the API can list. */
const timestampsMax = 16_384;

function createTimestampFormatter(): (timeMs: number) => string {
  const formatted = new Map<number, string>();
  return (timeMs) => {
    let text = formatted.get(timeMs);
    if (text === undefined) {
      if (formatted.size >= timestampsMax) formatted.clear();
      text = `"${new Date(timeMs).toISOString()}"`;
      formatted.set(timeMs, text);
    }
    return text;
  };
}
