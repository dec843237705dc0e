// Responsible for the files beside the page: their rows in order, in bounded memory. They are temporary files of this host until the
// caller stores them. Not responsible for what the rows say.

import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { Appended, Column, Row, Scratch, ScratchFile, Store } from '../core/ports.ts';
import { openSorter } from '../sealing/row-sorter.ts';
import { openSpool, type Spool, type Spooled } from '../sealing/spool.ts';

/** Writes rows as text: formats/csv.ts. */
export interface TableFormat {
  /** The line with the names of the columns. */
  header: string;
  formatRow(row: Row): string;
}

export type OpenFormat = (columns: readonly Column[]) => TableFormat;

/** A file that is complete, but not stored yet. */
export interface ReportFile {
  name: string;
  rows: number;
  bytes: number;
  /** Bare lower-case hex. */
  sha256: string;
  put(store: Store, key: string): Promise<void>;
  /** Deletes the temporary file. Never throws, and may be called again. */
  remove(): Promise<void>;
}

/** A table that gets its rows in the order of the file. */
export interface TableFile {
  add(rows: readonly Row[]): Promise<void>;
  finish(): Promise<ReportFile>;
  /** Deletes what was written, finished or not. Never throws. */
  remove(): Promise<void>;
}

/** The text is written in pieces of about this many characters. */
const pieceCharacters = 2 ** 17;

interface TextFile {
  write(text: string): Promise<void>;
  finish(name: string, rows: number): Promise<ReportFile>;
  remove(): Promise<void>;
}

/** Throws ScratchError, as all functions here. */
function openTextFile(scratch: Scratch): TextFile {
  const spool: Spool = openSpool(scratch);
  let pending = '';
  return {
    async write(text) {
      pending += text;
      if (pending.length < pieceCharacters) return;
      await spool.append(Buffer.from(pending));
      pending = '';
    },
    async finish(name, rows) {
      await spool.append(Buffer.from(pending));
      return toReportFile(name, rows, await spool.finish());
    },
    remove: () => spool.remove(),
  };
}

function toReportFile(name: string, rows: number, spooled: Spooled): ReportFile {
  const { bytes, sha256 } = spooled;
  const put = (store: Store, key: string) => spooled.put(store, key);
  return { name, rows, bytes, sha256, put, remove: () => spooled.remove() };
}

/** A file with one text, such as the page. */
export async function createTextFile(
  scratch: Scratch,
  name: string,
  text: string,
): Promise<ReportFile> {
  const file = openTextFile(scratch);
  await file.write(text);
  return file.finish(name, 0);
}

export function openTableFile(scratch: Scratch, name: string, format: TableFormat): TableFile {
  const file = openTextFile(scratch);
  let rows = 0;
  let isStarted = false;
  const start = async () => {
    if (!isStarted) await file.write(format.header);
    isStarted = true;
  };
  return {
    async add(added) {
      await start();
      await file.write(added.map(format.formatRow).join(''));
      rows += added.length;
    },
    async finish() {
      await start();
      return file.finish(name, rows);
    },
    remove: () => file.remove(),
  };
}

/** A table that gets its rows in any order. */
export interface SortedTableFile extends Omit<TableFile, 'add'> {
  /** `sortKey`: the rows are written in the order of its UTF-8 bytes. */
  add(sortKey: string, row: Row): Promise<void>;
}

/** Memory: 20,000 rows. */
export function openSortedTableFile(
  scratch: Scratch,
  name: string,
  format: TableFormat,
): SortedTableFile {
  const sorter = openSorter({ scratch, keyIndex: 0 });
  const table = openTableFile(scratch, name, format);
  return {
    add: (key, row) => sorter.add([{ key, row: [key, ...row], isPosition: true }]),
    async finish() {
      for await (const readings of sorter.sorted()) {
        await table.add(readings.map(({ row }) => row.slice(1)));
      }
      await sorter.remove();
      return table.finish();
    },
    async remove() {
      await sorter.remove();
      await table.remove();
    },
  };
}

/** A table that gets its rows in sections, whose order is known only at the end. */
export interface SectionedTableFile extends Omit<TableFile, 'add'> {
  /** `sortKey`: of the section. Rows of a section that was not ended are dropped when another one starts, and at the end. */
  add(sortKey: string, rows: readonly Row[]): Promise<void>;
  /** Sections are written in the order of their keys. */
  endSection(): Promise<void>;
}

interface Section {
  sortKey: string;
  rows: number;
  pieces: Appended[];
}

/** The text of a piece is a tenth as long when it is compressed, and a report can have millions of changes. */
const compression = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

/** Memory: one piece, and some hundred bytes for each piece. */
export function openSectionedTableFile(
  scratch: Scratch,
  name: string,
  format: TableFormat,
): SectionedTableFile {
  const sections: Section[] = [];
  const table = openTextFile(scratch);
  let section: Section | null = null;
  let kept: ScratchFile | null = null;
  let pending = '';

  async function flush({ pieces }: Section): Promise<void> {
    kept ??= await scratch.open();
    pieces.push(await kept.append(brotliCompressSync(pending, compression)));
    pending = '';
  }

  async function* readPieces(): AsyncGenerator<string> {
    if (kept === null) return;
    for (const piece of sections.flatMap(({ pieces }) => pieces)) {
      yield brotliDecompressSync(await kept.read(piece)).toString();
    }
    await kept.remove();
  }

  return {
    async add(sortKey, rows) {
      if (section?.sortKey !== sortKey) {
        section = { sortKey, rows: 0, pieces: [] };
        pending = '';
      }
      for (const row of rows) {
        pending += format.formatRow(row);
        if (pending.length >= pieceCharacters) await flush(section);
      }
      section.rows += rows.length;
    },
    async endSection() {
      if (section === null) return;
      if (pending !== '') await flush(section);
      sections.push(section);
      section = null;
    },
    async finish() {
      await table.write(format.header);
      sections.sort((a, b) => (a.sortKey < b.sortKey ? -1 : Number(a.sortKey > b.sortKey)));
      for await (const text of readPieces()) await table.write(text);
      const rows = sections.reduce((sum, one) => sum + one.rows, 0);
      return table.finish(name, rows);
    },
    async remove() {
      await kept?.remove();
      await table.remove();
    },
  };
}
