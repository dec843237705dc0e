// Responsible for rows on stdout: their formats, and writing no faster than the reader takes them.

import { configFault } from '../core/errors.ts';
import type { Column, Row } from '../core/ports.ts';
import { createCsvFormatter } from '../formats/csv.ts';
import { createRowFormatter } from '../formats/ndjson.ts';
import type { ProgressState } from './progress.ts';
import type { Session } from './session.ts';

export const rowFormats = ['table', 'csv', 'ndjson'] as const;
export type RowFormat = (typeof rowFormats)[number];

/** Null: only the JSON object of --json is printed. Throws ConfigError if both are asked for. */
export function chooseFormat(
  session: Pick<Session, 'json'>,
  format: RowFormat | undefined,
): RowFormat | null {
  if (!session.json) return format ?? 'table';
  if (format === undefined) return null;
  throw configFault('--format', 'cannot be combined with --json', 'Choose one of the two.');
}

export interface RowOutput {
  /** Before the first row. */
  start: string;
  formatRows(rows: readonly Row[]): string;
}

/** All columns of the rows, as they are stored. */
export function openRowOutput(format: 'csv' | 'ndjson', columns: readonly Column[]): RowOutput {
  const csv = format === 'csv' ? createCsvFormatter(columns) : null;
  const formatRow = csv ? csv.formatRow : createRowFormatter(columns);
  return {
    start: csv ? csv.header : '',
    formatRows: (rows) => rows.map(formatRow).join(''),
  };
}

/** Resolves when the reader of stdout can take more. False: it has closed the pipe, as `head` does. */
export type Print = (text: string) => Promise<boolean>;

/** A table goes through the scrubber, like all text for people. CSV and NDJSON have the values as they are stored. */
export function openPrinter({ runtime, scrubber }: Session, format: RowFormat | null): Print {
  return async (text) => {
    if (format === null || text === '') return true;
    runtime.stdout.write(format === 'table' ? scrubber.scrub(text) : text);
    return runtime.stdout.drained();
  };
}

/** Null on a terminal that shows the rows: the bar would be among them. */
export function describeRead(
  { runtime }: Session,
  label: string,
  { done, total }: Pick<ProgressState, 'done' | 'total'>,
): ProgressState | null {
  if (runtime.stdout.isTerminal) return null;
  const rest = { perSecond: null, leftMs: null, wait: null, note: '' };
  return { label, unit: 'nodes', done: Math.min(done, total ?? done), total, ...rest };
}
