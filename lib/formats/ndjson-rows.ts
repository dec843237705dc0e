// Responsible for decoding the rows of a file that ndjson.ts wrote, line by line.

import { isUtf8 } from 'node:buffer';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parseBounded, parseExact, RawNumber } from '../core/exact-json.ts';
import type { ByteSource, Cell, Column, Decoder, Row } from '../core/ports.ts';
import { isInt64Text } from '../core/value-shape.ts';

/** The file is read in pieces of this size. */
const pieceBytes = 2 ** 18;
/** The text is decoded in pieces of this size. */
const textBytes = 2 ** 16;
/** A row is one record of a page of at most 8 MiB. In `extra` it is JSON in JSON, which at most doubles a usual text. */
const lineBytesMax = 2 ** 25;

/** Holds one piece and one line in memory. A batch has the lines that end in one piece of text. */
export const ndjsonDecoder: Decoder = {
  format: 'ndjson',
  async open(source, wanted) {
    const first = await readFirst(source);
    const columns = wanted.filter(({ name }) => first === null || Object.hasOwn(first, name));
    // Only an int64 can have more digits than a double. To keep them takes longer.
    const parse = columns.some(({ type }) => type === 'int64') ? parseExact : parseBounded;
    return {
      columns,
      async *readGroups() {
        const toRow = createRowReader(columns);
        let lines = 0;
        for await (const texts of readLines(source)) {
          yield texts.map((text) => {
            lines += 1;
            return toRow(parseLine(text, lines, parse), lines);
          });
        }
      },
    };
  },
};

type Line = Readonly<Record<string, unknown>>;

/** Null: the file has no line. */
async function readFirst(source: ByteSource): Promise<Line | null> {
  for await (const [text] of readLines(source)) {
    if (text !== undefined) return parseLine(text, 1);
  }
  return null;
}

function parseLine(text: string, line: number, parse = parseBounded): Line {
  const value = tryParse(text, parse);
  if (value === undefined) throw new Error(`line ${line} is not JSON, or has too many values`);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Line;
  throw new Error(`line ${line} is not a JSON object`);
}

/** Undefined: it cannot be parsed. The words of the engine would quote the line. */
function tryParse(text: string, parse: (text: string) => unknown): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** Without their line feeds, in batches. Throws Error if a line is too long, is not UTF-8 or does not end. */
async function* readLines(source: ByteSource): AsyncGenerator<string[]> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const chunk of unzip(source)) {
    const end = chunk.lastIndexOf(10);
    if (end === -1) rest.push(chunk);
    else {
      const lines = Buffer.concat([...rest, chunk.subarray(0, end)]);
      // Twice as fast as a TextDecoder.
      if (!isUtf8(lines)) throw new Error('a line is not UTF-8');
      rest = [chunk.subarray(end + 1)];
      restBytes = 0;
      yield lines.toString('utf8').split('\n');
    }
    restBytes += rest.at(-1)?.length ?? 0;
    if (restBytes > lineBytesMax) throw new Error(`a line has more than ${lineBytesMax} bytes`);
  }
  if (restBytes > 0) throw new Error('the last line has no line feed');
}

function unzip(source: ByteSource): AsyncIterable<Buffer> {
  const gunzip = createGunzip({ chunkSize: textBytes });
  // An error of the source ends the iteration of `gunzip` with that error. Ending the iteration early ends the source.
  pipeline(Readable.from(readPieces(source), { objectMode: false }), gunzip, () => {});
  return gunzip;
}

async function* readPieces(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.bytes; at += pieceBytes) {
    yield await source.read(at, Math.min(at + pieceBytes, source.bytes));
  }
}

function createRowReader(columns: readonly Column[]): (values: Line, line: number) => Row {
  const read = columns.map(({ type }) => createCellReader(type));
  return (values, line) =>
    columns.map(({ name, type, required }, c) => {
      const value = values[name];
      const cell = value === null && !required ? null : read[c]?.(value);
      if (cell !== undefined) return cell;
      throw new Error(`line ${line} has no ${type} in the column ${name}`);
    });
}

/** The reader returns undefined for a value of another type. */
function createCellReader(type: Column['type']): (value: unknown) => Cell | undefined {
  if (type === 'timestamp') return createTimestampReader();
  if (type === 'int64') return readDigits;
  const expected = type === 'int32' ? 'number' : type;
  return (value) => (typeof value === expected ? (value as Cell) : undefined);
}

function readDigits(value: unknown): string | undefined {
  const text = value instanceof RawNumber ? value.text : typeof value === 'number' && `${value}`;
  return text && isInt64Text(text) ? text : undefined;
}

/** Many rows have the same time. */
function createTimestampReader(): (value: unknown) => number | undefined {
  let lastText: unknown = null;
  let lastMs: number | undefined;
  return (value) => {
    if (value === lastText) return lastMs;
    const timeMs = typeof value === 'string' ? Date.parse(value) : Number.NaN;
    const isTime = !Number.isNaN(timeMs) && new Date(timeMs).toISOString() === value;
    lastText = value;
    lastMs = isTime ? timeMs : undefined;
    return lastMs;
  };
}
