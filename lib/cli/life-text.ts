// Responsible for the history of a node as a timeline that people read. Not responsible for finding it.

import { snapshotTimeMs } from '../core/object-keys.ts';
import type { Row } from '../core/ports.ts';
import { containerNodes } from '../datasets/container-nodes.ts';
import type { LifeBreak, NodeLife, TargetLives } from '../reports/node-life.ts';
import { changeColumns } from '../snapshots/changes.ts';
import { listDistinct } from './change-output.ts';
import { describeTarget, fitLines, formatAge, formatTime } from './format.ts';
import type { StoredTarget } from './stored-targets.ts';
import { openTable } from './text-table.ts';

export interface LifeContext {
  target: StoredTarget;
  lives: TargetLives;
  nowMs: number;
  /** How wide a line may be; null: no limit. */
  columns: number | null;
}

const { statusColumns } = containerNodes;
const changeIndex = new Map(changeColumns(containerNodes).map(({ name }, index) => [name, index]));
const columnIndex = new Map(containerNodes.columns.map(({ name }, index) => [name, index]));

const changeCell = (row: Row, name: string) => row[changeIndex.get(name) ?? -1] ?? null;
const nodeCell = (row: Row, name: string) => row[columnIndex.get(name) ?? -1] ?? null;

interface Line {
  timeMs: number;
  event: string;
  details: string;
}

/** Ends with a line feed. */
export function describeLife(
  life: NodeLife,
  { target, lives, nowMs, columns }: LifeContext,
): string {
  const { hostId, names, now, isNowKnown } = life;
  const newest = lives.searched?.to ?? '';
  const name = findNewestName(life);
  const title = `${name ?? '(no name)'}  ${hostId}`;
  const before = names.filter((one) => one !== name);
  const lines = [
    ...describeSeen(life, lives, nowMs),
    ...describeChanges(life, lives),
    ...(now ? [describeNow(now, lives, nowMs)] : []),
  ].sort((a, b) => a.timeMs - b.timeMs);
  const table = openTable({ columns, wrapsLast: true, indent: '  ' });
  const { searched, knownFrom } = lives;
  const notes = [
    ...(now ? [] : [`  ${describeNoRow(isNowKnown, newest)}`]),
    ...(searched && knownFrom !== searched.from
      ? [
          `  before ${knownFrom ?? newest} not everything is known: rows were pruned or cannot be read`,
        ]
      : []),
  ];
  const head = [
    title,
    `  ${describeTarget(target)}`,
    ...(before.length > 0 ? [`  earlier names: ${before.join(', ')}`] : []),
  ];
  const rows = lines.map(({ timeMs, event, details }) => [formatTime(timeMs), event, details]);
  const text = (some: readonly string[]) =>
    some.map((line) => `${fitLines(line, columns)}\n`).join('');
  return `${text(head)}${table.format(rows)}${text(notes)}`;
}

function describeNoRow(isKnown: boolean, newest: string): string {
  if (isKnown) return `not in the newest complete snapshot, ${newest}`;
  return `now: not known: the rows of the newest complete snapshot, ${newest}, cannot be read`;
}

/** The name that it has, or had last: it can have had that one twice. */
function findNewestName({ now, events, names }: NodeLife): string | null {
  const event = events.at(-1);
  const newest = now ? nodeCell(now, 'host_name') : event && changeCell(event, 'host_name');
  return newest === undefined ? (names.at(-1) ?? null) : (newest as string | null);
}

function timeOf(name: string): number {
  return snapshotTimeMs(name) ?? 0;
}

/** The first line of each period. Its end is an event, or now. */
function describeSeen({ seen }: NodeLife, { searched }: TargetLives, nowMs: number): Line[] {
  return seen.map(({ from, to }, index) => {
    const [fromMs, toMs] = [timeOf(from), to === null ? nowMs : timeOf(to)];
    const until = to === null ? 'still listed' : `last seen ${formatTime(toMs)}`;
    const isOldest = from === searched?.from;
    const lasted = `${isOldest ? 'at least ' : ''}${formatAge(toMs - fromMs)}`;
    return {
      timeMs: fromMs,
      event: index === 0 ? 'first seen' : 'seen again',
      details: `${isOldest ? 'on or before this time; ' : ''}${until} (${lasted})`,
    };
  });
}

/** Removals, and changes with how long each status had lasted. */
function describeChanges(life: NodeLife, { searched }: TargetLives): Line[] {
  const clock = openStatusClock(life, searched?.from ?? '');
  const breaks = life.breaks.map((one) => ({ timeMs: timeOf(one.snapshot), one, row: null }));
  const events = life.events.map((row) => {
    return { timeMs: Number(changeCell(row, 'snapshot_at')), one: null, row };
  });
  return [...breaks, ...events]
    .sort((a, b) => a.timeMs - b.timeMs)
    .flatMap(({ timeMs, one, row }) =>
      one ? describeBreak(one, timeMs, clock) : describeEvent(row, timeMs, clock),
    );
}

interface StatusClock {
  /** ` after …`: how long the status had its value; empty: not known. The value changes at `timeMs`. */
  change(name: string, timeMs: number): string;
  /** The node was added or removed, or its statuses are not known before `timeMs`. */
  restart(): void;
}

function openStatusClock({ seen }: NodeLife, oldest: string): StatusClock {
  const since = new Map<string, number>();
  return {
    change(name, timeMs) {
      const from = seen.findLast((period) => timeOf(period.from) < timeMs)?.from;
      const sinceMs = Math.max(since.get(name) ?? -Infinity, timeOf(from ?? oldest));
      since.set(name, timeMs);
      const least = sinceMs === timeOf(oldest) ? 'at least ' : '';
      return ` after ${least}${formatAge(timeMs - sinceMs)}`;
    },
    restart: () => since.clear(),
  };
}

function describeEvent(row: Row, timeMs: number, clock: StatusClock): Line[] {
  const change = String(changeCell(row, 'change'));
  if (change !== 'changed') {
    clock.restart();
    const side = change === 'added' ? '' : '_before';
    const values = statusColumns.map((name) => changeCell(row, `${name}${side}`));
    return [{ timeMs, event: change, details: describeStatuses(values) }];
  }
  const changed = JSON.parse(String(changeCell(row, 'changed_columns'))) as string[];
  const isStatus = (name: string) => statusColumns.includes(name);
  const details = [
    ...changed.filter(isStatus).map((name) => {
      const [before, after] = [changeCell(row, `${name}_before`), changeCell(row, name)];
      return `${name}: ${showCell(before)} → ${showCell(after)}${clock.change(name, timeMs)}`;
    }),
    ...describeOthers(row, changed),
  ];
  return [{ timeMs, event: 'changed', details: details.join('; ') }];
}

/** Nothing if neither snapshot has the node. */
function describeBreak(
  { before, after, changesNone, isUnread, renamed }: LifeBreak,
  timeMs: number,
  clock: StatusClock,
): Line[] {
  if (!before && !after) return [];
  const reason = changesNone === null ? '' : ` (${changesNone})`;
  const note = isUnread
    ? 'its changes since the snapshot before cannot be read'
    : `not compared with the snapshot before${reason}`;
  const naming = renamed
    ? [`host_name: ${showCell(renamed.before)} → ${showCell(renamed.after)}`]
    : [];
  if (!before || !after) {
    clock.restart();
    const event = after ? 'listed' : 'not listed';
    const statuses = after ? [describeStatuses(after)] : [];
    return [{ timeMs, event, details: [...naming, note, ...statuses].join('; ') }];
  }
  const differing = statusColumns.flatMap((name, index) => {
    if (before[index] === after[index]) return [];
    const values = `${showCell(before[index])} → ${showCell(after[index])}`;
    return [`${name}: ${values}${clock.change(name, timeMs)}`];
  });
  return [
    {
      timeMs,
      event: differing.length + naming.length > 0 ? 'changed' : 'listed',
      details: [...differing, ...naming, note].join('; '),
    },
  ];
}

function describeStatuses(values: readonly unknown[]): string {
  return statusColumns.map((name, index) => `${name} ${showCell(values[index])}`).join(', ');
}

/** The changes of columns that are not statuses. `changed`: the names of all columns that changed. */
function describeOthers(row: Row, changed: readonly string[]): string[] {
  const [before, after] = ['before', 'after'].map((name) => {
    return JSON.parse(String(changeCell(row, name))) as Record<string, unknown>;
  });
  const others = listDistinct(changed, before, after).filter(
    (name) => !statusColumns.includes(name),
  );
  return others.map((name) => `${name}: ${showCell(before?.[name])} → ${showCell(after?.[name])}`);
}

/** A status that the first snapshot already shows may have begun before it. */
function describeNow(row: Row, { searched }: TargetLives, nowMs: number): Line {
  const [oldestMs, newestMs] = [timeOf(searched?.from ?? ''), timeOf(searched?.to ?? '')];
  const details = statusColumns.map((name) => {
    const sinceMs = nodeCell(row, containerNodes.sinceColumns[name] ?? '');
    const age =
      typeof sinceMs === 'number'
        ? ` since ${sinceMs <= oldestMs ? 'at least ' : ''}${formatTime(sinceMs)} (${formatAge(Math.max(0, nowMs - sinceMs))})`
        : '';
    return `${name} ${showCell(nodeCell(row, name))}${age}`;
  });
  return { timeMs: newestMs, event: 'now', details: details.join(', ') };
}

function showCell(value: unknown): string {
  if (value === '') return '""';
  return value === null || value === undefined ? 'null' : String(value);
}
