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
  /** True: the last cell continues on the next line, at a space. It is not shortened. */
  wrapsLast?: boolean;
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

  /** From the first rows. */
  function layOut(natural: readonly number[]): number[] {
    const limit = columns === null ? null : columns - indent.length;
    let kept = natural.map((_, column) => column);
    for (const column of optional) {
      if (limit === null || totalOf(kept.map((one) => natural[one] ?? 0)) <= limit) break;
      kept = kept.filter((one) => one !== column);
    }
    const keptWidths = kept.map((column) => natural[column] ?? 0);
    const first = narrowFirst.map((column) => kept.indexOf(column));
    const fit = { first, wrapsLast: options.wrapsLast === true };
    widths = limit === null ? keptWidths : fitWidths(keptWidths, limit, fit);
    return kept;
  }

  return {
    format(rows) {
      if (rows.length === 0) return '';
      const escaped = rows.map((row) => row.map(escapeControls));
      if (shown === null) shown = layOut(widthsOf(escaped));
      const kept = shown;
      const cells = escaped.map((row) => kept.map((column) => row[column] ?? ''));
      if (columns === null) {
        const needed = widthsOf(cells);
        widths = needed.map((width, column) => Math.max(width, widths[column] ?? 0));
      }
      const aligns = kept.map((column) => (numeric.includes(column) ? 'right' : 'left'));
      const wrapped = options.wrapsLast === true && columns !== null ? kept.length - 1 : -1;
      return draw(cells, { widths, aligns, wrapped })
        .map((line) => `${indent}${line}`.trimEnd().concat('\n'))
        .join('');
    },
  };
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
  wrapsLast: boolean;
}

/** Of the columns that may be narrowed, the widest one is narrowed first. */
function fitWidths(natural: readonly number[], limit: number, { first, wrapsLast }: Fit): number[] {
  const widths = [...natural];
  const all = widths.map((_, column) => column);
  const narrow = (columns: readonly number[], least: number) => {
    for (let excess = totalOf(widths) - limit; excess > 0; excess -= 1) {
      const wide = columns.filter((column) => (widths[column] ?? 0) > least);
      const widest = Math.max(...wide.map((column) => widths[column] ?? 0));
      const column = wide.findLast((one) => widths[one] === widest);
      if (column === undefined) return;
      widths[column] = widest - 1;
    }
  };
  if (wrapsLast) narrow(all.slice(-1), narrowestText);
  narrow(first, narrowFirstTo);
  narrow(all, narrowest);
  return widths;
}

interface Drawing {
  widths: readonly number[];
  aligns: readonly ('left' | 'right')[];
  /** The column whose cells continue on the next line; -1: none. */
  wrapped: number;
}

function draw(rows: readonly Cells[], { widths, aligns, wrapped }: Drawing): string[] {
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
        column === wrapped ? { content, wordWrap: true } : content;
      table.push(row.map(toCell));
    }
    lines.push(...table.toString().split('\n'));
  }
  // cli-table3 can cut an emoji in half. Its first half takes one column.
  return lines.map((line) => line.replace(/\p{Surrogate}…/gu, '… '));
}
