// Responsible for tables in the text that people read: aligned columns that fit the terminal. cli-table3 aligns and shortens the
// cells. Not responsible for the order of the columns, or for what the cells say.

import Table from 'cli-table3';
import stringWidth from 'string-width';
import { escapeControls } from './format.ts';

type Cells = readonly string[];

export interface TableOptions {
  /** The columns that are aligned to the right, from 0. */
  numeric?: readonly number[];
  /** How wide a line may be; null, the default: no limit. */
  columns?: number | null;
  /** Columns that are left out while the lines are too wide, in this order. */
  optional?: readonly number[];
  /** Columns that are narrowed to 12 before any other one is narrowed. */
  narrowFirst?: readonly number[];
  /** No column is narrower than this, by column. Default: 6. */
  least?: Readonly<Record<number, number>>;
  /** True: the first row is a header. Columns that are empty, or `-`, in all other rows are left out before `optional`. */
  hasHeader?: boolean;
  /** Columns that are left out, in this order, if the lines are too wide with every column at its narrowest. */
  expendable?: readonly number[];
  /** True: the last cell continues on the next line, at a space. It is not shortened. */
  wrapsLast?: boolean;
  /** With `wrapsLast`: how many lines the last cell has at most; the last one is cut. Default: no limit. */
  linesMax?: number;
  indent?: string;
}

export interface TableFormatter {
  /** Lines, each with its line feed. The rows of the first call that has some set the widths. */
  format(rows: readonly Cells[]): string;
}

const gap = '  ';
/** No column is made narrower. With more columns than fit like this, the lines are too wide. */
const narrowest = 6;
/** As `narrowest`, of the columns that are narrowed first, until all columns must be. */
const narrowFirstTo = 12;
/** As `narrowest`, of a last column that continues on the next line. */
const narrowestText = 24;
/** cli-table3 compares all rows with each other: 1,000 rows at a time take twice as long. */
const rowsAtATime = 20;

const names = ['top', 'bottom', 'left', 'right'].flatMap((side) => [side, `${side}-mid`]);
const corners = ['top-left', 'top-right', 'bottom-left', 'bottom-right', 'mid', 'mid-mid'];
const noBorders = Object.fromEntries([...names, ...corners].map((name) => [name, '']));

/** How many columns of a terminal the text takes: a Chinese character or an emoji takes two. */
export function measureText(text: string): number {
  // Almost all cells are like this. stringWidth() takes ten times as long.
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);
}

/** Each column is as wide as its widest cell. The last one is not padded. Without a line feed at the end. */
export function formatTable(rows: readonly Cells[], numeric: readonly number[] = []): string {
  return openTable({ numeric }).format(rows).replace(/\n$/, '');
}

/**
 * For a table whose rows are not held. A cell that is too wide is shortened. Without a limit nothing is shortened: the columns become
 * wider where a later row needs it.
 */
export function openTable(options: TableOptions): TableFormatter {
  const { numeric = [], columns = null, optional = [], narrowFirst = [], indent = '' } = options;
  let shown: number[] | null = null;
  let widths: number[] = [];

  const leastOf = (column: number) => options.least?.[column] ?? narrowest;

  /** From the first rows. */
  function layOut(rows: readonly Cells[]): number[] {
    const needed = widthsOf(rows);
    if (columns === null) {
      widths = needed;
      return needed.map((_, column) => column);
    }
    const limit = columns - indent.length;
    const natural = needed.map((width, column) => Math.max(width, options.least?.[column] ?? 0));
    const empty = options.hasHeader === true ? listEmpty(rows) : [];
    const all = natural.map((_, column) => column);
    const naturalOf = (column: number) => natural[column] ?? 0;
    const some = leaveOut(all, [...empty, ...optional], { limit, widthOf: naturalOf });
    const kept = leaveOut(some, options.expendable ?? [], {
      limit,
      widthOf: (column) => Math.min(naturalOf(column), leastOf(column)),
    });
    widths = fitWidths(kept.map(naturalOf), limit, {
      first: narrowFirst.map((column) => kept.indexOf(column)),
      least: kept.map(leastOf),
      wrapsLast: options.wrapsLast === true,
    });
    return kept;
  }

  return {
    format(rows) {
      if (rows.length === 0) return '';
      const escaped = rows.map((row) => row.map(escapeControls));
      if (shown === null) shown = layOut(escaped);
      const kept = shown;
      const cells = escaped.map((row) => kept.map((column) => row[column] ?? ''));
      if (columns === null) {
        const needed = widthsOf(cells);
        widths = needed.map((width, column) => Math.max(width, widths[column] ?? 0));
      }
      const aligns = kept.map((column) => (numeric.includes(column) ? 'right' : 'left'));
      const wrapped = options.wrapsLast === true && columns !== null ? kept.length - 1 : -1;
      return draw(cells, { widths, aligns, wrapped, linesMax: options.linesMax ?? Infinity })
        .map((line) => `${indent}${line}`.trimEnd().concat('\n'))
        .join('');
    },
  };
}

/** Columns whose cells, but for the header, say nothing. Nothing if there is only a header. */
function listEmpty([header = [], ...rows]: readonly Cells[]): number[] {
  if (rows.length === 0) return [];
  return header.flatMap((_, column) =>
    rows.every((row) => ['', '-'].includes(row[column] ?? '')) ? column : [],
  );
}

/** Leaves out `columns`, in their order, while the rest is too wide. */
function leaveOut(
  all: readonly number[],
  columns: readonly number[],
  { limit, widthOf }: { limit: number; widthOf: (column: number) => number },
): number[] {
  let kept = [...all];
  for (const column of columns) {
    if (totalOf(kept.map(widthOf)) <= limit) break;
    kept = kept.filter((one) => one !== column);
  }
  return kept;
}

function widthsOf(rows: readonly Cells[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 1, measureText(cell));
    }
  }
  return widths;
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1));
}

interface Fit {
  /** Columns that are narrowed before the others; -1: none. */
  first: readonly number[];
  /** How narrow each column can become. */
  least: readonly number[];
  wrapsLast: boolean;
}

/** Of the columns that may be narrowed, the widest one is narrowed first. */
function fitWidths(
  natural: readonly number[],
  limit: number,
  { first, least, wrapsLast }: Fit,
): number[] {
  const widths = [...natural];
  const all = widths.map((_, column) => column);
  const narrow = (columns: readonly number[], floor: number) => {
    for (let excess = totalOf(widths) - limit; excess > 0; excess -= 1) {
      const wide = columns.filter(
        (column) => (widths[column] ?? 0) > Math.max(floor, least[column] ?? 0),
      );
      const widest = Math.max(...wide.map((column) => widths[column] ?? 0));
      const column = wide.findLast((one) => widths[one] === widest);
      if (column === undefined) return;
      widths[column] = widest - 1;
    }
  };
  if (wrapsLast) narrow(all.slice(-1), narrowestText);
  narrow(first, narrowFirstTo);
  narrow(all, 0);
  return widths;
}

interface Drawing {
  widths: readonly number[];
  aligns: readonly ('left' | 'right')[];
  /** The column whose cells continue on the next line; -1: none. */
  wrapped: number;
  /** Of the column that is wrapped. */
  linesMax: number;
}

function draw(rows: readonly Cells[], { widths, aligns, wrapped, linesMax }: Drawing): string[] {
  const lines: string[] = [];
  for (let start = 0; start < rows.length; start += rowsAtATime) {
    const table = new Table({
      chars: { ...noBorders, middle: gap },
      style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
      colWidths: [...widths],
      colAligns: [...aligns],
    });
    for (const row of rows.slice(start, start + rowsAtATime)) {
      const toCell = (content: string, column: number) =>
        column === wrapped
          ? { content: cutLines(content, widths[column] ?? 0, linesMax), wordWrap: true }
          : content;
      table.push(row.map(toCell));
    }
    lines.push(...table.toString().split('\n'));
  }
  // cli-table3 can cut an emoji in half. Its first half takes one column.
  return lines.map((line) => line.replace(/\p{Surrogate}…/gu, '… '));
}

/** The start of `text` that, wrapped at spaces, takes at most `linesMax` lines; it ends with an ellipsis if that is not all. */
function cutLines(text: string, width: number, linesMax: number): string {
  let [lines, used] = [1, 0];
  const words = text.split(' ');
  for (const [index, word] of words.entries()) {
    const needed = measureText(word);
    const isLast = index === words.length - 1;
    const room = lines === linesMax && !isLast ? width - 2 : width;
    if (index > 0 && used + 1 + needed <= room) used += 1 + needed;
    else if (index === 0) used = needed;
    else if (lines < linesMax) [lines, used] = [lines + 1, needed];
    else return `${words.slice(0, index).join(' ')} …`;
  }
  return text;
}
