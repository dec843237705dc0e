// Responsible for a table with one line per target that fits the terminal, if it can. Not responsible for the columns after the names.

import { formatTable } from './format.ts';

interface Named {
  /** Null: not known. */
  account: string | null;
  table: string;
  region: string;
  projectId: string | null;
}

export interface MoreColumns {
  header: readonly string[];
  /** The cells of each target, in the order of the targets. */
  rows: readonly (readonly string[])[];
  /** Columns of numbers, counted from 0 in `header`. */
  numeric: readonly number[];
}

/** A shortened project id shows this many characters. */
const projectChars = 8;

/**
 * If the whole table is wider than `columns`, project ids are shortened, and then the column of the table name is left out,
 * each only if the targets can still be told apart. `columns` null: no limit.
 */
export function formatTargets(
  targets: readonly Named[],
  more: MoreColumns,
  columns: number | null,
): string {
  const whole = layOut(targets, more, { isShort: false, hasTable: true });
  if (columns === null || isWithin(whole, columns)) return whole;
  const isShort = areDistinct(targets.map((target) => nameCells(target, true).join(' ')));
  const short = layOut(targets, more, { isShort, hasTable: true });
  const hasTable = new Set(targets.map(({ table }) => table)).size > 1;
  if (isWithin(short, columns) || hasTable) return short;
  return layOut(targets, more, { isShort, hasTable });
}

function layOut(
  targets: readonly Named[],
  { header, rows, numeric }: MoreColumns,
  { isShort, hasTable }: { isShort: boolean; hasTable: boolean },
): string {
  const withoutTable = (cells: string[]) => cells.filter((_, column) => hasTable || column !== 1);
  const names = [
    ['account', 'table', 'region', 'project'],
    ...targets.map((target) => nameCells(target, isShort)),
  ].map(withoutTable);
  const table = names.map((cells, index) => [
    ...cells,
    ...(index === 0 ? header : (rows[index - 1] ?? [])),
  ]);
  const first = names[0]?.length ?? 0;
  return formatTable(
    table,
    numeric.map((column) => first + column),
  );
}

function nameCells({ account, table, region, projectId }: Named, isShort: boolean): string[] {
  const project = projectId ?? '(not known yet)';
  const isLong = isShort && projectId !== null && projectId.length > projectChars + 1;
  const shown = isLong ? `${project.slice(0, projectChars)}…` : project;
  return [account ?? '(not known)', table, region, shown];
}

function areDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

function isWithin(text: string, columns: number): boolean {
  return text.split('\n').every((line) => line.length <= columns);
}
