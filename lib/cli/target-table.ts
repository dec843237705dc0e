// Responsible for a table with one line per target that fits the terminal, if it can. Not responsible for the columns after the names.

import { formatTable, measureText } from './text-table.ts';

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

/** What to do to the names so that the lines become shorter. */
interface Layout {
  shorten: (projectId: string) => string;
  /** Columns of names that are left out, counted from 0. */
  leftOut: readonly number[];
}

/** How many characters a shortened project id shows. */
const projectChars = [8, 12, 16];
const nameHeader = ['account', 'table', 'region', 'project'];
/** Columns of names that are left out, in this order, if all targets have the same name there. */
const optionalColumns = [1, 2];

/**
 * If a line is longer than `columns` (null: no limit), project ids are shortened, and then the table name and the region are
 * left out, each only if the targets can still be told apart. A last cell that still does not fit is put below its line.
 */
export function formatTargets(
  targets: readonly Named[],
  more: MoreColumns,
  columns: number | null,
): string {
  const whole = layOut(targets, more, { shorten: (projectId) => projectId, leftOut: [] });
  if (columns === null || isWithin(whole, columns)) return whole;
  const shorten = findShortening(targets.flatMap(({ projectId }) => projectId ?? []));
  const common = optionalColumns.filter(
    (column) => new Set(targets.map((target) => nameCells(target, shorten)[column])).size === 1,
  );
  let text = layOut(targets, more, { shorten, leftOut: [] });
  for (let count = 1; count <= common.length && !isWithin(text, columns); count += 1) {
    text = layOut(targets, more, { shorten, leftOut: common.slice(0, count) });
  }
  return foldLastColumn(text, more.header.at(-1) ?? '', columns);
}

function layOut(
  targets: readonly Named[],
  { header, rows, numeric }: MoreColumns,
  { shorten, leftOut }: Layout,
): string {
  const withoutSome = (cells: string[]) => cells.filter((_, column) => !leftOut.includes(column));
  const names = [nameHeader, ...targets.map((target) => nameCells(target, shorten))].map(
    withoutSome,
  );
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

function nameCells(
  { account, table, region, projectId }: Named,
  shorten: Layout['shorten'],
): string[] {
  const project = projectId === null ? '(not known yet)' : shorten(projectId);
  return [account ?? '(not known)', table, region, project];
}

/** The shortest form in which no two different ids look the same: their start, their end, or both. */
function findShortening(projectIds: readonly string[]): Layout['shorten'] {
  const count = new Set(projectIds).size;
  for (const chars of projectChars) {
    const half = chars / 2;
    const forms: Layout['shorten'][] = [
      (id) => `${id.slice(0, chars)}…`,
      (id) => `…${id.slice(-chars)}`,
      (id) => `${id.slice(0, half)}…${id.slice(-half)}`,
    ];
    for (const form of forms) {
      const shorten = (id: string) => (id.length > chars + 1 ? form(id) : id);
      if (new Set(projectIds.map(shorten)).size === count) return shorten;
    }
  }
  return (projectId) => projectId;
}

/** `header`: of the last column. */
function foldLastColumn(text: string, header: string, columns: number): string {
  const lines = text.split('\n');
  // Only the last column is not padded. Characters that take two columns are before it.
  const start = measureText(lines[0] ?? '') - measureText(header);
  return lines
    .map((line) => {
      if (measureText(line) <= columns) return line;
      let at = Math.min(start, line.length);
      while (measureText(line.slice(0, at)) > start) at -= 1;
      return `${line.slice(0, at).trimEnd()}\n    ${line.slice(at)}`;
    })
    .join('\n');
}

function isWithin(text: string, columns: number): boolean {
  return text.split('\n').every((line) => measureText(line) <= columns);
}
