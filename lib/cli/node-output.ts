// Responsible for how nodes look on stdout: a table for people, CSV, or NDJSON. Not responsible for finding them.

import { describeDuration } from '../core/duration.ts';
import type { Cell, Row } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import type { HostKinds } from '../snapshots/host-kinds.ts';
import type { Manifest } from '../snapshots/manifest.ts';
import { isOffline, isUnprotected, type ProtectionCounts } from '../snapshots/protection.ts';
import { describeReading, isReadAfter } from '../snapshots/reading-time.ts';
import { describeTarget, fitLines, formatAge, formatCount, formatPlural } from './format.ts';
import { openRowOutput, type RowFormat, type RowOutput } from './row-output.ts';
import type { StoredTarget } from './stored-targets.ts';
import { openTable } from './text-table.ts';

/** Of the nodes that are shown. */
export interface ShownCounts extends ProtectionCounts {
  hostKinds: HostKinds;
}

export interface NodeOutput extends RowOutput {
  /** Of each target, before all rows. */
  describeSnapshot(target: StoredTarget, manifest: Manifest, ageMs: number): string;
  /** `firstMs`: the time of the target's first stored snapshot. What it already shows began then or before: `≤`. */
  formatRows(rows: readonly Row[], firstMs?: number): string;
  /** After all rows. `rows`: of the snapshots, before they were filtered. */
  describeEnd(counts: ShownCounts, rows: number): string;
}

export interface NodeTable {
  /** How wide a line may be; null: no limit. */
  columns: number | null;
  /** Milliseconds: up to when ages count. */
  endMs: number;
  /** Those in the output: a column of names that all have in common can be left out. */
  targets: readonly StoredTarget[];
}

const { columns } = containerNodes;

export function openNodeOutput(format: RowFormat, table: NodeTable): NodeOutput {
  if (format === 'table') return openNodeTable(table);
  const nothing = () => '';
  return { ...openRowOutput(format, columns), describeSnapshot: nothing, describeEnd: nothing };
}

const header = [
  ...['account', 'region', 'project', 'host_name', 'host_id'],
  ...['agent_status', 'protect_status', 'since', 'private_ip'],
];

function openNodeTable({ columns: width, endMs, targets }: NodeTable): NodeOutput {
  const isCommon = (read: (target: StoredTarget) => string | null) =>
    new Set(targets.map(read)).size === 1;
  const optional = [
    ...(isCommon(({ projectId }) => projectId) ? [2] : []),
    ...(isCommon(({ region }) => region) ? [1] : []),
    ...(isCommon(({ account }) => account) ? [0] : []),
  ];
  // Project, name and id: their start tells nodes apart.
  const table = openTable({
    ...{ columns: width, optional, narrowFirst: [2, 3, 4], hasHeader: true, indent: '  ' },
    // Of the id, 8 characters. Of `since`, the time and the age, such as `≤ 2026-11-23 07:00 (47 h)` or
    // `2026-11-24 04:01 (119 min)`. Each with its ellipsis. With 28, tables of two accounts would lose their region at 80 columns.
    least: { 4: 9, 7: 27 },
    expendable: [8, 2, 1],
  });
  const names = ['account', 'region', 'project_id', 'host_name', 'host_id'];
  const cellsBefore = [...names, 'agent_status', 'protect_status'].map(indexOf);
  let isStarted = false;

  function toCells(row: Row, firstMs: number): string[] {
    return [
      ...cellsBefore.map((index) => showCell(row[index])),
      describeSince(row, endMs, firstMs),
      showCell(row[indexOf('private_ip')]),
    ];
  }

  return {
    start: '',
    describeSnapshot(target, manifest, ageMs) {
      const { snapshot, rows } = manifest;
      const age = `${formatAge(ageMs)} old`;
      const text = `${describeTarget(target)}: ${snapshot}, ${age}, ${formatPlural(rows, 'node')}`;
      const read = isReadAfter(manifest) ? `, read ${describeReading(manifest)}` : '';
      return `${fitLines(`${text}${read}`, width)}\n`;
    },
    formatRows(rows, firstMs = -Infinity) {
      if (rows.length === 0) return '';
      const head = isStarted ? [] : [header];
      isStarted = true;
      return table.format([...head, ...rows.map((row) => toCells(row, firstMs))]);
    },
    describeEnd({ nodes, unprotected, offline, hostKinds }, rows) {
      // After the count of the snapshot, the others could be read as its counts.
      const part = nodes === rows ? ':' : ` of ${formatCount(rows)}; of these,`;
      const counts = `${formatCount(unprotected)} unprotected, ${formatCount(offline)} offline`;
      const kinds = describeKinds(hostKinds);
      const more = kinds === null ? '' : `${fitLines(`  ${kinds}`, width)}\n`;
      return `  ${formatPlural(nodes, 'node')}${part} ${counts}\n${more}`;
    },
  };
}

/** Null: all are container nodes. */
function describeKinds({ containerNodes, otherHosts, notStated }: HostKinds): string | null {
  if (otherHosts + notStated === 0) return null;
  const kinds = [
    formatPlural(containerNodes, 'container node'),
    formatPlural(otherHosts, 'other host'),
    `${formatCount(notStated)} not stated`,
  ].join(', ');
  const only = '; only container nodes: --where is_container_node=true';
  return `of these: ${kinds}${containerNodes > 0 ? only : ''}`;
}

function indexOf(name: string): number {
  return columns.findIndex((column) => column.name === name);
}

function showCell(cell: Cell | undefined): string {
  if (cell === '') return '""';
  return cell === null || cell === undefined ? '-' : String(cell);
}

const [protectStatus, protectSince] = ['protect_status', 'protect_status_since'].map(indexOf);
const [agentStatus, agentSince] = ['agent_status', 'agent_status_since'].map(indexOf);
const firstSeen = indexOf('first_seen_at');

/** Since when the node is unprotected or offline, or when it was first seen. The time comes first: a narrow cell is cut at its end. */
function describeSince(row: Row, endMs: number, firstMs: number): string {
  const cellOf = (index: number | undefined) => row[index ?? -1] ?? null;
  const dated = (word: string, time: Cell) => {
    const bound = typeof time === 'number' && time <= firstMs ? '≤ ' : '';
    return `${bound}${describeDate(time, endMs)} ${word}`;
  };
  const reasons = [
    ...(isUnprotected(cellOf(protectStatus)) ? [dated('unprotected', cellOf(protectSince))] : []),
    ...(isOffline(cellOf(agentStatus)) ? [dated('offline', cellOf(agentSince))] : []),
  ];
  return reasons.join('; ') || dated('first seen', cellOf(firstSeen));
}

/** Two changes on one day are told apart while they are recent. Later, the date is enough. */
const withTimeOfDayMs = 7 * 86_400_000;

function describeDate(time: Cell, endMs: number): string {
  if (typeof time !== 'number') return '(not known)';
  const ageMs = Math.max(0, endMs - time);
  const text = new Date(time).toISOString().replace('T', ' ');
  return `${text.slice(0, ageMs < withTimeOfDayMs ? 16 : 10)} (${describeDuration(ageMs)})`;
}
