// Owns what people read on stdout: summaries, tables, sizes. Refuses to decide anything.

import type { Sealed } from '../snapshots/catalog.ts';
import { formatCount } from './progress.ts';

/** Columns as wide as their widest cell; the last one is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 ? formatCount(value) : value.toFixed(value < 10 ? 1 : 0);
  return `${digits} ${units[unit]}`;
}

export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

const verdicts: Readonly<Record<string, string>> = {
  complete: 'complete: every node that was there from the first page to the last is in it once',
  drifted: 'drifted: the list moved out of order while it was read, completeness cannot be shown',
};

/** A few lines a snapshot. `storeUrl`: what the keys are relative to. */
export function describeSnapshots(snapshots: readonly Sealed[], storeUrl: string): string {
  const blocks = snapshots.map(({ manifest, manifestKey, manifestSha256 }) => {
    const { table, snapshot, scope, rows, rejects, verdict, evidence, parts } = manifest;
    const rejected = rejects === 0 ? '' : `, ${formatPlural(rejects, 'reject')}`;
    return [
      `${table} ${snapshot}  ${scope.region} ${scope.projectId}`,
      `  ${formatPlural(rows, 'row')}${rejected}  (${formatPlural(evidence.pages, 'page')}, ${formatPlural(evidence.requests, 'request')})`,
      `  ${verdicts[verdict] ?? verdict}`,
      ...parts.map(
        ({ format, key, bytes }) => `  ${format.padEnd(8)}  ${key}  ${formatBytes(bytes)}`,
      ),
      `  manifest  ${manifestKey}  sha256 ${manifestSha256}`,
    ].join('\n');
  });
  return blocks.length === 0 ? '' : `${blocks.join('\n')}\nin ${storeUrl}\n`;
}
