// Responsible for how changes look on stdout: a table for people, CSV, or NDJSON. Not responsible for finding them.

import { parseExact, RawNumber, stringifyExact } from '../core/exact-json.ts';
import type { Cell, Column, Dataset, Row } from '../core/ports.ts';
import type { ChangeCounts } from '../snapshots/changes.ts';
import { escapeControls, fitLines, formatCount } from './format.ts';
import { openRowOutput, type RowFormat } from './row-output.ts';
import { openTable, type TableFormatter } from './text-table.ts';

/** The text before, between and after the changes of each target. */
export interface ChangeOutput {
  /** Before the first target. */
  start: string;
  /** `heading`: what is compared. */
  openTarget(heading: string): string;
  formatRows(rows: readonly Row[]): string;
  closeTarget(counts: ChangeCounts): string;
}

/** `columns`: of a change of this dataset. `width`: of the table, in characters; null: no limit. */
export function openChangeOutput(
  format: RowFormat,
  dataset: Dataset,
  columns: readonly Column[],
  width: number | null,
): ChangeOutput {
  if (format === 'table') return openChangeTable(dataset, columns, width);
  return { ...openRowOutput(format, columns), openTarget: () => '', closeTarget: () => '' };
}

/** Longer values are cut in the table. */
const valueCharsMax = 40;

/** The first rows of a target set the widths of its columns: a table of a million rows is not held. */
function openChangeTable(
  { keyColumn, nameColumn }: Dataset,
  columns: readonly Column[],
  width: number | null,
): ChangeOutput {
  const indexOf = (name: string) => columns.findIndex((column) => column.name === name);
  const key = indexOf(keyColumn);
  const name = indexOf(nameColumn);
  const change = indexOf('change');
  const texts = ['changed_columns', 'before', 'after'].map(indexOf);
  let table: TableFormatter | null = null;

  function toCells(row: Row): string[] {
    const [names, before, after] = texts.map((index) => parse(row[index] ?? null));
    const details = listDistinct((names ?? []) as string[], before, after).map(
      (column) => `${column}: ${showValue(before, column)} → ${showValue(after, column)}`,
    );
    return [String(row[change]), String(row[key]), cut(showCell(row[name])), details.join('; ')];
  }

  return {
    start: '',
    openTarget(heading) {
      table = openTable({ columns: width, wrapsLast: true, indent: '  ' });
      return fitLines(`${escapeControls(heading)}\n`, width);
    },
    formatRows: (rows) => table?.format(rows.map(toCells)) ?? '',
    closeTarget({ added, removed, changed }) {
      const counts = [`${formatCount(added)} added`, `${formatCount(removed)} removed`];
      return `  ${[...counts, `${formatCount(changed)} changed`].join(', ')}\n`;
    },
  };
}

/** Without `x_raw`, the value as the service sent it, where it says the same as `x`. `before`, `after`: by name of the column. */
export function listDistinct(names: readonly string[], before: unknown, after: unknown): string[] {
  const valuesOf = (name: string) => [before, after].map((record) => showValue(record, name));
  return names.filter((name) => {
    const plain = name.endsWith('_raw') ? name.slice(0, -'_raw'.length) : null;
    if (plain === null || !names.includes(plain)) return true;
    return valuesOf(name).join('\n') !== valuesOf(plain).join('\n');
  });
}

function parse(cell: Cell): unknown {
  return cell === null ? null : parseExact(cell as string);
}

/** `record`: the object in `before` or `after`. */
function showValue(record: unknown, column: string): string {
  const value = (record as Record<string, unknown>)[column];
  return cut(value === '' ? '""' : showCell(value));
}

function showCell(value: unknown): string {
  if (value instanceof RawNumber) return stringifyExact(value);
  return value === null ? 'null' : escapeControls(String(value));
}

/** Counts characters, not UTF-16 units, so that no emoji is cut in half. */
function cut(text: string): string {
  if (text.length <= valueCharsMax) return text;
  return `${[...text].slice(0, valueCharsMax - 1).join('')}…`;
}
