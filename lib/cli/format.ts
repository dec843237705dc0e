// Responsible for how numbers and snapshots look in the text that people read.

import { Help } from 'commander';
import { chooseUnit } from '../core/duration.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import type { Sealed } from '../snapshots/catalog.ts';

/**
 * Breaks lines that are longer than `columns` (null: no limit; under 50: not broken) at spaces. A longer word is not cut. The
 * rest of a line is indented by two more characters than its start.
 */
export function fitLines(text: string, columns: number | null): string {
  if (columns === null || columns < 50) return text;
  const fit = (line: string) => {
    if (line.length <= columns) return line;
    const indent = /^ */.exec(line)?.[0] ?? '';
    const words = line.slice(indent.length);
    const wrapped = new Help().boxWrap(words, columns - indent.length - 2);
    return `${indent}${wrapped.replaceAll('\n', `\n${indent}  `)}`;
  };
  return text.split('\n').map(fit).join('\n');
}

/**
 * Control characters as `\u001b`: they could change the terminal, break a line in two, or turn the order of the characters of a line
 * around (bidirectional controls).
 */
export function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** As escapeControls, but line feeds stay: for whole texts, whose lines are built here. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeControls).join('\n');
}

/** As one word of a shell command. */
export function quoteForShell(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return formatPlural(bytes, 'byte');
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1_000;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Of a wait. Rounded up, so that it does not end later than shown. */
export function formatDuration(durationMs: number): string {
  return showDuration(durationMs, Math.ceil);
}

/** How long something has lasted, or how old it is. Rounded down, so that it is never shown as longer than it is. */
export function formatAge(durationMs: number): string {
  return showDuration(durationMs, Math.trunc);
}

/** In one or two units: `2 h 1 min`, `2 d 7 h`. */
function showDuration(durationMs: number, round: (value: number) => number): string {
  // Rounded before the unit is chosen: 119.5 s, rounded up, are `2 min`.
  const seconds = round(durationMs / 1_000);
  if (chooseUnit(seconds * 1_000) === 's') return `${seconds} s`;
  const minutes = round(seconds / 60);
  const unit = chooseUnit(minutes * 60_000);
  if (unit === 'min') return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (unit === 'd') return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** `2026-11-24 06:00` in UTC, with seconds if they are not 0. Null: `not known`. */
export function formatTime(timeMs: number | null): string {
  if (timeMs === null) return 'not known';
  const text = new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
  return text.endsWith(':00') ? text.slice(0, 16) : text;
}

/** `<account> <table> <region> <project>`. Null: not known. */
export function describeTarget(target: {
  account: string | null;
  table: string;
  region: string;
  projectId: string | null;
}): string {
  const { account, table, region, projectId } = target;
  const names = [
    account ?? '(account not known)',
    table,
    region,
    projectId ?? '(project not known)',
  ];
  return names.map(escapeControls).join(' ');
}

function explainVerdict({ verdict, dataset }: Sealed['manifest']): string {
  const record = dataset === containerNodes.name ? 'node' : 'record';
  return verdict === 'complete'
    ? `complete: no page that was read shows a missed ${record} (limit: docs/design/known-limits.md)`
    : `drifted: the list moved while it was read, or has fewer ${record}s than it states, so completeness cannot be proven`;
}

/** A few lines per snapshot. The keys in them are relative to `storeUrl`. Empty if there is no snapshot. */
export function describeSnapshots(snapshots: readonly Sealed[], storeUrl: string): string {
  const blocks = snapshots.map(({ manifest, manifestKey, manifestSha256 }) => {
    const { table, snapshot, scope, rows, rejects, evidence, parts } = manifest;
    const rejected = rejects === 0 ? '' : `, ${formatPlural(rejects, 'reject')}`;
    return [
      `${escapeControls(scope.account)} ${table} ${snapshot}  ${scope.region} ${scope.projectId}`,
      `  ${formatPlural(rows, 'row')}${rejected}  (${formatPlural(evidence.pages, 'page')}, ${formatPlural(evidence.requests, 'request')})`,
      `  ${explainVerdict(manifest)}`,
      ...parts.map(
        ({ role, format, key, bytes }) =>
          `  ${(role === 'rows' ? format : role).padEnd(8)}  ${key}  ${formatBytes(bytes)}`,
      ),
      `  manifest  ${manifestKey}  sha256 ${manifestSha256}`,
    ].join('\n');
  });
  return blocks.length === 0 ? '' : `${blocks.join('\n')}\nin ${storeUrl}\n`;
}
